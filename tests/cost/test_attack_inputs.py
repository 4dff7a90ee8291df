"""Bad inputs through every parameter of every cost tool, as the listed schemas name them (T1, T5).

One server on one lab for all of them. A refusal comes before any request to Kubernetes, AWS or a telemetry
backend, and before any billed one; it repeats nothing raw, and `[internal]` is never an answer.
"""

import csv
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import yaml
from anyio.from_thread import BlockingPortal, start_blocking_portal

from tests.contracts.snapshots import Tool
from tests.cost.every_call import CLUSTER
from tests.cost.stage import Stage, billed
from tests.e2e.stage import Answer, Obj
from tests.listening import lead_to, listening

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
BOOK = Path(__file__).parents[1] / "eks" / "bad_inputs.csv"
ROWS: dict[str, str] = {
    row["id"]: json.loads(row["text"])
    for row in csv.DictReader(BOOK.read_text(encoding="utf-8").splitlines())
}
MORE = {
    "SQL": "x' OR '1'='1",
    "SQL ends": "'); DROP TABLE cur; --",
    "DuckDB reads": "read_parquet('/etc/passwd')",
    "path traversal": "../../../../etc/passwd",
    "metadata address": "http://169.254.169.254/latest/meta-data/",
    "bucket": "s3://somebody-elses/",
    "look-alike letters": "ｐｒｏｄ\u0443ction\u200b",
    "a line break": "a\r\nX-Injected: 1",
    "half a pair": "\ud800",
    "PromQL out of a label": '"} or vector(1) # ',
    "8 kB": "a" * 8_193,
    "catastrophe": "(a+)+$" * 20 + "!",
}
BAD = ROWS | MORE
# Parameters whose every value must have a narrow form, and the rows that are one of them or nothing.
STRICT = {"period", "baseline", "namespace", "plan_id", "instances", "manifest", "group_by", "region"}
FINE = {"BI-043", "blank"}
CODES = {"", "invalid_input", "not_found", "cluster_not_found", "insufficient_data", "kind_unknown"}
CODES |= {"plan_not_found", "not_configured"}
GOOD: dict[str, Obj] = {"estimate_cost": {"instances": "1 m5.large"}}


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

    def words(self, of_type: str) -> Iterator[tuple[str, str, Obj]]:
        """Every parameter of this JSON type that is no closed set, from the schemas."""
        for tool in self.tools:
            for word, schema in tool["inputSchema"].get("properties", {}).items():
                if schema.get("type") == of_type and "enum" not in schema:
                    yield tool["name"], word, schema

    def with_one(self, tool: str, word: str, value: object) -> Answer:
        """A good call with this one argument instead."""
        given = {} if tool == "estimate_cost" and word in ALONE else GOOD.get(tool, {})
        return self.ask(tool, **{**given, word: value})


ALONE = {"manifest", "plan_id", "nodepool", "instances"}


async def _tools(stage: Stage) -> tuple[Tool, ...]:
    found = await stage.client.list_tools()
    return tuple(tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in found)


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    folder = tmp_path_factory.mktemp("bad")
    with pytest.MonkeyPatch.context() as patch, start_blocking_portal() as portal:
        opened = billed(patch, folder, "healthy", 3)
        with portal.wrap_async_context_manager(opened) as stage:
            made = Play(portal, stage, portal.call(_tools, stage))
            for tool in made.tools:
                made.ask(tool["name"], **GOOD.get(tool["name"], {}))  # what is fetched once is fetched now
            yield made
            assert stage.lab.requests.writes() == [], "nothing in this file may write"


def faults(
    play: Play, answer: Answer, value: str, before: tuple[int, int], *, refused: bool
) -> Iterator[str]:
    """What is wrong with one answer to one bad text."""
    if answer.code not in (CODES if not refused else {"invalid_input", "not_found", "plan_not_found"}):
        yield answer.text[:200]
    if answer.code == "invalid_input" and value and play.upstream != before[0]:
        yield f"refused after {play.upstream - before[0]} requests: {answer.text[:200]}"
    if len(play.stage.ledger.asked) > before[1] + (answer.code != "invalid_input") * 20:
        yield "billed"
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
            before = play.upstream, len(play.stage.ledger.asked)
            answer = play.with_one(tool, word, value)
            tried += 1
            strict = word in STRICT and row not in FINE
            said = faults(play, answer, value, before, refused=strict)
            wrong += [f"{tool}.{word} {row}: {each}" for each in said]
    assert not wrong, "\n".join(wrong)
    assert tried >= 400


