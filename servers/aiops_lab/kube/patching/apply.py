"""Server-side apply: merge what is sent into what is stored, field owner by field owner."""

from collections.abc import Iterator
from typing import Any

import orjson

from aiops_lab.kube.errors import ApiError, bad_request, go_error
from aiops_lab.kube.patching.fields import Fields, element_id, elements
from aiops_lab.kube.patching.managers import Manager, check_conflicts, dropped_fields, own_applied
from aiops_lab.kube.patching.schema import Path, Schema
from aiops_lab.kube.wire import Obj, clone, dig, without_nulls


def twice_named(value: Any, schema: Schema, path: Path = ()) -> Iterator[str]:
    """Where a configuration names one list element twice, as structured-merge-diff says it."""
    if isinstance(value, dict):
        for key, held in value.items():
            yield from twice_named(held, schema, (*path, key))
    elif isinstance(value, list):
        wanted = elements(value, path, schema)
        if wanted is not None and len(wanted) != len(value):
            yield f".{'.'.join(path)}: duplicate entries for key [{_twice(value, path, schema)}]"
        for item in value:
            yield from twice_named(item, schema, path)


def _twice(config: list[Any], path: Path, schema: Schema) -> str:
    if schema.is_set(path):
        return ""
    names = [element_id(item, schema.keys(path)) for item in config]
    again = next(name for index, name in enumerate(names) if name in names[:index])
    keys = orjson.loads(again.removeprefix("k:"))
    return ",".join(f"{key}={orjson.dumps(value).decode()}" for key, value in keys.items())


def apply_patch(live: Obj, config: Obj, manager: Manager, schema: Schema, *, force: bool) -> Obj:
    """Merge an applied configuration into a copy of `live` and drop what this manager gave up.

    Raises ApiError 409 (FieldManagerConflict) where another manager owns a field that would change.
    """
    if dig(config, "metadata", "managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    for words in twice_named(config, schema):
        raise go_error(f"failed to create typed patch object: {words}")
    merged: Obj = _merge(clone(live), clone(config), (), schema)
    if not force:
        check_conflicts(live, merged, manager, schema)
    pruned: Obj = _prune(merged, dropped_fields(live, config, manager, schema), (), schema)
    return pruned


def record_apply(live: Obj, stored: Obj, config: Obj, manager: Manager, schema: Schema, at: str) -> None:
    """Write the owners after the apply into `stored`."""
    own_applied(live, stored, config, manager, at, schema=schema)


def applied_part(config: Obj, *, status_apart: bool, subresource: str) -> Obj:
    """What of a configuration this endpoint applies: nulls count as absent, status has its own endpoint."""
    kept: Obj = without_nulls(config)
    if subresource == "status":
        return {
            key: value for key, value in kept.items() if key in {"apiVersion", "kind", "metadata", "status"}
        }
    if status_apart:
        kept.pop("status", None)
    return kept


def required_manager(name: str) -> str:
    """An apply needs a field manager. Raises ApiError 422."""
    if not name:
        raise ApiError(
            422,
            "Invalid",
            'PatchOptions.meta.k8s.io "" is invalid: '
            "fieldManager: Required value: is required for apply patch",
        )
    return name


def _merge(live: Any, config: Any, path: Path, schema: Schema) -> Any:
    if isinstance(config, dict) and isinstance(live, dict):
        if path and schema.is_whole(path):
            return config
        for key, value in config.items():
            live[key] = _merge(live.get(key), value, (*path, key), schema)
        return live
    if isinstance(config, list):
        return _merge_lists(live, config, path, schema)
    return config


def _merge_lists(live: Any, config: list[Any], path: Path, schema: Schema) -> list[Any]:
    wanted = elements(config, path, schema)
    if wanted is None or not isinstance(live, list):
        return config
    held = elements(live, path, schema)
    if held is None:
        return config
    for name, item in wanted.items():
        held[name] = _merge(held[name], item, path, schema) if name in held else item
    return list(held.values())


def _prune(value: Any, gone: Fields, path: Path, schema: Schema) -> Any:
    """Remove the fields in `gone`; a list element goes when its own `.` does."""
    if not gone:
        return value
    if isinstance(value, dict):
        for name, below in gone.items():
            key = name.removeprefix("f:")
            if not name.startswith("f:") or key not in value:
                continue
            if not below:
                del value[key]
                continue
            value[key] = _prune(value[key], below, (*path, key), schema)
            if value[key] in ({}, []):
                del value[key]
        return value
    if isinstance(value, list):
        return _prune_list(value, gone, path, schema)
    return value


def _prune_list(items: list[Any], gone: Fields, path: Path, schema: Schema) -> list[Any]:
    keys = schema.keys(path)
    left = []
    for name, item in (elements(items, path, schema) or {}).items():
        if name not in gone:
            left.append(item)
        elif gone[name] and "." not in gone[name] and keys:
            left.append(_prune(item, gone[name], path, schema))
    return left
