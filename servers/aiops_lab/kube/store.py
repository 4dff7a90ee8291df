"""The objects of the simulated cluster and the rules by which they change.

The HTTP app and the controllers of `aiops_lab.world` both write through here, so a controller meets the
same refusals as a client. Synchronous and confined to the event loop; objects are plain dicts in wire
shape, and what comes out is a copy.

Worth knowing for a controller: a namespaced create needs its Namespace (default, kube-system,
kube-public and kube-node-lease are there); status sent with a create is dropped, as a real server does
(use `set_status`); deleting a Pod that has a node marks it and waits, until its kubelet calls
`delete(..., grace_s=0)`.
"""

import dataclasses
from collections.abc import Callable, Iterable
from datetime import datetime
from random import Random
from typing import Any, Unpack

from aiops_lab.kube.admission.chain import Admission
from aiops_lab.kube.admission.defaulting import with_defaults
from aiops_lab.kube.admission.review import Review
from aiops_lab.kube.admission.shapes import check_shape
from aiops_lab.kube.admission.validation import validate
from aiops_lab.kube.deletion import Deletion, DeletionOptions
from aiops_lab.kube.errors import (
    ApiError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    not_found,
    unsupported_media,
)
from aiops_lab.kube.patched import check_outcome, check_uid
from aiops_lab.kube.patching.apply import applied_part, apply_patch, record_apply, required_manager
from aiops_lab.kube.patching.jsonpatch import json_patch
from aiops_lab.kube.patching.managers import Manager, track_update
from aiops_lab.kube.patching.merge import merge_patch
from aiops_lab.kube.patching.schema import Schema
from aiops_lab.kube.patching.strategic import strategic_merge
from aiops_lab.kube.registry import Registry
from aiops_lab.kube.resources import BUILT_IN, LAB_CRDS, Resource
from aiops_lab.kube.selectors import parse_fields, parse_labels
from aiops_lab.kube.shelf import Shelf
from aiops_lab.kube.wire import Obj, clone, dig, name_of, namespace_of, timestamp
from aiops_lab.kube.writing import Write, WriteOptions, changed_object, new_object, same

__all__ = ["BUILT_IN", "LAB_CRDS", "ApiError", "Resource", "Store"]

FIRST_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
PATCH_TYPES = ("json", "merge", "strategic", "apply")


