"""Who last wrote an object, by its managedFields: manager and time, never the user or the old value (D25).

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management: an entry's time is that of
the manager's last write that changed a field. Status writes are no change; neither is what the cluster's own
controllers write.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiops_shared.kube.changes.reading import Obj, created, moment, part, place
from aiops_shared.kube.changes.records import Change
from aiops_shared.kube.shapes import mapping, meta, rows, text

MOST_FIELDS = 4
QUIET = frozenset(
    {
        "aws-cloud-controller-manager",
        "aws-node",
        "cloud-controller-manager",
        "coredns",
        "endpoint-controller",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubelet",
        "node-controller",
        "vpc-resource-controller",
    }
)
_LEADER = "control-plane.alpha.kubernetes.io/leader"
_ROOT_CA = "kube-root-ca.crt"
_WHAT_LABELS = frozenset({"f:labels", "f:annotations", "f:ownerReferences", "f:finalizers"})


@dataclass(frozen=True, slots=True)
class Written:
    """One manager's last write of an object."""

    at: datetime
    manager: str
    subresource: str
    fields: Obj

    def about(self, part_name: str) -> bool:
        """Whether the manager owns a field of that name below `spec`."""
        return f"f:{part_name}" in part(self.fields, "f:spec")


def writes_of(obj: Obj) -> list[Written]:
    """The writes that managedFields remember, status and quiet controllers apart."""
    found = []
    for entry in rows(meta(obj), "managedFields"):
        at, manager = moment(entry.get("time")), text(entry.get("manager"))
        if at is None or manager in QUIET or text(entry.get("subresource")) == "status":
            continue
        if _only_status(mapping(entry.get("fieldsV1"))):
            continue
        found.append(Written(at, manager, text(entry.get("subresource")), mapping(entry.get("fieldsV1"))))
    return found


def _only_status(fields: Obj) -> bool:
    return bool(fields) and set(fields) <= {"f:status"}


def object_changes(obj: Obj, kind: str) -> Iterator[Change]:
    """That the object was made, and each later write of it that is remembered."""
    namespace, name = place(obj)
    if _is_quiet(obj, kind, name):
        return
    made_at, writes = created(obj), writes_of(obj)
    first = next((w for w in writes if made_at and abs((w.at - made_at).total_seconds()) <= 2), None)
    if made_at is not None:
        yield Change(
            made_at,
            "create",
            kind,
            name,
            namespace,
            client=first.manager if first else "",
            sources=("objects",),
        )
    for write in writes:
        if made_at is not None and (write.at - made_at).total_seconds() <= 2:
            continue
        verb, what = _verb(obj, write)
        yield Change(write.at, verb, kind, name, namespace, what, client=write.manager, sources=("objects",))


def _is_quiet(obj: Obj, kind: str, name: str) -> bool:
    notes = part(meta(obj), "annotations")
    return kind == "ConfigMap" and (name == _ROOT_CA or _LEADER in notes)


def _verb(obj: Obj, write: Written) -> tuple[str, tuple[str, ...]]:
    owned = list(_paths(write.fields))
    if write.subresource == "scale" or owned == ["spec.replicas"]:
        return "scale", (f"replicas → {part(obj, 'spec').get('replicas')}",)
    if owned == ["spec.unschedulable"]:
        return "cordon" if part(obj, "spec").get("unschedulable") else "uncordon", ()
    return "update", (f"fields {', '.join(owned)}",) if 0 < len(owned) <= MOST_FIELDS else ()


def _paths(fields: Any, path: str = "") -> Iterator[str]:
    """The owned fields below spec and data; labels and annotations as one word each."""
    for key, below in mapping(fields).items():
        if key == "." or not key.startswith("f:"):
            continue
        if key in _WHAT_LABELS:
            notes = [one.removeprefix("f:") for one in mapping(below) if one.startswith("f:")]
            if any(not _is_bookkeeping(one) for one in notes):
                yield f"{path}{key[2:]}"
            continue
        deeper = [one for one in mapping(below) if one != "."]
        if deeper and path.count(".") < 2:
            yield from _paths(below, f"{path}{key[2:]}.")
        else:
            yield f"{path}{key[2:]}"


def _is_bookkeeping(note: str) -> bool:
    return note in {"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"}
