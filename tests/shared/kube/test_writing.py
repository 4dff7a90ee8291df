"""Changes against the lab: dry runs change nothing, real ones need a permit and hit one object."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from aiops_lab.run import Lab
from aiops_shared.errors import ActionRefusedError, ConflictError, InvalidInputError, NotFoundError
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.writing import Effect
from tests.lab_fixture import running_lab
from tests.shared.kube.lab_api import lab_api

PERMIT = object()


def config_map(name: str = "settings", **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "production"},
        "data": data,
    }


@pytest_asyncio.fixture
async def lab() -> AsyncIterator[Lab]:
    async with running_lab("healthy") as lab:
        yield lab


@pytest_asyncio.fixture
async def api(lab: Lab) -> AsyncIterator[KubeApi]:
    async with lab_api(lab) as api:
        yield api


async def test_dry_runs_of_every_kind_change_nothing_and_are_no_writes(lab: Lab, api: KubeApi) -> None:
    pod = (await api.list("pods", "production")).items[0]
    deployment = (await api.list("deployments", "production")).items[0]
    name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
    created = await api.create(config_map(a="1"), dry_run=True)
    deployment["spec"]["replicas"] = 9
    replaced = await api.replace(deployment, dry_run=True)
    await api.apply(config_map(b="2"), dry_run=True)
    scale = {"spec": {"replicas": 7}}
    await api.patch(
        "deployments",
        "production",
        deployment["metadata"]["name"],
        scale,
        effect=Effect(True),
        subresource="scale",
    )
    await api.delete("pods", "production", name, uid=uid, dry_run=True)
    await api.evict("production", name, uid=uid, dry_run=True)
    assert created["metadata"]["uid"]
    assert replaced["spec"]["replicas"] == 9
    assert [(one.method, one.path) for one in lab.requests.writes()] == []
    assert (await api.get("pod", "production", name))["metadata"]["uid"] == uid
    fresh = await api.get("deployment", "production", deployment["metadata"]["name"])
    assert fresh["metadata"]["resourceVersion"] == deployment["metadata"]["resourceVersion"]
    with pytest.raises(NotFoundError):
        await api.get("configmap", "production", "settings")


async def test_without_a_permit_every_change_is_refused_and_none_reaches_the_server(
    lab: Lab, api: KubeApi
) -> None:
    for ask in (
        api.create(config_map(), dry_run=False),
        api.replace(config_map(), dry_run=False),
        api.apply(config_map(), dry_run=False),
        api.patch("configmaps", "production", "settings", {}, effect=Effect(False)),
        api.delete("configmaps", "production", "settings", uid="u", dry_run=False),
        api.evict("production", "web", uid="u", dry_run=False),
    ):
        with pytest.raises(ActionRefusedError, match="permit"):
            await ask
    assert lab.requests.writes() == []


async def test_with_a_permit_a_change_takes_effect_under_our_field_manager(lab: Lab, api: KubeApi) -> None:
    made = await api.create(config_map(a="1"), dry_run=False, permit=PERMIT)
    made["data"] = {"a": "2"}
    await api.replace(made, dry_run=False, permit=PERMIT)
    now = await api.get("configmap", "production", "settings")
    assert now["data"] == {"a": "2"}
    assert {one["manager"] for one in now["metadata"]["managedFields"]} == {"eks-aiops"}
    await api.delete(
        "configmaps", "production", "settings", uid=now["metadata"]["uid"], dry_run=False, permit=PERMIT
    )
    assert [entry.verb for entry in lab.requests.writes()] == ["create", "update", "delete"]


async def test_a_replace_with_an_old_resource_version_is_a_conflict(api: KubeApi) -> None:
    made = await api.create(config_map(a="1"), dry_run=False, permit=PERMIT)
    await api.replace(made | {"data": {"a": "2"}}, dry_run=False, permit=PERMIT)
    with pytest.raises(ConflictError):
        await api.replace(made | {"data": {"a": "3"}}, dry_run=False, permit=PERMIT)


@pytest.mark.fault("R16")
async def test_a_delete_or_eviction_of_another_object_of_that_name_is_a_conflict(
    lab: Lab, api: KubeApi
) -> None:
    pod = (await api.list("pods", "production")).items[0]["metadata"]
    with pytest.raises(ConflictError):
        await api.delete("pods", "production", pod["name"], uid="another", dry_run=False, permit=PERMIT)
    with pytest.raises(ConflictError):
        await api.evict("production", pod["name"], uid="another", dry_run=False, permit=PERMIT)
    assert (await api.get("pod", "production", pod["name"]))["metadata"]["uid"] == pod["uid"]


async def test_an_apply_over_another_managers_field_lists_the_field(api: KubeApi) -> None:
    deployment = (await api.list("deployments", "production")).items[0]
    about = deployment["metadata"]
    wanted = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": about["name"], "namespace": "production"},
        "spec": {"replicas": deployment["spec"]["replicas"] + 1},
    }
    with pytest.raises(ConflictError) as caught:
        await api.apply(wanted, dry_run=True)
    assert "spec.replicas" in caught.value.hint
    forced = await api.apply(wanted, force=True, dry_run=True)
    assert forced["spec"]["replicas"] == deployment["spec"]["replicas"] + 1


async def test_what_we_created_ourselves_can_be_applied_over(lab: Lab, api: KubeApi) -> None:
    await api.create(config_map(mode="a"), dry_run=False, permit=PERMIT)
    applied = await api.apply(config_map(mode="b"), dry_run=False, permit=PERMIT)
    assert applied["data"] == {"mode": "b"}
    lab.store.patch(
        "ConfigMap", "production", "settings", {"data": {"mode": "c"}}, "merge", manager="kubectl"
    )
    with pytest.raises(ConflictError) as caught:
        await api.apply(config_map(mode="d"), dry_run=False, permit=PERMIT)
    assert caught.value.managers == {"kubectl"}
    assert (await api.get("configmap", "production", "settings"))["data"] == {"mode": "c"}


async def test_an_invalid_object_says_which_field(api: KubeApi) -> None:
    deployment = (await api.list("deployments", "production")).items[0]
    deployment["spec"]["replicas"] = -1
    with pytest.raises(InvalidInputError, match="replicas"):
        await api.replace(deployment, dry_run=True)


@pytest.mark.parametrize(
    "body", [{}, {"apiVersion": "v1", "kind": "Pod"}, {"apiVersion": "v1", "kind": "Pod", "metadata": {}}]
)
async def test_a_body_that_names_no_object_is_refused(body: dict[str, Any], lab: Lab, api: KubeApi) -> None:
    with pytest.raises(InvalidInputError):
        await api.create(body, dry_run=True)
    assert lab.requests.total == 0