class Store:
    """Every object of one simulated cluster."""

    def __init__(
        self, now: Callable[[], datetime], resources: Iterable[Resource] = BUILT_IN, *, seed: int = 0
    ) -> None:
        self.now = now
        self.registry = Registry(resources)
        self.shelf = Shelf()
        self._rng = Random(seed)
        self._deletion = Deletion(self.shelf, self.registry, now)
        self.admission = Admission(self.shelf, self.registry)
        for namespace in FIRST_NAMESPACES:
            self.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})

    # what is served

    def register(self, resource: Resource) -> None:
        """Serve one more kind."""
        self.registry.add(resource)

    def resource(self, kind: str) -> Resource:
        """The served kind by its Kind (`Pod`, `NodePool`). Raises ApiError 404."""
        return self.registry.by_kind(kind)

    # reading

    def get(self, kind: str, namespace: str | None, name: str) -> Obj | None:
        """A copy of one object, or None."""
        found = self.shelf.find(self.resource(kind), namespace or "", name)
        return clone(found) if found else None

    def peek(self, kind: str, namespace: str | None, name: str) -> Obj | None:
        """The stored object itself, for a reader that changes nothing and needs no copy; or None."""
        return self.shelf.find(self.resource(kind), namespace or "", name)

    def list(
        self, kind: str, namespace: str | None = None, labels: str | None = None, fields: str | None = None
    ) -> list[Obj]:
        """Copies of the objects that match, by namespace and name. Raises ApiError 400 for a bad selector."""
        resource = self.resource(kind)
        return [clone(obj) for obj in self.select(resource, namespace or "", labels, fields)]

    def select(
        self, resource: Resource, namespace: str = "", labels: str | None = None, fields: str | None = None
    ) -> tuple[Obj, ...]:
        """The stored objects themselves, for readers that change nothing and need no copies."""
        found = self.shelf.all(resource, namespace)
        for matches in (parse_labels(labels), parse_fields(fields, resource.kind, custom=resource.custom)):
            if matches:
                found = tuple(filter(matches, found))
        return found

    # writing

    def create(self, obj: Obj, **options: Unpack[WriteOptions]) -> Obj:
        """Store a new object. Raises ApiError 400, 403, 404 (namespace), 409 or 422."""
        return clone(self.add(obj, **options))

    def add(self, obj: Obj, **options: Unpack[WriteOptions]) -> Obj:
        """`create` for a controller: gives the stored object itself, which must not be changed."""
        write = Write(**options)
        resource = self.registry.of(obj)
        check_shape(resource, obj)
        new = with_defaults(resource, new_object(resource, obj, self.now(), self._rng))
        self._check_namespace(resource, new)
        if self.shelf.find(resource, namespace_of(new), name_of(new)):
            raise already_exists(resource, name_of(new))
        self._admit_new(resource, new, write)
        track_update(None, new, Manager(write.manager), self._schema(resource), self._stamp())
        return self._put(resource, new, write)

    def update(self, obj: Obj, **options: Unpack[WriteOptions]) -> Obj:
        """Replace an object, or its status. Raises ApiError 404, 409 (stale resourceVersion) or 422."""
        return clone(self.replace(obj, **options))

    def replace(self, obj: Obj, **options: Unpack[WriteOptions]) -> Obj:
        """`update` for a controller: gives the stored object itself, which must not be changed."""
        write = Write(**options)
        resource = self.registry.of(obj)
        live = self._live(resource, namespace_of(obj), name_of(obj))
        return self._replace(resource, live, obj, write)

    def patch(
        self,
        kind: str,
        namespace: str | None,
        name: str,
        patch: Any,
        patch_type: str,
        **options: Unpack[WriteOptions],
    ) -> Obj:
        """Patch an object by "json", "merge", "strategic" or "apply"; an apply creates what is missing.

        Raises ApiError 400, 404, 409 (stale, or FieldManagerConflict), 415 or 422.
        """
        write = Write(**options)
        resource = self.resource(kind)
        if patch_type == "apply":
            return clone(self._apply(resource, namespace or "", name, patch, write))
        live = self._live(resource, namespace or "", name)
        patched = self.patched(resource, live, patch, patch_type)
        check_outcome(resource, live, patched, patch if patch_type == "strategic" else patched)
        # The version read is no precondition: only one that the patch itself carries is.
        if dig(patched, "metadata", "resourceVersion") == live["metadata"]["resourceVersion"]:
            patched["metadata"].pop("resourceVersion")
        return clone(self._replace(resource, live, patched, write))

    def patched(self, resource: Resource, live: Obj, patch: Any, patch_type: str) -> Obj:
        """What a json, merge or strategic patch makes of `live`; nothing is stored."""
        if patch_type == "json":
            return json_patch(live, patch)
        if patch_type == "merge":
            return merge_patch(live, patch)
        if patch_type == "strategic" and not resource.custom:
            return strategic_merge(live, patch, self._schema(resource))
        accepted = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        raise unsupported_media(
            f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        )

    def delete(self, kind: str, namespace: str | None, name: str, **options: Unpack[DeletionOptions]) -> Obj:
        """Delete an object, or mark it while finalizers or a grace period hold it.

        What comes back has a deletionTimestamp when it is still there. Raises ApiError 404 or 409.
        """
        resource = self.resource(kind)
        live = self._live(resource, namespace or "", name)
        left = self._deletion.delete(resource, live, **options)
        if resource.kind == "CustomResourceDefinition" and not options.get("dry_run"):
            self._forget_crd(live)
        return clone(left)

    def set_status(
        self, kind: str, namespace: str | None, name: str, status: Obj, *, manager: str = "lab"
    ) -> None:
        """Replace .status, whatever version is stored: the short way for controllers."""
        resource = self.resource(kind)
        live = self._live(resource, namespace or "", name)
        write = Write(manager=manager, subresource="status" if resource.has_status else None)
        sent = {**live, "status": status}
        self._replace(resource, live, sent, write)

    # following

    def subscribe(self, callback: Callable[[str, Obj], None]) -> Callable[[], None]:
        """Call back after each write ("ADDED" | "MODIFIED" | "DELETED", read only); returns how to stop."""
        return self.shelf.subscribe(callback)

    def compact(self) -> None:
        """Forget watch history and list snapshots: older watches and continue tokens get 410."""
        self.shelf.history.forget(self.shelf.version)
        self.shelf.snapshots.clear()

    def snapshot(self) -> dict[str, Any]:
        """Everything stored now, for `restore`."""
        return {"shelf": self.shelf.dump(), "resources": self.registry.all(), "rng": self._rng.getstate()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Put a snapshot back. Versions go on rising and watches must relist."""
        self.registry = Registry(snapshot["resources"])
        self._rng.setstate(snapshot["rng"])
        self.shelf.load(snapshot["shelf"])
        self._deletion = Deletion(self.shelf, self.registry, self.now)
        self.admission.reset(self.registry)

    # inside: what these give is the stored object itself, which a public method copies

    def _live(self, resource: Resource, namespace: str, name: str) -> Obj:
        found = self.shelf.find(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def _replace(self, resource: Resource, live: Obj, sent: Obj, write: Write) -> Obj:
        new = self._admitted(resource, live, sent, write)
        if same(live, new):
            return live
        manager = Manager(write.manager, subresource=write.subresource or "")
        track_update(live, new, manager, self._schema(resource), self._stamp())
        return self._put(resource, new, write)

    def _apply(self, resource: Resource, namespace: str, name: str, sent: Any, write: Write) -> Obj:
        if not isinstance(sent, dict):
            raise bad_request("error decoding patch: an applied configuration is an object")
        check_shape(resource, sent)
        subresource = write.subresource or ""
        if live := self.shelf.find(resource, namespace, name):
            check_uid(resource, live, sent)
        config = applied_part(sent, status_apart=resource.has_status, subresource=subresource)
        manager = Manager(required_manager(write.manager), "Apply", subresource)
        live = self.shelf.find(resource, namespace, name)
        if live is None:
            return self._apply_new(resource, (namespace, name), config, manager, write)
        schema = self._schema(resource)
        merged = apply_patch(live, config, manager, schema, force=write.force)
        new = self._admitted(resource, live, merged, write)
        record_apply(live, new, config, manager, schema, self._stamp())
        if same(live, new) and new["metadata"]["managedFields"] == live["metadata"].get("managedFields"):
            return live
        return self._put(resource, new, write)

    def _apply_new(
        self, resource: Resource, key: tuple[str, str], config: Obj, manager: Manager, write: Write
    ) -> Obj:
        namespace, name = key
        if write.subresource:
            raise not_found(resource, name)
        if dig(config, "metadata", "uid"):
            said = f"the provided object specified uid {config['metadata']['uid']}"
            raise conflict(resource, name, f"uid mismatch: {said}, and no existing object was found")
        meta = {**config.get("metadata", {}), "name": name, "namespace": namespace}
        meta.pop("resourceVersion", None)
        new = new_object(resource, {**config, "metadata": meta}, self.now(), self._rng)
        new = with_defaults(resource, new)
        self._check_namespace(resource, new)
        self._admit_new(resource, new, write)
        record_apply({"metadata": {}}, new, config, manager, self._schema(resource), self._stamp())
        return self._put(resource, new, write)

    def _admitted(self, resource: Resource, live: Obj, sent: Obj, write: Write) -> Obj:
        """What `live` becomes: server-owned fields kept, defaults filled, rules checked."""
        check_shape(resource, {key: held for key, held in sent.items() if held is not live.get(key)})
        new = changed_object(resource, live, sent, write.subresource)
        review = _review(resource, "UPDATE", new, write, live)
        if write.subresource != "status":
            new = with_defaults(resource, new)
            review = dataclasses.replace(review, new=new)
            self.admission.mutate(review)
            validate(resource, new, live)
        self.admission.validate(review)
        return new

    def _admit_new(self, resource: Resource, new: Obj, write: Write) -> None:
        review = _review(resource, "CREATE", new, write, None)
        self.admission.mutate(review)
        validate(resource, new, None)
        self.admission.validate(review)

    def _put(self, resource: Resource, new: Obj, write: Write) -> Obj:
        if write.dry_run:
            return new
        self.shelf.put(resource, new)
        if resource.kind == "CustomResourceDefinition":
            self._serve_crd(new)
        if "deletionTimestamp" in new["metadata"]:
            self._deletion.finish(resource, new)
        return new

    def _check_namespace(self, resource: Resource, new: Obj) -> None:
        if not resource.namespaced:
            return
        namespaces = self.resource("Namespace")
        held = self.shelf.find(namespaces, "", namespace_of(new))
        if held is None:
            raise not_found(namespaces, namespace_of(new))
        if "deletionTimestamp" in held["metadata"]:
            why = f"unable to create new content in namespace {name_of(held)} because it is being terminated"
            error = forbidden(resource, name_of(new), why)
            said = f"namespace {name_of(held)} is being terminated"
            causes = [{"reason": "NamespaceTerminating", "message": said, "field": "metadata.namespace"}]
            raise ApiError(403, "Forbidden", error.message, {**(error.details or {}), "causes": causes})

    def _serve_crd(self, crd: Obj) -> None:
        for resource in _declared_by(crd):
            self.registry.add(resource)

    def _forget_crd(self, crd: Obj) -> None:
        for resource in _declared_by(crd):
            for obj in self.shelf.all(resource):
                self._deletion.delete(resource, obj)
            self.registry.remove(resource)

    def _schema(self, resource: Resource) -> Schema:
        return Schema(resource.kind, custom=resource.custom)

    def _stamp(self) -> str:
        return timestamp(self.now())


def _review(resource: Resource, operation: str, new: Obj, write: Write, live: Obj | None) -> Review:
    return Review(
        resource,
        operation,
        new,
        live,
        user=write.user,
        subresource=write.subresource or "",
        dry_run=write.dry_run,
        warnings=write.warnings,
    )


def _declared_by(crd: Obj) -> list[Resource]:
    names, spec = dig(crd, "spec", "names", default={}), crd.get("spec", {})
    found = []
    for version in spec.get("versions", []):
        if not version.get("served"):
            continue
        columns = tuple(
            (column["name"], column["type"], column["jsonPath"], column.get("priority", 0))
            for column in version.get("additionalPrinterColumns", [])
        )
        found.append(
            Resource(
                group=spec["group"],
                version=version["name"],
                plural=names["plural"],
                kind=names["kind"],
                singular=names.get("singular") or names["kind"].lower(),
                namespaced=spec.get("scope") == "Namespaced",
                short_names=tuple(names.get("shortNames", ())),
                subresources=tuple(version.get("subresources", {})),
                categories=tuple(names.get("categories", ())),
                printer_columns=columns,
                custom=True,
            )
        )
    return found
