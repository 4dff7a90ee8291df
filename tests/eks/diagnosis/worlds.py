"""Small worlds of plain Kubernetes objects, read as the reader reads them.

`world(...)` takes objects and what was found out about them, and gives the facts that the rules see.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.answering import answer
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import LogTail, Lookup, Ref, UsageHistory
from aiops_eks.diagnosis.result import Diagnosis
from aiops_eks.diagnosis.scope import Gathered
from aiops_shared.results import Finding

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
NS = "shop"
Obj = dict[str, Any]


def ago(seconds: float) -> str:
    """A moment before NOW, as Kubernetes writes it."""
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def died(code: int = 1, reason: str = "Error", *, ago_s: float = 60, lived_s: float = 2, **more: Any) -> Obj:
    """A terminated state."""
    times = {"startedAt": ago(ago_s + lived_s), "finishedAt": ago(ago_s)}
    return {"terminated": {"exitCode": code, "reason": reason, **times, **more}}


def waiting(reason: str, message: str = "") -> Obj:
    """A waiting state."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def running(since_s: float = 3600) -> Obj:
    """A running state."""
    return {"running": {"startedAt": ago(since_s)}}


LOOP = waiting("CrashLoopBackOff", "back-off 5m0s restarting failed container")


def pod(
    name: str = "cart-7d4b9c6f5-aaaaa",
    state: Obj | None = None,
    *,
    last: Obj | None = None,
    restarts: int = 0,
    ready: bool = False,
    spec: Obj | None = None,
    container: Obj | None = None,
    **status: Any,
) -> Obj:
    """A pod of the ReplicaSet of Deployment `cart`, with one container `web`."""
    found = {
        "name": "web",
        "ready": ready,
        "restartCount": restarts,
        "state": state or running(),
        "lastState": last or {},
    }
    owner = {"kind": "ReplicaSet", "name": "cart-7d4b9c6f5", "controller": True, "apiVersion": "apps/v1"}
    conditions = status.pop("conditions", [{"type": "Ready", "status": "True" if ready else "False"}])
    meta = {
        "name": name,
        "namespace": NS,
        "uid": f"uid-{name}",
        "labels": {"app": "cart", "pod-template-hash": "7d4b9c6f5"},
        "ownerReferences": [owner],
        "creationTimestamp": ago(1320),
        **status.pop("metadata", {}),
    }
    main = {"name": "web", "image": "repo/cart:3.1", **(container or {})}
    return {
        "kind": "Pod",
        "metadata": meta,
        "spec": {"nodeName": "node-a", "containers": [main], **(spec or {})},
        "status": {
            "phase": "Running",
            "containerStatuses": [found],
            "conditions": conditions,
            **status,
        },
    }


def crashing(
    code: int = 1, reason: str = "Error", *, restarts: int = 8, lived_s: float = 2, **more: Any
) -> Obj:
    """A pod in CrashLoopBackOff."""
    return pod(state=LOOP, last=died(code, reason, lived_s=lived_s), restarts=restarts, **more)


def reads(name: str, *, optional: bool = True, kind: str = "configMapRef") -> Obj:
    """A container that takes its settings from an object."""
    return {"envFrom": [{kind: {"name": name, "optional": optional}}]}


def happened(
    reason: str,
    message: str,
    *,
    about: Obj | None = None,
    ago_s: float = 20,
    count: int = 9,
    kind: str = "Warning",
) -> Obj:
    """An event about a pod (the default pod, unless given)."""
    found = about or pod()
    meta = found["metadata"]
    involved = {"kind": found["kind"], "namespace": meta.get("namespace", ""), "name": meta["name"]}
    return {
        "kind": "Event",
        "involvedObject": {**involved, "uid": meta.get("uid", "")},
        "reason": reason,
        "message": message,
        "type": kind,
        "count": count,
        "lastTimestamp": ago(ago_s),
    }


def deployment(name: str = "cart", *, ready: int = 0, replicas: int = 1, **more: Any) -> Obj:
    """A Deployment."""
    status = {"readyReplicas": ready, "availableReplicas": ready, "observedGeneration": 1}
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NS, "generation": 1, "creationTimestamp": ago(90_000)},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}},
        "status": {**status, **more},
    }


def service(name: str = "cart", selector: Mapping[str, str] | None = None, **spec: Any) -> Obj:
    """A Service."""
    chosen = {"app": name} if selector is None else dict(selector)
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": NS},
        "spec": {"selector": chosen, **spec},
    }


def node(name: str = "node-a", **conditions: str) -> Obj:
    """A node; its conditions by keyword."""
    found = [
        {"type": kind, "status": status, "reason": "Said", "lastTransitionTime": ago(900)}
        for kind, status in {"Ready": "True", **conditions}.items()
    ]
    meta = {"name": name, "creationTimestamp": ago(900_000)}
    return {"kind": "Node", "metadata": meta, "status": {"conditions": found}}


def missing(name: str, kind: str = "ConfigMap", nearest: tuple[str, ...] = ()) -> Lookup:
    """A lookup that found nothing."""
    return Lookup(Ref(kind, NS, name), exists=False, nearest=nearest)


def there(name: str, *keys: str, kind: str = "ConfigMap") -> Lookup:
    """A lookup that found the object."""
    return Lookup(Ref(kind, NS, name), exists=True, keys=keys)


def world(
    *objects: Obj,
    log: Sequence[str] = (),
    lookups: Sequence[Lookup] = (),
    endpoints: Mapping[str, int] | None = None,
    history: Sequence[UsageHistory] = (),
    logs_allowed: bool = True,
) -> Facts:
    """The facts of these objects; `log` is the last run's of every pod's container."""
    kinds: dict[str, list[Obj]] = {}
    for obj in objects:
        kinds.setdefault(obj["kind"], []).append(obj)
    made = [o for kind in ("Deployment", "ReplicaSet", "StatefulSet", "Job") for o in kinds.get(kind, [])]
    workloads = tuple(reading.workload(obj, obj["kind"]) for obj in made)
    pods = tuple(map(reading.Tops(workloads).owned, [reading.pod(obj) for obj in kinds.get("Pod", [])]))
    ready = endpoints or {}
    tails = [
        LogTail(p.ref, c.name, previous=True, lines=tuple(log)) for p in pods for c in p.containers if log
    ]
    return Facts(
        cluster="lab",
        now=NOW,
        namespace=NS,
        pods=pods,
        events=tuple(reading.event(obj) for obj in kinds.get("Event", [])),
        logs=tuple(tails),
        lookups=tuple(lookups),
        workloads=workloads,
        services=tuple(
            reading.service(o, ready.get(o["metadata"]["name"], 0)) for o in kinds.get("Service", [])
        ),
        nodes=tuple(reading.node(obj) for obj in kinds.get("Node", [])),
        claims=tuple(reading.claim(obj, None) for obj in kinds.get("PersistentVolumeClaim", [])),
        history=tuple(history),
        logs_allowed=logs_allowed,
    )


def diagnosed(facts: Facts, target: Ref | None = None) -> Diagnosis:
    """The whole answer."""
    return answer(Gathered(replace(facts, target=target)))


def only(facts: Facts) -> Finding:
    """The one finding there is."""
    found = diagnosed(facts).findings
    assert len(found) == 1, [one.code for one in found]
    return found[0]


def codes(facts: Facts) -> list[str]:
    """All codes, in order."""
    return [one.code for one in diagnosed(facts).findings]
