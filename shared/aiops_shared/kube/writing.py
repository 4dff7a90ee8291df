"""The changes of one cluster's API: dry runs for the planner, real ones for the executor alone.

Each call says whether it is a dry run; a real one needs the gate's `permit`, which `guard` checks again on
the wire. One object by name, always: there is no way to say a collection.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

from aiops_shared.errors import (
    ActionRefusedError,
    AiopsError,
    ConflictError,
    InvalidInputError,
    UpstreamError,
)
from aiops_shared.kube import names
from aiops_shared.kube.connection import UNKNOWN, Ask, Connection
from aiops_shared.kube.listing import Query
from aiops_shared.kube.models import FIELD_MANAGER
from aiops_shared.kube.statuses import read_status

Obj = dict[str, Any]
PatchType = Literal["merge", "json", "strategic"]
_CONTENT = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
APPLY = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Effect:
    """How a change is meant: a dry run, or with the gate's permit."""

    dry_run: bool
    permit: object | None = None

    def require_permit(self, thing: str) -> None:
        """Raises ActionRefusedError for a real change without a permit, before any request."""
        if not self.dry_run and self.permit is None:
            raise ActionRefusedError(thing, "a change without a permit", "plan it, then execute_plan")


class Writing:
    """The writing half of `KubeApi`."""

    _connection: Connection

    @abstractmethod
    async def _path(
        self, kind: str, namespace: str, name: str, subresource: str = ""
    ) -> tuple[Query, str]: ...

    async def create(self, obj: Obj, *, dry_run: bool, permit: object | None = None) -> Obj:
        """Create an object by its own name. Raises ConflictError when it exists."""
        kind, namespace, name = _identity(obj)
        query, _ = await self._path(kind, namespace, name)
        ask = Ask(
            f"create {kind} {name}",
            query.path,
            method="POST",
            params={"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"},
            body=obj,
        )
        return await self._write(ask, Effect(dry_run, permit))

    async def replace(
        self, obj: Obj, *, subresource: str = "", dry_run: bool, permit: object | None = None
    ) -> Obj:
        """Put `obj` in place; its resourceVersion, when it has one, is the precondition."""
        kind, namespace, name = _identity(obj)
        _, path = await self._path(kind, namespace, name, subresource)
        ask = Ask(
            f"replace {kind} {name}",
            path,
            method="PUT",
            params={"fieldManager": FIELD_MANAGER},
            body=obj,
        )
        return await self._write(ask, Effect(dry_run, permit))

    async def apply(
        self, obj: Obj, *, force: bool = False, dry_run: bool, permit: object | None = None
    ) -> Obj:
        """Server-side apply. Raises ConflictError that lists the fields owned by others.

        Fields that we wrote ourselves by a create or replace are no one else's: an apply that conflicts with
        nothing but our own manager is sent again with force (Kubernetes, "Server-Side Apply", Conflicts).
        """
        try:
            return await self._apply(obj, force=force, dry_run=dry_run, permit=permit)
        except ConflictError as error:
            if force or error.managers != {FIELD_MANAGER}:
                raise
            return await self._apply(obj, force=True, dry_run=dry_run, permit=permit)

    async def _apply(self, obj: Obj, *, force: bool, dry_run: bool, permit: object | None) -> Obj:
        kind, namespace, name = _identity(obj)
        _, path = await self._path(kind, namespace, name)
        ask = Ask(
            f"apply {kind} {name}",
            path,
            method="PATCH",
            params={
                "fieldManager": FIELD_MANAGER,
                "fieldValidation": "Strict",
                "force": "true" if force else "false",
            },
            body=obj,
            content_type=APPLY,
        )
        return await self._write(ask, Effect(dry_run, permit))

    async def patch(
        self,
        kind: str,
        namespace: str,
        name: str,
        patch: Any,
        *,
        effect: Effect,
        patch_type: PatchType = "merge",
        subresource: str = "",
    ) -> Obj:
        """Patch one object or its subresource (`scale`)."""
        _, path = await self._path(kind, namespace, name, subresource)
        ask = Ask(
            f"patch {kind} {name}",
            path,
            method="PATCH",
            params={"fieldManager": FIELD_MANAGER},
            body=patch,
            content_type=_CONTENT[patch_type],
        )
        return await self._write(ask, effect)

    async def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str,
        dry_run: bool,
        permit: object | None = None,
    ) -> None:
        """Delete one object if it still is the one of that UID. Its dependants go in the background."""
        names.uid(uid)
        _, path = await self._path(kind, namespace, name)
        options: Obj = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": uid},
            "propagationPolicy": "Background",
        }
        if dry_run:  # beside a body the API server ignores `?dryRun=All`, and really deletes
            options["dryRun"] = ["All"]
        ask = Ask(f"delete {kind} {name}", path, method="DELETE", body=options)
        await self._write(ask, Effect(dry_run, permit))

    async def evict(
        self, namespace: str, name: str, *, uid: str, dry_run: bool, permit: object | None = None
    ) -> None:
        """Evict one pod through the Eviction API. Raises ThrottledError with the budget that forbids it.

        A UID that is not the pod's is a conflict; the server itself tries for 10 s before it says so.
        """
        names.uid(uid)
        _, path = await self._path("pods", namespace, name, "eviction")
        options: Obj = {"preconditions": {"uid": uid}} | ({"dryRun": ["All"]} if dry_run else {})
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": options,
        }
        ask = Ask(f"evict pod {namespace}/{name}", path, method="POST", body=body, eviction=True)
        await self._write(ask, Effect(dry_run, permit))

    async def _write(self, ask: Ask, effect: Effect) -> Obj:
        effect.require_permit(ask.thing)
        params = dict(ask.params) | ({"dryRun": "All"} if effect.dry_run else {})
        answer = await self._connection.json(
            Ask(
                ask.thing,
                ask.path,
                method=ask.method,
                params=params,
                body=ask.body,
                content_type=ask.content_type,
                permit=None if effect.dry_run else effect.permit,
                effect=not effect.dry_run,
                eviction=ask.eviction,
            )
        )
        if not isinstance(answer, dict):
            raise UpstreamError(ask.thing, "answered with no object")
        if answer.get("kind") == "Status" and answer.get("status") == "Failure":
            raise _refused(ask.thing, answer)
        return answer


def _refused(thing: str, answer: Obj) -> AiopsError:
    """A Status that says Failure in an answer whose HTTP code says success is never taken for done, as in
    client-go (rest/request.go, Result.Error).
    """
    status = read_status(500, answer)
    return UpstreamError(thing, f"answered with a failure ({status.message or 'no further word'})", UNKNOWN)


def _identity(obj: Obj) -> tuple[str, str, str]:
    """Kind word, namespace and name of a body. Raises InvalidInputError when one is missing."""
    about = obj.get("metadata")
    version, kind = obj.get("apiVersion"), obj.get("kind")
    if not isinstance(version, str) or not isinstance(kind, str) or not isinstance(about, dict):
        raise InvalidInputError("object", "without apiVersion, kind or metadata", "give a whole object")
    name, namespace = about.get("name"), about.get("namespace") or ""
    if not isinstance(name, str) or not isinstance(namespace, str):
        raise InvalidInputError(f"{kind}", "without a name", "generateName is not taken; name it")
    return f"{version}/{kind}", namespace, name
