"""Apply, delete and evict through the tools on a real control plane: owners, budgets, and the way back."""

import json
from pathlib import Path

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.product.objects import budget, config_map, deployment
from tests.cluster.product.stage import Product, product
from tests.e2e.stage import Obj

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
MAP = "/api/v1/namespaces/{ns}/configmaps/settings"
WEB = "/apis/apps/v1/namespaces/{ns}/deployments/web"
PODS = "/api/v1/namespaces/{ns}/pods"


def manifest(namespace: str, **data: str) -> str:
    rows = "".join(f"  {key}: {value}\n" for key, value in data.items())
    about = f"metadata: {{name: settings, namespace: {namespace}}}"
    return f"apiVersion: v1\nkind: ConfigMap\n{about}\ndata:\n{rows}"


async def apply(stage: Product, **data: str) -> Obj:
    return await stage.got("plan_manifest", action="apply", manifest=manifest(stage.namespace, **data))


async def test_an_object_is_created_by_apply_changed_by_apply_and_given_back(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        plan = await apply(stage, a="one")
        assert plan["validation"] == "server_dry_run"
        assert (await stage.see(MAP), stage.writes()) == ({}, [])
        made = await stage.execute(plan)
        assert made.data["state"] == "succeeded", made.text
        assert (await stage.see(MAP))["data"] == {"a": "one"}
        changed = await stage.execute(await apply(stage, a="two", b="three"))
        assert changed.data["state"] == "succeeded", changed.text
        assert (await stage.see(MAP))["data"] == {"a": "two", "b": "three"}
        assert (await stage.undo(changed.data))["state"] == "undone"
        assert (await stage.see(MAP))["data"] == {"a": "one"}
        again = await stage.execute(await apply(stage, a="after the undo"))
        assert again.data["state"] == "succeeded", again.text  # what our own replace wrote is no conflict


async def test_a_creation_is_undone_by_deleting_what_was_made_and_nothing_else(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        made = await stage.execute(await apply(stage, a="one"))
        assert (await stage.undo(made.data))["state"] == "undone"
        assert await stage.see(MAP) == {}
        assert [event["verb"] for event in stage.effects()][-1] == "delete"


async def test_an_apply_over_a_field_of_another_manager_names_the_owner_and_changes_nothing(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        path = MAP.replace("{ns}", stage.namespace)
        answer = await stage.admin.patch(
            path,
            params={"fieldManager": "helm"},
            content=manifest(stage.namespace, a="theirs"),
            headers={"content-type": "application/apply-patch+yaml"},
        )
        assert answer.status_code == 201, answer.text
        refused = await stage.ask(
            "plan_manifest", action="apply", manifest=manifest(stage.namespace, a="ours")
        )
        assert refused.code == "conflict", refused.text
        assert '.data.a: conflict with "helm"' in refused.text
        assert (await stage.see(MAP))["data"] == {"a": "theirs"}
        beside = await stage.execute(await apply(stage, b="ours"))
        assert beside.data["state"] == "succeeded", beside.text
        assert (await stage.see(MAP))["data"] == {"a": "theirs", "b": "ours"}


async def test_what_the_server_rejects_is_said_at_planning_in_its_words(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        text = (
            f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, namespace: {stage.namespace}}}\n"
            "spec:\n  replica: 2\n  selector: {matchLabels: {app: web}}\n  template:\n"
            "    metadata: {labels: {app: web}}\n    spec: {containers: [{name: app, image: shop/web:1}]}\n"
        )
        unknown = await stage.ask("plan_manifest", action="apply", manifest=text)
        assert unknown.code == "invalid_input", unknown.text
        assert "replica" in unknown.text
        other = text.replace("replica: 2", "replicas: 2").replace(
            "labels: {app: web}", "labels: {app: other}"
        )
        mismatch = await stage.ask("plan_manifest", action="apply", manifest=other)
        assert mismatch.code == "invalid_input", mismatch.text
        assert "selector" in mismatch.text
        assert stage.writes() == []


async def test_what_the_server_warns_of_stands_in_the_plan(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        space = f"/api/v1/namespaces/{stage.namespace}"
        await stage.patch(space, {"metadata": {"labels": {"pod-security.kubernetes.io/warn": "restricted"}}})
        made = deployment()
        made["metadata"]["namespace"] = stage.namespace
        plan = await stage.got("plan_manifest", action="apply", manifest=json.dumps(made))
        said = " ".join(plan["warnings"])
        assert "The API server warns: would violate PodSecurity" in said, plan["warnings"]
        assert stage.writes() == []


async def test_a_deletion_is_of_the_planned_object_alone_and_comes_back_as_a_new_one(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        await stage.make(config_map(), config_map("other"))
        before = await stage.see(MAP)
        plan = await stage.got(
            "plan_manifest", action="delete", kind="ConfigMap", namespace=stage.namespace, name="settings"
        )
        assert await stage.see(MAP) == before, "the dry run of a deletion deletes nothing"
        gone = await stage.execute(plan)
        assert gone.data["state"] == "succeeded", gone.text
        assert await stage.see(MAP) == {}
        assert await stage.see(MAP.replace("settings", "other"))
        assert (await stage.undo(gone.data))["state"] == "undone"
        after = await stage.see(MAP)
        assert after["data"] == before["data"]
        assert after["metadata"]["uid"] != before["metadata"]["uid"]


async def a_pod(stage: Product) -> str:
    found = (await stage.see(PODS))["items"]
    name: str = next(
        each["metadata"]["name"] for each in found if "deletionTimestamp" not in each["metadata"]
    )
    return name


async def serving(stage: Product, *more: Obj) -> None:
    await stage.make(deployment(), *more)
    await stage.until(WEB, "status", "readyReplicas", value=2)


async def test_a_pod_is_evicted_through_the_eviction_api_and_its_controller_makes_another(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        await serving(stage, budget(at_least=1))
        await stage.until(
            "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets/web",
            "status",
            "disruptionsAllowed",
            value=1,
        )
        name = await a_pod(stage)
        plan = await stage.got(
            "plan_manifest", action="evict", kind="Pod", namespace=stage.namespace, name=name
        )
        assert "deletionTimestamp" not in (await stage.see(f"{PODS}/{name}"))["metadata"]
        done = await stage.execute(plan)
        assert done.data["state"] == "succeeded", done.text
        assert await stage.see(f"{PODS}/{name}") == {}
        (write,) = stage.effects()
        assert write["objectRef"]["subresource"] == "eviction"
        await stage.until(WEB, "status", "readyReplicas", value=2)


@pytest.mark.fault("R13")
async def test_an_eviction_that_a_budget_forbids_is_refused_by_its_name_and_nothing_else_is_tried(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        await serving(stage, budget(at_least=1))
        path = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets/web"
        await stage.until(path, "status", "disruptionsAllowed", value=1)
        name = await a_pod(stage)
        plan = await stage.got(
            "plan_manifest", action="evict", kind="Pod", namespace=stage.namespace, name=name
        )
        await stage.patch(path, {"spec": {"minAvailable": 2}})
        await stage.until(path, "status", "disruptionsAllowed", value=0)
        refused = await stage.execute(plan)
        assert "web" in refused.text, refused.text
        assert "disruption" in refused.text.lower()
        assert refused.data.get("state") in {None, "failed"}
        again = await stage.ask(
            "plan_manifest", action="evict", kind="Pod", namespace=stage.namespace, name=name
        )
        assert again.code == "refused", again.text
        assert await stage.see(f"{PODS}/{name}")
        assert [event for event in stage.writes() if event["responseStatus"]["code"] < 300] == []


@pytest.mark.threat("T1")
@pytest.mark.parametrize("name", ["", ".", "..", "%2e%2e", "../pods", "a/b", "A", "web\u2044x"])
async def test_no_odd_name_reaches_the_server_as_a_write(
    name: str, whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        for action in ("delete", "evict"):
            refused = await stage.ask(
                "plan_manifest", action=action, kind="Pod", namespace=stage.namespace, name=name
            )
            assert refused.code == "invalid_input", refused.text
        assert stage.writes() == []
        assert stage.dry_runs() == []
