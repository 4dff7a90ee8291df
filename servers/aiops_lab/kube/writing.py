"""How an object changes on its way into the store: names, stamps, what each subresource may touch.

Pure functions; after `rest.BeforeCreate`, `rest.BeforeUpdate` and the kinds' strategies.
"""

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TypedDict
from uuid import UUID

from aiops_lab.kube.errors import FieldError, bad_request, go_error, invalid, other_uid, stale
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, dig, name_of, namespace_of, timestamp, without_nulls

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_GENERATED = 58  # 63 less the five random letters
_KEPT_STATUS_ON_CREATE = frozenset({"Node", "PersistentVolume"})
_NO_GENERATION = frozenset(
    {
        "Node",
        "Namespace",
        "Service",
        "PersistentVolume",
        "PersistentVolumeClaim",
        "ResourceQuota",
        "LimitRange",
        "HorizontalPodAutoscaler",
    }
)
_COUNTED = frozenset(
    {"PriorityClass", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"}
)  # no spec, and yet a generation
_SERVER_OWNED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation")


class WriteOptions(TypedDict, total=False):
    """What a writer may say beside the object."""

    manager: str
    user: str
    subresource: str | None
    dry_run: bool
    force: bool
    warnings: list[str]


@dataclass(frozen=True)
class Write:
    """`WriteOptions` with their defaults."""

    manager: str = "lab"
    user: str = "system:lab"
    subresource: str | None = None
    dry_run: bool = False
    force: bool = False
    warnings: list[str] = dataclasses.field(default_factory=list)  # what admission says beside a yes


def new_object(resource: Resource, sent: Obj, now: datetime, rng: Random) -> Obj:
    """A copy of `sent` with everything that the server itself sets on create. Raises ApiError 400, 422."""
    obj: Obj = without_nulls(sent)
    meta = obj.setdefault("metadata", {})
    if not isinstance(meta, dict):
        raise bad_request("metadata must be an object")
    if not meta.get("name") and meta.get("generateName"):
        base = str(meta["generateName"])[:_LONGEST_GENERATED]
        meta["name"] = base + "".join(rng.choices(_SUFFIX_LETTERS, k=5))
    if not meta.get("name"):
        raise invalid(
            resource,
            "",
            [FieldError("metadata.name", "name or generateName is required", "", "Required value")],
        )
    if meta.get("resourceVersion"):
        raise go_error("resourceVersion should not be set on objects to be created")
    _settle_namespace(resource, meta)
    for field in (
        "selfLink",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
        "managedFields",
    ):
        meta.pop(field, None)
    meta["uid"] = str(UUID(int=rng.getrandbits(128), version=4))
    meta["creationTimestamp"] = timestamp(now)
    if resource.kind not in _NO_GENERATION and (
        "spec" in obj or resource.custom or resource.kind in _COUNTED
    ):
        meta["generation"] = 1
    if resource.has_status and resource.kind not in _KEPT_STATUS_ON_CREATE:
        obj.pop("status", None)
    return obj


def _settle_namespace(resource: Resource, meta: Obj) -> None:
    if not resource.namespaced:
        meta.pop("namespace", None)
    elif not meta.get("namespace"):
        meta["namespace"] = "default"


def changed_object(resource: Resource, live: Obj, sent: Obj, subresource: str | None) -> Obj:
    """What `live` becomes when `sent` is written to it or to its subresource. Raises ApiError 409."""
    _check_preconditions(resource, live, sent)
    if subresource == "status":
        # Only the status is another one: what is stored is never changed in place, so the rest is shared.
        status = without_nulls(sent.get("status") or {})
        return {**live, "metadata": dict(live["metadata"]), "status": status}
    obj: Obj = without_nulls(sent)
    meta, kept = obj.setdefault("metadata", {}), live["metadata"]
    for field in ("name", "namespace", "resourceVersion", *_SERVER_OWNED, "managedFields"):
        meta.pop(field, None)
        if field in kept:
            meta[field] = kept[field]
    if resource.has_status:
        obj.pop("status", None)
        if "status" in live:
            obj["status"] = live["status"]
    obj["apiVersion"], obj["kind"] = live["apiVersion"], live["kind"]
    if _intent(obj) != _intent(live) and "generation" in kept:
        meta["generation"] = kept["generation"] + 1
    return obj  # what it shares with `live` is never changed in place


def _intent(obj: Obj) -> Obj:
    return {key: value for key, value in obj.items() if key not in {"metadata", "status"}}


def _check_preconditions(resource: Resource, live: Obj, sent: Obj) -> None:
    version = dig(sent, "metadata", "resourceVersion", default="")
    if version and not version.isdecimal():
        raise go_error(f'strconv.ParseUint: parsing "{version[:40]}": invalid syntax')
    if version and version != live["metadata"]["resourceVersion"]:
        raise stale(resource, name_of(live))
    uid = dig(sent, "metadata", "uid", default="")
    if uid and uid != live["metadata"]["uid"]:
        raise other_uid(resource, namespace_of(live), name_of(live), uid, live["metadata"]["uid"])


def same(one: Obj, other: Obj) -> bool:
    """Whether two states differ in nothing but bookkeeping."""
    return _bare(one) == _bare(other)


def _bare(obj: Obj) -> Obj:
    meta = {k: v for k, v in obj["metadata"].items() if k not in {"managedFields", "resourceVersion"}}
    return {**obj, "metadata": meta}


def address(obj: Obj) -> str:
    """Namespace and name for messages."""
    return f"{namespace_of(obj)}/{name_of(obj)}"
