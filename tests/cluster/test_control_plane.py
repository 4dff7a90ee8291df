"""The control plane itself: that the tests beside it really meet Kubernetes."""

import pytest

from tests.cluster.control_plane import ControlPlane


@pytest.mark.timeout(180)
async def test_it_is_kubernetes_itself_that_answers(bare: ControlPlane) -> None:
    async with bare.client() as api:
        version = (await api.get("/version")).json()
        assert version["gitVersion"].startswith("v1.33.")
        assert version["compiler"] == "gc"
        assert (await api.get("/api/v1/namespaces/default")).json()["status"]["phase"] == "Active"


@pytest.mark.timeout(180)
async def test_an_identity_without_a_role_may_do_nothing(bare: ControlPlane) -> None:
    async with bare.client("ci-cleanup") as api:
        assert (await api.get("/api/v1/pods")).status_code == 403


@pytest.mark.timeout(180)
async def test_the_scheduler_places_a_pod_and_a_played_node_runs_it(whole: ControlPlane) -> None:
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hello"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "hello"}},
            "template": {
                "metadata": {"labels": {"app": "hello"}},
                "spec": {"containers": [{"name": "app", "image": "hello:1"}]},
            },
        },
    }
    path = "/apis/apps/v1/namespaces/default/deployments"
    async with whole.client() as api:
        assert (await api.post(path, json=deployment)).status_code == 201
        watch = {"watch": "true", "fieldSelector": "metadata.name=hello", "timeoutSeconds": "60"}
        async with api.stream("GET", path, params=watch) as events:
            async for line in events.aiter_lines():
                if '"readyReplicas":2' in line:
                    break
        assert (await api.get(f"{path}/hello")).json()["status"]["readyReplicas"] == 2
        await api.delete(f"{path}/hello")


@pytest.mark.timeout(180)
async def test_the_servers_own_audit_log_names_who_wrote_what(bare: ControlPlane) -> None:
    async with bare.client() as api:
        body = {"metadata": {"name": "noted"}, "data": {"a": "b"}}
        assert (await api.post("/api/v1/namespaces/default/configmaps", json=body)).status_code == 201
        await api.delete("/api/v1/namespaces/default/configmaps/noted")
    seen = [(e["user"]["username"], e["verb"]) for e in bare.audited() if e["verb"] in {"create", "delete"}]
    assert ("lab-admin", "create") in seen
    assert ("lab-admin", "delete") in seen
