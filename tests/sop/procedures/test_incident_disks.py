"""F7 by the SOP `disk-pressure`: cleaned, drained and replaced, handed over, given up, four nodes one by one.

What happened is read from the simulated disks, from what AWS was sent and from the lab's request log.
"""

from pathlib import Path

import pytest

from aiops_lab.aws.ssm import Ssm
from aiops_lab.places import CLUSTER
from aiops_lab.scenarios.disk import guarded, hog, spammer, the_four, the_node
from aiops_lab.scenarios.shapes import disruption_budget
from tests.e2e.stage import Obj
from tests.sop.procedures.incidents import (
    acted,
    anew,
    live,
    mark,
    quick,
    said,
    states,
    step,
    told,
    verbs,
    yesterday,
)
from tests.sop.procedures.playing import AUTO, played
from tests.sop.stage import Stage, operated

__all__ = ["quick"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("quick")]
GIB, SEEDS = 2**30, (0, 1)


def free_gib(stage: Stage, node: str) -> float:
    """What is free on a node's disk."""
    return round(stage.lab.world.disks.known[node].free / GIB, 1)


def pressed(stage: Stage, node: str) -> bool:
    """Whether the kubelet says so."""
    conditions = live(stage, "Node", None, node)["status"]["conditions"]
    return any(one["type"] == "DiskPressure" and one["status"] == "True" for one in conditions)


def sent(stage: Stage) -> list[str]:
    """Instances that were sent commands, in order."""
    return [one.instance for one in stage.lab.account.area(Ssm).invocations]


async def freed(stage: Stage, node: str, **more: object) -> Obj:
    """One run of the SOP."""
    return await played(stage, "disk-pressure", {"cluster": CLUSTER, "node": node, **more})


@pytest.mark.row("S73")
@pytest.mark.row("S74")
@pytest.mark.row("C10")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_full_disk_is_cleaned_or_its_node_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        if seed:
            await _drained_and_replaced(stage, seed)
        else:
            await _cleaned_twice_then_handed_over(stage, seed)
            await _given_up(stage)
            await _four(stage)


async def _cleaned_twice_then_handed_over(stage: Stage, seed: int) -> None:
    """F7a, F7c."""
    anew(stage, "disk-pressure-again", seed)
    node = the_node(stage.who)
    for _ in range(2):
        before = mark(stage)
        run = await freed(stage, node)
        assert run["state"] == "succeeded", told(run)
        assert acted(run) == ["clean"]
        assert (free_gib(stage, node), pressed(stage, node)) == (18.7, False)
        assert verbs(stage, before) == set()  # by SSM: the cluster was not written to
        assert states(run)["drain"] == "skipped"
        assert "snapshot" in str(step(run, "clean")["output"]["steps"])
        stage.lab.clock.advance(3600.0)
        yesterday(stage)  # the runs; the two clean-ups still count
    commands = len(sent(stage))
    run = await freed(stage, node)
    assert run["state"] == "escalated", told(run)
    assert acted(run) == []
    assert len(sent(stage)) == commands
    assert free_gib(stage, node) == 7.2
    text = said(run, "hand_over")
    assert text.count("succeeded") == 2
    assert "160Gi" in text
    assert hog(stage.who) in text


async def _drained_and_replaced(stage: Stage, seed: int) -> None:
    """F7b: cleaning frees next to nothing, eleven pods move past a budget, Karpenter brings a node."""
    anew(stage, "disk-pressure-logs", seed)
    node = the_node(stage.who)
    nodes = len(stage.lab.store.list("Node", None))
    run = await freed(stage, node)
    assert run["state"] == "succeeded", told(run)
    assert acted(run) == ["clean", "drain"]
    assert states(run)["clean"] == "failed"
    assert spammer(stage.who) in step(run, "clean")["says"]
    assert stage.lab.store.get("Node", None, node) is None
    assert len(stage.lab.store.list("Node", None)) == nodes
    for app in (guarded(stage.who), spammer(stage.who)):
        pods = stage.lab.store.list("Pod", "production", labels=f"app={app}")
        assert pods
        assert all(pod["spec"].get("nodeName") != node for pod in pods)
    assert ("delete", "pods") not in verbs(stage)  # evicted, never deleted


async def _given_up(stage: Stage) -> None:
    """F7d: a budget that lets nobody go: uncordoned, handed over, nothing forced."""
    anew(stage, "disk-pressure-logs", 0)
    node, app = the_node(stage.who), guarded(stage.who)
    budget = disruption_budget("production", f"{app}-strict", app, maxUnavailable=0)
    stage.lab.store.delete("PodDisruptionBudget", "production", app)
    stage.lab.store.create(budget, manager="somebody")
    stage.lab.clock.advance(5.0)
    run = await freed(stage, node)
    assert run["state"] == "escalated", told(run)
    assert "ESCALATE" in step(run, "drain")["says"]
    assert not live(stage, "Node", None, node)["spec"].get("unschedulable")
    assert ("delete", "pods") not in verbs(stage)


async def _four(stage: Stage) -> None:
    """F7e: the first is the canary; never two nodes at once, so never two of one zone."""
    anew(stage, "disk-pressure-four", 0)
    first, *others = the_four(stage.who)
    run = await freed(stage, first, others=others)
    assert run["state"] == "succeeded", told(run)
    assert [(free_gib(stage, node), pressed(stage, node)) for node in (first, *others)] == [(18.7, False)] * 4
    order = list(dict.fromkeys(sent(stage)))
    ends = [max(at for at, one in enumerate(sent(stage)) if one == name) for name in order]
    assert ends == [3, 7, 11, 15]  # one is through before the next begins
    hosts = stage.lab.world.disks.instances()
    assert hosts[order[0]][0] == first
