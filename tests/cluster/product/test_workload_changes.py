"""plan → execute → undo of a workload on a real control plane, seen in its objects and its audit log."""

import copy
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.product.objects import daemon_set, deployment, stateful_set
from tests.cluster.product.stage import Product, product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
WEB = "/apis/apps/v1/namespaces/{ns}/deployments/web"
CHANGES: dict[str, dict[str, Any]] = {
    "image": {"action": "image", "image": "shop/web:1.1"},
    "scale": {"action": "scale", "replicas": 3},
    "restart": {"action": "restart"},
    "resources": {"action": "resources", "memory_limit": "96Mi", "memory_request": "48Mi"},
}


async def serving(stage: Product, **kwargs: Any) -> dict[str, Any]:
    """A Deployment of two replicas, up."""
    await stage.make(deployment(**kwargs))
    return await stage.until(WEB, "status", "readyReplicas", value=2)


def spec_of(obj: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = copy.deepcopy(obj["spec"])
    return spec


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_is_planned_carried_out_and_given_back(
    change: str, whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        before = spec_of(await serving(stage))
        plan = await stage.plan(name="web", **CHANGES[change])
        assert plan["validation"] == "server_dry_run"
        assert stage.writes() == []
        assert stage.dry_runs()
        assert spec_of(await stage.see(WEB)) == before
        done = await stage.execute(plan)
        assert not done.error, done.text
        assert done.data["state"] == "succeeded", done.data
        after = await stage.see(WEB)
        assert spec_of(after) != before
        writes = stage.effects()
        assert len(writes) == len(done.data["steps"]["rows"])
        assert {(each["verb"], each["objectRef"]["resource"]) for each in writes} == {
            ("update", "deployments")
        }
        undone = await stage.undo(done.data)
        assert undone["state"] == "undone", undone
        assert spec_of(await stage.see(WEB)) == before


async def test_a_rollback_goes_one_revision_back(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        good = spec_of(await serving(stage))
        image = {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop/web:2.0"}]}}}}
        await stage.patch(WEB, image)
        await stage.until(WEB, "status", "updatedReplicas", value=2)
        bad = spec_of(await stage.until(WEB, "status", "observedGeneration", value=2))
        plan = await stage.plan(name="web", action="rollback")
        done = await stage.execute(plan)
        assert done.data["state"] == "succeeded", done.text
        template = spec_of(await stage.see(WEB))["template"]
        assert (
            template["spec"]["containers"][0]["image"] == good["template"]["spec"]["containers"][0]["image"]
        )
        assert (await stage.undo(done.data))["state"] == "undone"
        assert spec_of(await stage.see(WEB)) == bad


@pytest.mark.parametrize(
    ("kind", "path", "ready"),
    [
        ("StatefulSet", "/apis/apps/v1/namespaces/{ns}/statefulsets/store", "readyReplicas"),
        ("DaemonSet", "/apis/apps/v1/namespaces/{ns}/daemonsets/agent", "numberReady"),
    ],
)
async def test_a_stateful_set_and_a_daemon_set_are_restarted_piece_by_piece_and_given_back(
    kind: str, path: str, ready: str, whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        await stage.make(stateful_set() if kind == "StatefulSet" else daemon_set())
        before = spec_of(await stage.until(path, "status", ready, value=3))
        name = path.rsplit("/", 1)[-1]
        plan = await stage.plan(kind=kind, name=name, action="restart")
        done = await stage.execute(plan)
        assert not done.error, done.text
        assert done.data["state"] == "succeeded", done.data
        after = await stage.until(path, "status", ready, value=3)
        assert spec_of(after)["template"] != before["template"]
        assert spec_of(after)["updateStrategy"] == before["updateStrategy"]
        assert len(stage.effects()) == len(done.data["steps"]["rows"])
        assert (await stage.undo(done.data))["state"] == "undone"
        assert spec_of(await stage.see(path)) == before


async def test_a_plan_is_stale_when_somebody_changed_what_it_writes_and_not_when_only_status_moved(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        await serving(stage)
        plan = await stage.plan(name="web", action="scale", replicas=3)
        await stage.patch(f"{WEB}/status", {"status": {"observedGeneration": 1, "replicas": 2}})
        assert (await stage.execute(plan)).data["state"] == "succeeded"
        stale = await stage.plan(name="web", action="scale", replicas=4)
        await stage.patch(WEB, {"spec": {"replicas": 5}})
        refused = await stage.execute(stale)
        assert refused.code == "plan_stale", refused.text
        assert (await stage.see(WEB))["spec"]["replicas"] == 5
        assert len(stage.writes()) == 1


@pytest.mark.fault("R16")
async def test_a_plan_does_not_touch_another_object_of_the_same_name(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        await serving(stage)
        plan = await stage.plan(name="web", action="scale", replicas=3)
        await stage.admin.delete(
            WEB.replace("{ns}", stage.namespace), params={"propagationPolicy": "Background"}
        )
        await stage.until(WEB, value={})
        await serving(stage)
        refused = await stage.execute(plan)
        assert refused.code == "plan_stale", refused.text
        assert (await stage.see(WEB))["spec"]["replicas"] == 2
        assert stage.writes() == []


@pytest.mark.fault("R15")
async def test_an_undo_leaves_what_somebody_else_changed_since(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        await serving(stage)
        done = await stage.execute(await stage.plan(name="web", action="scale", replicas=3))
        await stage.patch(WEB, {"spec": {"replicas": 9}})
        refused = await stage.ask("undo_action", action_id=done.data["action_id"])
        assert refused.code == "undo_refused", refused.text
        assert (await stage.see(WEB))["spec"]["replicas"] == 9


async def test_a_plan_is_made_while_the_status_moves_all_the_time(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each status update moves the resourceVersion under the dry run (seen on a rollout in progress)."""
    async with product(whole, monkeypatch, tmp_path) as stage:
        await serving(stage)

        async def churn() -> None:
            number = 0
            while True:
                number += 1
                condition = {"type": "Churn", "status": "True", "reason": f"N{number}"}
                await stage.patch(f"{WEB}/status", {"status": {"conditions": [condition]}})
                await anyio.sleep(0.2)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(churn)
            for replicas in range(3, 9):
                plan = await stage.plan(name="web", action="scale", replicas=replicas)
                assert plan["validation"] == "server_dry_run"
            done = await stage.execute(plan)
            tasks.cancel_scope.cancel()
        assert done.data["state"] == "succeeded", done.text
        assert len(stage.effects()) == 1