@pytest.mark.threat("T1")
def test_bad_items_of_lists_are_refused(play: Play) -> None:
    wrong = []
    for row, value in BAD.items():
        for tool, word, schema in play.words("array"):
            if "enum" in schema.get("items", {}) or not value or word == "changes":
                continue
            before = play.upstream, len(play.stage.ledger.asked)
            answer = play.with_one(tool, word, [value])
            said = faults(play, answer, value, before, refused=word == "filters")
            wrong += [f"{tool}.{word} {row}: {each}" for each in said]
    assert not wrong, "\n".join(wrong)


@pytest.mark.threat("T7")
def test_what_a_caller_says_has_changed_is_a_text_of_a_caller(play: Play) -> None:
    values = list(BAD.values())
    for some in (values[:20], values[20:40], values[40:]):
        answer = play.ask("explain_cost_change", changes=some)
        assert answer.code in {"", "invalid_input"}, answer.text
        assert "\u202e" not in answer.text
        assert "\x1b" not in answer.text
    before = play.upstream
    for odd in (["-6h x"] * 21, ["a" * 201], [7], {"a": "b"}, ["-6h x"] * 100_000):
        answer = play.ask("explain_cost_change", changes=odd)
        assert answer.code == "invalid_input", answer.text[:300]
    assert play.upstream == before


