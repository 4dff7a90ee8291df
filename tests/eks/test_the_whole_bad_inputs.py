"""Bad inputs through every parameter of every tool, as the listed schemas name them (T1, BI rows).

One server on one lab for all of them: it has to live through everything. A refusal comes before any request
to the simulator, repeats nothing raw, and an unexpected failure of ours (`[internal]`) is never an answer.
"""

import csv
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contracts.snapshots import Tool
from tests.e2e.stage import Answer, Obj, Stage, whole
from tests.listening import lead_to, listening

HOME = "production"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
ROWS: dict[str, str] = {
    row["id"]: json.loads(row["text"])
    for row in csv.DictReader(
        (Path(__file__).parent / "bad_inputs.csv").read_text(encoding="utf-8").splitlines()
    )
}
# Parameters whose every value must have a narrow form. The others are words that a cluster, a policy or a
# parser answers to: any answer with a code will do, so long as it has no effect.
STRICT = {
    *("namespace", "name", "pod", "workload", "container", "plan_id", "action_id", "idempotency_key"),
    *("memory_limit", "memory_request", "cpu_limit", "cpu_request", "since"),
}
FINE = {  # of those, what has the right form after all
    ("workload", "slash"),
    ("idempotency_key", "BI-011"),
    ("idempotency_key", "BI-038"),
    *((word, "BI-043") for word in STRICT),  # clients send an empty text for "not given"
}
CODES = {
    *("invalid_input", "query_invalid", "not_found", "kind_unknown", "cluster_not_found", "plan_not_found"),
    *("refused", "action_not_found"),
}


@dataclass(frozen=True)
class Play:
    """The stage, played from a test that is no coroutine, so that hypothesis can drive it."""

    portal: BlockingPortal
    stage: Stage
    tools: tuple[Tool, ...]

    def ask(self, tool: str, **arguments: Any) -> Answer:
        """Call one tool."""
        return self.portal.call(partial(self.stage.ask, tool, **arguments))

    @property
    def upstream(self) -> int:
        """Requests that the simulated Kubernetes API and AWS have seen."""
        return self.stage.lab.requests.total + len(self.stage.lab.aws_requests())

    def good(self, tool: str) -> Obj:
        """Arguments that this tool answers to."""
        name = self.stage.who.api
        one = {"kind": "Deployment", "namespace": HOME, "name": name}
        known: dict[str, Obj] = {
            "list_resources": {"kind": "Pod"},
            "get_resource": one,
            "get_pod_logs": {"namespace": HOME},
            "diagnose": {"namespace": HOME},
            "plan_workload_change": {"action": "scale", "namespace": HOME, "name": name, "replicas": 11},
            "plan_manifest": {"action": "delete", **one},
            "get_action": {"action_id": "act_" + "x" * 20},
            "execute_plan": {"plan_id": "pln_" + "x" * 20, "confirm": "yes"},
            "undo_action": {"action_id": "act_" + "x" * 20},
        }
        return known.get(tool, {})

    def words(self, of_type: str) -> Iterator[tuple[str, str]]:
        """Every parameter of this JSON type, from the schemas."""
        for tool in self.tools:
            for word, schema in tool["inputSchema"].get("properties", {}).items():
                if schema.get("type") == of_type and "enum" not in schema:
                    yield tool["name"], word

    def with_one(self, tool: str, word: str, value: object) -> Answer:
        """A good call with this one argument instead."""
        given_ = self.good(tool)
        if tool == "get_pod_logs" and word in {"pod", "workload", "selector"}:
            given_ = {"namespace": HOME}
        if tool == "plan_manifest" and word == "manifest":
            given_ = {"action": "apply"}
        if tool in {"diagnose", "scan_manifest"} and word in {"kind", "name"}:
            given_ = {"namespace": HOME, "kind": "Deployment", "name": self.stage.who.api}
        if word.startswith(("memory_", "cpu_")):
            given_ = {**given_, "action": "resources"}
            del given_["replicas"]
        if tool == "list_events" and word == "name":
            given_ = {"kind": "Pod"}
        return self.ask(tool, **{**given_, word: value})


async def _tools(stage: Stage) -> tuple[Tool, ...]:
    found = await stage.client.list_tools()
    return tuple(tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in found)


