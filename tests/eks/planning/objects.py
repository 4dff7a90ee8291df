"""Objects and surroundings for the planning tests: as an API server would hand them out."""

import copy
from datetime import UTC, datetime
from typing import Any

from aiops_eks.planning.drafts import Around
from aiops_shared.guardrails.models import ObjectRef

Obj = dict[str, Any]
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LABELS = {"app": "web"}


def ref(kind: str = "Deployment", name: str = "web", version: str = "apps/v1") -> ObjectRef:
    return ObjectRef(cluster="lab", api_version=version, kind=kind, namespace="shop", name=name)


def container(name: str = "app", **more: Any) -> Obj:
    return {"name": name, "image": "repo/web:1.0.0", **more}


def limited(memory: str = "256Mi", request: str | None = "128Mi", name: str = "app") -> Obj:
    resources: Obj = {"limits": {"memory": memory}}
    if request is not None:
        resources["requests"] = {"memory": request}
    return container(name, resources=resources)


def workload(kind: str = "Deployment", *containers: Obj, **spec: Any) -> Obj:
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u-web",
            "generation": 3,
            "resourceVersion": "7",
            "creationTimestamp": "2026-11-01T00:00:00Z",
            "labels": dict(LABELS),
        },
        "spec": {
            "replicas": 4,
            "selector": {"matchLabels": dict(LABELS)},
            "template": {
                "metadata": {"labels": dict(LABELS)},
                "spec": {"containers": list(containers) or [container()]},
            },
            **spec,
        },
        "status": {"observedGeneration": 3},
    }


def replica_set(deployment: Obj, revision: int, image: str, *, made: str = "2026-11-20T00:00:00Z") -> Obj:
    template = copy.deepcopy(deployment["spec"]["template"])
    template["metadata"]["labels"]["pod-template-hash"] = f"h{revision}"
    template["spec"]["containers"][0]["image"] = image
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"web-h{revision}",
            "namespace": "shop",
            "uid": f"u-rs-{revision}",
            "creationTimestamp": made,
            "labels": {**LABELS, "pod-template-hash": f"h{revision}"},
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [owner("Deployment", "web", "u-web")],
        },
        "spec": {"replicas": 0, "template": template},
    }


def owner(kind: str, name: str, uid: str, version: str = "apps/v1") -> Obj:
    return {"apiVersion": version, "kind": kind, "name": name, "uid": uid, "controller": True}


def pod(name: str = "web-1", *, restarts: int = 0, ready: bool = True, **more: Any) -> Obj:
    """A pod; keywords go into its one container's status."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"u-{name}",
            "labels": dict(LABELS),
            "creationTimestamp": "2026-11-20T00:00:00Z",
        },
        "spec": {"containers": [container()]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [
                {"name": "app", "restartCount": restarts, "state": {"running": {}}, **more}
            ],
        },
    }


def oom_killed(started: str, finished: str) -> Obj:
    return {"terminated": {"reason": "OOMKilled", "startedAt": started, "finishedAt": finished}}


def budget(allowed: int, selector: Obj | None = None, **more: Any) -> Obj:
    return {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web-budget", "namespace": "shop", "generation": 1},
        "spec": {"selector": {"matchLabels": dict(LABELS)} if selector is None else selector},
        "status": {"disruptionsAllowed": allowed, "observedGeneration": 1, **more},
    }


def namespace(**labels: str) -> Obj:
    return {"kind": "Namespace", "metadata": {"name": "shop", "labels": labels}}


def around(obj: Obj | None, **more: Any) -> Around:
    kind = str(obj["kind"]) if obj else "Deployment"
    version = str(obj["apiVersion"]) if obj else "apps/v1"
    name = str(obj["metadata"]["name"]) if obj else "web"
    given: dict[str, Any] = {"ref": ref(kind, name, version), "now": NOW, "obj": obj, "pdbs": (), **more}
    return Around(**given)
