"""`diagnose` against every scenario of the lab, through the whole stack: the cause first, or nothing at all.

The dialogue of F2 (which pod fails, why, raise its limit) stays within four calls and one approval (D36).
"""

import re
from pathlib import Path

import pytest

from aiops_lab.scenarios import SCENARIOS, names
from aiops_lab.scenarios.names import cast
from bench.tokens import tokens
from tests.e2e.stage import Obj, Stage, whole

HOME = "production"
STORIES = (
    *("pod-crashloop", "pod-crashloop-config-error", "pod-crashloop-mount", "pod-crashloop-app-error"),
    *("pod-crashloop-unrelated", "pod-crashloop-liveness", "oom-raise-limits", "memory-leak"),
    *("healthy", "pod-crashloop-recovered", "oom-once"),
)
SEEDS = (1, 5)  # five and more of each go through the tool in test_diagnose_lab.py, without the door
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning"),
]


def wrong(found: list[Obj], scenario: str, seed: int) -> str:
    """Why an answer is not the right one, or nothing."""
    expected = SCENARIOS[scenario].expect(cast(seed))
    codes = [(each["code"], each["kind"], each.get("namespace", ""), each["name"]) for each in found]
    if not expected:
        return f"{codes} where nothing is wrong" if codes else ""
    want = expected[0]
    if codes[:1] != [(want.code, want.kind, want.namespace, want.name)]:
        return f"{codes[:3]} instead of {want.code} at {want.kind} {want.namespace}/{want.name}"
    said = f"{found[0]['title']} {found[0]['root_cause']}"
    if want.headline and not re.search(want.headline, said):
        return f"{said!r} does not say {want.headline!r}"
    return "" if found[0]["evidence"] else "no evidence"


async def diagnosed(stage: Stage, scenario: str, seed: int) -> tuple[str, int]:
    """What is wrong with the diagnosis of one world, and its size in tokens."""
    stage.lab.reset(scenario, seed)
    answer = await stage.ask("diagnose")
    assert not answer.error, answer.error
    return wrong(answer.data.get("findings", []), scenario, seed), tokens(answer.text)


@pytest.mark.row("S27")
@pytest.mark.row("C7")
async def test_the_cause_is_found_first_and_healthy_things_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole("healthy", SEEDS[0], monkeypatch, tmp_path) as stage:
        told = {(name, seed): await diagnosed(stage, name, seed) for name in STORIES for seed in SEEDS}
        assert {one: why for one, (why, _) in told.items() if why} == {}
        assert max(size for _, size in told.values()) <= 4_000
        assert stage.writes() == []


@pytest.mark.row("S39")
async def test_every_other_scenario_of_the_lab_is_diagnosed_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    others = [name for name in names() if name not in STORIES]
    async with whole("healthy", 7, monkeypatch, tmp_path) as stage:
        told = {name: await diagnosed(stage, name, 7) for name in others}
    assert {name: why for name, (why, _) in told.items() if why} == {}
    assert {name: size for name, (_, size) in told.items() if size > 4_000} == {}


@pytest.mark.row("S53")
@pytest.mark.parametrize("seed", [0, 6])
async def test_three_questions_end_in_a_living_pod_after_four_calls_and_one_approval(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole("oom-raise-limits", seed, monkeypatch, tmp_path) as stage:
        name = stage.who.worker
        pods = await stage.got("list_resources", kind="Pod", namespace=HOME)
        table = pods["resources"]
        first = dict(zip(table["columns"], table["rows"][0], strict=True))
        assert first["name"].startswith(name), "the failing pod is row 1"
        logs = await stage.got("get_pod_logs", namespace=HOME, pod=first["name"])
        assert "previous" in logs["summary"], "the crashed instance is read without being asked for"
        plan = await stage.plan(action="resources", namespace=HOME, name=name)
        assert stage.writes() == []
        done = await stage.ask("execute_plan", plan_id=plan["plan_id"], confirm=plan["confirm"])
        assert not done.error, done.error
        assert len(stage.person.asked) == 1
        ended = await stage.ended(done.data["action_id"])
        assert ended.data["state"] == "succeeded", ended.text
        for answer in (pods, logs, plan, done.data):
            assert tokens(str(answer).replace("'", '"')) <= 1_650
        stage.lab.clock.advance(600)
        assert (await stage.got("diagnose", namespace=HOME)).get("findings", []) == []


@pytest.mark.row("S53")
async def test_a_leak_is_told_from_a_low_limit_and_a_raise_is_called_a_delay(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole("memory-leak", 3, monkeypatch, tmp_path) as stage:
        plan = await stage.plan(action="resources", namespace=HOME, name=stage.who.worker)
        assert any("delays" in each for each in plan["warnings"]), plan["warnings"]
        assert stage.writes() == []


async def test_default_answers_fit_their_budget_in_tokens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole("guardrail-drill", 3, monkeypatch, tmp_path) as stage:
        pod = stage.lab.store.list("Pod", HOME)[0]["metadata"]["name"]
        calls: tuple[tuple[str, Obj], ...] = (
            ("list_clusters", {}),
            ("list_resources", {"kind": "Pod"}),
            ("list_resources", {"kind": "Deployment", "namespace": HOME}),
            ("get_resource", {"kind": "Deployment", "namespace": HOME, "name": stage.who.api}),
            ("get_resource", {"kind": "Pod", "namespace": HOME, "name": pod}),
            ("get_pod_logs", {"namespace": HOME, "pod": pod}),
            ("list_events", {}),
            ("plan_workload_change", {"action": "restart", "namespace": HOME, "name": stage.who.api}),
        )
        sizes = {}
        for tool, arguments in calls:
            answer = await stage.ask(tool, **arguments)
            assert not answer.error, answer.error
            sizes[f"{tool} {arguments.get('kind', '')}"] = tokens(answer.text)
    assert {call: size for call, size in sizes.items() if size > 1_500} == {}
