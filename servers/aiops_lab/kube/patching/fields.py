"""Sets of fields in the wire shape of managedFields (`fieldsV1`), and the operations on them.

A set is a tree: `f:<field>`, `k:<keys of a list element>`, `v:<value of a set>`; an empty node or a
`.` inside a node says that the field itself belongs to the set (structured-merge-diff, fieldpath).
"""

from functools import lru_cache
from typing import Any

import orjson

from aiops_lab.kube.patching.schema import Path, Schema
from aiops_lab.kube.wire import Obj

Fields = dict[str, Any]

_DEFAULT_KEYS = {"protocol": "TCP"}
_PLAIN = (str, int)  # exactly these: True is no 1 in JSON
_NONE: frozenset[str] = frozenset()
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
    values = [item.get(key, _DEFAULT_KEYS.get(key)) for key in keys]
    if all(type(value) in _PLAIN for value in values):
        return _named(keys, tuple(values))
    present = {key: value for key, value in zip(keys, values, strict=True) if value is not None}
    return "k:" + orjson.dumps(present, option=orjson.OPT_SORT_KEYS).decode()


@lru_cache(maxsize=4096)
def _named(keys: tuple[str, ...], values: tuple[str | int, ...]) -> str:
    """The same few containers, conditions and ports are named at every write."""
    present = dict(zip(keys, values, strict=True))
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
        hidden = _hidden(path)
        return {f"f:{key}": (held, (*path, key)) for key, held in value.items() if key not in hidden}
    if isinstance(value, list):
        named = elements(value, path, schema)
        if named is not None:
            return {name: (held, path) for name, held in named.items()}
    return None


def _hidden(path: Path) -> frozenset[str]:
    """What the server alone sets, and nobody owns."""
    return _SERVER_OWNED.get(path[0] if path else "", _NONE) if len(path) <= 1 else _NONE


def _has_parts(value: Any, path: Path, schema: Schema) -> bool:
    """Whether `children` gives any."""
    if isinstance(value, dict):
        return not (path and schema.is_whole(path))
    if not isinstance(value, list):
        return False
    named = schema.keys(path) and all(isinstance(item, dict) for item in value)
    return schema.is_set(path) or bool(named)


def fields_of(obj: Obj, schema: Schema) -> Fields:
    """Every field that an object sets."""
    found = _fields(obj, (), schema, element=False)
    return {name: below for name, below in found.items() if below or name != "f:metadata"}


def _fields(value: Any, path: Path, schema: Schema, *, element: bool) -> Fields:
    found: Fields = {".": {}} if element else {}
    if isinstance(value, dict):  # what `children` gives, without the table in between
        if path and schema.is_whole(path):
            return found
        hidden = _hidden(path)
        for key, held in value.items():
            if key not in hidden:
                parts = isinstance(held, dict | list)
                found[f"f:{key}"] = _fields(held, (*path, key), schema, element=False) if parts else {}
        return found
    for name, (held, at) in (children(value, path, schema) or {}).items():
        found[name] = _fields(held, at, schema, element=name.startswith("k:"))
    return found


def changed(old: Any, new: Any, schema: Schema, path: Path = ()) -> tuple[Fields, Fields]:
    """Which fields differ: (set or changed in `new`, gone from `new`)."""
    if isinstance(old, dict) and isinstance(new, dict):
        return _changed_in_map(old, new, schema, path)
    before, after = children(old, path, schema) or {}, children(new, path, schema) or {}
    written: Fields = {}
    gone: Fields = {name: {} for name in before if name not in after}
    for name, (held, at) in after.items():
        if name not in before:
            written[name] = _fields(held, at, schema, element=name.startswith("k:"))
        elif before[name][0] != held:
            _changed_inside(name, (before[name][0], held, at), schema, (written, gone))
    return written, gone


def _changed_in_map(old: Obj, new: Obj, schema: Schema, path: Path) -> tuple[Fields, Fields]:
    """`changed` for two maps. Every write is looked through, so only what differs is taken apart."""
    written: Fields = {}
    if path and schema.is_whole(path):
        return written, {}
    hidden = _hidden(path)
    gone: Fields = {f"f:{key}": {} for key in old if key not in new and key not in hidden}
    for key, held in new.items():
        if key in hidden:
            continue
        name, at = f"f:{key}", (*path, key)
        if key not in old:
            written[name] = _fields(held, at, schema, element=False)
        elif (before := old[key]) is not held and before != held:
            _changed_inside(name, (before, held, at), schema, (written, gone))
    if not path and written.get("f:metadata") == {}:
        del written["f:metadata"]  # a new object whose metadata the server alone writes
    return written, gone


def _changed_inside(
    name: str, pair: tuple[Any, Any, Path], schema: Schema, into: tuple[Fields, Fields]
) -> None:
    old, new, path = pair
    if not (_has_parts(old, path, schema) and _has_parts(new, path, schema)):
        into[0][name] = _fields(
            new, path, schema, element=False
        )  # one side is a single value: all of it changed
        return
    for found, whole in zip(changed(old, new, schema, path), into, strict=True):
        if found:
            whole[name] = found


def union(one: Fields, other: Fields) -> Fields:
    """Fields of either set."""
    if not one or not other:
        return one or other
    both = {name: union(below, other[name]) if name in other else below for name, below in one.items()}
    return both | {name: below for name, below in other.items() if name not in one}


def minus(one: Fields, other: Fields) -> Fields:
    """Fields of `one` that are not in `other`; a whole value in `other` takes everything below it."""
    left: Fields = {}
    for name, below in one.items():
        if name not in other:
            left[name] = below
        elif other[name] and not below:
            left[name] = below  # `one` owns the whole, `other` only parts of it
        elif rest := minus(below, other[name]) if other[name] else {}:
            left[name] = rest
    return left


def unclaimed(one: Fields, other: Fields) -> Fields:
    """Fields of `one` in which `other` has no part; a list element is claimed by any field inside it."""
    left: Fields = {}
    for name, below in one.items():
        if name not in other:
            if name != "." or not other:
                left[name] = below
        elif below and not other[name]:
            left[name] = below  # `other` has the map or list itself, as an empty one, not what is in it
        elif rest := unclaimed(below, other[name]) if below else {}:
            left[name] = rest
    return left


def common(one: Fields, other: Fields) -> Fields:
    """Fields in both sets; a value that `one` has whole meets whoever owns a part of it, but who owns a map
    itself (`f:data: {}`) owns none of its keys."""
    both: Fields = {}
    for name, below in one.items():
        if name == "." or name not in other:
            continue
        if not below:
            both[name] = {}
        elif deeper := common(below, other[name]):
            both[name] = deeper
    return both


def leaves(fields: Fields, before: str = "") -> list[str]:
    """Say a set as paths, the way a conflict names them: `.spec.containers[name="app"].image`."""
    said: list[str] = []
    for name, below in fields.items():
        path = before + _spoken(name)
        said += leaves(below, path) if below else [path]
    return said


def _spoken(name: str) -> str:
    kind, _, rest = name.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "v":
        return f"[={rest}]"
    keys = orjson.loads(rest)
    return "[" + ",".join(f"{key}={orjson.dumps(value).decode()}" for key, value in keys.items()) + "]"
