"""Every read tool on a real control plane, with the reader's rights: answers, and not one write."""

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.product.objects import budget, config_map, deployment, pod
from tests.cluster.product.stage import Product, api_of, product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
WEB = "/apis/apps/v1/namespaces/{ns}/deployments/web"
SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "planted"},
    "stringData": {"password": "plantedSecretValue9Kx2"},
}


async def furnished(stage: Product) -> None:
    """A namespace with healthy and unhealthy things in it."""
    waiting = {
        "name": "app",
        "image": "shop/lone:1.0",
        "ready": False,
        "restartCount": 4,
        "imageID": "",
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling "shop/lone:1.0"'}},
    }
    await stage.make(deployment(), budget(), config_map(), SECRET)
    lone = pod()
    lone["spec"]["nodeSelector"] = {"no": "such-node"}
    await stage.make(lone)
    path = f"/api/v1/namespaces/{stage.namespace}/pods/lone/status"
    await stage.patch(path, {"status": {"phase": "Pending", "containerStatuses": [waiting]}})
    await stage.until(WEB, "status", "readyReplicas", value=2)


def every_read(namespace: str, pod_name: str) -> list[tuple[str, dict[str, Any]]]:
    """Calls of every read tool."""
    here = {"namespace": namespace}
    views = [
        ("get_resource", {"kind": kind, "name": name, **here, **more})
        for kind, name in [
            *(("Deployment", "web"), ("Pod", pod_name), ("Pod", "lone"), ("ConfigMap", "settings")),
            *(("Secret", "planted"), ("PodDisruptionBudget", "web")),
        ]
        for more in ({}, {"view": "yaml"})
    ]
    return [
        ("list_clusters", {}),
        *views,
        ("get_resource", {"kind": "Node", "name": "node-0"}),
        ("get_resource", {"kind": "Namespace", "name": namespace}),
        ("get_pod_logs", {"pod": pod_name, **here}),
        ("get_pod_logs", {"workload": "Deployment/web", **here}),
        ("list_events", {**here}),
        ("list_events", {}),
        ("diagnose", {**here}),
        ("diagnose", {}),
        ("diagnose", {"kind": "Deployment", "name": "web", **here}),
        ("diagnose", {"kind": "Pod", "name": "lone", **here}),
        ("scan_manifest", {"kind": "Deployment", "name": "web", **here}),
    ]


async def test_every_kind_that_the_server_serves_is_listed_and_nothing_is_written(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path, identity="lab-admin") as stage, api_of(whole) as api:
        await furnished(stage)
        kinds = [kind for kind in await api.kinds() if "list" in kind.verbs]
        assert len(kinds) > 50
        said: dict[str, str] = {}
        for kind in kinds:
            word = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
            answer = await stage.ask("list_resources", kind=word)
            said[word] = answer.code
        assert {word: code for word, code in said.items() if code} == {}
        assert stage.writes() == []


async def test_every_read_tool_answers_with_the_readers_rights_and_writes_nothing(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path, identity="aiops-reader") as stage:
        await furnished(stage)
        pods = await stage.got("list_resources", kind="Pod", namespace=stage.namespace)
        assert pods["total"] == 3
        assert pods["unhealthy"] == 1, pods
        assert "lone" in pods["summary"]
        name = next(row[0] for row in pods["resources"]["rows"] if str(row[0]).startswith("web-"))
        refused: dict[str, str] = {}
        for tool, arguments in every_read(stage.namespace, str(name)):
            answer = await stage.ask(tool, **arguments)
            assert "plantedSecretValue9Kx2" not in answer.text
            if answer.error:
                refused[f"{tool} {arguments}"] = answer.error
        # kwok plays the kubelet: its logs may be missing, everything else answers.
        assert [call for call in refused if not call.startswith("get_pod_logs")] == [], refused
        assert stage.writes() == []
        assert stage.dry_runs() == []
        assert len(stage.asked_of_api()) > 50


async def test_misspelt_names_are_answered_with_the_nearest_real_ones(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path, identity="aiops-reader") as stage:
        await furnished(stage)
        near = {
            "nearest: web": {"kind": "Deployment", "namespace": stage.namespace, "name": "wbe"},
            f"nearest: {stage.namespace}": {"kind": "Pod", "namespace": stage.namespace[:-1], "name": "lone"},
            "did you mean": {"kind": "deploymnets", "namespace": stage.namespace, "name": "web"},
        }
        for hint, arguments in near.items():
            answer = await stage.ask("get_resource", **arguments)
            assert answer.code in {"not_found", "kind_unknown"}, answer.text
            assert hint in answer.text


async def test_a_huge_listing_is_paged_by_the_real_server_in_pages_of_500(
    alone: ControlPlane,
) -> None:
    async with alone.client() as admin, api_of(alone) as api:
        await admin.post("/api/v1/namespaces", json={"metadata": {"name": "many"}})
        for number in range(1100):
            body = {"metadata": {"name": f"m{number:04}"}}
            await admin.post("/api/v1/namespaces/many/configmaps", json=body)
        names = [one["metadata"]["name"] async for one in api.every("configmaps", "many")]
        page = await api.list("configmaps", "many")
        table = await api.table("configmaps", "many", limit=100)
    assert names == [f"m{number:04}" for number in range(1100)]
    assert (len(page.items), page.remaining) == (500, 600)
    assert (len(table.rows), table.remaining) == (100, 1000)
    assert all(one["kind"] == "ConfigMap" for one in page.items)