@pytest.mark.threat("T1")
@pytest.mark.row("BI-027")
@pytest.mark.row("BI-034")
def test_numbers_out_of_bounds_and_wrong_types_are_refused(play: Play) -> None:
    numbers: tuple[object, ...] = (-1, 10**9, 10**30, "many", "1; reboot", [1], {"a": 1})
    wrong, before = [], play.upstream
    for tool, word, _ in (*play.words("integer"), *play.words("number")):
        for value in numbers:
            answer = play.with_one(tool, word, value)
            if answer.code != "invalid_input":
                wrong.append(f"{tool}.{word}={value!r}: {answer.text[:200]}")
    for tool, word, _ in play.words("string"):
        for odd in ({"$ne": 1}, [["a"]], True):
            answer = play.with_one(tool, word, odd)
            if answer.code != "invalid_input":
                wrong.append(f"{tool}.{word}={odd!r}: {answer.text[:200]}")
    for tool, word, _ in play.words("boolean"):
        for no_flag in ("perhaps", 7, ["true"]):
            answer = play.with_one(tool, word, no_flag)
            if answer.code != "invalid_input":
                wrong.append(f"{tool}.{word}={no_flag!r}: {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)
    assert play.upstream == before


EXTRAS: tuple[Obj, ...] = (
    {"opencost_url": "http://127.0.0.1:10250/pods"},
    {"cur": "s3://somebody-elses/"},
    {"endpoint_url": "https://rebind.example/"},
    {"account": "999988887777"},
    {"max_billed_requests": 10_000},
    {"output": "/etc/cron.d/x"},
    {"__proto__": {"x": 1}},
)


@pytest.mark.threat("T1")
@pytest.mark.threat("T5")
def test_a_closed_set_takes_nothing_else_and_no_tool_takes_an_address_or_a_flag(play: Play) -> None:
    wrong, tried, before = [], 0, play.upstream
    for tool in play.tools:
        name = tool["name"]
        for word, schema in tool["inputSchema"].get("properties", {}).items():
            if "enum" in schema or "enum" in schema.get("items", {}):
                tried += 1
                for value in ("http://169.254.169.254/", "TOTAL", "exec", 3):
                    answer = play.with_one(name, word, value)
                    if answer.code != "invalid_input":
                        wrong.append(f"{name}.{word}={value!r}: {answer.text[:200]}")
        for extra in EXTRAS:
            answer = play.ask(name, **{**GOOD.get(name, {}), **extra})
            if answer.code != "invalid_input":
                wrong.append(f"{name} {extra}: {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)
    assert play.upstream == before
    assert tried >= 4


PERIODS = (
    *("2026-10-15..2026-10-01", "2025-01-01..2025-02-01", "2024-10", "2031-01", "2026-12-24..2026-12-31"),
    *("0d", "-0d", "900d", "2026-13", "2026-02-30", "2026-10-01..2026-13-01", "0001-01-01", "9999-12-31"),
    *("2026-10-01..", "..2026-10-01", "2026-10-01..2026-10-02..2026-10-03", "١٢d", "１２d", "7d7d", "1e3d"),
    *("2026-11-23..2026-11-24", "2026-10-01T00:00:00Z", "last year", "now()", "2026-1", "30 d; --"),
)
# Each of them alone would be answered.
CONTRADICTIONS: tuple[tuple[str, Obj], ...] = (
    ("get_costs", {"group_by": "service", "filters": ["namespace=production"]}),
    ("get_costs", {"group_by": "workload", "filters": ["service=AmazonCloudWatch"]}),
    ("get_costs", {"filters": ["namespace=a", "namespace=b"]}),
    ("get_costs", {"filters": ["region=us-east-1"] * 11}),
    ("get_costs", {"group_by": "tag:"}),
    ("get_costs", {"group_by": "tag:a{}b"}),
    ("get_costs", {"filters": ["tag:=x"]}),
    ("get_costs", {"filters": ["service="]}),
    ("get_costs", {"filters": ["service=|||"]}),
    ("estimate_cost", {"instances": "1 m5.large", "plan_id": "x"}),
    ("estimate_cost", {"manifest": "a: b", "nodepool": "default"}),
    ("estimate_cost", {"instances": " ", "manifest": "\n"}),
    ("estimate_cost", {"instances": "1 m5.large, " * 60}),
    ("estimate_cost", {"instances": "99999999999999999999 m5.large"}),
    ("explain_cost_change", {"period": "7d", "baseline": "2031-01"}),
    ("list_prices", {"what": ["m5.large"] * 101}),
    ("list_prices", {"what": "a" * 61}),
    ("list_prices", {"spot_days": 0}),
    ("list_prices", {"spot_days": 91}),
    ("list_prices", {"min_vcpus": "nan"}),
    ("list_prices", {"min_memory_gib": "inf"}),
    ("list_prices", {"region": "us-east-1;x"}),
    ("list_prices", {"cursor": "A" * 4_000}),
    *(("get_costs", {"limit": number}) for number in (0, -1, 10_001)),
    *(("list_prices", {"limit": number}) for number in (0, -1, 10_001)),
)


@pytest.mark.threat("T1")
def test_periods_that_are_none_and_arguments_that_exclude_each_other_are_refused(play: Play) -> None:
    wrong, before, billed_before = [], play.upstream, len(play.stage.ledger.asked)
    asked: list[tuple[str, Obj]] = [*CONTRADICTIONS]
    for period in PERIODS:
        asked += [(tool, {"period": period}) for tool in ("get_costs", "explain_cost_change")]
        asked.append(("get_costs", {"group_by": "workload", "period": period}))
        asked.append(("explain_cost_change", {"baseline": period}))
    for tool, arguments in asked:
        answer = play.ask(tool, **arguments)
        if answer.code != "invalid_input" or play.upstream != before:
            wrong.append(f"{tool} {str(arguments)[:80]}: {play.upstream - before} {answer.text[:200]}")
            before = play.upstream
    assert not wrong, "\n".join(wrong)
    assert len(play.stage.ledger.asked) == billed_before


@pytest.mark.row("C14")
def test_a_cluster_that_does_not_exist_gets_the_nearest_names(play: Play) -> None:
    misspelt = CLUSTER[:-1]
    for tool, arguments in (
        ("get_costs", {"group_by": "workload"}),
        ("recommend_savings", {}),
        ("estimate_cost", {"instances": "1 m5.large"}),
    ):
        answer = play.ask(tool, cluster=misspelt, **arguments)
        assert answer.code == "cluster_not_found", answer.text
        assert CLUSTER in answer.error
    for tool in ("get_costs", "explain_cost_change"):  # by the bill: a cluster that is gone was billed too
        answer = play.ask(tool, cluster=misspelt)
        assert answer.code in {"not_found", "cluster_not_found"}, answer.text
        assert CLUSTER in answer.error


def deployment(**spec: object) -> str:
    """A manifest."""
    pod = {"spec": {"containers": [{"name": "a", "image": "a", "resources": {"requests": {"cpu": "1"}}}]}}
    body = {"replicas": 1, "template": pod, **spec}
    meta = {"name": "walk", "namespace": "production"}
    return yaml.safe_dump({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": body})


ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + one)}: &{chr(98 + one)} [{', '.join(['*' + chr(97 + one)] * 9)}]\n" for one in range(8)
)
BOMBS: tuple[Obj, ...] = (
    {"manifest": "a: " + "[" * 100_000},
    {"manifest": "a: &a [x]\n" * 100_000},
    {"manifest": ALIASES},
    {"manifest": "!!python/object/apply:os.system ['reboot']"},
    {"manifest": "kind: !!binary aGVsbG8="},
    {"manifest": "a: &a {b: *a}\n"},
    {"manifest": "\x00"},
    {"manifest": "---\n" * 50_000},
    {"manifest": "k" * 1_400_000},
    {"manifest": "kind: Deployment\nkind: Pod\nmetadata: {name: a}\n"},
    {"manifest": "[1, 2]"},
    {"manifest": "- - - -"},
    {"manifest": "kind: {a: b}\nmetadata: {name: [x]}"},
    {"instances": "1 m5.large, " * 10_000},
)
LIMITS: tuple[object, ...] = (
    "1e400",
    -1,
    [{"key": "node.kubernetes.io/instance-type", "operator": "In", "values": 7}],
    {},
)
# Objects whose fields no API server would take: priced, said to be unpriced, or refused, never a crash.
ODD: tuple[str, ...] = (
    deployment(replicas="many"),
    deployment(replicas=-5),
    deployment(replicas=10**30),
    deployment(replicas=1.5),
    deployment(template=7),
    deployment(template={"spec": {"containers": "x"}}),
    deployment(template={"spec": {"containers": [7, None, {"resources": 7}]}}),
    *(
        deployment(
            template={"spec": {"containers": [{"resources": {"requests": {"cpu": one, "memory": one}}}]}}
        )
        for one in ("1e400", "-1", "NaN", "inf", "10Zi", 10**400, True, None, [1], "9" * 400)
    ),
    *(
        yaml.safe_dump(
            {
                "kind": "PersistentVolumeClaim",
                "apiVersion": "v1",
                "metadata": {"name": "a"},
                "spec": {"resources": {"requests": {"storage": one}}},
            }
        )
        for one in ("1e400", "-1Gi", "NaN", 10**40, [1], None, "")
    ),
    *(
        yaml.safe_dump(
            {
                "kind": "NodePool",
                "apiVersion": "karpenter.sh/v1",
                "metadata": {"name": "a"},
                "spec": {"limits": {"cpu": one}, "template": {"spec": {"requirements": one}}},
            }
        )
        for one in LIMITS
    ),
    yaml.safe_dump({"kind": "Service", "apiVersion": "v1", "metadata": {"name": "a"}, "spec": 7}),
    yaml.safe_dump(
        {
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": {"name": "a", "annotations": [1]},
            "spec": {"type": 7},
        }
    ),
)


@pytest.mark.threat("T1")
@pytest.mark.threat("T14")
@pytest.mark.row("BI-051")
def test_no_argument_blows_the_server_up(play: Play) -> None:
    wrong, before = [], play.upstream
    for arguments in BOMBS:
        began = time.process_time()
        answer = play.ask("estimate_cost", **arguments)
        took_s = time.process_time() - began
        if answer.code != "invalid_input" or play.upstream != before or took_s > 2:
            wrong.append(
                f"{str(arguments)[:60]}: {took_s:.1f} s {play.upstream - before} {answer.text[:200]}"
            )
    for manifest in ODD:
        answer = play.ask("estimate_cost", manifest=manifest)
        if answer.code not in {"", "invalid_input"} or "NaN" in answer.text or "Infinity" in answer.text:
            wrong.append(f"{manifest!r:.300}: {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.threat("T5")
def test_no_text_of_a_caller_opens_a_connection(play: Play) -> None:
    with listening() as listener:
        assert lead_to(listener, play) >= 30
        assert listener.seen == 0
