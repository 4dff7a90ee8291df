"""Dry runs on a real kube-apiserver change nothing, and the server's own rules are what our guard assumes."""

import json
from typing import Any

import pytest

from aiops_shared.errors import AiopsError, ThrottledError
from aiops_shared.kube.api import KubeApi
from tests.cluster.control_plane import ControlPlane
from tests.cluster.product.objects import budget, config_map, pod
from tests.cluster.product.stage import api_of

pytestmark = pytest.mark.timeout(180)
JSON = {"content-type": "application/json"}
MAPS = "/api/v1/namespaces/default/configmaps"


async def uid_of(plane: ControlPlane, path: str) -> str:
    async with plane.client() as admin:
        answer = await admin.get(path)
    return str(answer.json()["metadata"]["uid"]) if answer.status_code == 200 else ""


async def test_a_delete_with_a_body_ignores_a_dry_run_in_the_query(alone: ControlPlane) -> None:
    """Why ours stands in the body (apiserver, endpoints/handlers/delete.go)."""
    async with alone.client() as admin:
        await admin.post(MAPS, json=config_map("really-goes"))
        answer = await admin.request(
            "DELETE", f"{MAPS}/really-goes", params={"dryRun": "All"}, json={"kind": "DeleteOptions"}
        )
        assert answer.status_code == 200
        assert (await admin.get(f"{MAPS}/really-goes")).status_code == 404


async def test_our_dry_run_of_a_delete_deletes_nothing(alone: ControlPlane) -> None:
    async with alone.client() as admin, api_of(alone) as api:
        await admin.post(MAPS, json=config_map("stays"))
        uid = await uid_of(alone, f"{MAPS}/stays")
        await api.delete("configmaps", "default", "stays", uid=uid, dry_run=True)
        assert await uid_of(alone, f"{MAPS}/stays") == uid
        await api.delete("configmaps", "default", "stays", uid=uid, dry_run=False, permit=object())
        assert await uid_of(alone, f"{MAPS}/stays") == ""


async def test_our_dry_run_of_an_eviction_evicts_nothing(alone: ControlPlane) -> None:
    path = "/api/v1/namespaces/default/pods"
    async with alone.client() as admin, api_of(alone) as api:
        await admin.post(path, json=pod("not-evicted"))
        uid = await uid_of(alone, f"{path}/not-evicted")
        await api.evict("default", "not-evicted", uid=uid, dry_run=True)
        assert await uid_of(alone, f"{path}/not-evicted") == uid
        await api.evict("default", "not-evicted", uid=uid, dry_run=False, permit=object())
        assert await uid_of(alone, f"{path}/not-evicted") == ""


async def test_dry_runs_of_every_other_change_leave_the_object_as_it_was(alone: ControlPlane) -> None:
    async with alone.client() as admin, api_of(alone) as api:
        await admin.post(MAPS, json=config_map("kept"))
        before = (await admin.get(f"{MAPS}/kept")).json()
        made = {**config_map("never-made"), "metadata": {"name": "never-made", "namespace": "default"}}
        assert (await api.create(made, dry_run=True))["metadata"]["uid"]
        changed = {**before, "data": {"a": "two"}}
        assert (await api.replace(changed, dry_run=True))["data"] == {"a": "two"}
        wish = {**made, "metadata": {"name": "kept", "namespace": "default"}, "data": {"b": "three"}}
        assert (await api.apply(wish, dry_run=True))["data"] == {"a": "one", "b": "three"}
        assert (await admin.get(f"{MAPS}/kept")).json() == before
        assert (await admin.get(f"{MAPS}/never-made")).status_code == 404


@pytest.mark.fault("R16")
@pytest.mark.parametrize("dry_run", [True, False])
async def test_another_object_of_the_same_name_is_neither_deleted_nor_evicted(
    alone: ControlPlane, dry_run: bool
) -> None:
    path = "/api/v1/namespaces/default/pods"
    other = "00000000-0000-4000-8000-000000000000"
    permit: Any = None if dry_run else object()
    name = f"same-name-{str(dry_run).lower()}"
    async with alone.client() as admin, api_of(alone) as api:
        await admin.post(path, json=pod(name))
        with pytest.raises(AiopsError, match="UID") as refused:
            await api.delete("pods", "default", name, uid=other, dry_run=dry_run, permit=permit)
        assert refused.value.code == "conflict"
        with pytest.raises(AiopsError, match="UID in the precondition") as kept:
            await api.evict("default", name, uid=other, dry_run=dry_run, permit=permit)
        assert kept.value.code == "conflict"
        assert await uid_of(alone, f"{path}/{name}")


class Guarded:
    """A ready pod under PodDisruptionBudgets without room, their status written by hand."""

    def __init__(self, plane: ControlPlane, name: str) -> None:
        self.plane = plane
        self.name = name
        self.path = f"/api/v1/namespaces/default/pods/{name}"

    async def make(self, *budgets: str) -> None:
        ready = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
        room = {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}
        collection = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
        async with self.plane.client() as admin:
            admin.headers["content-type"] = "application/merge-patch+json"
            await admin.post(
                "/api/v1/namespaces/default/pods", content=json.dumps(pod(self.name)), headers=JSON
            )
            await admin.patch(f"{self.path}/status", content=json.dumps({"status": ready}))
            for name in budgets:
                guard = {**budget(name, 1)}
                guard["spec"] = {"minAvailable": 1, "selector": {"matchLabels": {"app": self.name}}}
                await admin.post(collection, content=json.dumps(guard), headers=JSON)
                counted = json.dumps({"status": {"observedGeneration": 1, **room}})
                await admin.patch(f"{collection}/{name}/status", content=counted)

    async def refused(self, api: KubeApi, dry_run: bool) -> AiopsError:
        """What the eviction is told."""
        uid = await uid_of(self.plane, self.path)
        permit: Any = None if dry_run else object()
        with pytest.raises(AiopsError) as refused:
            await api.evict("default", self.name, uid=uid, dry_run=dry_run, permit=permit)
        assert await uid_of(self.plane, self.path) == uid
        return refused.value


@pytest.mark.fault("R13")
@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_disruption_budget_forbids_an_eviction_and_its_dry_run_by_name(
    alone: ControlPlane, dry_run: bool
) -> None:
    guarded = Guarded(alone, f"guarded-{str(dry_run).lower()}")
    await guarded.make(f"guard-{str(dry_run).lower()}")
    async with api_of(alone) as api:
        error = await guarded.refused(api, dry_run)
    assert isinstance(error, ThrottledError)
    said = f"disruption budget guard-{str(dry_run).lower()} needs 1 healthy pods and has 1 currently"
    assert said in str(error)


@pytest.mark.fault("R13")
@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_pod_under_two_budgets_is_refused_and_that_is_no_server_error(
    alone: ControlPlane, dry_run: bool
) -> None:
    name = f"twice-{str(dry_run).lower()}"
    guarded = Guarded(alone, name)
    await guarded.make(f"{name}-a", f"{name}-b")
    async with api_of(alone) as api:
        error = await guarded.refused(api, dry_run)
    assert error.code == "invalid_input"
    assert "more than one PodDisruptionBudget" in str(error)
