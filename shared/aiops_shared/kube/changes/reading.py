"""Small readings that every source of changes needs; what is misshapen reads as absent (T14)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from aiops_shared.kube.shapes import mapping, meta, rows, text

Obj = dict[str, Any]
LONGEST_VALUE = 60


def moment(value: Any) -> datetime | None:
    """RFC 3339 as a time, UTC."""
    try:
        found = datetime.fromisoformat(text(value).replace("Z", "+00:00"))
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def created(obj: Obj) -> datetime | None:
    """When the object was made."""
    return moment(meta(obj).get("creationTimestamp"))


def place(obj: Obj) -> tuple[str, str]:
    """(namespace, name)."""
    return text(meta(obj).get("namespace")), text(meta(obj).get("name"))


def controller(obj: Obj) -> tuple[str, str]:
    """(kind, name) of the owner that controls it; empty without one."""
    for owner in rows(meta(obj), "ownerReferences"):
        if owner.get("controller"):
            return text(owner.get("kind")), text(owner.get("name"))
    return "", ""


def part(obj: Any, *path: str) -> Obj:
    """A nested object, or an empty one."""
    for key in path:
        obj = mapping(obj).get(key)
    return mapping(obj)


def short(value: Any) -> str:
    """A value on one line, cut."""
    said = value if isinstance(value, str) else "none" if value is None else str(value)
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in said).split())
    return line if len(line) <= LONGEST_VALUE else line[: LONGEST_VALUE - 1] + "…"


def leaves(value: Any, path: str = "", depth: int = 8) -> Iterator[tuple[str, Any]]:
    """Every scalar below a value with its path; lists of named objects are walked by name."""
    if isinstance(value, dict) and depth:
        for key, each in value.items():
            yield from leaves(each, f"{path}.{key}" if path else str(key), depth - 1)
    elif isinstance(value, list) and depth:
        for at, each in enumerate(value):
            known = mapping(each).get("name") or mapping(each).get("type") or at
            yield from leaves(each, f"{path}[{known}]", depth - 1)
    else:
        yield path, value
