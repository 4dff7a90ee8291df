"""The real kubectl against the API, as an operator would use it."""

from datetime import timedelta

import orjson
import pytest

from aiops_lab.kube.wire import clone
from tests.lab.kube.fakes import T0
from tests.lab.kube.lab import VIEWER_TOKEN, KubeLab
from tests.lab.kube.objects import RUNNING, Obj, deployment, node, pod

pytestmark = pytest.mark.slow


def held(lab: KubeLab, kind: str, name: str, namespace: str | None = "shop") -> Obj:
    found = lab.store.get(kind, namespace, name)
    assert found is not None
    return found


def fill(lab: KubeLab) -> None:
    lab.store.create(deployment())
    lab.store.create(node("n1"))
    ready = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "allocatable": {"cpu": "2", "memory": "4Gi"},
    }
    lab.store.set_status("Node", None, "n1", ready)
    for name in ("web-1", "web-2"):
        lab.store.create(pod(name, node="n1", app="web"))
        lab.store.set_status("Pod", "shop", name, RUNNING)
    lab.clock.advance(minutes=5)


async def test_get_prints_tables_pages_selections_and_paths(lab: KubeLab) -> None:
    fill(lab)
    pods = await lab.kubectl("get", "pods", "-n", "shop")
    assert pods.splitlines()[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert pods.splitlines()[1].split() == ["web-1", "1/1", "Running", "0", "5m"]
    wide = await lab.kubectl("get", "po", "-A", "-o", "wide", "--chunk-size=1")
    assert [line.split()[:2] for line in wide.splitlines()[1:]] == [["shop", "web-1"], ["shop", "web-2"]]
    assert "n1" in wide
    one = await lab.kubectl("get", "po", "-n", "shop", "--field-selector=metadata.name=web-2", "-o", "name")
    assert one.strip() == "pod/web-2"
    none = await lab.kubectl("get", "po", "-n", "shop", "-l", "app in (api),tier!=x")
    assert "No resources found" in none
    image = await lab.kubectl(
        "get", "deploy/web", "-n", "shop", "-o", "jsonpath={.spec.template.spec.containers[*].name}"
    )
    assert image == "app sidecar"
    assert orjson.loads(await lab.kubectl("get", "nodes", "-o", "json"))["items"][0]["kind"] == "Node"


async def test_describe_logs_and_top_read_what_they_need(lab: KubeLab) -> None:
    fill(lab)
    uid = held(lab, "Pod", "web-1")["metadata"]["uid"]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "name": "web-1", "namespace": "shop", "uid": uid},
        "reason": "BackOff",
        "message": "Back-off restarting failed container",
        "type": "Warning",
        "firstTimestamp": "2026-11-22T12:01:00Z",
        "lastTimestamp": "2026-11-22T12:02:00Z",
        "count": 3,
    }
    lab.store.create(event)
    described = await lab.kubectl("describe", "pod", "web-1", "-n", "shop")
    assert "Back-off restarting failed container" in described
    assert "Replicas:" in await lab.kubectl("describe", "deploy", "web", "-n", "shop")
    lab.logs.held["shop", "web-1", "app", False] = [(T0, "hello"), (T0 + timedelta(seconds=1), "world")]
    assert await lab.kubectl("logs", "web-1", "-n", "shop", "--tail=1") == "world\n"
    missing = await lab.kubectl("logs", "web-1", "-n", "shop", "--previous", fails=True)
    assert 'previous terminated container "app" in pod "web-1" not found' in missing
    lab.usage.pods["shop/web-1"] = {"app": (12, 50 << 20)}
    lab.usage.nodes["n1"] = (500, 1 << 30)
    assert "12m" in await lab.kubectl("top", "pods", "-n", "shop")
    assert "25%" in await lab.kubectl("top", "nodes")


async def test_changes_reach_the_store_and_the_sidecar_stays(lab: KubeLab) -> None:
    fill(lab)
    shop = ("-n", "shop")
    await lab.kubectl(*shop, "scale", "deploy/web", "--replicas=4")
    await lab.kubectl(*shop, "set", "image", "deploy/web", "app=registry.example/web:2")
    await lab.kubectl(*shop, "rollout", "restart", "deploy/web")
    await lab.kubectl(*shop, "label", "pod", "web-1", "tier=front")
    replace = '[{"op":"replace","path":"/spec/replicas","value":7}]'
    await lab.kubectl(*shop, "patch", "deploy", "web", "--type=json", "-p", replace)
    live = held(lab, "Deployment", "web")
    assert [c["image"] for c in live["spec"]["template"]["spec"]["containers"]] == [
        "registry.example/web:2",
        "registry.example/proxy:3",
    ]
    assert live["spec"]["replicas"] == 7
    assert "kubectl.kubernetes.io/restartedAt" in live["spec"]["template"]["metadata"]["annotations"]
    assert held(lab, "Pod", "web-1")["metadata"]["labels"]["tier"] == "front"
    await lab.kubectl("cordon", "n1")
    assert "SchedulingDisabled" in await lab.kubectl("get", "node", "n1")
    await lab.kubectl(*shop, "wait", "--for=condition=Ready", "pod/web-1", "--timeout=5s")


