"""F10 through the MCP client: what an application's logs know, by five seeds; what is too dear is refused."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiops_lab.aws.logs import Queries
from aiops_lab.scenarios.canaries import PLANTED
from aiops_lab.scenarios.log_insights import INJECTED, LogStory, story
from aiops_lab.scenarios.log_lines import application_group
from aiops_lab.scenarios.log_volume import volume
from tests.observability.stage import SEEDS, Stage, watched

DAY_S = 86_400.0
Obj = dict[str, Any]


def iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def records(table: Obj) -> list[Obj]:
    return [dict(zip(table["columns"], row, strict=True)) for row in table.get("rows", [])]


def told(stage: Stage) -> LogStory:
    return story(stage.lab.seed, stage.lab.observatory.telemetry.t0_s)


def scanned(stage: Stage, since_s: float, until_s: float) -> int:
    logs = stage.lab.observatory.telemetry.logs
    return logs.group(application_group("my-cluster")).bytes_between(since_s, until_s)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.row("S42")
@pytest.mark.row("S43")
@pytest.mark.row("S44")
@pytest.mark.row("S46")
async def test_the_logs_of_a_day_a_release_and_a_week_are_read_right(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, "log-insights", seed) as stage:
        await the_most_frequent_error(stage)
        await the_worst_hour(stage)
        await who_was_hit(stage)
        await before_and_after_the_release(stage)
        await the_outages_of_the_week(stage)
        assert not any(one.operation.startswith("Delete") for one in stage.lab.aws_requests())
        assert stage.lab.requests.writes() == []


async def the_most_frequent_error(stage: Stage) -> None:
    day = told(stage).day
    answer = await stage.got("analyze_logs", mode="patterns", since="-24h")
    rows = records(answer["patterns"])
    kinds = sorted((day.pool, day.thumbnails, day.provider, *day.others), reverse=True)
    assert [row["count"] for row in rows[:8]] == kinds[:8]
    assert rows[0]["share_pct"] == pytest.approx(100 * day.pool / day.errors, abs=0.1)
    assert f"{day.errors:,} errors" in answer["summary"]
    assert "connection" in rows[0]["pattern"].lower()
    assert f"total={day.pool_size}" in rows[0]["pattern"]
    # what lines say is data: it stands where it is marked untrusted, and a key stands nowhere
    text = json.dumps(answer)
    assert "patterns" in answer["untrusted"]
    assert PLANTED["akia"] not in text
    assert text.count(INJECTED) == 1
    assert any(INJECTED in row["pattern"] for row in rows)
    assert INJECTED not in answer["summary"] + " ".join(answer.get("actions", []))
    now_s = stage.lab.clock.now().timestamp()  # the world's: it begins at the same hour whenever this runs
    estimate = scanned(stage, now_s - DAY_S, now_s + 60)
    assert estimate / 2 <= answer["scanned_bytes"] <= estimate * 2.1  # the baseline window is empty


async def the_worst_hour(stage: Stage) -> None:
    day = told(stage).day
    answer = await stage.got("analyze_logs", mode="error_rate", since="-24h", detail="full")
    worst = max(records(answer["rows"]), key=lambda row: row["rate_pct"])
    assert worst["from"] == f"{datetime.fromtimestamp(day.worst_hour_s, UTC):%m-%dT%H:%M}"
    assert (worst["requests"], worst["failures"]) == (day.worst_requests, day.worst_failures)
    why = records(answer["worst"])[0]
    assert (why["route"], why["service"]) == ("/api/orders", told(stage).services.orders)
    assert f"waiting={day.waiting}" in why["numbers"]
    (action,) = [each for each in answer["actions"] if "pool size" in each]
    assert f"{day.pool_size} saturated" in action
    assert f"waiting up to {day.waiting}" in action
    assert "max_connections" in action
    assert len(answer["chart"]) < 120
    if stage.lab.seed == 0:
        assert "12.4 %" in answer["summary"]
        assert "median 0.8 %" in answer["summary"] or "median 0.9 %" in answer["summary"]


async def who_was_hit(stage: Stage) -> None:
    day = told(stage).day
    answer = await stage.got("analyze_logs", mode="impact", since="-24h")
    rows = {(row["errors"], row["customers"]): row for row in records(answer["patterns"])}
    assert (day.provider, day.provider_customers) in rows
    assert (day.pool, day.pool_customers) in rows
    ranked = [row["customers"] for row in records(answer["patterns"])]
    assert ranked == sorted(ranked, reverse=True)
    if stage.lab.seed == 0:
        assert ranked[0] == 430
    assert "exact" in answer["read"]


async def before_and_after_the_release(stage: Stage) -> None:
    release, services = told(stage).release, told(stage).services
    answer = await stage.got(
        "analyze_logs",
        mode="compare",
        service=services.checkout,
        since=iso(release.at_s - 2 * DAY_S),
        until=iso(release.at_s + 2 * DAY_S),
        at=iso(release.at_s),
    )
    rows = records(answer["rows"])
    whole = rows[0]
    assert (whole["before"], whole["failed"]) == release.before
    assert (whole["after"], whole["failed_after"]) == release.after
    assert [row["endpoint"] for row in rows if row["verdict"] == "worse"] == ["all", release.route]
    assert rows[1]["endpoint"] == release.route
    grown = records(answer["patterns"])[0]
    assert (grown["growth"], grown["before"]) == (release.after[1] - release.before[1], 0)
    assert f"{release.timeout_ms}ms" in grown["pattern"]
    assert any(f"timeout of {release.timeout_ms}ms" in each for each in answer["actions"])


async def the_outages_of_the_week(stage: Stage) -> None:
    outages, services = told(stage).outages, told(stage).services
    answer = await stage.got(
        "analyze_logs",
        mode="impact",
        service=services.payments,
        since=iso(outages.since_s),
        until=iso(outages.until_s),
    )
    rows = records(answer["worst"])
    assert [row["from"][4:] for row in rows] == [
        f"{datetime.fromtimestamp(since, UTC):%m-%dT%H:%M}" for since, _ in outages.windows
    ]
    assert [row["until"] for row in rows] == [
        f"{datetime.fromtimestamp(until, UTC):%H:%M}" for _, until in outages.windows
    ]
    assert sum(row["failures"] for row in rows) == outages.failures
    assert (
        f"3 incidents with {outages.failures} failures and {outages.customers} distinct" in answer["summary"]
    )
    assert any("scans a whole table" in each for each in answer["actions"])
    assert any("HPA" in each for each in answer["actions"])


@pytest.mark.timeout(120)
@pytest.mark.row("S45")
@pytest.mark.row("B14")
async def test_who_writes_the_bytes_is_told_and_a_terabyte_is_not_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, "log-volume", 0) as stage:
        for seed in SEEDS:
            if seed:
                stage.play("log-volume", seed)
            right = volume(seed)
            answer = await stage.got("analyze_logs", mode="volume", since="-30d")
            top = records(answer["rows"])[0]
            assert (top["service"], top["level"]) == (right.service, "debug")
            share = 100 * right.debug_gb / right.total_gb
            assert top["share_pct"] == pytest.approx(share, rel=0.05)
            assert answer["scanned_bytes"] < 10 * 1024**3
            assert right.service in answer["actions"][0]
        await too_dear_is_refused(stage)


async def too_dear_is_refused(stage: Stage) -> None:
    right = volume(stage.lab.seed)
    started = len([one for one in stage.lab.aws_requests() if one.operation == "StartQuery"])
    for tool, arguments in (
        ("query_logs", {"query": "fields @message"}),
        ("analyze_logs", {"mode": "patterns"}),
        ("analyze_logs", {"mode": "impact"}),
    ):
        answer = await stage.ask(tool, since="-30d", **arguments)
        assert answer.code == "query_invalid", answer.text
        assert f"{right.total_gb / 1000:.1f}"[:2] in answer.error
        assert "fits" in answer.error
        assert "source=filter" in answer.error
    every = await stage.ask("query_logs", query="fields @message", target="*", since="-1h")
    assert every.code == "query_invalid"
    assert started == len([one for one in stage.lab.aws_requests() if one.operation == "StartQuery"])
    fine = await stage.got("query_logs", query="stats count(*) as n by level", since="-1h")
    assert fine["estimated_bytes"] / 2 <= fine["scanned_bytes"] <= fine["estimated_bytes"] * 2


@pytest.mark.timeout(120)
@pytest.mark.row("B38")
@pytest.mark.row("S48")
async def test_one_query_in_the_words_of_its_backend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with watched(monkeypatch, tmp_path, "log-insights", 1) as stage:
        day = told(stage).day
        group = application_group("my-cluster")
        for source, query in (
            ("insights", 'filter level = "ERROR" | stats count(*) as n'),
            ("ppl", "where level = 'ERROR' | stats count() as n"),
            ("sql", f"SELECT COUNT(*) AS n FROM `{group}` WHERE level = 'ERROR'"),  # noqa: S608  # a log query
        ):
            answer = await stage.got("query_logs", query=query, source=source, since="-24h")
            assert records(answer["rows"]) == [{"n": day.errors}], source
        await the_window_is_exact(stage)
        pattern = '{ $.level = "ERROR" && $.status = 502 }'
        answer = await stage.got("query_logs", query=pattern, source="filter", since="-24h", limit=5)
        assert len(records(answer["rows"])) == 5
        assert "rows" in answer["untrusted"]
        answer = await stage.got(
            "query_logs",
            query="level:ERROR AND status:502",
            source="opensearch",
            target="logs-application",
            since="-24h",
        )
        assert f"of {day.provider:,} documents" in answer["summary"]
        body = {
            "query": {"term": {"level.keyword": "ERROR"}},
            "aggs": {"service": {"terms": {"field": "service.keyword"}}},
        }
        answer = await stage.got(
            "query_logs", query=json.dumps(body), source="opensearch", target="logs-application", since="-24h"
        )
        assert sum(int(row["count"]) for row in records(answer["rows"])) == day.errors
        answer = await stage.got(
            "analyze_logs", mode="impact", source="opensearch", target="logs-application", since="-24h"
        )
        assert (day.provider, day.provider_customers) in {
            (row["errors"], row["customers"]) for row in records(answer["patterns"])
        }
        await wrong_words(stage)


async def the_window_is_exact(stage: Stage) -> None:
    """Both ends go to the API as they are; CloudWatch includes the second at which the window ends."""
    logs = stage.lab.observatory.telemetry.logs.group(application_group("my-cluster"))
    hour_s = told(stage).day.worst_hour_s
    inside = logs.between(hour_s + 61, hour_s + 121.999)
    answer = await stage.got(
        "query_logs",
        query="stats count(*) as n, min(@timestamp) as first, max(@timestamp) as last",
        since=iso(hour_s + 61),
        until=iso(hour_s + 121),
    )
    (row,) = records(answer["rows"])
    assert row["n"] == len(inside) > 0
    assert row["first"].startswith(f"{datetime.fromtimestamp(inside[0].at_s, UTC):%Y-%m-%d %H:%M:%S}")
    assert row["last"].startswith(f"{datetime.fromtimestamp(inside[-1].at_s, UTC):%Y-%m-%d %H:%M:%S}")


async def wrong_words(stage: Stage) -> None:
    """S48: what is misspelt is answered with the nearest right word."""
    wrong = await stage.ask(
        "query_logs", query="fields @message", target="/aws/containerinsights/my-cluster/aplication"
    )
    assert wrong.code == "not_found"
    assert application_group("my-cluster") in wrong.error
    wrong = await stage.ask("query_logs", query="x", source="opensearch", target="logs-aplication")
    assert wrong.code == "not_found"
    assert "logs-application" in wrong.error
    wrong = await stage.ask("query_logs", query="fields @message | filtr a = 1")
    assert wrong.code == "query_invalid"
    assert "an example: fields" in wrong.error
    answer = await stage.got("query_logs", query='fields @message | filter custmer_id = "x"', since="-24h")
    assert "customer_id" in answer["hint"]
    for query in (
        '{"query": {"script": {"script": "1"}}}',
        '{"query": {"wildcard": {"a": "*x"}}}',
        '{"runtime_mappings": {}}',
        "*secret",
    ):
        wrong = await stage.ask("query_logs", query=query, source="opensearch", target="logs-application")
        assert wrong.code == "query_invalid", query
    wrong = await stage.ask("query_logs", query="x", source="opensearch", target="*")
    assert wrong.code == "query_invalid"
    for arguments in (
        {"mode": "compare"},
        {"mode": "patterns", "service": 'x" or 1 = 1'},
        {"mode": "patterns", "since": "-1h", "until": "-2h"},
        {"mode": "volume", "source": "opensearch", "target": "logs-application"},
    ):
        wrong = await stage.ask("analyze_logs", **arguments)
        assert wrong.code == "invalid_input", wrong.text


@pytest.mark.timeout(120)
async def test_every_fault_of_a_backend_is_a_part_of_the_answer_or_a_clear_refusal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, "log-insights", 1) as stage:
        lab, group = stage.lab, application_group("my-cluster")
        ask = {"query": "stats count(*) as n", "since": "-24h"}

        # CloudWatch's figures are away: the estimate comes from stored bytes, and says so
        lab.fail_aws("cloudwatch", "GetMetricData", code="AccessDeniedException")
        answer = await stage.got("query_logs", **ask)
        assert "estimated from stored bytes" in answer["warnings"][0]
        lab.aws_faults.clear()

        # what may not be read says which action is missing
        lab.fail_aws("logs", "StartQuery", code="AccessDeniedException")
        refused = await stage.ask("query_logs", **ask)
        assert (refused.code, "logs:StartQuery" in refused.error) == ("access_denied", True)
        lab.aws_faults.clear()

        monkeypatch.setattr("aiops_shared.aws.log_insights.FIRST_WAIT_S", 0.05)
        # as many queries run as may: waited out once, then said
        lab.account.area(Queries).at_once = 0
        refused = await stage.ask("query_logs", **ask)
        assert refused.code == "throttled", refused.text
        lab.account.area(Queries).at_once = 100
        lab.fail_aws("logs", "StartQuery", code="ThrottlingException", times=1)
        assert (await stage.got("query_logs", **ask))["scanned_records"] > 0
        lab.aws_faults.clear()

        # it fails by itself, or is cancelled by somebody
        for ends, code in (("Failed", "upstream_error"), ("Timeout", "")):
            lab.account.area(Queries).ends = ends
            found = await stage.ask("query_logs", **ask)
            assert found.code == code, found.text
            if not code:
                assert found.data["truncated"]
                assert "ended as Timeout" in found.data["warnings"][0]
        lab.account.area(Queries).ends = "Complete"

        # too slow: stopped, and what it had until then is told
        monkeypatch.setattr("aiops_shared.aws.log_spans.WITHIN_S", 3.0)
        monkeypatch.setattr("aiops_shared.aws.log_spans.Until.within.__func__.__defaults__", (3.0,))
        lab.account.area(Queries).polls = 40
        slow = await stage.got("query_logs", **{**ask, "query": "fields @message"})
        assert slow["truncated"]
        assert "was stopped" in slow["warnings"][0]
        assert lab.aws_requests()[-1].operation in {"StopQuery", "FilterLogEvents"}
        lab.account.area(Queries).polls = 1

        # half of an analysis: the counts stand without the lines
        lab.fail_aws("logs", "StartQuery", code="InternalServerError", params={"limit": 2_000})
        rates = await stage.got("analyze_logs", mode="error_rate", since="-24h")
        assert "not read" in rates["warnings"][0]
        assert records(rates["rows"])
        lab.aws_faults.clear()

        # OpenSearch
        for status, code in (
            (503, "upstream_error"),
            (429, "throttled"),
            (403, "access_denied"),
            (401, "unauthenticated"),
        ):
            lab.observatory.fail("opensearch", status=status)
            refused = await stage.ask("query_logs", query="x", source="opensearch", target="logs-application")
            assert refused.code == code, refused.text
        lab.observatory.heal()

        # no permission of the operator
        assert group
    async with watched(monkeypatch, tmp_path / "second", sensitive_reads=False) as stage:
        refused = await stage.ask("query_logs", query="fields @message")
        assert refused.code == "refused"
        assert "AIOPS_SENSITIVE_READS" in refused.error
        assert not any(one.service == "logs" for one in stage.lab.aws_requests())


@pytest.mark.timeout(120)
async def test_what_is_new_is_told_from_what_the_window_before_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, "log-insights", 2) as stage:
        release, services = told(stage).release, told(stage).services
        answer = await stage.got(
            "analyze_logs",
            service=services.checkout,
            since=iso(release.at_s),
            until=iso(release.at_s + 2 * DAY_S),
        )
        rows = records(answer["patterns"])
        (new,) = [row for row in rows if row["before"] == "new"]
        assert f"{release.timeout_ms}ms" in new["pattern"]
        assert len(rows) == 2
        assert "1 kinds are new" in answer["summary"]


@pytest.mark.timeout(120)
async def test_a_query_that_its_caller_leaves_is_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, "log-insights", 1) as stage:
        stage.lab.account.area(Queries).polls = 10_000
        started = anyio.Event()

        async def ask() -> None:
            await stage.ask("query_logs", query="fields @message", since="-24h")

        async with anyio.create_task_group() as leaving:
            leaving.start_soon(ask)
            for _ in range(200):
                if any(one.operation == "GetQueryResults" for one in stage.lab.aws_requests()):
                    started.set()
                    break
                await anyio.sleep(0.05)
            leaving.cancel_scope.cancel()
        assert started.is_set()
        for _ in range(100):
            if any(one.operation == "StopQuery" for one in stage.lab.aws_requests()):
                break
            await anyio.sleep(0.05)
        assert [one.status for one in stage.lab.aws_requests() if one.operation == "StopQuery"] == [200]


@pytest.mark.timeout(120)
@pytest.mark.row("C12")
async def test_pods_and_the_control_plane_are_sources_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path, "pod-crashloop", 0) as stage:
        target = f"production/deployment/{stage.who.api}"
        answer = await stage.got("query_logs", query="required", source="pods", target=target, since="-1h")
        assert answer["untrusted"] == ["rows"]
        assert all(stage.who.api in row["pod"] for row in records(answer["rows"]))
        answer = await stage.got("analyze_logs", source="pods", target=target, since="-1h")
        rows = records(answer["patterns"])
        assert rows[0]["level"] == "fatal"
        assert stage.who.setting in rows[0]["pattern"]
        for wrong, code in (
            ("production/deployment/nothing", "not_found"),
            ("production", "invalid_input"),
            ("", "invalid_input"),
        ):
            refused = await stage.ask("query_logs", query="x", source="pods", target=wrong)
            assert refused.code == code, refused.text
        answer = await stage.got(
            "query_logs",
            query='filter verb = "delete" and objectRef.resource = "configmaps" | fields user.username',
            target="control_plane",
            since="-2h",
        )
        assert stage.who.cleaner in json.dumps(answer["rows"])
        missing = await stage.ask("query_logs", query="fields @message", since="-1h")
        assert missing.code == "not_found"
        assert "/aws/eks/my-cluster/cluster" in missing.error
        assert "amazon-cloudwatch-observability" in missing.error
