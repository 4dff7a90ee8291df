"""metrics.k8s.io: what `kubectl top` reads, measured by the world's `UsageSource`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from aiops_lab.kube.calls import Call, answer
from aiops_lab.kube.errors import ApiError
from aiops_lab.kube.ports import UsageSource
from aiops_lab.kube.reading import Reading
from aiops_lab.kube.selectors import parse_labels
from aiops_lab.kube.store import Store
from aiops_lab.kube.tables import table, wants_table
from aiops_lab.kube.wire import Obj, dig, name_of, namespace_of, timestamp

_WINDOW = "15s"
_API_VERSION = "metrics.k8s.io/v1beta1"


@dataclass(frozen=True)
class Metrics:
    """The get and list handlers of PodMetrics and NodeMetrics."""

    store: Store
    usage: UsageSource
    reading: Reading
    now: Callable[[], datetime]

    def answer(self, call: Call) -> Response:
        """One object's usage, or everybody's that is measured. Raises ApiError 404."""
        target = call.target
        measured_kind = "Pod" if target.resource.plural == "pods" else "Node"
        source = self.store.resource(measured_kind)
        if target.name:
            found = self.store.shelf.find(source, target.namespace, target.name)
            measured = self._measure(found) if found else None
            if measured is None:
                place = f"{target.namespace}/{target.name}" if target.namespace else target.name
                raise ApiError(
                    404, "NotFound", f'{target.resource.plural}.metrics.k8s.io "{place}" not found'
                )
            return self.reading.show(call, measured)
        return self._list(call, self.store.shelf.all(source, target.namespace))

    def _list(self, call: Call, objects: tuple[Obj, ...]) -> Response:
        matches = parse_labels(call.query("labelSelector"))
        chosen = [obj for obj in objects if matches is None or matches(obj)]
        items = [measured for obj in chosen if (measured := self._measure(obj))]
        if wants_table(call.accept):
            return answer(table(call.target.resource, items, {}, call.query("includeObject"), self.now()))
        kind = f"{call.target.resource.kind}List"
        return answer({"kind": kind, "apiVersion": _API_VERSION, "metadata": {}, "items": items})

    def _measure(self, obj: Obj) -> Obj | None:
        if obj["kind"] == "Node":
            node = self.usage.node(name_of(obj))
            return None if node is None else {**self._head(obj, "NodeMetrics"), "usage": _usage(*node)}
        containers = self.usage.pod(namespace_of(obj), name_of(obj))
        if containers is None:
            return None
        rows = [{"name": name, "usage": _usage(*used)} for name, used in sorted(containers.items())]
        return {**self._head(obj, "PodMetrics"), "containers": rows}

    def _head(self, obj: Obj, kind: str) -> Obj:
        at = timestamp(self.now())
        meta: Obj = {"name": name_of(obj), "creationTimestamp": at}
        if namespace := namespace_of(obj):
            meta["namespace"] = namespace
        if labels := dig(obj, "metadata", "labels"):
            meta["labels"] = labels
        return {
            "kind": kind,
            "apiVersion": _API_VERSION,
            "metadata": meta,
            "timestamp": at,
            "window": _WINDOW,
        }


def _usage(cpu_millicores: int, memory_bytes: int) -> Obj:
    return {"cpu": f"{cpu_millicores * 1_000_000}n", "memory": f"{memory_bytes // 1024}Ki"}
