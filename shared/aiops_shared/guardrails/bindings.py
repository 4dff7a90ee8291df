"""Whether a target still is what the plan saw, or what our action left (D2).

Read before every first effect and before every undo. Status, resourceVersion and managedFields are never
part of it, since they move every few seconds.
"""

from aiops_shared.errors import PlanStaleError
from aiops_shared.guardrails.canonical import sha256_of
from aiops_shared.guardrails.models import Json, ObjectRef, Step, TargetChange
from aiops_shared.guardrails.paths import MISSING, digest_of, get, holds, moved, same, uid_of

_AGAIN = "plan again"


def stale(target: TargetChange, now: Json | None, seen: Json | None) -> PlanStaleError | None:
    """Why the target is no longer what the plan saw, naming the field; None when it still is.

    `seen` is the snapshot taken at plan time, where there is one: the digest alone cannot name a field.
    """
    paths = (*target.paths, *target.reads)
    if digest_of(now, paths) == target.digest:
        return None
    return PlanStaleError(str(target.ref), _why(target, now, seen, paths), _AGAIN)


def _why(target: TargetChange, now: Json | None, seen: Json | None, paths: tuple[str, ...]) -> str:
    if now is None:
        return "it is gone since the plan was made"
    if not target.uid:
        return "it was created since the plan was made"
    if uid_of(now) != target.uid:
        return (
            f"it was deleted and created again with the same name (uid {uid_of(now)}, planned {target.uid})"
        )
    fields = moved(seen, now, paths) if seen is not None else paths
    word = "changed" if seen is not None else "one of these changed:"
    return f"{word} {', '.join(fields[:5])} since the plan was made" if fields else "changed since the plan"


def prints(obj: Json | None, paths: tuple[str, ...]) -> dict[str, str]:
    """A fingerprint per path, so that the journal can name a moved field without keeping its value."""
    values = {path: get(obj, path) for path in paths}
    return {path: "missing" if value is MISSING else sha256_of(value) for path, value in values.items()}


def changed_since(ref: ObjectRef, now: Json | None, uid: str, left: dict[str, str]) -> str:
    """What somebody else did to the object since our step left it so; empty when nothing."""
    if now is None:
        return f"{ref} is gone: somebody deleted it"
    if uid_of(now) != uid:
        return f"{ref} was deleted and created again with the same name"
    fields = [path for path, mark in prints(now, tuple(left)).items() if mark != left[path]]
    return f"{ref} changed since by somebody else: {', '.join(fields[:5])}" if fields else ""


def in_place(step: Step, now: Json | None, uid: str) -> bool:
    """Whether the step's effect is to be seen on the object as it is now."""
    match step.verb:
        case "write":
            return now is not None and uid_of(now) == uid and _written(step, now)
        case "apply" | "create":
            return now is not None and uid in {"", uid_of(now)} and holds(now, step.body)
        case "run":
            return now is not None and get(now, f"status.runs.{step.name}") is not MISSING
        case "sweep":  # what is left is asked of the adapter, part by part
            return False
        case "delete" | "evict":
            return now is None or uid_of(now) != uid or get(now, "metadata.deletionTimestamp") is not MISSING


def _written(step: Step, now: Json) -> bool:
    return all(
        same(get(now, path), MISSING if value is None else value) for path, value in step.values.items()
    )
