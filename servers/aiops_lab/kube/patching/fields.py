"""Sets of fields in the wire shape of managedFields (`fieldsV1`), and the operations on them.

A set is a tree: `f:<field>`, `k:<keys of a list element>`, `v:<value of a set>`; an empty node or a
`.` inside a node says that the field itself belongs to the set (structured-merge-diff, fieldpath).
"""

from typing import Any

import orjson

from aiops_lab.kube.patching.schema import Path, Schema
from aiops_lab.kube.wire import Obj

Fields = dict[str, Any]

_DEFAULT_KEYS = {"protocol": "TCP"}
_SERVER_OWNED = {
    "": frozenset({"apiVersion", "kind"}),
    "metadata": frozenset(
        {
            "name",
            "namespace",
            "uid",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "resourceVersion",
            "generation",
            "selfLink",
            "managedFields",
        }
    ),
}


def element_id(item: Any, keys: tuple[str, ...]) -> str:
    """Name a list element by its key fields: `k:{"name":"app"}`."""
    named = {key: item.get(key, _DEFAULT_KEYS.get(key)) for key in keys}
    present = {key: value for key, value in named.items() if value is not None}
    return "k:" + orjson.dumps(present, option=orjson.OPT_SORT_KEYS).decode()


def elements(items: list[Any], path: Path, schema: Schema) -> dict[str, Any] | None:
    """A keyed or set-like list by element name; None for a list that is one value."""
    if schema.is_set(path):
        return {"v:" + orjson.dumps(item).decode(): item for item in items}
    keys = schema.keys(path)
    if not keys or not all(isinstance(item, dict) for item in items):
        return None
    return {element_id(item, keys): item for item in items}


def children(value: Any, path: Path, schema: Schema) -> dict[str, tuple[Any, Path]] | None:
    """The parts of a value that can have owners of their own; None where it is owned as a whole."""
    if isinstance(value, dict):
        if path and schema.is_whole(path):
            return None
        hidden = _SERVER_OWNED.get(".".join(path), frozenset()) if len(path) <= 1 else frozenset()
        return {f"f:{key}": (held, (*path, key)) for key, held in value.items() if key not in hidden}
    if isinstance(value, list):
        named = elements(value, path, schema)
        if named is not None:
            return {name: (held, path) for name, held in named.items()}
    return None


def fields_of(obj: Obj, schema: Schema) -> Fields:
    """Every field that an object sets."""
    return _fields(obj, (), schema, element=False)


def _fields(value: Any, path: Path, schema: Schema, *, element: bool) -> Fields:
    parts = children(value, () if element and not path else path, schema)
    if not parts:
        return {}
    found: Fields = {".": {}} if element else {}
    for name, (held, at) in parts.items():
        found[name] = _fields(held, at, schema, element=name.startswith("k:"))
    if path == ("metadata",) or not path:
        # an empty metadata would read as "owns metadata"
        return {name: sub for name, sub in found.items() if sub or name != "f:metadata" or path}
    return found


def changed(old: Any, new: Any, schema: Schema, path: Path = ()) -> tuple[Fields, Fields]:
    """Which fields differ: (set or changed in `new`, gone from `new`)."""
    before, after = children(old, path, schema), children(new, path, schema)
    if before is None or after is None:
        return {}, {}
    written: Fields = {}
    gone: Fields = {}
    for name, (held, at) in after.items():
        if name not in before:
            written[name] = _fields(held, at, schema, element=name.startswith("k:"))
        elif before[name][0] != held:
            deeper = _changed_inside(before[name][0], held, schema, at)
            _keep(written, name, deeper[0])
            _keep(gone, name, deeper[1])
    for name in before.keys() - after.keys():
        gone[name] = {}
    return written, gone


def _changed_inside(old: Any, new: Any, schema: Schema, path: Path) -> tuple[Fields | None, Fields | None]:
    if not children(old, path, schema) or not children(new, path, schema):
        return _fields(new, path, schema, element=False), None  # one of them is a leaf: all of it changed
    written, gone = changed(old, new, schema, path)
    return written or None, gone or None


def _keep(into: Fields, name: str, fields: Fields | None) -> None:
    if fields is not None:
        into[name] = fields


def union(one: Fields, other: Fields) -> Fields:
    """Fields of either set."""
    if not one or not other:
        filled = one or other
        # a leaf joined with a node: the node also owns itself
        return filled
    return {
        name: union(one[name], other[name])
        if name in one and name in other
        else one.get(name, other.get(name))
        for name in [*one, *(name for name in other if name not in one)]
    }


def minus(one: Fields, other: Fields) -> Fields:
    """Fields of `one` that are not in `other`; a whole value in `other` takes everything below it."""
    left: Fields = {}
    for name, below in one.items():
        if name not in other:
            left[name] = below
        elif below and other[name]:
            rest = minus(below, other[name])
            if rest and set(rest) != {"."}:
                left[name] = rest
            elif "." in rest and "." not in other[name]:
                left[name] = rest
        elif other[name] and not below:
            left[name] = below  # `one` owns the whole, `other` only parts of it
    return left


def common(one: Fields, other: Fields) -> Fields:
    """Fields in both sets; where one side owns a whole value, the other side's parts."""
    both: Fields = {}
    for name in one.keys() & other.keys():
        if name == ".":
            continue
        if not one[name] or not other[name]:
            both[name] = {}
            continue
        deeper = common(one[name], other[name])
        if deeper:
            both[name] = deeper
    return both


def leaves(fields: Fields, before: str = "") -> list[str]:
    """Say a set as paths, the way a conflict names them: `.spec.containers[name="app"].image`."""
    if not fields:
        return [before]
    said: list[str] = []
    for name, below in fields.items():
        if name != ".":
            said += leaves(below, before + _spoken(name))
    return said or [before]


def _spoken(name: str) -> str:
    kind, _, rest = name.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "v":
        return f"[={rest}]"
    keys = orjson.loads(rest)
    return "[" + ",".join(f"{key}={orjson.dumps(value).decode()}" for key, value in keys.items()) + "]"
