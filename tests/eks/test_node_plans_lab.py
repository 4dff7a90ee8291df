"""Nodes on the simulated cluster: planned, drained by evictions, replaced, given back (F7b, F7d, F7e).

Effects are counted by the lab's own log of requests; what the cluster went through is seen by its store.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aiops_lab.scenarios import disk
from aiops_shared.settings import PolicySettings
from tests.e2e.stage import Obj, Stage, whole

HOME = "production"
LOGS, FOUR = "disk-pressure-logs", "disk-pressure-four"
SEEDS = range(5)
AUTO = PolicySettings(autonomy_prod="auto-safe", autonomy_staging="auto-safe", autonomy_dev="auto-safe")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@dataclass
class Watched:
    """What the cluster went through while the product worked on it."""

    stage: Stage
    fewest: dict[str, int] = field(default_factory=dict)  # app -> the fewest ready pods of it
    drained_at_once: int = 0
    zones_at_once: int = 0
    order: list[str] = field(default_factory=list)  # nodes as they were cordoned

    def __post_init__(self) -> None:
        self.stage.lab.store.subscribe(self.hear)

    def hear(self, change: str, obj: Obj) -> None:
        """Look whenever a node or a pod changes."""
        if obj.get("kind") == "Deployment" and obj["metadata"]["namespace"] == HOME:
            name, ready = obj["metadata"]["name"], int((obj.get("status") or {}).get("readyReplicas") or 0)
            self.fewest[name] = min(ready, self.fewest.get(name, ready))
        if obj.get("kind") == "Node" and change == "MODIFIED":
            self._nodes(obj)

    def _nodes(self, obj: Obj) -> None:
        name = obj["metadata"]["name"]
        if obj["spec"].get("unschedulable") and name not in self.order:
            self.order.append(name)
        busy = [node for node in cordoned(self.stage) if moving(self.stage, node["metadata"]["name"])]
        zones = [zone_of(node) for node in busy]
        self.drained_at_once = max(self.drained_at_once, len(busy))
        self.zones_at_once = max([self.zones_at_once, *(zones.count(zone) for zone in zones)])


def nodes(stage: Stage) -> list[Obj]:
    return stage.lab.store.list("Node")


def cordoned(stage: Stage) -> list[Obj]:
    return [node for node in nodes(stage) if node["spec"].get("unschedulable")]


def zone_of(node: Obj) -> str:
    return str(node["metadata"]["labels"]["topology.kubernetes.io/zone"])


def pods_on(stage: Stage, node: str) -> list[Obj]:
    return [pod for pod in stage.lab.store.list("Pod") if pod["spec"].get("nodeName") == node]


def moving(stage: Stage, node: str) -> list[Obj]:
    return [pod for pod in pods_on(stage, node) if owner_kind(pod) != "DaemonSet" and not ended(pod)]


def ended(pod: Obj) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def owner_kind(pod: Obj) -> str:
    return next((ref["kind"] for ref in pod["metadata"].get("ownerReferences") or ()), "")


def all_ready(stage: Stage) -> bool:
    found = stage.lab.store.list("Deployment", HOME)
    return all(
        (each.get("status") or {}).get("readyReplicas", 0) >= each["spec"]["replicas"] for each in found
    )


def no_pod_was_deleted(stage: Stage) -> bool:
    """Every real write is a change of a node or an eviction."""
    return all(
        (write.method == "PUT" and "/nodes/" in write.path) or "/eviction" in write.path
        for write in stage.writes()
    )


async def drain(stage: Stage, *names: str, **more: object) -> Obj:
    return await stage.got("plan_node_change", action="drain", names=list(names), **more)


@asynccontextmanager
async def staged(
    scenario: str, seed: int, monkeypatch: pytest.MonkeyPatch, folder: Path, **more: Any
) -> AsyncIterator[Stage]:
    async with whole(scenario, seed, monkeypatch, folder, **{"policy": AUTO, **more}) as stage:
        yield stage


@pytest.mark.row("S73")
@pytest.mark.fault("R13")
@pytest.mark.parametrize("seed", SEEDS)
async def test_f7b_a_node_out_of_disk_is_drained_past_its_budget_and_replaced(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with staged(LOGS, seed, monkeypatch, tmp_path) as stage:
        node, seen = disk.the_node(stage.who), Watched(stage)
        system = [pod["metadata"]["uid"] for pod in pods_on(stage, node) if owner_kind(pod) == "DaemonSet"]
        count = len(moving(stage, node))
        plan = await drain(stage, node)
        assert plan["verdict"] == "allow (rule pressure-drain)", plan
        assert f"evict {count} pods" in plan["confirm"]
        assert f"{HOME}/{disk.guarded(stage.who)} (1 of 3 may be disrupted)" in plan["shows"]["budgets"]
        assert f"emptyDir data of {HOME}/{disk.scratch(stage.who)}" in plan["reversible"]
        assert plan["shows"]["stay"].startswith(f"{len(system)} DaemonSet"), plan["shows"]
        assert stage.writes() == []
        done = await stage.execute(plan)
        assert done.data["state"] == "succeeded", done.data
        assert seen.fewest[disk.guarded(stage.who)] >= 2
        assert no_pod_was_deleted(stage)
        assert len([write for write in stage.writes() if "/eviction" in write.path]) >= count
        stage.lab.clock.advance(150)
        assert stage.lab.store.get("Node", None, node) is None
        assert len(nodes(stage)) == 6
        assert all_ready(stage)
        undone = await stage.ask("undo_action", action_id=done.data["action_id"])
        assert not undone.error, undone.error
        assert "is gone: nothing to give back" in str((await stage.ended(done.data["action_id"])).data)


@pytest.mark.row("S73")
@pytest.mark.fault("R13")
@pytest.mark.parametrize("seed", SEEDS)
async def test_f7d_a_drain_that_a_budget_stops_uncordons_and_escalates(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with staged(LOGS, seed, monkeypatch, tmp_path) as stage:
        node, app = disk.the_node(stage.who), disk.guarded(stage.who)
        budget = stage.lab.store.get("PodDisruptionBudget", HOME, app)
        assert budget is not None
        budget["spec"]["maxUnavailable"] = 0
        stage.lab.store.update(budget, manager="somebody")
        stage.lab.clock.advance(10)
        held = {
            pod["metadata"]["uid"] for pod in moving(stage, node) if pod["metadata"]["labels"]["app"] == app
        }
        plan = await drain(stage, node, wait_minutes=5)
        assert f"{len(held)} by PodDisruptionBudget {HOME}/{app} (0 of 3" in plan["shows"]["blocked_now"]
        assert "needs_approval" in plan["verdict"]
        refused = await stage.ask("execute_plan", plan_id=plan["plan_id"], confirm=plan["confirm"])
        if refused.code == "approval_pending":
            await stage.approved_by("ben", refused)
        done = (await stage.execute(plan)).data
        assert done["state"] == "undone", done
        assert "ESCALATE" in done["summary"]
        assert f"PodDisruptionBudget {HOME}/{app} (0 of 3 may be disrupted)" in done["summary"]
        now = stage.lab.store.get("Node", None, node)
        assert now is not None
        assert "unschedulable" not in now["spec"]
        assert held <= {pod["metadata"]["uid"] for pod in moving(stage, node)}
        assert no_pod_was_deleted(stage)
        said = [json.loads(row[0]) for row in stage.sql("SELECT body FROM audit")]
        assert any("escalation" in str(record) for record in said)


@pytest.mark.row("S73")
@pytest.mark.parametrize("seed", SEEDS)
async def test_f7e_four_nodes_go_one_by_one_and_never_two_of_a_zone(
    seed: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with staged(FOUR, seed, monkeypatch, tmp_path) as stage:
        seen, four = Watched(stage), disk.the_four(stage.who)
        plan = await drain(stage, *four)
        assert plan["rollout"].startswith("one node, then the next"), plan
        done = (await stage.execute(plan)).data
        assert done["state"] == "succeeded", done
        assert sorted(seen.order) == sorted(four)
        assert seen.drained_at_once == 1
        assert seen.zones_at_once == 1
        assert no_pod_was_deleted(stage)
        stage.lab.clock.advance(150)
        assert all_ready(stage)
        assert len(nodes(stage)) == 6
