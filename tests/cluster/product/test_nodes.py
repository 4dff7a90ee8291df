"""cordon, taint and drain on a real control plane: kwok plays the nodes, the API server keeps the budgets.

Each test brings a node of its own, so that the plane's three keep their pods.
"""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiops_shared.settings import PolicySettings
from tests.cluster.control_plane import ControlPlane
from tests.cluster.product.objects import budget, deployment, pod
from tests.cluster.product.stage import Product, product

Obj = dict[str, Any]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
AUTO = PolicySettings(autonomy_prod="auto-safe", autonomy_staging="auto-safe", autonomy_dev="auto-safe")


@asynccontextmanager
async def staged(
    plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, folder: Path, **more: Any
) -> AsyncIterator[tuple[Product, str]]:
    """A product with a node that only its own pods may use."""
    name = f"own-{uuid.uuid4().hex[:8]}"
    async with product(plane, monkeypatch, folder, policy=AUTO, **more) as stage:
        await stage.admin.post("/api/v1/nodes", json=node(name))
        await stage.until(f"/api/v1/nodes/{name}", "status", "phase", value="Running")  # kwok has taken it
        await stage.until(f"/api/v1/nodes/{name}", "spec", "taints", value=None)  # ready, and known to be
        try:
            yield stage, name
        finally:
            await stage.admin.delete(f"/api/v1/nodes/{name}")


def node(name: str) -> Obj:
    """A node that kwok keeps alive, in a zone and a pool of its own."""
    labels = {
        "type": "kwok",
        "own": name,
        "kubernetes.io/hostname": name,
        "topology.kubernetes.io/zone": f"zone-{name}",
        "karpenter.sh/nodepool": f"pool-{name}",
    }
    room = {"cpu": "32", "memory": "64Gi", "pods": "110"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}},
        "status": {"capacity": room, "allocatable": room},
    }


def preferring(app: Obj, name: str) -> Obj:
    """The workload's pods go to this node while it takes any, and elsewhere when it does not."""
    term = {"key": "own", "operator": "In", "values": [name]}
    wish = {"weight": 100, "preference": {"matchExpressions": [term]}}
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}}
    app["spec"]["template"]["spec"]["affinity"] = affinity
    return app


async def pods_of(stage: Product, node_name: str = "") -> list[Obj]:
    found = (await stage.see("/api/v1/namespaces/{ns}/pods"))["items"]
    return [each for each in found if not node_name or each["spec"].get("nodeName") == node_name]


async def settled(stage: Product, replicas: int) -> None:
    path = "/apis/apps/v1/namespaces/{ns}/deployments/web"
    await stage.until(path, "status", "readyReplicas", value=replicas)


async def is_cordoned(stage: Product, name: str) -> bool:
    return bool((await stage.see(f"/api/v1/nodes/{name}"))["spec"].get("unschedulable"))


def verbs(stage: Product) -> set[tuple[str, str, str]]:
    """What was really written: verb, resource, subresource."""
    return {
        (event["verb"], event["objectRef"]["resource"], event["objectRef"].get("subresource", ""))
        for event in stage.effects()
    }


