"""Every read and plan tool, called in every view with arguments that make sense for what is in a lab.

Used to show what no reading and no planning does: write, or let a secret out.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from aiops_lab.kube.wire import Obj
from aiops_lab.run import Lab

Call = tuple[str, dict[str, Any]]
KINDS = (
    *(
        "Pod",
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
        "Service",
        "ConfigMap",
    ),
    *("Secret", "ServiceAccount", "PersistentVolumeClaim", "HorizontalPodAutoscaler", "PodDisruptionBudget"),
    *("NetworkPolicy", "Endpoints", "EndpointSlice", "Event"),
)
PLANTED = ("canary", "hostile", "gitops")
WIDE = ("Node", "Namespace", "PersistentVolume", "StorageClass", "ClusterRole", "CustomResourceDefinition")


def chosen(lab: Lab, kind: str, namespace: str) -> list[Obj]:
    """The objects around which the drill planted something, and one ordinary one beside them."""
    found = lab.store.list(kind, namespace or None)
    planted = [each for each in found if any(word in each["metadata"]["name"] for word in PLANTED)]
    others = [each for each in found if each not in planted]
    return [*planted, *others[:1]]


def objects(lab: Lab, kind: str, namespace: str) -> list[str]:
    """Their names."""
    return [str(each["metadata"]["name"]) for each in chosen(lab, kind, namespace)]


def lists(namespace: str) -> Iterator[Call]:
    """Clusters, objects, events."""
    yield "list_clusters", {}
    for kind in KINDS:
        yield "list_resources", {"kind": kind, "namespace": namespace}
        yield "list_resources", {"kind": kind, "namespace": namespace, "limit": 500}
        yield "list_resources", {"kind": kind, "unhealthy_only": True}
    for kind in WIDE:
        yield "list_resources", {"kind": kind}
    yield "list_events", {}
    yield "list_events", {"namespace": namespace, "since": "-2d", "limit": 500}
    yield "diagnose", {}
    yield "diagnose", {"namespace": namespace}


def objects_whole(lab: Lab, namespace: str) -> Iterator[Call]:
    """Every object of a namespace, in both views, scanned, with its events, diagnosed."""
    for kind in KINDS:
        if kind in {"Event", "EndpointSlice"}:
            continue
        for name in objects(lab, kind, namespace):
            one = {"kind": kind, "namespace": namespace, "name": name}
            yield "get_resource", one
            yield "get_resource", {**one, "view": "yaml"}
            yield "list_events", one
            if kind in {"Deployment", "StatefulSet", "ConfigMap", "Secret"}:
                yield "scan_manifest", {**one, "fix": True}
                yield "diagnose", one


def logs(lab: Lab, namespace: str) -> Iterator[Call]:
    """Every pod's log, this run's and the last one's, whole and cut."""
    for name in objects(lab, "Pod", namespace):
        one = {"namespace": namespace, "pod": name}
        yield "get_pod_logs", one
        yield "get_pod_logs", {**one, "previous": "always", "detail": "full", "tail": 5000}
        yield "get_pod_logs", {**one, "grep": "password|token|key"}
    for name in objects(lab, "Deployment", namespace):
        yield "get_pod_logs", {"namespace": namespace, "workload": f"deployment/{name}", "detail": "full"}


def plans(lab: Lab, namespace: str) -> Iterator[Call]:
    """Every change of every workload, and every object applied, deleted and evicted."""
    for kind in ("Deployment", "StatefulSet", "DaemonSet"):
        for name in objects(lab, kind, namespace):
            one: dict[str, Any] = {"kind": kind, "namespace": namespace, "name": name}
            yield "plan_workload_change", {**one, "action": "scale", "replicas": 2}
            yield "plan_workload_change", {**one, "action": "restart", "reason": "walk"}
            yield "plan_workload_change", {**one, "action": "rollback"}
            yield "plan_workload_change", {**one, "action": "resources"}
            yield "plan_workload_change", {**one, "action": "resources", "memory_limit": "1Gi"}
            yield "plan_workload_change", {**one, "action": "image", "image": "busybox:1.37"}
    for kind in ("ConfigMap", "Secret", "Deployment", "Pod", "Service", "PersistentVolumeClaim"):
        for obj in chosen(lab, kind, namespace):
            one = {"kind": kind, "namespace": namespace, "name": str(obj["metadata"]["name"])}
            yield "plan_manifest", {"action": "apply", "manifest": manifest(obj, kind)}
            yield "plan_manifest", {"action": "delete", **one}
            if kind == "Pod":
                yield "plan_manifest", {"action": "evict", **one}


def manifest(obj: Obj, kind: str) -> str:
    """An object as its owner would apply it, with one more label."""
    kept = {key: value for key, value in obj.items() if key not in {"status", "metadata"}}
    metadata = {
        key: obj["metadata"][key] for key in ("name", "namespace", "annotations") if key in obj["metadata"]
    }
    kept = {
        "kind": kind,
        **kept,
        "metadata": {**metadata, "labels": {**obj["metadata"].get("labels", {}), "walk": "1"}},
    }
    return str(yaml.safe_dump(kept))


def mistakes(namespace: str) -> Iterator[Call]:
    """Calls that answer with an error."""
    yield "get_resource", {"kind": "Secret", "namespace": namespace, "name": "nothing-here"}
    yield "get_resource", {"kind": "Sekret", "namespace": namespace, "name": "x"}
    yield "get_pod_logs", {"namespace": namespace, "pod": "nothing-here"}
    yield "get_action", {"action_id": "act_" + "x" * 20}
    yield "plan_manifest", {"action": "apply", "manifest": "kind: [unclosed"}


def everything(lab: Lab, namespace: str) -> Iterator[Call]:
    """All of it."""
    yield from lists(namespace)
    yield from objects_whole(lab, namespace)
    yield from logs(lab, namespace)
    yield from plans(lab, namespace)
    yield from mistakes(namespace)