@pytest.fixture(scope="module")
def play(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    folder = tmp_path_factory.mktemp("bad")
    with pytest.MonkeyPatch.context() as patch, start_blocking_portal() as portal:
        opened = whole("guardrail-drill", 3, patch, folder)
        with portal.wrap_async_context_manager(opened) as stage:
            made = Play(portal, stage, portal.call(_tools, stage))
            made.ask("diagnose", namespace=HOME)  # what is fetched once is fetched now
            made.ask("plan_workload_change", **made.good("plan_workload_change"))
            yield made
            assert stage.writes() == [], "nothing in this file may write"
            assert stage.person.asked == []


def check(play: Play, answer: Answer, value: str, before: int, *, refused: bool) -> None:
    """One answer to one bad text."""
    assert answer.code in CODES or (not refused and not answer.error), answer.text[:300]
    if refused:
        assert answer.code == "invalid_input", answer.text[:300]
    if answer.code == "invalid_input" and value:  # an empty text is "not given": a lookup may say so
        assert play.upstream == before, "refused before any request"
    if answer.error:
        assert len(answer.error) <= 2_000
        assert not any(
            (ord(char) < 32 and char not in "\n\t") or char in "\u202e\u200b" for char in answer.error
        )
        assert len(value) <= 100 or value not in answer.error


@pytest.mark.threat("T1")
@pytest.mark.row("BI-001")
@pytest.mark.parametrize("row", list(ROWS))
def test_no_bad_text_gets_past_any_parameter(row: str, play: Play) -> None:
    value, tried = ROWS[row], 0
    for tool, word in play.words("string"):
        before = play.upstream
        answer = play.with_one(tool, word, value)
        tried += 1
        try:
            check(play, answer, value, before, refused=word in STRICT and (word, row) not in FINE)
        except AssertionError as wrong:
            raise AssertionError(f"{tool}.{word} {row}: {wrong}") from wrong
    assert tried >= 40
    assert play.stage.writes() == []


@pytest.mark.threat("T1")
def test_no_text_at_all_breaks_any_tool(play: Play) -> None:
    words = list(play.words("string"))

    @settings(max_examples=1_500, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(words), st.text(max_size=60))
    def every(where: tuple[str, str], value: str) -> None:
        before = play.upstream
        answer = play.with_one(*where, value)
        check(play, answer, value, before, refused=False)

    every()
    assert play.stage.writes() == []


@pytest.mark.threat("T1")
@pytest.mark.row("BI-027")
@pytest.mark.row("BI-034")
def test_numbers_out_of_bounds_and_wrong_types_are_refused(play: Play) -> None:
    numbers: tuple[object, ...] = (-1, 10**9, 10**30, 1.5, "many", "1; reboot", True, [1], {"a": 1})
    for tool, word in play.words("integer"):
        for value in numbers:
            before = play.upstream
            answer = play.with_one(tool, word, value)
            if value is True and not answer.error:
                continue  # JSON's true is 1 for pydantic's integers
            assert answer.code == "invalid_input", f"{tool}.{word}={value!r}: {answer.text[:200]}"
            assert play.upstream == before
    for tool, word in play.words("string"):
        for wrong in ({"$ne": 1}, [["a"]], 7):
            answer = play.with_one(tool, word, wrong)
            assert answer.code == "invalid_input", f"{tool}.{word}={wrong!r}: {answer.text[:200]}"


@pytest.mark.threat("T1")
def test_a_closed_set_takes_nothing_else(play: Play) -> None:
    tried = 0
    for tool in play.tools:
        for word, schema in tool["inputSchema"].get("properties", {}).items():
            if "enum" in schema:
                tried += 1
                for value in ("exec", "", "DELETE", 3):
                    answer = play.with_one(tool["name"], word, value)
                    assert answer.code == "invalid_input", (
                        f"{tool['name']}.{word}={value!r}: {answer.text[:200]}"
                    )
    assert tried >= 6


@pytest.mark.threat("T5")
@pytest.mark.threat("T13")
@pytest.mark.parametrize(
    "extra",
    [
        {"path": "/etc/shadow"},
        {"path": "file:///etc/passwd"},
        {"output_directory": "/workspace"},
        {"kubeconfig": "/workspace/evil"},
        {"prometheus_url": "http://127.0.0.1:10250/pods"},
        {"endpoint": "https://rebind.example/"},
        {"region": "us-west-2.evil.example/#"},
        {"account_id": "1"},
        {"command": "ls; reboot"},
        {"jsonpath": "{.data..*}"},
        {"label_selector": ""},
        {"all_namespaces": True},
        {"headers": {"X-Grafana-URL": "https://evil.example"}},
        {"__proto__": {"x": 1}},
        {"dry_run": False},
    ],
    ids=str,
)
def test_no_tool_takes_a_path_an_address_or_a_flag(extra: Obj, play: Play) -> None:
    for tool in play.tools:
        before = play.upstream
        answer = play.ask(tool["name"], **{**play.good(tool["name"]), **extra})
        assert answer.code == "invalid_input", f"{tool['name']}: {answer.text[:200]}"
        assert play.upstream == before


def nested(depth: int) -> str:
    return (
        "kind: ConfigMap\nmetadata: {name: deep, namespace: production}\ndata: " + "[" * depth + "]" * depth
    )


def aliases(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "kind: ConfigMap\nmetadata: {name: bomb}\n" + "\n".join(lines)


BOMBS: dict[str, Callable[[], str]] = {
    "nested 100,000 deep": lambda: nested(100_000),
    "nested as JSON": lambda: '{"kind":"ConfigMap","data":' + '{"a":' * 100_000 + "1" + "}" * 100_001,
    "indented 5,000 deep": lambda: "\n".join(f"{' ' * depth}a:" for depth in range(1_200)),
    "aliases 9 levels": lambda: aliases(9),
    "2 MB": lambda: "kind: ConfigMap\ndata:\n  x: " + "y" * 2_000_000,
    "a Python tag": lambda: "kind: !!python/object/apply:os.system ['reboot']",
    "a merge of itself": lambda: "kind: ConfigMap\na: &a\n  <<: *a\n",
    "10,000 documents": lambda: "kind: ConfigMap\n---\n" * 10_000,
    "a key twice": lambda: "kind: ConfigMap\nkind: Secret\nmetadata: {name: x}\n",
    "no mapping": lambda: "- kind: Pod",
    "NUL": lambda: "kind: ConfigMap\x00",
    "nothing": lambda: "---\n---\n",
}


@pytest.mark.threat("T14")
@pytest.mark.row("BI-051")
@pytest.mark.parametrize("bomb", list(BOMBS))
def test_no_manifest_blows_the_server_up(bomb: str, play: Play) -> None:
    text = BOMBS[bomb]()
    for tool, more in (("plan_manifest", {"action": "apply"}), ("scan_manifest", {"fix": True})):
        before, began = play.upstream, time.monotonic()
        answer = play.ask(tool, manifest=text, **more)
        took_s = time.monotonic() - began
        if bomb == "10,000 documents" and tool == "scan_manifest":
            assert not answer.error
            assert "500" in answer.text, "cut, and said so"
        else:
            assert answer.code == "invalid_input", answer.text[:300]
        assert play.upstream == before
        assert took_s < 25  # a bomb would take the memory of the machine, or for ever
        assert len(answer.text) < 45_000


ESCALATIONS = {
    "BI-049": (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: x}\n"
        "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n"
        "subjects: [{kind: ServiceAccount, name: default, namespace: default}]\n"
    ),
    "BI-053": (
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\n"
        "metadata: {name: x}\nwebhooks: [{name: x.example.com, failurePolicy: Fail,"
        " rules: [{apiGroups: ['*'], apiVersions: ['*'], operations: ['*'], resources: ['*']}]}]\n"
    ),
    "privileged": (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: staging}\n"
        "spec: {containers: [{name: a, image: busybox, securityContext: {privileged: true}}]}\n"
    ),
    "host path": (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: staging}\n"
        "spec: {containers: [{name: a, image: busybox}], volumes: [{name: h, hostPath: {path: /}}]}\n"
    ),
}


