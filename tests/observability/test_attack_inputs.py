"""Bad inputs through every parameter of every observability tool, as the listed schemas name them (T1, T5).

One server on one lab for all of them. A refusal comes before any request to Kubernetes, AWS or a telemetry
backend, repeats nothing raw, and `[internal]` is never an answer.
"""

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tests.contracts.snapshots import Tool
from tests.e2e.stage import Answer, Obj
from tests.listening import lead_to, listening
from tests.observability.every_call import COLLECTOR, HOME
from tests.observability.stage import Stage, watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
BOOK = Path(__file__).parents[1] / "eks" / "bad_inputs.csv"
ROWS: dict[str, str] = {
    row["id"]: json.loads(row["text"])
    for row in csv.DictReader(BOOK.read_text(encoding="utf-8").splitlines())
}
MORE = {
    "path traversal": "../../../../etc/passwd",
    "a group of another": "/aws/eks/../../../x",
    "metadata address": "http://169.254.169.254/latest/meta-data/",
    "look-alike letters": "ｐｒｏｄ\u0443ction\u200b",
    "a line break": "a\r\nX-Injected: 1",
    "half a pair": "\ud800",
    "PromQL out of a label": '"} or vector(1) # ',
    "quote and pipe": "x' | fields @message | limit 1 #",
    "8 kB": "a" * 8_193,
    "catastrophe": "(a+)+$" * 20 + "!",
}
BAD = ROWS | MORE
# Parameters whose every value must have a narrow form; the others are languages or words of a backend.
STRICT = {"namespace", "since", "until", "step", "history", "at"}
FINE = {(word, "BI-043") for word in STRICT} | {("at", ""), ("namespace", "")}
CODES = {
    *("", "invalid_input", "query_invalid", "not_found", "cluster_not_found", "insufficient_data"),
    *("not_configured", "kind_unknown"),
}


@dataclass(frozen=True)
class Play:
    """The stage, played from tests that are no coroutines."""

    portal: BlockingPortal
    stage: Stage
    tools: tuple[Tool, ...]

    def ask(self, tool: str, **arguments: object) -> Answer:
        """Call one tool."""
        return self.portal.call(partial(self.stage.ask, tool, **arguments))

    @property
    def upstream(self) -> int:
        """Requests that anything outside has seen."""
        lab = self.stage.lab
        return lab.requests.total + len(lab.aws_requests()) + len(lab.observatory.log.asked)

    def good(self, tool: str, word: str = "") -> Obj:
        """Arguments that this tool answers to, without what excludes `word`."""
        one = {"namespace": HOME, "kind": "Deployment", "name": self.stage.who.api}
        named: dict[str, Obj] = {
            "query_metrics": {"query": "up"}
            if word in {"step", "since", "until"}
            else {"what": "cpu", **one},
            "detect_anomalies": {"what": "memory", **one, "since": "-3h"},
            "forecast_metric": {"what": "requests_total", **one},
            "compare_windows": {"name": self.stage.who.api, "a": "-2h/-1h", "b": "-1h/"},
            "generate_telemetry_config": {"current": COLLECTOR, "target": "amp"},
            "analyze_traces": {"service": self.stage.who.api, "source": "jaeger"},
            "get_service_health": {"service": self.stage.who.api, "source": "traces"},
            "query_logs": {"query": "fields @message", "target": ["control_plane"]},
            "analyze_logs": {"mode": "compare", "at": "-30m", "target": ["control_plane"]},
        }
        given = named.get(tool, {})
        if tool in {"query_metrics", "detect_anomalies", "forecast_metric"} and word == "query":
            return {}
        if tool == "query_metrics" and word == "search":
            return {}
        return given

    def words(self, of_type: str) -> Iterator[tuple[str, str, Obj]]:
        """Every parameter of this JSON type that is no closed set, from the schemas."""
        for tool in self.tools:
            for word, schema in tool["inputSchema"].get("properties", {}).items():
                if schema.get("type") == of_type and "enum" not in schema:
                    yield tool["name"], word, schema

    def with_one(self, tool: str, word: str, value: object) -> Answer:
        """A good call with this one argument instead."""
        return self.ask(tool, **{**self.good(tool, word), word: value})


async def _tools(stage: Stage) -> tuple[Tool, ...]:
    found = await stage.client.list_tools()
    return tuple(tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in found)


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    folder = tmp_path_factory.mktemp("bad")
    with pytest.MonkeyPatch.context() as patch, start_blocking_portal() as portal:
        opened = watched(patch, folder, "healthy", 3)
        with portal.wrap_async_context_manager(opened) as stage:
            made = Play(portal, stage, portal.call(_tools, stage))
            made.ask("query_metrics", query="up")  # what is fetched once is fetched now
            yield made
            assert stage.lab.requests.writes() == [], "nothing in this file may write"


