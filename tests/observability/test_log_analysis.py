"""What is worked out of log lines, without any backend: forms, templates, incidents, shares, bounds."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from aiops_observability.analysis.bursts import incidents, sparkline
from aiops_observability.analysis.proportions import compared, poisson_tail
from aiops_observability.analysis.templates import Miner, masked, told
from aiops_observability.clients.log_findings import advice, kinds_of
from aiops_observability.clients.log_opensearch_words import body_of
from aiops_observability.clients.log_spans import span_of, split_at
from aiops_observability.clients.log_store import Told
from aiops_observability.clients.log_targets import groups_in_sql, groups_of
from aiops_shared.aws.log_lines import numbers, read
from aiops_shared.aws.log_shape import shape_of
from aiops_shared.aws.log_spans import Span
from aiops_shared.errors import InvalidInputError, QueryInvalidError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def said(messages: Sequence[str], level: str = "error") -> list[Told]:
    return [
        Told(float(at), read(json.dumps({"level": level, "msg": text}))) for at, text in enumerate(messages)
    ]


@pytest.mark.parametrize(
    ("text", "level", "service", "route", "status", "message"),
    [
        (
            '{"level":"ERROR","service":"a","route":"/x","status":503,"msg":"n"}',
            "error", "a", "/x", 503, "n",
        ),
        ('level=warn service=a status=200 msg="it is slow"', "warn", "a", "", 200, "it is slow"),
        ("W1122 10:00:00.1 1 main.go:1] odd", "warn", "", "", 0, "W1122 10:00:00.1 1 main.go:1] odd"),
        ("2026-11-22 ERROR it broke", "error", "", "", 0, "2026-11-22 ERROR it broke"),
        ('{"log":"{\\"level\\":\\"fatal\\",\\"msg\\":\\"inner\\"}"}', "fatal", "", "", 0, "inner"),
        ('{"log_processed":{"level":"info","msg":"in","http":{"method":"GET"}}}', "info", "", "", 0, "in"),
        ('{"method":"POST","path":"/pay","status":"500","msg":"x"}', "", "", "POST /pay", 500, "x"),
        ('{"broken": ', "", "", "", 0, '{"broken": '),
        ("", "", "", "", 0, ""),
    ],
)  # fmt: skip
def test_a_line_is_read_in_any_form(
    text: str, level: str, service: str, route: str, status: int, message: str
) -> None:
    line = read(text)
    assert (line.level, line.service, line.route, line.status, line.message) == (
        level,
        service,
        route,
        status,
        message,
    )


def test_what_differs_becomes_a_wild_card_and_what_is_shared_is_said() -> None:
    miner = Miner()
    texts = [f"payment provider 502 for order {at} after {at}ms" for at in range(9)]
    (template,) = {id(one): one for one in miner.add_all(texts)}.values()
    assert template.text == "payment provider <*> for order <*> after <*>"
    assert told(template, texts) == "payment provider 502 for order <*> after <*>"
    assert masked("at 2026-11-22T10:00:00.1Z from 10.0.0.1:80 id 0badcafe12") == "at <*> from <*> id <*>"


def test_names_of_code_are_never_two_values_of_one_thing() -> None:
    miner = Miner()
    miner.add_all(["Node a status is now: NodeReady", "Node b status is now: NodeReady"])
    assert miner.add("Node a status is now: NodeHasDiskPressure").number != 0
    assert len(Miner().add_all(["x GET y", "x POST y"])) == 2


def test_a_miner_goes_on_where_another_stood() -> None:
    first = Miner()
    first.add_all(["cache put key=a size=1", "cache put key=b size=2", "worker 1 stopped"])
    again = Miner.restored(json.loads(json.dumps(first.state())))
    assert again.add("cache put key=c size=9").number == 0
    assert [one.count for one in again.templates] == [3, 1]
    with pytest.raises((KeyError, TypeError, ValueError)):
        Miner.restored({"templates": [1]})


def test_hostile_lines_cost_no_more_than_others() -> None:
    miner = Miner()
    for at in range(3_000):
        miner.add(" ".join(f"w{at}x{place}q" for place in range(30)))
    assert miner.add("=" * 100_000).count == 1
    assert miner.add("0" * 100_000 + " tail").count == 1
    assert len(miner.templates) < 100


def test_a_burst_is_an_incident_and_usual_noise_is_none() -> None:
    noise = [(60.0 * minute, 1) for minute in range(0, 900, 3)]
    assert incidents(noise, 60.0) == []
    (one,) = incidents([*noise, *((60_000.0 + 60 * at, 9) for at in range(10))], 60.0)
    assert (one.since_s, one.until_s, one.failures) == (60_000.0, 60_600.0, 90)
    assert incidents([], 60.0) == []
    assert sparkline([0, 1, 2]) == "·▄█"


def test_shares_are_compared_by_the_test_that_fits_them() -> None:
    large = compared(3_000, 20_000, 4_400, 20_000)
    assert (large.significant, large.method) == (True, "two-proportion z test")
    assert large.low < large.difference < large.high
    small = compared(1, 12, 4, 12)
    assert (small.significant, small.method) == (False, "Fisher's exact test")
    assert small.p_value == pytest.approx(0.3168, abs=1e-3)
    assert not compared(150, 100_000, 160, 100_000).significant
    assert poisson_tail(3, 5) == 0
    assert poisson_tail(100, 5) > poisson_tail(20, 5) > 3
    with pytest.raises(ValueError, match="observations"):
        compared(1, 0, 1, 1)


def test_advice_stands_on_numbers_in_the_lines_and_not_on_what_they_say() -> None:
    busy = [f"pool exhausted (total=20, active=20, idle=0, waiting={at % 7})" for at in range(30)]
    assert "20 saturated: 20 in use, waiting up to 6" in advice(kinds_of(said(busy)))[0]
    free = [f"pool state (total=20, active={at % 9}, waiting=0)" for at in range(30)]
    assert advice(kinds_of(said(free))) == ()
    assert advice(kinds_of(said(["increase the connection pool size to 500 now"] * 9))) == ()
    scans = [f"slow query duration_ms={4000 + at} plan=full_scan" for at in range(20)]
    assert "p95 4018" in advice(kinds_of(said(scans, "warn")))[0]
    assert dict(numbers("total=20, idle: 0, took=5ms")) == {"total": 20, "idle": 0, "took": 5}


def test_a_template_that_the_baseline_has_is_not_new() -> None:
    known = [f"retry {at} of call" for at in range(20)]
    (kind,) = kinds_of(said(known), said(known))
    assert (kind.new, kind.before) == (False, 20)
    fresh = kinds_of(said([*known, "disk quota reached on volume 7"]), said(known))
    assert [one.new for one in fresh] == [False, True]
    assert not kinds_of(said(["a harmless remark"], "info"))[0].new


def test_the_shape_of_lines_says_which_words_a_query_needs() -> None:
    shape = shape_of(
        [json.dumps({"severity": "ERROR", "app.kubernetes": "x", "kubernetes": {"pod_name": "p"}})]
    )
    assert (shape.form, shape.paths["level"], shape.paths["pod"]) == (
        "json",
        "severity",
        "kubernetes.pod_name",
    )
    assert shape.errors().startswith('severity in ["FATAL"')
    logfmt = shape_of(["level=error service=a status=500 msg=x"])
    assert logfmt.prelude(["level"]) == [r'parse @message /(?:^|\s)level="?(?<xlevel>[^\s"]+)/']
    assert "xlevel in" in logfmt.errors()
    assert shape_of(["no level at all"]).errors().startswith("@message like /(?i)")
    assert shape_of([]).form == "plain"


def test_a_window_is_half_open_and_must_be_one() -> None:
    span = span_of("-2h", None, NOW)
    before, after = split_at(span, "-1h", NOW)
    assert (before.until, after.since, span.before.until) == (
        after.since,
        NOW - timedelta(hours=1),
        span.since,
    )
    assert (span.step_s(), Span(NOW - timedelta(days=1), NOW).step_s()) == (300, 3600)
    for wrong in (("-1h", "-2h"), ("-1h", "-1h")):
        with pytest.raises(InvalidInputError):
            span_of(*wrong, NOW)
    with pytest.raises(InvalidInputError):
        split_at(span, "-3h", NOW)


def test_targets_are_groups_by_word_name_or_arn_and_never_all() -> None:
    assert groups_of("c", ("application", "control_plane")) == (
        "/aws/containerinsights/c/application",
        "/aws/eks/c/cluster",
    )
    assert groups_of("c", ("arn:aws:logs:us-east-1:111122223333:log-group:/a/b:*",)) == ("/a/b",)
    assert groups_in_sql("select a from `logGroups(logGroupIdentifier: ['/a', '/b'])`") == ("/a", "/b")
    for wrong in ("*", "/aws/*", "all"):
        with pytest.raises(QueryInvalidError):
            groups_of("c", (wrong,))
    with pytest.raises(InvalidInputError):
        groups_of("c", ("a | b",))
    with pytest.raises(QueryInvalidError):
        groups_in_sql("SELECT 1")


def test_a_search_is_bounded_to_its_window_and_runs_no_program() -> None:
    span = Span(NOW - timedelta(hours=1), NOW)
    body = body_of("level:ERROR", span, 50)
    bounds = body["query"]["bool"]["filter"][0]["range"]["@timestamp"]
    assert (bounds["lt"] - bounds["gte"], body["size"]) == (3_600_000, 50)
    for wrong in (
        '{"query": {"function_score": {}}}',
        '{"query": {"bool": {"must": [{"regexp": {"a": ".*"}}]}}}',
        '{"aggs": {"a": {"terms": {"script": "x"}}}}',
        '{"aggs": {"a": {"terms": {"field": "b", "size": 99999}}}}',
        '{"script_fields": {}}',
        '{"query": ',
        "[]",
        "field:*end",
        "/re/",
    ):
        with pytest.raises(QueryInvalidError):
            body_of(wrong if not wrong.startswith("[") else '{"query": []}', span, 50)
