"""One lack that strikes several workloads is one finding, at what they share; one that strikes one stays
there."""

from dataclasses import replace

from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.facts import Facts
from tests.eks.diagnosis.aws_worlds import findings
from tests.eks.diagnosis.worlds import NS, Obj, ago, happened, node, pod, running, waiting, world

TAINTED = "0/1 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}."
EXPIRED = (
    'Failed to pull image "hub.example.com/{app}:1": failed to do request: Head "https://hub.example.com/": '
    "tls: failed to verify certificate: x509: certificate has expired or is not yet valid"
)


def of(app: str, state: Obj | None = None, **more: object) -> Obj:
    owner = {"kind": "ReplicaSet", "name": f"{app}-5f6d7c8b9", "controller": True, "apiVersion": "apps/v1"}
    meta = {"ownerReferences": [owner], "labels": {"app": app, "pod-template-hash": "5f6d7c8b9"}}
    return pod(f"{app}-5f6d7c8b9-xxxxx", state, metadata=meta, **more)  # type: ignore[arg-type]  # a fake's status


def unplaced(*apps: str) -> Facts:
    tainted = node("node-g", Ready="True")
    tainted["spec"] = {"taints": [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}]}
    pods = [of(app, phase="Pending", spec={"nodeName": ""}, conditions=[]) for app in apps]
    return world(tainted, *pods, *(happened("FailedScheduling", TAINTED, about=each) for each in pods))


def unpulled(*apps: str) -> Facts:
    pods = [
        of(
            app,
            waiting("ImagePullBackOff", EXPIRED.format(app=app)),
            phase="Pending",
            container={"image": f"hub.example.com/{app}:1"},
        )
        for app in apps
    ]
    return world(*pods)


def test_a_taint_that_keeps_several_workloads_away_is_one_finding_at_its_node() -> None:
    (found,) = findings(unplaced("cart", "search", "ledger"))
    assert (found.code, found.kind, found.name) == ("TAINT_NOT_TOLERATED", "Node", "node-g")
    assert "(and 2 more)" in found.title
    assert sum(each.startswith("Pod ") for each in found.symptoms) == 3


def test_a_taint_that_keeps_one_workload_away_stays_with_the_workload() -> None:
    (found,) = findings(unplaced("cart"))
    assert (found.kind, found.name) == ("Deployment", "cart")


def test_a_registry_that_nobody_can_pull_from_is_one_finding() -> None:
    (found,) = findings(unpulled("cart", "search"))
    assert (found.code, found.kind, found.name) == ("REGISTRY_TLS", "Registry", "hub.example.com")
    (alone,) = findings(unpulled("cart"))
    assert (alone.kind, alone.namespace, alone.name) == ("Deployment", NS, "cart")


def test_two_that_lack_different_things_stay_two() -> None:
    other = unpulled("search")
    one = unplaced("cart")
    facts = replace(one, pods=(*one.pods, *other.pods))
    assert sorted(each.code for each in findings(facts)) == ["REGISTRY_TLS", "TAINT_NOT_TOLERATED"]


def without_proxy(*bare: str) -> Facts:
    """One node with a kube-proxy, and these without."""
    owner = {"kind": "DaemonSet", "name": "kube-proxy", "controller": True, "apiVersion": "apps/v1"}
    meta = {"namespace": "kube-system", "ownerReferences": [owner]}
    well = pod("kube-proxy-xxxxx", running(), ready=True, metadata=meta, spec={"nodeName": "node-a"})
    daemons = {
        "kind": "DaemonSet",
        "metadata": {"name": "kube-proxy", "namespace": "kube-system", "creationTimestamp": ago(900_000)},
        "spec": {},
        "status": {"desiredNumberScheduled": 1, "numberReady": 1, "numberAvailable": 1},
    }
    facts = world(node("node-a"), *(node(name) for name in bare), well)
    return replace(facts, workloads=(*facts.workloads, reading.workload(daemons, "DaemonSet")))


def test_nodes_without_a_kube_proxy_are_one_finding_at_its_daemon_set_and_one_stays_itself() -> None:
    (alone,) = findings(without_proxy("node-b"))
    assert (alone.code, alone.kind, alone.name) == ("KUBE_PROXY_MISSING", "Node", "node-b")
    (found,) = findings(without_proxy(*(f"node-{number}" for number in range(200))))
    assert (found.code, found.kind, found.name) == ("KUBE_PROXY_MISSING", "DaemonSet", "kube-proxy")
    assert "(and 199 more)" in found.title