def faults(play: Play, answer: Answer, value: str, before: int, *, refused: bool) -> Iterator[str]:
    """What is wrong with one answer to one bad text."""
    if answer.code not in (CODES if not refused else {"invalid_input"}):
        yield answer.text[:200]
    if answer.code == "invalid_input" and value and play.upstream != before:
        yield f"refused after {play.upstream - before} requests: {answer.text[:200]}"
    if len(answer.error) > 2_000 or (len(value) > 600 and value in answer.error):
        yield f"an error of {len(answer.error)} characters"
    if any((ord(char) < 32 and char not in "\n\t") or char in "\u202e\u200b" for char in answer.error):
        yield f"raw characters: {answer.error[:200]!r}"


@pytest.mark.threat("T1")
@pytest.mark.threat("T5")
@pytest.mark.row("BI-001")
@pytest.mark.row("BI-036")
@pytest.mark.row("BI-075")
def test_no_bad_text_gets_past_any_parameter(play: Play) -> None:
    wrong, tried = [], 0
    for row, value in BAD.items():
        for tool, word, _ in play.words("string"):
            before, began = play.upstream, time.process_time()
            answer = play.with_one(tool, word, value)
            tried += 1
            strict = word in STRICT and (word, row) not in FINE and (word, value) not in FINE
            said = faults(play, answer, value, before, refused=strict)
            wrong += [f"{tool}.{word} {row}: {each}" for each in said]
            if play.upstream == before and time.process_time() - began > 1.0:
                wrong.append(f"{tool}.{word} {row}: {time.process_time() - began:.1f} s of CPU for a refusal")
    assert not wrong, "\n".join(wrong)
    assert tried >= 500


@pytest.mark.threat("T1")
def test_bad_items_of_lists_are_refused(play: Play) -> None:
    wrong = []
    for row, value in BAD.items():
        for tool, word, schema in play.words("array"):
            if "enum" in schema.get("items", {}) or not value:
                continue
            before = play.upstream
            answer = play.with_one(tool, word, [value])
            said = faults(play, answer, value, before, refused=False)
            wrong += [f"{tool}.{word} {row}: {each}" for each in said]
    assert not wrong, "\n".join(wrong)


