"""One stored object, two wire shapes: events.k8s.io shows the core Events under other field names.

After k8s.io/kubernetes/pkg/apis/events/v1/conversion.go.
"""

from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj

_RENAMED = {
    "involvedObject": "regarding",
    "message": "note",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "source": "deprecatedSource",
    "reportingComponent": "reportingController",
}
_BACK = {new: old for old, new in _RENAMED.items()}


def is_view(resource: Resource) -> bool:
    """Whether objects of this kind are stored in another shape."""
    return resource.kind == "Event" and resource.group == "events.k8s.io"


def shown(resource: Resource, obj: Obj) -> Obj:
    """A stored object as `resource` shows it; the same object where shapes agree."""
    if not is_view(resource):
        return obj
    renamed = {_RENAMED.get(key, key): value for key, value in obj.items()}
    return {**renamed, "apiVersion": resource.api_version}


def stored(resource: Resource, obj: Obj) -> Obj:
    """An object sent to `resource` in the shape it is stored in."""
    if not is_view(resource):
        return obj
    renamed = {_BACK.get(key, key): value for key, value in obj.items()}
    return {**renamed, "apiVersion": "v1"}
