"""Reads JSON whose shape nobody guarantees: what is not of the type due counts as missing.

A broken proxy or a hostile server may answer with any JSON (threat T14). `listing`, `discovery`, `statuses`
and `watching` read through these, so that such an answer is an error with a code and never a bug of ours.
"""

from typing import Any

from aiops_shared.errors import UpstreamError

Obj = dict[str, Any]


def mapping(value: Any) -> Obj:
    """The value when it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def rows(value: Any, key: str) -> list[Obj]:
    """The objects in a list below `key`; everything else in it is left out."""
    found = mapping(value).get(key)
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def words(value: Any) -> tuple[str, ...]:
    """The strings of a list."""
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def text(value: Any) -> str:
    """The value when it is a string, else nothing."""
    return value if isinstance(value, str) else ""


def meta(obj: Any) -> Obj:
    """An object's metadata."""
    return mapping(mapping(obj).get("metadata"))


def whole(obj: Any, thing: str) -> Obj:
    """An object as every Kubernetes object is: with metadata and a name. Raises UpstreamError for others."""
    if not text(meta(obj).get("name")):
        raise UpstreamError(thing, "answered with something that is no object", "check what serves that API")
    found: Obj = obj
    return found


def identity(obj: Obj) -> str:
    """What tells one object from all others: its uid, or namespace and name where there is none."""
    about = meta(obj)
    return text(about.get("uid")) or f"{about.get('namespace', '')}/{about.get('name', '')}"
