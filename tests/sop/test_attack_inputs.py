"""Bad inputs through every parameter of every sop tool, as the listed schemas name them (T1, T5).

One lab, the whole suite on it. A refusal comes before any request of any server; it repeats nothing raw, and
`[internal]` is never an answer. What is refused leaves no run and no event behind.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.attacking import COMMON, ROWS, Play, faults, played
from tests.e2e.stage import Obj
from tests.listening import lead_to, listening
from tests.sop.stage import Stage, operated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
MORE = {
    "FTS operators": 'a" OR * NEAR/0 NOT (',
    "SQL ends": "'); DROP TABLE sop_runs; --",
    "CEL": "{{ params.name }} ${params}",
    "JSON": '{"a": 1}',
    "a million digits": "9" * 100_000,
}
BAD = ROWS | COMMON | MORE
NOBODY = "no-such-cluster"  # what gets past the door ends there, and not in a minute of evidence
RUN = "run_" + "a" * 20
FORMS = {"namespace", "workload", "sop", "idempotency_key", "run_id", "confirmed_cause"}
FORMS |= {"window", "since", "period", "baseline"}
# Rows that are of one of these forms, or that say nothing at all, which is the default.
FINE = {"BI-043", "blank", "empty"}
CODES = frozenset(
    {
        *("", "invalid_input", "not_found", "cluster_not_found", "sop_not_found", "run_not_found"),
        *("insufficient_data", "not_configured", "kind_unknown"),
    }
)
REFUSED = CODES - {"", "insufficient_data", "not_configured"}
GOOD: dict[str, Obj] = {
    "investigate": {"cluster": NOBODY},
    "get_report": {"kind": "noise", "cluster": NOBODY},
    "generate_config": {
        "workload": "deployment/a",
        "namespace": "production",
        "kinds": ["resources"],
        "cluster": NOBODY,
    },
    "verify_deployment": {"workload": "deployment/a", "namespace": "production", "cluster": NOBODY},
    "start_run": {"sop": "oom-raise-limits", "mode": "plan", "params": {"surely": "unknown"}},
    "get_run": {"run_id": RUN},
    "control_run": {"run_id": RUN, "action": "cancel"},
    "record_outcome": {"run_id": RUN, "note": "x"},
}

LIKE_SYMPTOM = {("investigate", "alarm"), ("investigate", "service")}  # the same door, and a dear room behind


def good(_: Stage, tool: str, word: str) -> Obj:
    """Arguments that go past the door, and not far."""
    return {"limit": 1} if tool == "find_sops" and word != "limit" else GOOD.get(tool, {})


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play[Stage]]:
    folder = tmp_path_factory.mktemp("bad")
    with played(lambda patch: operated(patch, folder, "healthy", 3), good) as made:
        for tool in made.tools:
            made.ask(
                tool["name"], **good(made.stage, tool["name"], "")
            )  # what is fetched once is fetched now
        yield made


def rows(play: Play[Stage]) -> dict[str, int]:
    """How many of what a call may leave behind there are."""
    with closing(sqlite3.connect(play.stage.settings.state.dir / "state.db", timeout=10)) as store:
        return {
            table: store.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608  # our own names
            for table in ("sop_runs", "events", "incidents", "outcomes", "notices")
        }


@pytest.mark.threat("T1")
@pytest.mark.threat("T5")
@pytest.mark.row("BI-001")
@pytest.mark.row("BI-036")
@pytest.mark.row("BI-075")
def test_no_bad_text_gets_past_any_parameter(play: Play[Stage]) -> None:
    wrong, tried, before_all = [], 0, rows(play)
    for number, (row, value) in enumerate(BAD.items()):
        for tool, word, _ in play.words("string"):
            if number % 4 and (tool, word) in LIKE_SYMPTOM:
                continue
            before, began = play.upstream, time.process_time()
            answer = play.with_one(tool, word, value)
            tried += 1
            strict = word in FORMS and row not in FINE and value.strip() != ""
            said = faults(play, answer, value, before, REFUSED if strict else CODES)
            wrong += [f"{tool}.{word} {row}: {each}" for each in said]
            if play.upstream == before and time.process_time() - began > 1.5:
                wrong.append(f"{tool}.{word} {row}: {time.process_time() - began:.1f} s of CPU for a refusal")
    assert not wrong, "\n".join(wrong)
    assert tried >= 600
    assert rows(play) == before_all


@pytest.mark.threat("T1")
@pytest.mark.row("BI-027")
@pytest.mark.row("BI-034")
def test_wrong_types_bad_items_and_what_no_set_holds_are_refused(play: Play[Stage]) -> None:
    odd: dict[str, tuple[object, ...]] = {
        "integer": (-1, 10**9, 10**30, "many", "1; reboot", [1], {"a": 1}),
        "string": ({"$ne": 1}, [["a"]], True),
        "boolean": ("perhaps", 7, ["true"]),
        "object": (7, True, "no JSON", "[1]", "7", [1], "NaN"),
        "array": (
            7,
            {"a": "b"},
            ["a" * 201],
            [7],
            ["http://169.254.169.254/"],
            ["x"] * 100_000,
            "[" * 100_000,
        ),
    }
    wrong, before, before_all = [], play.upstream, rows(play)
    for kind, values in odd.items():
        for tool, word, _ in play.words(kind):
            for value in values:
                answer = play.with_one(tool, word, value)
                if answer.code != "invalid_input":
                    wrong.append(f"{tool}.{word}={str(value)[:60]}: {answer.text[:200]}")
    for tool, word, schema in play.parameters():
        if "enum" in schema or "enum" in schema.get("items", {}):
            for value in ("http://169.254.169.254/", "TOTAL", "exec", 3):
                answer = play.with_one(tool, word, [value] if "items" in schema else value)
                if answer.code != "invalid_input":
                    wrong.append(f"{tool}.{word}={value!r}: {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)
    assert (play.upstream, rows(play)) == (before, before_all)


# No tool takes an address, a path, a flag, an approval or a caller.
EXTRAS: tuple[Obj, ...] = (
    {"endpoint_url": "https://rebind.example/"},
    {"path": "/etc/cron.d/x"},
    {"dirs": ["/tmp/sops"]},
    {"approved": True, "approval_id": "apr_" + "a" * 20},
    {"confirm": "yes"},
    {"answer": "yes"},
    {"caller": "anna"},
    {"on_behalf_of": {"says": "{}", "mac": "x"}},
    {"__proto__": {"x": 1}},
)


@pytest.mark.threat("T1")
@pytest.mark.threat("T9")
def test_no_tool_takes_an_address_a_caller_or_a_persons_yes(play: Play[Stage]) -> None:
    wrong, before, before_all = [], play.upstream, rows(play)
    for tool in play.tools:
        for extra in EXTRAS:
            answer = play.ask(tool["name"], **{**good(play.stage, tool["name"], ""), **extra})
            if answer.code != "invalid_input":
                wrong.append(f"{tool['name']} {extra}: {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)
    assert (play.upstream, rows(play)) == (before, before_all)


def deep(levels: int) -> Obj:
    """An object in an object in …"""
    made: Obj = {}
    for _ in range(levels):
        made = {"a": made}
    return made


TARGET = {"namespace": "production", "name": "web"}
PARAMS: tuple[object, ...] = (
    {"name": "web"},  # one that is required is not there
    TARGET | {"shell": "rm -rf /"},
    TARGET | {"__proto__": {"mode": "auto"}},
    TARGET | {"constructor": {"prototype": {}}},
    TARGET | {"mode": "auto"},
    TARGET | {"sop": "node-recycle"},
    TARGET | {"": "x"},
    TARGET | {"name\u202e": "x"},
    TARGET | {"a" * 10_000: 1},
    TARGET | {f"p{number}": number for number in range(20_000)},
    {"namespace": deep(90), "name": "web"},
    {"namespace": "production", "name": deep(5)},
    {"namespace": "production", "name": ["web"]},
    {"namespace": "production", "name": 7},
    {"namespace": "production", "name": "w" * 2_000_000},
    {"namespace": "production", "name": "{{ params.namespace }}"},
    {"namespace": "production", "name": "*"},
    {"namespace": "../..", "name": "web"},
    {"namespace": "", "name": ""},
    {"namespace": " ", "name": "web"},
    '{"namespace": "production", "namespace": "kube-system"}',
    "{" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    '{"name": 1e999}',
    '{"name": NaN}',
    "[" * 100_000,
    "9" * 5_000,
    '{"name": ' + "9" * 5_000 + "}",
)


@pytest.mark.threat("T1")
@pytest.mark.threat("T10")
@pytest.mark.row("BI-051")
def test_no_params_start_anything_that_the_document_does_not_know(play: Play[Stage]) -> None:
    wrong, before, before_all = [], play.upstream, rows(play)
    for params in PARAMS:
        for mode in ("plan", "auto"):
            began = time.process_time()
            answer = play.ask("start_run", sop="oom-raise-limits", mode=mode, params=params)
            took_s = time.process_time() - began
            if answer.code != "invalid_input" or took_s > 2 or len(answer.error) > 2_000:
                wrong.append(f"{str(params)[:80]} {mode}: {took_s:.1f} s {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)
    assert (play.upstream, rows(play)) == (before, before_all)


NUMBERS: tuple[object, ...] = (
    *(-1, 0, 10**30, 1e400, -1e400, float("nan"), "NaN", "1e5", "٣", "0x10", True, [1], {"a": 1}),
    *("9" * 400, "1" * 5_000, 1.5, "-", "+", " ", "1; reboot"),
)


@pytest.mark.threat("T1")
def test_numbers_lists_and_truths_of_params_are_of_their_type_and_range(play: Play[Stage]) -> None:
    """Of every shipped SOP, each parameter that is no text; the others of its parameters stay absent."""
    from aiops_shared.errors import InvalidInputError
    from aiops_sop.clients.library import SopLibrary
    from aiops_sop.engine.arguments import arguments_of

    wrong = []
    for sop in SopLibrary(play.stage.settings).every():
        for param in sop.params:
            for value in (*NUMBERS, deep(90), ["x"] * 10_000, "a" * 100_000, "(a+)+$" * 600 + "!"):
                began = time.process_time()
                try:
                    found = arguments_of(sop, {param.name: value}).get(param.name)
                except InvalidInputError as error:
                    wrong += [f"{sop.id}.{param.name}: a long error"] if len(error.wire()) > 1_500 else []
                except (ArithmeticError, ValueError, TypeError, RecursionError) as bug:
                    wrong.append(f"{sop.id}.{param.name}={str(value)[:40]}: {bug!r}"[:200])
                else:
                    if found != found or found in (float("inf"), float("-inf")):  # NaN
                        wrong.append(f"{sop.id}.{param.name}={str(value)[:40]}: {found}")
                if time.process_time() - began > 0.5:
                    wrong.append(f"{sop.id}.{param.name}={str(value)[:40]}: slow")
    assert not wrong, "\n".join(wrong)


EVENTS: tuple[object, ...] = (
    {"x": 1},
    {"a": deep(90)},
    {"alerts": []},
    {"alerts": "x"},
    {"alerts": [7, None, [], {}, {"labels": {}}]},
    {"Message": "{}", "TopicArn": "arn:aws:sns:us-east-1:111122223333:x"},
    {"Type": "SubscriptionConfirmation", "TopicArn": "a", "SubscribeURL": "http://169.254.169.254/"},
    "[]",
    "null",
    "{" * 100_000,
    '{"a":' * 100_000 + "1" + "}" * 100_000,
    '"' + "x" * 2_000_000 + '"',
    {f"k{number}": number for number in range(50)},
)
# Taken for events or not, as find_sops and investigate like: never a crash, never a line upstream.
ODD_EVENTS: tuple[Obj, ...] = (
    {"reason": 7, "cluster": [], "namespace": {}, "name": None},
    {"reason": "Odd", "count": -1, "at": "yesterday", "severity": "purple", "labels": [1]},
    {"reason": "Odd", "count": 10**30, "at": 10**18, "labels": {"a": {"b": 1}}},
    {"reason": "OOMKilled", "namespace": "../..", "name": "a; reboot", "cluster": "\u202ex"},
    {"reason": "(a+)+$" * 20 + "!", "message": "{{ event.raw }}", "__proto__": {"state": "resolved"}},
    {"detail": 7, "source": "aws.eks", "detail-type": "EKS Add-on Health"},
    {"kind": "shell", "state": "approved", "cause": "x' OR 1=1"},
    {
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "detail": {"resource": 7, "severity": []},
    },
    {
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "detail": {"configuration": {"metrics": [7]}, "state": "x"},
    },
    {"alerts": [{"labels": {"alertname": "x" * 5_000}, "annotations": 7, "startsAt": "never"}] * 500},
)


@pytest.mark.threat("T1")
@pytest.mark.threat("T14")
def test_no_event_blows_the_server_up(play: Play[Stage]) -> None:
    wrong, before, before_all = [], play.upstream, rows(play)
    for event in EVENTS:
        for tool in ("submit_event", "find_sops", "investigate"):
            began = time.process_time()
            answer = play.ask(tool, **{**good(play.stage, tool, ""), "event": event})
            took_s = time.process_time() - began
            fine = {"invalid_input"} if tool == "submit_event" else CODES
            if answer.code not in fine or took_s > 2 or len(answer.error) > 2_000:
                wrong.append(f"{tool} {str(event)[:80]}: {took_s:.1f} s {answer.text[:300]}")
    assert play.ask("submit_event", event={}).code == "invalid_input"
    assert (play.upstream, rows(play)) == (before, before_all)
    for odd in ODD_EVENTS:
        for tool in ("find_sops", "investigate"):
            answer = play.ask(tool, **{**good(play.stage, tool, ""), "event": odd})
            if answer.code not in CODES or "\u202e" in answer.text:
                wrong.append(f"{tool} {str(odd)[:80]}: {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)
    assert rows(play) == before_all


RATES = (
    *("downtime_hour_usd=NaN", "downtime_hour_usd=inf", "downtime_hour_usd=-1", "downtime_hour_usd=1e400"),
    *("downtime_hour_usd=", "=5", "downtime_hour_usd", "__proto__=1", "x=1", "downtime_hour_usd=1=2"),
    *("downtime_hour_usd=__import__('os')", "downtime_hour_usd=٣", "downtime_hour_usd=" + "9" * 5_000),
)
PERIODS = (
    *("2026-10-15..2026-10-01", "2031-01", "0d", "-0d", "9000d", "2026-13", "2026-02-30", "0001-01-01"),
    *(
        "9999-12-31",
        "2026-10-01..",
        "..2026-10-01",
        "a..b..c",
        "١٢d",
        "7d7d",
        "1e3d",
        "last year",
        "30 d; --",
    ),
)


@pytest.mark.threat("T1")
def test_rates_and_periods_that_are_none_are_refused_before_anything_is_asked(play: Play[Stage]) -> None:
    wrong, before = [], play.upstream
    asked: list[Obj] = [{"kind": "roi", "rates": [rate]} for rate in RATES]
    asked += [{"kind": "roi", "rates": ["downtime_hour_usd=5"] * 10_000}]
    asked += [
        {"kind": kind, word: text} for kind in ("roi", "ops") for word in ("period",) for text in PERIODS
    ]
    asked += [{"kind": "roi", "baseline": text} for text in PERIODS]
    for arguments in asked:
        answer = play.ask("get_report", cluster=NOBODY, **arguments)
        if answer.code != "invalid_input" or play.upstream != before:
            wrong.append(f"{str(arguments)[:90]}: {play.upstream - before} {answer.text[:200]}")
            before = play.upstream
    for window in ("x/y", "1h", "-1h/-2h", "-900d", "2026-13-01/2026-14-01", "+1h", "-1h/", "/", "-1e9h"):
        answer = play.ask("investigate", window=window, cluster=NOBODY)
        if answer.code != "invalid_input" and window != "-1h/":
            wrong.append(f"window {window}: {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


def test_the_server_is_alive_after_all_this(play: Play[Stage]) -> None:
    answer = play.ask("find_sops", name="disk-pressure")
    assert not answer.error
    assert json.loads(json.dumps(answer.data)) == answer.data


@pytest.mark.threat("T5")
def test_no_text_of_a_caller_opens_a_connection(play: Play[Stage]) -> None:
    with listening() as listener:
        assert lead_to(listener, play) >= 30
        assert listener.seen == 0
