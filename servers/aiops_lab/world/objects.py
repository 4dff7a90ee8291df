"""Kubernetes objects as plain wire-shape dicts, and the small questions that every controller asks of them.

Called by all controllers of the world. Objects that come out of the `Cache` are shared: read them, never
write into them; a controller builds its own change and hands it to the Store.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

Obj = dict[str, Any]
Key = tuple[str, str]  # namespace ("" for cluster-wide kinds), name


def meta(obj: Obj) -> Obj:
    """The object's metadata."""
    found: Obj = obj["metadata"]
    return found


def key_of(obj: Obj) -> Key:
    """(namespace, name); the namespace is empty for cluster-wide kinds."""
    return meta(obj).get("namespace") or "", meta(obj)["name"]


def labels_of(obj: Obj) -> dict[str, str]:
    """The labels, empty when there are none."""
    return meta(obj).get("labels") or {}


def annotations_of(obj: Obj) -> dict[str, str]:
    """The annotations, empty when there are none."""
    return meta(obj).get("annotations") or {}


def controller_of(obj: Obj) -> Obj | None:
    """The owner reference that controls this object, if any."""
    for owner in meta(obj).get("ownerReferences") or ():
        if owner.get("controller"):
            return dict(owner)
    return None


def owner_reference(owner: Obj) -> Obj:
    """What a controller writes into the objects it makes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta(owner)["name"],
        "uid": meta(owner)["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def being_deleted(obj: Obj) -> bool:
    """Whether a delete was asked and is not finished."""
    return "deletionTimestamp" in meta(obj)


@lru_cache(maxsize=64)  # a thousand writes happen at the same few moments
def stamp(moment: datetime) -> str:
    """RFC 3339 in whole seconds, as Kubernetes writes metadata times."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"


def moment_of(text: str) -> datetime:
    """The moment that `stamp` wrote."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def selects(selector: Obj | None, labels: dict[str, str]) -> bool:
    """Whether a LabelSelector (matchLabels, matchExpressions) selects these labels; None selects nothing."""
    if selector is None:
        return False
    for name, value in (selector.get("matchLabels") or {}).items():
        if labels.get(name) != value:
            return False
    rules = selector.get("matchExpressions")
    return not rules or all(_holds(rule, labels) for rule in rules)


def _holds(rule: Obj, labels: dict[str, str]) -> bool:
    present = rule["key"] in labels
    value, values = labels.get(rule["key"]), rule.get("values") or []
    match rule["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return present
        case "DoesNotExist":
            return not present
        case "Gt":
            return present and int(value or 0) > int(values[0])
        case "Lt":
            return present and int(value or 0) < int(values[0])
    return False


def condition(obj: Obj, kind: str) -> Obj | None:
    """The status condition of this type, if it was ever written."""
    for found in (obj.get("status") or {}).get("conditions") or ():
        if found["type"] == kind:
            return dict(found)
    return None


def is_ready(pod: Obj) -> bool:
    """Whether the pod's Ready condition holds."""
    ready = condition(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def is_active(pod: Obj) -> bool:
    """Whether the pod counts for its controller: not finished and not on its way out."""
    return not being_deleted(pod) and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def available_since(pod: Obj, min_ready_s: int, now: datetime) -> bool:
    """Whether the pod has been Ready for `minReadySeconds`."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True":
        return False
    return min_ready_s == 0 or (now - moment_of(ready["lastTransitionTime"])).total_seconds() >= min_ready_s


def merge_conditions(old: Iterable[Obj], new: Iterable[Obj], now: datetime) -> list[Obj]:
    """New conditions, with the old transition time kept where the status did not change."""
    before = {each["type"]: each for each in old}
    merged = []
    for each in new:
        same = before.get(each["type"])
        kept = same["lastTransitionTime"] if same and same["status"] == each["status"] else stamp(now)
        merged.append({**each, "lastTransitionTime": kept})
    return merged
