"""How objects go: finalizers, grace periods, owners' cascades and namespaces.

Plays the delete path of the registry, the garbage collector and the namespace controller at once.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypedDict, Unpack

from aiops_lab.kube.errors import changed_since
from aiops_lab.kube.registry import Registry
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.shelf import Key, Shelf
from aiops_lab.kube.wire import Obj, clone, dig, name_of, namespace_of, parse_time, timestamp

_FOREGROUND = "foregroundDeletion"
_ORPHAN = "orphan"
_POD_GRACE_S = 30


class DeletionOptions(TypedDict, total=False):
    """What a client may say with a delete; `propagation` is Background, Foreground or Orphan."""

    uid: str | None
    resource_version: str | None
    propagation: str
    grace_s: int | None
    dry_run: bool


class Deletion:
    """Deletes objects and what hangs on them."""

    def __init__(self, shelf: Shelf, registry: Registry, now: Callable[[], datetime]) -> None:
        self._shelf = shelf
        self._registry = registry
        self._now = now

    def delete(self, resource: Resource, live: Obj, **options: Unpack[DeletionOptions]) -> Obj:
        """Delete or mark; returns the last state. Raises ApiError 409 where a precondition fails."""
        _check(resource, live, options)
        propagation = options.get("propagation", "Background")
        grace_s = _grace_s(resource, live, options.get("grace_s"))
        if options.get("dry_run"):
            return self._marked(resource, live, [], grace_s) if grace_s else live
        finalizers = self._finalizers(live, propagation)
        if propagation == "Orphan":
            self._orphan(live)
        if not finalizers and not grace_s and resource.kind != "Namespace":
            return self._remove(resource, live)
        marked = self._mark(resource, live, finalizers, grace_s)
        if resource.kind == "Namespace":
            self._empty(marked)
        elif propagation == "Foreground":
            self._delete_dependents(marked)
        return self.finish(resource, self._shelf.find(resource, namespace_of(live), name_of(live)) or marked)

    def finish(self, resource: Resource, obj: Obj) -> Obj:
        """Remove a marked object once nothing holds it any more."""
        meta = obj["metadata"]
        held = self._shelf.find(resource, namespace_of(obj), name_of(obj))
        if held is None or meta.get("finalizers") or meta.get("deletionGracePeriodSeconds"):
            return obj
        if resource.kind == "Namespace" and self._still_needed(name_of(obj)):
            return obj
        return self._remove(resource, obj)

    def _still_needed(self, namespace: str) -> bool:
        """Content is left, or an aggregated API that does not answer might hold some."""
        if next(self._shelf.keys_in(namespace), None):
            return True
        states = [
            each.get("status")
            for service in self._shelf.all(self._registry.by_kind("APIService"))
            for each in dig(service, "status", "conditions", default=[])
            if each.get("type") == "Available"
        ]
        return "False" in states

    def _finalizers(self, live: Obj, propagation: str) -> list[str]:
        held = [f for f in dig(live, "metadata", "finalizers", default=[]) if f not in {_FOREGROUND, _ORPHAN}]
        waits = propagation == "Foreground" and self._shelf.owned_by(live["metadata"]["uid"])
        return [*held, _FOREGROUND] if waits else held

    def _mark(self, resource: Resource, live: Obj, finalizers: list[str], grace_s: int) -> Obj:
        marked = self._marked(resource, live, finalizers, grace_s)
        return marked if marked == live else self._shelf.put(resource, marked)

    def _marked(self, resource: Resource, live: Obj, finalizers: list[str], grace_s: int) -> Obj:
        marked = clone(live)
        meta = marked["metadata"]
        gone_at = self._now() + timedelta(seconds=grace_s)
        earlier = parse_time(meta.get("deletionTimestamp"))
        if earlier is None or gone_at < earlier:
            meta["deletionTimestamp"] = timestamp(gone_at)
            meta["deletionGracePeriodSeconds"] = grace_s
        if finalizers:
            meta["finalizers"] = finalizers
        else:
            meta.pop("finalizers", None)
        if resource.kind == "Namespace":
            marked.setdefault("status", {})["phase"] = "Terminating"
        elif "generation" in meta and earlier is None:
            meta["generation"] += 1
        return marked

    def _remove(self, resource: Resource, live: Obj) -> Obj:
        last = self._shelf.take(resource, live)
        self._collect(str(live["metadata"]["uid"]))
        for reference in dig(live, "metadata", "ownerReferences", default=[]):
            self._release_owner(reference, namespace_of(live))
        self._release_namespace(namespace_of(live))
        return last

    def _collect(self, uid: str) -> None:
        """Delete what the removed object owned; whoever has another living owner only loses the reference."""
        for key in self._shelf.owned_by(uid):
            obj = self._shelf.at(key)
            if obj is None:
                continue
            resource = self._resource(key)
            others = [r for r in obj["metadata"]["ownerReferences"] if r.get("uid") != uid]
            if others:
                self._drop_owner(resource, obj, uid)
            else:
                self.delete(resource, obj)

    def _orphan(self, live: Obj) -> None:
        uid = str(live["metadata"]["uid"])
        for key in self._shelf.owned_by(uid):
            obj = self._shelf.at(key)
            if obj is not None:
                self._drop_owner(self._resource(key), obj, uid)

    def _drop_owner(self, resource: Resource, obj: Obj, uid: str) -> None:
        freed = clone(obj)
        left = [r for r in freed["metadata"]["ownerReferences"] if r.get("uid") != uid]
        if left:
            freed["metadata"]["ownerReferences"] = left
        else:
            del freed["metadata"]["ownerReferences"]
        self._shelf.put(resource, freed)

    def _delete_dependents(self, owner: Obj) -> None:
        for key in self._shelf.owned_by(str(owner["metadata"]["uid"])):
            obj = self._shelf.at(key)
            if obj is not None:
                self.delete(self._resource(key), obj, propagation="Foreground")

    def _release_owner(self, reference: Obj, namespace: str) -> None:
        """Let an owner go that waited in the foreground for the last thing it owned."""
        uid = str(reference.get("uid", ""))
        if self._shelf.owned_by(uid):
            return
        group, _, _ = str(reference.get("apiVersion", "")).rpartition("/")
        storage, name = f"{reference.get('kind')}.{group}", str(reference.get("name"))
        owner = self._shelf.at((storage, namespace, name)) or self._shelf.at((storage, "", name))
        if owner is None or _FOREGROUND not in dig(owner, "metadata", "finalizers", default=[]):
            return
        freed = clone(owner)
        freed["metadata"]["finalizers"].remove(_FOREGROUND)
        if not freed["metadata"]["finalizers"]:
            del freed["metadata"]["finalizers"]
        resource = self._resource((storage, namespace, name))
        self.finish(resource, self._shelf.put(resource, freed))

    def _empty(self, namespace: Obj) -> None:
        for key in list(self._shelf.keys_in(name_of(namespace))):
            obj = self._shelf.at(key)
            if obj is not None and "deletionTimestamp" not in obj["metadata"]:
                self.delete(self._resource(key), obj)

    def _release_namespace(self, name: str) -> None:
        namespaces = self._registry.by_kind("Namespace")
        held = self._shelf.find(namespaces, "", name) if name else None
        if held is not None and "deletionTimestamp" in held["metadata"]:
            self.finish(namespaces, held)

    def _resource(self, key: Key) -> Resource:
        kind, _, group = key[0].partition(".")
        return self._registry.by_kind(f"{kind}.{group}")


def _check(resource: Resource, live: Obj, options: DeletionOptions) -> None:
    meta = live["metadata"]
    for word, field, wanted in (
        ("UID", "uid", options.get("uid")),
        ("ResourceVersion", "resourceVersion", options.get("resource_version")),
    ):
        if wanted and wanted != meta[field]:
            raise changed_since(resource, name_of(live), word, wanted, meta[field])


def _grace_s(resource: Resource, live: Obj, asked_s: int | None) -> int:
    """Only a pod on a node dies slowly (pod strategy, CheckGracefulDelete)."""
    if resource.storage != "Pod.":
        return 0
    if not dig(live, "spec", "nodeName") or dig(live, "status", "phase") in {"Succeeded", "Failed"}:
        return 0
    if asked_s is not None:
        return max(asked_s, 0)
    if "deletionTimestamp" in live["metadata"]:
        return int(live["metadata"].get("deletionGracePeriodSeconds", 0))
    return int(dig(live, "spec", "terminationGracePeriodSeconds", default=_POD_GRACE_S))
