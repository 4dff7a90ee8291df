"""What the Helm chart renders is taken by a real kube-apiserver, its pods under Pod Security `restricted`."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cluster.control_plane import ControlPlane
from tests.launch.charts import CLUSTER_WIDE, Rendered, render
from tests.launch.values import EVERYTHING, HA, TRY

pytestmark = [pytest.mark.slow, pytest.mark.row("S29"), pytest.mark.timeout(300)]
SPACE = "helm-restricted"
FOREIGN = ("HTTPRoute", "ServiceMonitor")  # types of others, which this server does not have
PLURALS = {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies"}
Obj = dict[str, Any]


def path_of(one: Obj) -> str:
    group = one["apiVersion"]
    root = f"/api/{group}" if group == "v1" else f"/apis/{group}"
    kinds = PLURALS.get(one["kind"], f"{one['kind'].lower()}s")
    return f"{root}/{kinds}" if one["kind"] in CLUSTER_WIDE else f"{root}/namespaces/{SPACE}/{kinds}"


async def tried(api: httpx.AsyncClient, one: Obj) -> httpx.Response:
    """Create it, as a dry run; a field that the server does not know is an error."""
    meta = dict(one["metadata"])
    if one["kind"] not in CLUSTER_WIDE:
        meta["namespace"] = SPACE
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    return await api.post(path_of(one), json={**one, "metadata": meta}, params=query)


def pods_of(rendered: Rendered) -> list[Obj]:
    templates = [(one["metadata"]["name"], one["spec"]["template"]) for one in rendered.of("Deployment")]
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": made["metadata"]["labels"]},
            "spec": made["spec"],
        }
        for name, made in templates
    ]


async def test_every_object_of_the_chart_is_taken_and_its_pods_are_restricted(
    bare: ControlPlane, tmp_path: Path
) -> None:
    rendered = [render(tmp_path, TRY), render(tmp_path, "values-ha.yaml", HA)]
    rendered.append(render(tmp_path, "values-ha.yaml", EVERYTHING))
    async with bare.client() as api:
        label = {"pod-security.kubernetes.io/enforce": "restricted"}
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE, "labels": label}}
        (await api.post("/api/v1/namespaces", json=space)).raise_for_status()
        try:
            for one in rendered:
                for made in [*one.objects, *pods_of(one)]:
                    if made["kind"] not in FOREIGN:
                        answer = await tried(api, made)
                        assert answer.status_code == 201, (made["kind"], answer.text)
                        assert "warning" not in answer.headers, answer.headers["warning"]
            loose = pods_of(rendered[0])[0]
            del loose["spec"]["securityContext"]
            refused = await tried(api, loose)
            assert refused.status_code == 403
            assert "restricted" in refused.text
        finally:
            await api.delete(f"/api/v1/namespaces/{SPACE}")