@pytest.mark.threat("T2")
@pytest.mark.parametrize("row", list(ESCALATIONS))
def test_no_manifest_makes_the_server_s_rights_grow(row: str, play: Play) -> None:
    answer = play.ask("plan_manifest", action="apply", manifest=ESCALATIONS[row])
    assert answer.code in {"refused", "kind_unknown"}, answer.text
    assert play.stage.writes() == []


@pytest.mark.row("BI-015")
@pytest.mark.row("BI-017")
@pytest.mark.parametrize(
    "kind", ["secrets", "Secret", "secret", "SECRET", "Secrets", "secrets.v1.", "core/v1/secrets"]
)
def test_a_secret_by_any_other_name_shows_no_value(kind: str, play: Play) -> None:
    listed = play.ask("list_resources", kind=kind, namespace=HOME, limit=500)
    assert listed.code in {"", "invalid_input", "kind_unknown"}, listed.text
    name = f"{play.stage.who.api}-canary-db"
    for view in ("summary", "yaml"):
        got = play.ask("get_resource", kind=kind, namespace=HOME, name=name, view=view)
        assert "Y2FuYXJ5" not in listed.text + got.text
        assert "canary-secret-data" not in listed.text + got.text
        assert got.error or "password" in got.text, "the key's name is shown"


@pytest.mark.row("BI-047")
def test_scaling_to_nothing_needs_a_person(play: Play) -> None:
    plan = play.ask(
        "plan_workload_change", action="scale", namespace=HOME, name=play.stage.who.api, replicas=0
    )
    assert plan.data["verdict"].startswith("needs_approval"), plan.text


@pytest.mark.row("BI-036")
def test_a_pattern_that_never_ends_is_answered_in_time(play: Play) -> None:
    pod = play.stage.lab.store.list("Pod", HOME)[0]["metadata"]["name"]
    for pattern in ("(a+)+$", "(.*a){25}", "(x+x+)+y", "[" * 100):
        began = time.monotonic()
        play.ask("get_pod_logs", namespace=HOME, pod=pod, grep=pattern)
        assert time.monotonic() - began < 20  # a backtracking engine would need years


def test_it_still_answers_after_all_that(play: Play) -> None:
    assert not play.ask("list_resources", kind="Pod", namespace=HOME).error


@pytest.mark.threat("T5")
def test_no_text_of_a_caller_opens_a_connection(play: Play) -> None:
    with listening() as listener:
        assert lead_to(listener, play) >= 30
        assert listener.seen == 0
