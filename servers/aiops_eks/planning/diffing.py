"""Two objects as the list of fields that differ: what a person approves (never "patch resource?")."""

from typing import Any

import yaml

from aiops_shared.guardrails.models import FieldChange

SERVER_SIDE = ("resourceVersion", "generation", "managedFields", "uid", "creationTimestamp", "selfLink")
_SHOWN = 400


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else yaml.safe_dump(value, default_flow_style=True, width=10_000)
    text = text.removesuffix("\n...\n").strip()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text)} characters)"


def _keyed(items: list[Any]) -> dict[str, Any] | None:
    """List items under their name, when every one has its own."""
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    if not items or None in names or len(set(map(str, names))) != len(names):
        return None
    return {f"[name={name}]": item for name, item in zip(names, items, strict=True)}


def _join(path: str, key: str) -> str:
    part = f'"{key}"' if "." in key and not key.startswith("[") else key
    return f"{path}{part}" if part.startswith("[") or not path else f"{path}.{part}"


def _walk(before: Any, after: Any, path: str) -> list[FieldChange]:
    if before == after:
        return []
    if isinstance(before, list) and isinstance(after, list):
        keyed_before, keyed_after = _keyed(before), _keyed(after)
        if keyed_before is not None and keyed_after is not None:
            before, after = keyed_before, keyed_after
    if isinstance(before, dict) and isinstance(after, dict):
        keys = [*before, *(key for key in after if key not in before)]
        return [found for key in keys for found in _walk(before.get(key), after.get(key), _join(path, key))]
    return [FieldChange(path=path, before=_text(before), after=_text(after))]


def comparable(obj: dict[str, Any]) -> dict[str, Any]:
    """The object without status and what only the API server writes."""
    metadata = {key: item for key, item in (obj.get("metadata") or {}).items() if key not in SERVER_SIDE}
    return {**{key: item for key, item in obj.items() if key != "status"}, "metadata": metadata}


def changed_fields(before: dict[str, Any], after: dict[str, Any]) -> tuple[FieldChange, ...]:
    """Every field that differs, in the object's own order."""
    return tuple(_walk(comparable(before), comparable(after), ""))
