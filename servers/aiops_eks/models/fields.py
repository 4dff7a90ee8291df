"""Safe reading of Kubernetes objects.

Called wherever an object is judged or shown. An API server may be broken or hostile (T14): a missing or
misshapen field reads as absent, never as a crash.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeGuard

Obj = Mapping[str, Any]
_NO_WORD = re.compile(r"[^A-Za-z0-9_.:/-]")


def part(obj: object, *path: str) -> Obj:
    """A nested mapping, or an empty one."""
    for key in path:
        # What JSON makes first: to ask the abstract class about each was a third of a diagnosis' time.
        if type(obj) is not dict and not _is_other_mapping(obj):
            return {}
        obj = obj.get(key)
    return obj if type(obj) is dict or _is_other_mapping(obj) else {}


def _is_other_mapping(value: object) -> TypeGuard[Obj]:
    return value is not None and isinstance(value, Mapping)


def items(obj: object, *path: str) -> list[Obj]:
    """The mappings of a nested list."""
    found = part(obj, *path[:-1]).get(path[-1])
    return [item for item in found if isinstance(item, dict | Mapping)] if isinstance(found, list) else []


def words(obj: object, *path: str) -> list[str]:
    """The strings of a nested list."""
    found = part(obj, *path[:-1]).get(path[-1])
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def text(obj: object, *path: str) -> str:
    """A scalar as text; empty when it is absent."""
    value = part(obj, *path[:-1]).get(path[-1])
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def word(obj: object, *path: str) -> str:
    """A reason or another single word; anything that no word may hold is dropped.

    Reasons stand in summaries, where text that somebody else wrote must not (T7).
    """
    return _NO_WORD.sub("", text(obj, *path))[:253]


def count(obj: object, *path: str, otherwise: int = 0) -> int:
    """An integer."""
    value = part(obj, *path[:-1]).get(path[-1])
    return value if isinstance(value, int) and not isinstance(value, bool) else otherwise


def moment(obj: object, *path: str) -> datetime | None:
    """A time, UTC."""
    return parsed(text(obj, *path))


def parsed(written: str) -> datetime | None:
    """RFC 3339 text as a time, UTC; None when it is none."""
    try:
        found = datetime.fromisoformat(written.replace("Z", "+00:00"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the calendar ends before a zone's offset does
        return None


def seconds_since(now: datetime, then: datetime | None) -> float | None:
    """Age in seconds; None when the time is unknown."""
    return None if then is None else (now - then).total_seconds()


def ago(seconds: float | None) -> str:
    """A duration as kubectl writes ages: `45s`, `22m`, `3h`, `9d`."""
    if seconds is None:
        return ""
    whole = max(0, int(seconds))
    for unit, size, until in (("s", 1, 120), ("m", 60, 10_800), ("h", 3600, 172_800)):
        if whole < until:
            return f"{whole // size}{unit}"
    return f"{whole // 86_400}d"


def name_of(obj: object) -> str:
    """The object's name."""
    return text(obj, "metadata", "name")


def namespace_of(obj: object) -> str:
    """The object's namespace; empty for cluster-wide kinds."""
    return text(obj, "metadata", "namespace")


def labels_of(obj: object) -> dict[str, str]:
    """The object's labels."""
    return {key: value for key, value in part(obj, "metadata", "labels").items() if isinstance(value, str)}


def conditions_of(obj: object) -> dict[str, Obj]:
    """The status conditions by type."""
    return {text(each, "type"): each for each in items(obj, "status", "conditions")}


def controller_of(obj: object) -> tuple[str, str, str] | None:
    """(apiVersion, kind, name) of the owner that controls the object."""
    for owner in items(obj, "metadata", "ownerReferences"):
        if owner.get("controller"):
            return text(owner, "apiVersion"), text(owner, "kind"), text(owner, "name")
    return None


def selects(selector: Obj, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects these labels; an empty one selects nothing here, on purpose."""
    exact, rules = part(selector, "matchLabels"), items(selector, "matchExpressions")
    if not exact and not rules:
        return False
    return all(labels.get(key) == value for key, value in exact.items()) and all(
        _holds(rule, labels) for rule in rules
    )


def _holds(rule: Obj, labels: Mapping[str, str]) -> bool:
    key, values = text(rule, "key"), words(rule, "values")
    match text(rule, "operator"):
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


def selector_text(selector: Obj) -> str:
    """A LabelSelector as a query string; empty when it cannot be said so."""
    terms = [f"{key}={value}" for key, value in part(selector, "matchLabels").items()]
    for rule in items(selector, "matchExpressions"):
        key, values = text(rule, "key"), ",".join(words(rule, "values"))
        said = {
            "In": f"{key} in ({values})",
            "NotIn": f"{key} notin ({values})",
            "Exists": key,
            "DoesNotExist": f"!{key}",
        }.get(text(rule, "operator"))
        if said is None:
            return ""
        terms.append(said)
    return ",".join(terms)
