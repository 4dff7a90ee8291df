"""Server-side apply: merge what is sent into what is stored, field owner by field owner."""

from typing import Any

from aiops_lab.kube.errors import ApiError, bad_request
from aiops_lab.kube.patching.fields import Fields, elements
from aiops_lab.kube.patching.managers import Manager, check_conflicts, dropped_fields, own_applied
from aiops_lab.kube.patching.schema import Path, Schema
from aiops_lab.kube.wire import Obj, clone, dig, without_nulls


def apply_patch(live: Obj, config: Obj, manager: Manager, schema: Schema, *, force: bool) -> Obj:
    """Merge an applied configuration into a copy of `live` and drop what this manager gave up.

    Raises ApiError 409 (FieldManagerConflict) where another manager owns a field that would change.
    """
    if dig(config, "metadata", "managedFields"):
        raise bad_request("metadata.managedFields must be nil")
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
    if len(wanted) != len(config):
        raise bad_request(
            f"failed to create typed patch object: .{'.'.join(path)}: duplicate entries for key"
        )
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