@pytest.mark.threat("T1")
@pytest.mark.row("BI-027")
@pytest.mark.row("BI-034")
def test_numbers_out_of_bounds_and_wrong_types_are_refused(play: Play) -> None:
    numbers: tuple[object, ...] = (-1, 10**9, 10**30, "many", "1; reboot", [1], {"a": 1})
    wrong = []
    for tool, word, schema in (*play.words("integer"), *play.words("number")):
        for value in numbers:
            if schema["type"] == "number" and word == "capacity_per_pod" and value in (10**9, 10**30):
                continue  # has no upper bound
            before = play.upstream
            answer = play.with_one(tool, word, value)
            if answer.code != "invalid_input" or play.upstream != before:
                wrong.append(f"{tool}.{word}={value!r}: {answer.text[:200]}")
    for tool, word, _ in play.words("string"):
        for odd in ({"$ne": 1}, [["a"]], *(() if word == "step" else (7,)), True):  # a step of 7 is 7 s
            before = play.upstream
            answer = play.with_one(tool, word, odd)
            if answer.code != "invalid_input" or play.upstream != before:
                wrong.append(f"{tool}.{word}={odd!r}: {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.threat("T1")
@pytest.mark.threat("T5")
def test_a_closed_set_takes_nothing_else_and_no_tool_takes_an_address_or_a_flag(play: Play) -> None:
    wrong, tried = [], 0
    for tool in play.tools:
        name, before = tool["name"], play.upstream
        for word, schema in tool["inputSchema"].get("properties", {}).items():
            if "enum" in schema or "enum" in schema.get("items", {}):
                tried += 1
                for value in ("http://169.254.169.254/", "PROMETHEUS", "exec", 3):
                    answer = play.with_one(name, word, value)
                    if answer.code != "invalid_input":
                        wrong.append(f"{name}.{word}={value!r}: {answer.text[:200]}")
        for extra in EXTRAS:
            answer = play.ask(name, **{**play.good(name), **extra})
            if answer.code != "invalid_input":
                wrong.append(f"{name} {extra}: {answer.text[:200]}")
        if play.upstream != before:
            wrong.append(f"{name}: asked something before it refused")
    assert not wrong, "\n".join(wrong)
    assert tried >= 15


EXTRAS: tuple[Obj, ...] = (
    {"prometheus_url": "http://127.0.0.1:10250/pods"},
    {"url": "http://169.254.169.254/"},
    {"endpoint_url": "https://rebind.example/"},
    {"region": "us-west-2.evil.example/#"},
    {"headers": {"X-Scope-OrgID": "other"}},
    {"output": "/etc/cron.d/x"},
    {"__proto__": {"x": 1}},
)


@pytest.mark.threat("T10")
@pytest.mark.row("BI-077")
@pytest.mark.row("BI-079")
@pytest.mark.row("BI-081")
def test_the_rows_about_queries(play: Play) -> None:
    log = play.stage.lab.observatory.log.asked
    log.clear()
    bomb = play.ask("query_metrics", query='count({__name__=~".+"}) by (__name__)', since="-365d", step="1s")
    assert bomb.code == "query_invalid"
    assert not [one for one in log if "query_range" in one[2]]
    aws = len(play.stage.lab.aws_requests())
    every = play.ask(
        "query_logs", query="fields @message | filter @message like /x/ | limit 10000000", target=["*"]
    )
    assert every.code == "query_invalid"
    assert len(play.stage.lab.aws_requests()) == aws
    before = play.upstream
    span = {"since": "2026-11-20T10:00:00Z", "until": "2026-11-19T10:00:00Z"}
    for tool, more in (
        ("query_metrics", {"query": "up"}),
        ("detect_anomalies", {"query": "up"}),
        ("query_logs", {"query": "fields @message"}),
        ("analyze_logs", {}),
        ("analyze_traces", {"service": "shop"}),
    ):
        answer = play.ask(tool, **span, **more)
        assert answer.code == "invalid_input", (tool, answer.text[:300])
    assert play.upstream == before


HUGE = "a" * 1_600_000
DEEP = '{"query":' * 800 + "1" + "}" * 800
BOMBS: tuple[tuple[str, Obj], ...] = (
    *((tool, {"query": HUGE}) for tool in ("query_metrics", "detect_anomalies", "query_logs")),
    ("query_metrics", {"query": "sum(" * 5_000 + "up" + ")" * 5_000}),
    ("query_metrics", {"query": "up" + " + up" * 3_000}),
    ("query_metrics", {"query": "-" * 15_000 + "up"}),
    ("query_logs", {"query": "{" * 7_000, "source": "opensearch", "target": ["logs-application"]}),
    ("query_logs", {"query": "(" * 7_000 + "a", "source": "opensearch", "target": ["logs-application"]}),
    (
        "query_logs",
        {"query": '{"query":' * 800 + "1" + "}" * 800, "source": "opensearch", "target": ["logs-a"]},
    ),
    ("query_logs", {"query": "fields @message", "target": ["a"] * 5_000}),
    ("detect_anomalies", {"query": "up", "changes": ["-1h " + "a" * 100_000] * 14}),
    ("detect_anomalies", {"query": "up", "changes": ["-1h x"] * 100_000}),
    ("generate_telemetry_config", {"target": "amp", "current": "a: " + "[" * 100_000}),
    ("generate_telemetry_config", {"target": "amp", "current": "a: &a [x]\n" * 100_000}),
    ("generate_telemetry_config", {"target": "amp", "current": "!!python/object/apply:os.system ['reboot']"}),
    ("generate_telemetry_config", {"target": "amp", "current": "exporters: {a: &a {b: *a}}\n"}),
    ("generate_telemetry_config", {"target": "amp", "current": "\x00"}),
    ("generate_telemetry_config", {"target": "amp", "current": "---\n" * 50_000}),
    ("generate_telemetry_config", {"target": "amp", "current": "k" * 1_400_000}),
)


@pytest.mark.threat("T1")
@pytest.mark.threat("T14")
@pytest.mark.row("BI-051")
def test_no_argument_blows_the_server_up(play: Play) -> None:
    wrong = []
    for tool, arguments in BOMBS:
        before, began = play.upstream, time.process_time()
        answer = play.ask(tool, **arguments)
        took_s = time.process_time() - began
        said = f"{tool} {str(arguments)[:60]}"
        if answer.code not in {"invalid_input", "query_invalid"}:
            wrong.append(f"{said}: {answer.text[:200]}")
        if play.upstream != before:
            wrong.append(f"{said}: asked something")
        if took_s > 2:
            wrong.append(f"{said}: {took_s:.1f} s of CPU")
    assert not wrong, "\n".join(wrong)
    assert not play.ask("query_metrics", query="up").error


@pytest.mark.threat("T5")
def test_no_text_of_a_caller_opens_a_connection(play: Play) -> None:
    with listening() as listener:
        assert lead_to(listener, play) >= 30
        assert listener.seen == 0
