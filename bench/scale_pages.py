"""What an API that is made up page by page answers: lists of a size that is only a number.

Called by `bench.scale_api`. One pod in 2,500 is in a crash loop, each in a workload of its own; the others
are well. A pod is an ordinary one of `bench.crowd`, some 3 kB of JSON, written once, other names put in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from random import Random
from typing import Any, Final

import orjson

from bench.crowd import Maker, Obj, Workload

EACH: Final = 10  # pods of one workload
BROKEN_EVERY: Final = 2_500
BORN: Final = datetime(2026, 11, 1, tzinfo=UTC)
_COLUMNS: Final = ("Name", "Ready", "Status", "Restarts", "Age", "IP", "Node")
_VERBS: Final = ["create", "delete", "get", "list", "patch", "update", "watch"]
_CORE: Final = ("Pod", "Node", "Namespace", "Service", "Event", "ConfigMap", "PersistentVolumeClaim")
_APPS: Final = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
_CLUSTER_WIDE: Final = frozenset({"Node", "Namespace"})
Answer = tuple[int, bytes]


def _resources(version: str, kinds: tuple[str, ...]) -> bytes:
    rows = [
        {
            "name": f"{kind.lower()}s",
            "singularName": kind.lower(),
            "kind": kind,
            "namespaced": kind not in _CLUSTER_WIDE,
            "verbs": _VERBS,
        }
        for kind in kinds
    ]
    return orjson.dumps({"kind": "APIResourceList", "groupVersion": version, "resources": rows})


_APPS_V1: Final = {"groupVersion": "apps/v1", "version": "v1"}
_GROUP: Final = {"name": "apps", "versions": [_APPS_V1], "preferredVersion": _APPS_V1}
DISCOVERY: Final = {
    "/version": orjson.dumps({"major": "1", "minor": "33", "gitVersion": "v1.33.2"}),
    "/api": orjson.dumps({"kind": "APIVersions", "versions": ["v1"]}),
    "/apis": orjson.dumps({"kind": "APIGroupList", "groups": [_GROUP]}),
    "/api/v1": _resources("v1", _CORE),
    "/apis/apps/v1": _resources("apps/v1", _APPS),
}
_NOT_FOUND: Final = {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}


@cache
def _written() -> tuple[bytes, bytes]:
    """A pod that is well and one in a crash loop, with places for names."""
    maker = Maker(BORN, Random(1))
    pod = maker.pod(Workload("@NAMESPACE@", "@APP@", "@HASH@", "1.0.0"))
    text = orjson.dumps(pod).decode()
    text = text.replace(pod["metadata"]["name"], "@NAME@").replace(pod["metadata"]["uid"], "@UID@")
    text = text.replace(pod["spec"]["nodeName"], "@NODE@")
    broken = orjson.loads(text)
    ended = {"exitCode": 1, "reason": "Error", "message": "panic: no such table: orders"}
    broken["status"]["conditions"] = [{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]
    broken["status"]["containerStatuses"][0] |= {
        "ready": False,
        "restartCount": 12,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s restarting"}},
        "lastState": {"terminated": ended},
    }
    return text.encode(), orjson.dumps(broken)


@dataclass(frozen=True)
class Cluster:
    """One cluster: how many of each thing; `pods` in each namespace."""

    name: str
    nodes: int
    namespaces: int
    pods: int

    def answer(self, method: str, path: str, query: Mapping[str, str], accept: str) -> Answer:
        """Any request: the code and the body."""
        if path in DISCOVERY:
            return 200, DISCOVERY[path]
        if method != "GET":
            return 201, orjson.dumps({"kind": "SelfSubjectAccessReview", "status": {"allowed": True}})
        words = path.removeprefix("/api/v1/").removeprefix("/apis/apps/v1/").split("/")
        match words:
            case ["namespaces", namespace]:
                return 200, orjson.dumps(_about("Namespace", namespace))
            case ["namespaces", namespace, "pods", name]:
                return self._pod(namespace, name)
            case ["nodes", name]:
                return 200, orjson.dumps(self._node(int(name.rpartition("-")[2])))
            case ["namespaces", namespace, kind]:
                return 200, self._list(kind, namespace, query, accept)
            case [kind]:
                return 200, self._list(kind, "", query, accept)
        return 404, orjson.dumps(_NOT_FOUND)

    def _list(self, kind: str, namespace: str, query: Mapping[str, str], accept: str) -> bytes:
        of_one_node = "nodeName" in query.get("fieldSelector", "")
        total = 0 if of_one_node else self._count(kind, namespace)
        start = int(query.get("continue") or 0)
        end = min(total, start + int(query.get("limit") or total or 1))
        more = f',"continue":"{end}","remainingItemCount":{total - end}' if end < total else ""
        about = f'"metadata":{{"resourceVersion":"7"{more}}}'.encode()
        tabular = "as=Table" in accept
        form = query.get("includeObject", "Metadata") if tabular else ""
        make = self._maker(kind, namespace, form)
        items = b",".join(make(number) for number in range(start, end))
        if tabular:
            return b'{"kind":"Table",%b,"columnDefinitions":%b,"rows":[%b]}' % (about, _columns(kind), items)
        return b'{"kind":"List","apiVersion":"v1",%b,"items":[%b]}' % (about, items)

    def _count(self, kind: str, namespace: str) -> int:
        pods = self.pods if namespace else self.pods * self.namespaces
        workloads = pods // EACH
        known = {
            "pods": pods,
            "nodes": self.nodes,
            "namespaces": self.namespaces,
            "deployments": workloads,
            "replicasets": workloads,
        }
        return known.get(kind, 0)

    def _maker(self, kind: str, namespace: str, form: str) -> Callable[[int], bytes]:
        if kind == "pods":
            return lambda number: self._pod_as(form, *self._place(namespace, number))
        makers: dict[str, Callable[[int], Obj]] = {
            "nodes": self._node,
            "namespaces": lambda number: _about("Namespace", f"ns-{number:03}"),
            "deployments": lambda number: self._workload("Deployment", number),
            "replicasets": lambda number: self._workload("ReplicaSet", number),
        }
        make = makers.get(kind, self._node)  # of other kinds there is nothing
        if not form:
            return lambda number: orjson.dumps(make(number))
        return lambda number: _row(make(number), form)

    def _place(self, namespace: str, number: int) -> tuple[str, int]:
        """Namespace and number inside it."""
        if namespace:
            return namespace, number
        return f"ns-{number // self.pods:03}", number % self.pods

    def _pod(self, namespace: str, name: str) -> Answer:
        return 200, self._pod_as("", namespace, int(name.rpartition("-")[2]))

    def _pod_as(self, form: str, namespace: str, number: int) -> bytes:
        broken = number % BROKEN_EVERY == 7
        app = f"app-{number // EACH}"
        names = {
            "NAMESPACE": namespace,
            "APP": app,
            "HASH": "5d4f",
            "NAME": f"{app}-5d4f-{number}",
            "UID": f"{namespace}-{number}",
            "NODE": f"node-{number % max(1, self.nodes)}",
        }
        if not form:
            return _named(_written()[broken], names)
        cells = [
            names["NAME"],
            *(("0/1", "CrashLoopBackOff", "12 (1m ago)") if broken else ("1/1", "Running", "0")),
        ]
        row = orjson.dumps([*cells, "21d", "10.0.7.9", names["NODE"]])
        if form == "None":
            return b'{"cells":%b}' % row
        return b'{"cells":%b,"object":{"metadata":%b}}' % (row, _named(_metadata(), names))

    def _node(self, number: int) -> Obj:
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T00:00:00Z"}
        room = {"cpu": "16", "memory": "64Gi", "pods": "110"}
        labels = {
            "topology.kubernetes.io/zone": f"us-east-1{'abc'[number % 3]}",
            "eks.amazonaws.com/nodegroup": "main",
        }
        info = {
            "kubeletVersion": "v1.33.2",
            "osImage": "Bottlerocket",
            "containerRuntimeVersion": "containerd://2.0",
        }
        return {
            **_about("Node", f"node-{number}", labels=labels),
            "spec": {"providerID": f"aws:///us-east-1a/i-{number:017x}"},
            "status": {"conditions": [ready], "capacity": room, "allocatable": room, "nodeInfo": info},
        }

    def _workload(self, kind: str, number: int) -> Obj:
        each = self.pods // EACH
        namespace, app = f"ns-{number // each:03}", f"app-{number % each}"
        template = orjson.loads(_written()[0])["spec"] | {"nodeName": ""}
        name = app if kind == "Deployment" else f"{app}-5d4f"
        owner = {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "name": app,
            "uid": f"d-{namespace}-{app}",
            "controller": True,
        }
        about = _about(kind, name, namespace)
        if kind == "ReplicaSet":
            about["metadata"] |= {"ownerReferences": [owner], "uid": f"r-{namespace}-{app}"}
        spec = {
            "replicas": EACH,
            "selector": {"matchLabels": {"app": app}},
            "template": {"metadata": {"labels": {"app": app}}, "spec": template},
        }
        return {**about, "spec": spec, "status": {"replicas": EACH, "readyReplicas": EACH}}


def _named(text: bytes, names: Mapping[str, str]) -> bytes:
    for place, name in names.items():
        text = text.replace(f"@{place}@".encode(), name.encode())
    return text


@cache
def _metadata() -> bytes:
    return orjson.dumps(orjson.loads(_written()[0])["metadata"])


def _about(kind: str, name: str, namespace: str = "", labels: Mapping[str, str] | None = None) -> Obj:
    about: dict[str, Any] = {
        "name": name,
        "uid": f"{kind}-{namespace}-{name}",
        "resourceVersion": "7",
        "creationTimestamp": "2026-11-01T00:00:00Z",
        "labels": dict(labels or {}),
    }
    return {"kind": kind, "metadata": about | ({"namespace": namespace} if namespace else {})}


def _row(obj: Obj, form: str) -> bytes:
    cells = [obj["metadata"]["name"], "Ready" if obj["kind"] == "Node" else "Active", "21d"]
    return orjson.dumps(
        {"cells": cells} | ({"object": {"metadata": obj["metadata"]}} if form == "Metadata" else {})
    )


@cache
def _columns(kind: str) -> bytes:
    names = _COLUMNS if kind == "pods" else ("Name", "Status", "Age")
    return orjson.dumps([{"name": name, "type": "string"} for name in names])
