"""A change as pairs of objects, before and after: from a manifest and what is live, or from a stored plan.

Called by `estimate_reading`. A document that cannot be priced is said with its number and the reason; nothing
of it is guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiops_cost.clients.estimate_shapes import FREE, PLURALS, WHY_NOT, Change, name_of
from aiops_shared.errors import (
    AccessDeniedError,
    InvalidInputError,
    KindUnknownError,
    NotFoundError,
)
from aiops_shared.guardrails import paths
from aiops_shared.kube import names
from aiops_shared.kube.manifests import load_manifests
from aiops_shared.kube.shapes import mapping, meta, text
from aiops_shared.results.wording import quotable

if TYPE_CHECKING:
    from aiops_shared.guardrails.models import Plan, TargetChange
    from aiops_shared.kube.api import KubeApi

Obj = dict[str, Any]
MOST_DOCUMENTS = 50
CLUSTER_WIDE = frozenset({"NodePool"})
# Actions of the eks server that move pods or nodes about and buy nothing by themselves.
UNBILLED = frozenset(
    {"restart", "evict", "cordon", "uncordon", "taint", "drain", "clean_disk", "profile", "image"}
)


@dataclass(frozen=True, slots=True)
class Changes:
    """What can be priced, and why the rest cannot."""

    priced: tuple[Change, ...] = ()
    unpriced: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def documents(manifest: str) -> list[Obj]:
    """The objects of a YAML text, checked before anything is asked. Raises InvalidInputError."""
    found = load_manifests(manifest, most=MOST_DOCUMENTS)
    for place, obj in enumerate(found, 1):
        kind, name, space = text(obj.get("kind")), name_of(obj), text(meta(obj).get("namespace"))
        if not kind or not name:
            raise InvalidInputError(
                f"manifest, document {place}", "has no kind or no metadata.name", "give whole objects"
            )
        if space:
            names.namespace(space)
        names.object_name("pod", name)
    return found


async def of_manifest(kube: "KubeApi", found: Sequence[Obj]) -> Changes:
    """Each document against its live version. Raises AccessDeniedError for a kind that may not be read."""
    priced: list[Change] = []
    unpriced: list[str] = []
    for place, obj in enumerate(found, 1):
        kind = text(obj.get("kind"))
        if kind not in PLURALS:
            if (why := _why_not(kind)) is not None:
                unpriced.append(f"document {place}: {quotable(kind)} {quotable(name_of(obj))}: {why}")
            continue
        space = "" if kind in CLUSTER_WIDE else text(meta(obj).get("namespace")) or "default"
        before, note = await _live(kube, kind, space, name_of(obj))
        priced.append(Change(kind, space, name_of(obj), before, obj, (note,) if note else ()))
    return Changes(tuple(priced), tuple(unpriced), tuple(note for one in priced for note in one.notes))


def _why_not(kind: str) -> str | None:
    """Why a kind has no price; None where it costs nothing."""
    if kind in FREE:
        return None
    return WHY_NOT.get(kind, "this kind is not known to cost anything or to be free")


async def _live(kube: "KubeApi", kind: str, space: str, name: str) -> tuple[Obj | None, str]:
    """The object as it is. Without the right to read it, it is taken for new, and that is said."""
    try:
        return await kube.get(PLURALS[kind], space, name, suggest=False), ""
    except AccessDeniedError as error:
        return None, f"{kind} {space}/{name} could not be read and counts as new: {error.wire()}"
    except (NotFoundError, KindUnknownError):
        return None, ""


async def of_plan(kube: "KubeApi", plan: "Plan") -> Changes:
    """What a stored plan writes, on the objects as they are. Raises what reading them raises."""
    if plan.action in UNBILLED:
        return Changes(unpriced=(f"{plan.action} changes nothing that AWS bills by itself",))
    priced: list[Change] = []
    unpriced: list[str] = []
    for target in plan.targets:
        kind = target.ref.kind
        if kind not in PLURALS:
            why = _why_not(kind) or "it costs nothing"
            unpriced.append(f"{quotable(kind)} {quotable(target.ref.name)}: {why}")
            continue
        before, _ = await _live(kube, kind, target.ref.namespace, target.ref.name)
        after = _written(target, before)
        priced.append(Change(kind, target.ref.namespace, target.ref.name, before, after))
    return Changes(tuple(priced), tuple(unpriced))


def _written(target: "TargetChange", before: Obj | None) -> Obj | None:
    """The object after a target's steps. Raises InvalidInputError for values that do not fit the object."""
    obj = before
    for step in target.steps:
        if step.verb in {"apply", "create"} and isinstance(step.body, dict):
            obj = _applied(obj, step.body)
        elif step.verb == "delete":
            obj = None
        elif step.verb == "write" and obj is not None:
            obj = paths.write(obj, step.values)
    return obj


def _applied(live: Obj | None, body: Obj) -> Obj:
    """A server-side apply as far as money goes: what the body does not say of replicas stays as it is."""
    said = mapping(body.get("spec"))
    kept = mapping((live or {}).get("spec")).get("replicas")
    if "replicas" in said or kept is None:
        return body
    return {**body, "spec": {**said, "replicas": kept}}