async def test_a_node_is_cordoned_tainted_and_given_back_exactly(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with staged(whole, monkeypatch, tmp_path) as (stage, name):
        path = f"/api/v1/nodes/{name}"
        plan = await stage.got("plan_node_change", action="cordon", names=[name])
        assert plan["validation"] == "server_dry_run"
        assert stage.writes() == []
        done = (await stage.execute(plan)).data
        assert done["state"] == "succeeded", done
        await stage.until(path, "spec", "unschedulable", value=True)
        assert (await stage.undo(done))["state"] == "undone"
        assert not await is_cordoned(stage, name)

        plan = await stage.got("plan_node_change", action="taint", names=[name], taint="worn=disk:NoSchedule")
        done = (await stage.execute(plan)).data
        assert done["state"] == "succeeded", done
        taints = (await stage.see(path))["spec"]["taints"]
        assert {"key": "worn", "value": "disk", "effect": "NoSchedule"} in taints
        assert (await stage.undo(done))["state"] == "undone"
        left = (await stage.see(path))["spec"].get("taints") or []
        assert "worn" not in {each["key"] for each in left}
        assert verbs(stage) == {("update", "nodes", "")}


@pytest.mark.fault("R13")
async def test_a_drain_respects_the_budget_of_a_real_api_server_and_ends_ready_elsewhere(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with staged(whole, monkeypatch, tmp_path) as (stage, name):
        await stage.make(preferring(deployment(replicas=3), name), budget(at_least=2))
        await settled(stage, 3)
        await stage.until(
            "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets/web",
            "status",
            "disruptionsAllowed",
            value=1,
        )
        before = {each["metadata"]["uid"] for each in await pods_of(stage, name)}
        assert len(before) == 3
        plan = await stage.got("plan_node_change", action="drain", names=[name])
        assert "(1 of 3 may be disrupted)" in plan["shows"]["budgets"]
        assert "needs_approval" in plan["verdict"]
        assert stage.writes() == []
        assert {event["objectRef"].get("subresource", "") for event in stage.dry_runs()} == {"", "eviction"}
        done = (await stage.execute(plan)).data
        assert done["state"] == "succeeded", done
        assert await is_cordoned(stage, name)
        assert await pods_of(stage, name) == []
        assert verbs(stage) == {("update", "nodes", ""), ("create", "pods", "eviction")}
        evicted = [e for e in stage.effects() if e["objectRef"].get("subresource") == "eviction"]
        assert len(evicted) == 3
        assert (await stage.undo(done))["state"] == "undone"
        assert not await is_cordoned(stage, name)


@pytest.mark.fault("R13")
async def test_a_budget_without_headroom_blocks_until_it_is_given_and_then_the_drain_goes_on(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with staged(whole, monkeypatch, tmp_path) as (stage, name):
        await stage.make(preferring(deployment(replicas=2), name), budget(at_least=2))
        await settled(stage, 2)
        pdb = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets/web"
        await stage.until(pdb, "status", "currentHealthy", value=2)
        plan = await stage.got("plan_node_change", action="drain", names=[name], wait_minutes=20)
        assert plan["shows"]["blocked_now"].startswith("2 by PodDisruptionBudget"), plan["shows"]

        async def give_way() -> None:
            await stage.until(f"/api/v1/nodes/{name}", "spec", "unschedulable", value=True)
            await anyio.sleep(1)
            assert len(await pods_of(stage, name)) == 2
            await stage.patch(pdb, {"spec": {"minAvailable": 1}})

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(give_way)
            done = (await stage.execute(plan)).data
        assert done["state"] == "succeeded", done
        assert await pods_of(stage, name) == []


@pytest.mark.fault("R13")
async def test_a_budget_that_never_gives_way_ends_uncordoned_and_nothing_is_forced(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with staged(whole, monkeypatch, tmp_path) as (stage, name):
        await stage.make(preferring(deployment(replicas=2), name), budget(at_least=2))
        await settled(stage, 2)
        pdb = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets/web"
        await stage.until(pdb, "status", "currentHealthy", value=2)
        before = {each["metadata"]["uid"] for each in await pods_of(stage, name)}
        plan = await stage.got("plan_node_change", action="drain", names=[name], wait_minutes=1)
        done = (await stage.execute(plan)).data
        assert done["state"] == "undone", done
        assert "ESCALATE" in done["summary"]
        assert f"PodDisruptionBudget {stage.namespace}/web (0 of 2 may be disrupted)" in done["summary"]
        assert not await is_cordoned(stage, name)
        assert {each["metadata"]["uid"] for each in await pods_of(stage, name)} == before
        assert verbs(stage) == {("update", "nodes", "")}


async def test_a_pod_without_a_controller_makes_the_drain_irreversible_and_needs_a_person(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with staged(whole, monkeypatch, tmp_path) as (stage, name):
        lone = pod()
        lone["spec"]["nodeName"] = name
        await stage.make(lone)
        plan = await stage.got("plan_node_change", action="drain", names=[name])
        assert plan["reversible"].startswith("none; lost: pod")
        assert "no controller makes it again" in plan["reversible"]
        assert "needs_approval" in plan["verdict"]
        second = f"{name}-b"
        other = node(second)
        other["metadata"]["labels"]["topology.kubernetes.io/zone"] = f"zone-{name}"
        await stage.admin.post("/api/v1/nodes", json=other)
        await stage.patch(f"/api/v1/nodes/{name}", {"spec": {"unschedulable": True}})
        refused = await stage.ask("plan_node_change", action="drain", names=[second])
        assert "one-per-az" in refused.error
        await stage.admin.delete(f"/api/v1/nodes/{second}")


async def test_without_the_right_to_write_nodes_a_plan_says_which_and_cannot_be_executed(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with staged(whole, monkeypatch, tmp_path, identity="aiops-reader") as (stage, name):
        plan = await stage.got("plan_node_change", action="cordon", names=[name])
        assert plan["validation"].startswith("schema_only: missing"), plan["validation"]
        assert "nodes" in plan["validation"]
        refused = await stage.ask("execute_plan", plan_id=plan["plan_id"], confirm=plan["confirm"])
        assert refused.error
        assert stage.writes() == []