async def test_apply_works_both_ways_and_conflicts_are_named(lab: KubeLab) -> None:
    sent = orjson.dumps(deployment()).decode()
    assert "created" in await lab.kubectl("apply", "-f", "-", stdin=sent)
    changed = clone(deployment(replicas=5))
    assert "configured" in await lab.kubectl("apply", "-f", "-", stdin=orjson.dumps(changed).decode())
    assert held(lab, "Deployment", "web")["spec"]["replicas"] == 5
    other = orjson.dumps(deployment(replicas=9)).decode()
    refused = await lab.kubectl(
        "apply", "--server-side", "--field-manager=ops", "-f", "-", stdin=other, fails=True
    )
    assert 'conflict with "kubectl-client-side-apply" using apps/v1: .spec.replicas' in refused
    forced = ("apply", "--server-side", "--field-manager=ops", "--force-conflicts", "-f", "-")
    assert "serverside-applied" in await lab.kubectl(*forced, stdin=other)
    assert held(lab, "Deployment", "web")["spec"]["replicas"] == 9
    typo = other.replace('"replicas"', '"replcas"')
    assert ".spec.replcas: field not declared in schema" in await lab.kubectl(*forced, stdin=typo, fails=True)


@pytest.mark.threat("T2")
async def test_a_server_side_dry_run_of_a_drain_evicts_nobody(lab: KubeLab) -> None:
    fill(lab)
    version = lab.store.shelf.version
    said = await lab.kubectl("drain", "n1", "--dry-run=server", "--force", "--ignore-daemonsets")
    assert "evicting pod shop/web-1 (server dry run)" in said
    assert lab.store.shelf.version == version
    assert lab.requests.writes() == []


async def test_a_drain_stops_at_the_budget(lab: KubeLab) -> None:
    fill(lab)
    meta = {"name": "web", "namespace": "shop"}
    selector = {"matchLabels": {"app": "web"}}
    spec = {"minAvailable": 2, "selector": selector}
    lab.store.create(
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}
    )
    status = {"disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2, "observedGeneration": 1}
    lab.store.set_status("PodDisruptionBudget", "shop", "web", status)
    said = await lab.kubectl("drain", "n1", "--force", "--timeout=2s", fails=True)
    assert "Cannot evict pod as it would violate the pod's disruption budget" in said
    assert "deletionTimestamp" not in held(lab, "Pod", "web-1")["metadata"]


async def test_rights_are_asked_and_refusals_are_printed(lab: KubeLab) -> None:
    assert (await lab.kubectl("auth", "can-i", "delete", "pods", "-n", "shop")).strip() == "yes"
    denied = await lab.kubectl("auth", "can-i", "delete", "pods", "-n", "shop", who=VIEWER_TOKEN, fails=True)
    assert denied.strip() == "no"
    assert "viewer" in await lab.kubectl("auth", "whoami", who=VIEWER_TOKEN)
    assert "selfsubjectaccessreviews" in await lab.kubectl("auth", "can-i", "--list", who=VIEWER_TOKEN)
    refused = await lab.kubectl("get", "pods", "-n", "shop", who=VIEWER_TOKEN, fails=True)
    assert 'User "viewer" cannot list resource "pods" in API group "" in the namespace "shop"' in refused


async def test_delete_and_its_dry_run(lab: KubeLab) -> None:
    fill(lab)
    await lab.kubectl("-n", "shop", "delete", "deploy", "web", "--dry-run=server")
    assert held(lab, "Deployment", "web")
    assert lab.requests.writes() == []
    await lab.kubectl("-n", "shop", "delete", "deploy", "web")
    assert lab.store.get("Deployment", "shop", "web") is None
    await lab.kubectl("-n", "shop", "delete", "pod", "web-1", "--grace-period=0", "--force")
    assert lab.store.get("Pod", "shop", "web-1") is None


async def test_what_is_not_played_is_refused_in_words(lab: KubeLab) -> None:
    fill(lab)
    said = await lab.kubectl("-n", "shop", "exec", "web-1", "--", "ls", fails=True)
    assert "the lab's Kubernetes API does not simulate pods/exec" in said
    raw = await lab.kubectl("get", "--raw", "/api/v1/nodes/n1/proxy/stats", fails=True)
    assert "the lab's Kubernetes API does not simulate nodes/proxy" in raw


async def test_custom_kinds_are_listed_with_their_columns(lab: KubeLab) -> None:
    pool: Obj = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "default"},
        "spec": {},
    }
    lab.store.create(pool)
    said = await lab.kubectl("get", "nodepools")
    assert said.splitlines()[0].split() == ["NAME", "NODECLASS", "NODES", "READY", "AGE"]
    assert "nodepools" in await lab.kubectl("api-resources", "--api-group=karpenter.sh")
