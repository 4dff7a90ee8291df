"""plan_node_change where it is refused or half blind: policy, missing things, rights, and an API that fails.

One simulated cluster of six healthy nodes over three zones; effects are counted by the lab's own log.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from aiops_lab.kube.faults import Fault, FaultKind
from aiops_shared.settings import CallerSettings, KubeSettings, PolicySettings
from tests.e2e.stage import Obj, Stage, whole

AUTO = PolicySettings(autonomy_prod="auto-safe", autonomy_staging="auto-safe", autonomy_dev="auto-safe")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest_asyncio.fixture
async def stage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Stage]:
    async with whole("healthy", 0, monkeypatch, tmp_path, policy=AUTO) as found:
        yield found


def names(stage: Stage) -> list[str]:
    """Two of each zone: places 0 and 3, 1 and 4, 2 and 5."""
    return sorted(
        (n["metadata"]["name"] for n in stage.lab.store.list("Node")), key=lambda n: n.split("-")[4]
    )


def edit(stage: Stage, name: str, pressure: str = "", **spec: object) -> None:
    """Somebody else changes a node: cordons it, or its kubelet reports a pressure."""
    found = stage.lab.store.get("Node", None, name)
    assert found is not None
    found["spec"].update(spec)
    stage.lab.store.update(found, manager="somebody")
    if pressure:
        stage.lab.world.nodes.set_condition(name, pressure, "True", f"KubeletHas{pressure}", "low")
    stage.lab.clock.advance(5)


async def planned(stage: Stage, **arguments: object) -> Obj:
    return await stage.got("plan_node_change", **arguments)


@pytest.mark.row("S34")
async def test_the_verdict_rows_of_nodes_hold_through_the_whole_stack(stage: Stage) -> None:
    first, second, third, again, *_ = names(stage)
    allowed = await planned(stage, action="cordon", names=[first])
    assert allowed["verdict"] == "allow (rule cordon)"
    tainted = await planned(stage, action="taint", names=[first], taint="worn:NoSchedule")
    assert tainted["verdict"] == "needs_approval by the requester (rule taint-approval)"
    calm = await planned(stage, action="drain", names=[first])
    assert calm["verdict"] == "needs_approval by the requester (rule drain-approval)"
    for pressure in ("DiskPressure", "MemoryPressure"):
        edit(stage, second, pressure)
        pressed = await planned(stage, action="drain", names=[second])
        assert pressed["verdict"] == "allow (rule pressure-drain)", pressure
        stage.lab.world.nodes.talk_again(second)
        stage.lab.clock.advance(5)
    both = await planned(stage, action="drain", names=[first, third])
    assert both["verdict"] == "needs_approval by the requester (rule drain-approval)"
    edit(stage, first, unschedulable=True)  # somebody began to drain it
    uncordoned = await planned(stage, action="uncordon", names=[first])
    assert uncordoned["verdict"] == "allow (rule cordon)"
    same_zone = await stage.ask("plan_node_change", action="drain", names=[again])
    assert same_zone.code == "refused"
    assert "one-per-az" in same_zone.error
    same_pool = await stage.ask("plan_node_change", action="drain", names=[second])
    assert "blast-radius" in same_pool.error
    deleted = await stage.ask("plan_manifest", action="delete", kind="Node", name=first)
    assert "no-node-delete" in deleted.error
    assert stage.writes() == []


@pytest.mark.row("S34")
async def test_a_zone_that_another_began_to_drain_meanwhile_stops_the_execution(stage: Stage) -> None:
    """The plan was free when it was made; facts are measured again (D3), and nothing is written."""
    first, *_, again = (names(stage)[place] for place in (0, 3))
    plan = await planned(stage, action="drain", names=[first])
    edit(stage, again, unschedulable=True)
    refused = await stage.execute(plan)
    assert "one-per-az" in refused.error
    assert stage.writes() == []


@pytest.mark.row("S34")
async def test_a_node_that_somebody_cordoned_meanwhile_makes_the_plan_stale(stage: Stage) -> None:
    name = names(stage)[0]
    plan = await planned(stage, action="cordon", names=[name])
    forged = await stage.ask(
        "execute_plan", plan_id=plan["plan_id"], confirm=plan["confirm"].replace("cordon", "drain")
    )
    assert forged.code == "confirm_mismatch"
    edit(stage, name, unschedulable=True)
    stale = await stage.execute(plan)
    assert stale.code == "plan_stale", stale.text
    assert "spec.unschedulable" in stale.error
    assert stage.writes() == []


@pytest.mark.row("S34")
async def test_the_fourth_change_of_a_pool_in_an_hour_is_denied(stage: Stage) -> None:
    """The owner of a node is its pool (D9): other nodes of it count."""
    for name in names(stage)[:3]:
        done = (await stage.execute(await planned(stage, action="cordon", names=[name]))).data
        assert done["state"] == "succeeded"
        assert (await stage.ask("undo_action", action_id=done["action_id"])).data
        assert (await stage.ended(done["action_id"])).data["state"] == "undone"
    fourth = await planned(stage, action="cordon", names=[names(stage)[3]])
    assert "repeat-limit" in fourth["verdict"]
    refused = await stage.execute(fourth)
    assert refused.code == "repeat_limit", refused.text


@pytest.mark.row("B12")
async def test_a_taint_is_set_and_taken_back_and_a_changed_node_refuses_the_undo(stage: Stage) -> None:
    name = names(stage)[0]
    before = stage.lab.store.get("Node", None, name)
    plan = await planned(stage, action="taint", names=[name], taint="nma/disk=worn:NoSchedule")
    pending = await stage.execute(plan)
    if pending.code == "approval_pending":
        await stage.approved_by("ben", pending)
        pending = await stage.execute(plan)
    assert pending.data["state"] == "succeeded", pending.text
    found = stage.lab.store.get("Node", None, name)
    assert found is not None
    assert [(t["key"], t["value"]) for t in found["spec"]["taints"]] == [("nma/disk", "worn")]
    await stage.ask("undo_action", action_id=pending.data["action_id"])
    assert (await stage.ended(pending.data["action_id"])).data["state"] == "undone"
    after = stage.lab.store.get("Node", None, name)
    assert before is not None
    assert after is not None
    assert after["spec"] == before["spec"]


async def test_nodes_are_named_in_every_form_and_what_is_not_there_names_the_nearest(stage: Stage) -> None:
    first, second, *_ = names(stage)
    for given in ([first, second], f'["{first}", "{second}"]', f"{first}, {second}"):
        assert "2 nodes" in (await planned(stage, action="cordon", names=given))["confirm"]
    zone = await planned(stage, action="cordon", selector="topology.kubernetes.io/zone=us-east-1a")
    assert "2 nodes" in zone["confirm"]
    assert "6 nodes" in (await planned(stage, action="cordon", nodepool="default"))["confirm"]
    wrong: tuple[tuple[Obj, str], ...] = (
        ({"names": [first.replace("ip-10", "ip-11")]}, first),
        ({}, "exactly one of the three"),
        ({"nodepool": "defualt"}, "nearest: default"),
        ({"selector": "zone=nowhere"}, "none matches"),
        ({"names": [first], "nodepool": "default"}, "exactly one"),
        ({"names": [first], "taint": "x:NoSchedule"}, "action=taint"),
        ({"names": [f"n{number}" for number in range(21)]}, "at most 20"),
        ({"names": ["../../etc"]}, "not a valid name"),
    )
    for arguments, said in wrong:
        assert said in (await stage.ask("plan_node_change", action="cordon", **arguments)).error, arguments
    assert stage.writes() == []


async def test_budgets_that_cannot_be_read_are_said_and_hold_the_drain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Broken, throttled, silent, or not Kubernetes at all: never taken for "no budget"."""
    kinds: tuple[FaultKind, ...] = ("error", "throttle", "stall", "wrong_type")
    kube = KubeSettings(timeout_s=1)
    async with whole("healthy", 0, monkeypatch, tmp_path, policy=AUTO, kube=kube) as stage:
        edit(stage, names(stage)[0], "DiskPressure")
        for kind in kinds:
            stage.lab.faults.clear()
            stage.lab.faults.add(
                Fault(kind=kind, times=None, path_contains="poddisruptionbudgets", stall_s=20)
            )
            plan = await planned(stage, action="drain", names=names(stage)[:1])
            assert any("budgets of" in each for each in plan["warnings"]), (kind, plan["warnings"])
            assert "cannot be read" in plan["shows"]["blocked_now"]
            assert "drain-approval" in plan["verdict"]
        assert stage.writes() == []


async def test_nodes_that_cannot_be_read_are_an_error_and_a_short_throttle_is_waited_for(
    stage: Stage,
) -> None:
    name = names(stage)[0]
    stage.lab.faults.add(Fault(kind="throttle", times=1, path_contains="/nodes"))
    assert (await planned(stage, action="cordon", names=[name]))["plan_id"]
    stage.lab.faults.add(Fault(kind="error", times=None, path_contains="/nodes"))
    answer = await stage.ask("plan_node_change", action="cordon", names=[name])
    assert answer.code == "upstream_error", answer.error
    assert stage.writes() == []


async def test_an_agent_in_observe_only_plans_and_a_reader_is_told_which_right_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    agent = CallerSettings(name="bot", kind="agent")
    async with whole("healthy", 0, monkeypatch, tmp_path, identity="aiops-reader", caller=agent) as stage:
        plan = await planned(stage, action="drain", names=names(stage)[:1])
        assert plan["validation"].startswith("schema_only: missing"), plan
        assert "nodes" in plan["validation"]
        assert "by somebody else than the requester" in plan["verdict"]
        refused = await stage.execute(plan)
        assert refused.code == "refused"
        assert stage.writes() == []
