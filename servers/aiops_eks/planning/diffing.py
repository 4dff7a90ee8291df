"""Two objects as the list of fields that differ: what a person approves (never "patch resource?").

Values are redacted whole, by the name of their field too, and cut afterwards, so that no half of a secret is
left. List items stand under the key that Kubernetes merges them by, where each has its own.
"""

from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

import yaml

from aiops_eks.planning.wording import one_line, pair
from aiops_shared.guardrails.models import FieldChange
from aiops_shared.guardrails.paths import Key, Part, Pick, join, same
from aiops_shared.guardrails.redacting import redact_tree

SERVER_SIDE = ("resourceVersion", "generation", "managedFields", "uid", "creationTimestamp", "selfLink")
_MERGE_KEYS = ("name", "mountPath", "containerPort", "port", "ip", "uid")
_SAYS_WHAT = ("name", "key", "Name", "Key", "kind", "type")
_MOST_OF_A_PATH = 300
_MOST_LINES = 2_000  # comparing lines costs their product


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    return text.strip().removesuffix("\n...").strip()


def _clean(owner: Mapping[str, Any], key: str, value: Any) -> str:
    """The value without secrets; `owner` is the mapping it stands in, which may say what it is."""
    if value is None:
        return ""
    says = {name: owner[name] for name in _SAYS_WHAT if name != key and isinstance(owner.get(name), str)}
    clean = list(redact_tree({**says, key: value}).values())
    return _text(clean[-1]) if len(clean) > len(says) else "[not shown]"


def _keys_of(items: list[Any], field: str) -> list[str] | None:
    """The items' own keys, when every one has one and no two the same."""
    found = [item.get(field) if isinstance(item, dict) else None for item in items]
    keys = [str(key) for key in found if isinstance(key, str | int)]
    return keys if len(keys) == len(items) == len(set(keys)) else None


def _keyed(before: list[Any], after: list[Any]) -> tuple[Mapping[Part, Any], Mapping[Part, Any]] | None:
    for field in _MERGE_KEYS:
        old, new = _keys_of(before, field), _keys_of(after, field)
        if old is not None and new is not None:
            return (
                {Pick(field, key): item for key, item in zip(old, before, strict=True)},
                {Pick(field, key): item for key, item in zip(new, after, strict=True)},
            )
    return None


def _children(before: Any, after: Any) -> tuple[Mapping[Part, Any], Mapping[Part, Any]] | None:
    """What is below both, part by part; None for leaves. What is not there has nothing below it."""
    filled = after if before is None else before
    empty: Any = [] if isinstance(filled, list) else {}
    before, after = (empty if before is None else before), (empty if after is None else after)
    if isinstance(before, dict) and isinstance(after, dict):
        return {Key(str(key)): before[key] for key in before}, {Key(str(key)): after[key] for key in after}
    if isinstance(before, list) and isinstance(after, list) and (before or after):
        return _keyed(before, after)
    return None


def _walk(before: Any, after: Any, path: tuple[Part, ...], owner: Mapping[str, Any]) -> list[FieldChange]:
    if same(before, after):
        return []
    below = _children(before, after) if before or after else None
    if below is None:
        return _leaf(before, after, path, owner)
    old, new = below
    inner = {**_mapping(before), **_mapping(after)}
    parts = [*old, *(part for part in new if part not in old)]
    return [found for part in parts for found in _walk(old.get(part), new.get(part), (*path, part), inner)]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _leaf(before: Any, after: Any, path: tuple[Part, ...], owner: Mapping[str, Any]) -> list[FieldChange]:
    last = path[-1] if path else Key("object")
    key = last.name if isinstance(last, Key) else "item"
    where = one_line(join(path), _MOST_OF_A_PATH)
    texts = (_clean(owner, key, before), _clean(owner, key, after))
    return [
        FieldChange(path=where, before=old, after=new)
        for old, new in (pair(*one) for one in _changed_lines(*texts) or [texts])
    ]


def _changed_lines(before: str, after: str) -> list[tuple[str, str]]:
    """Of two texts of several lines the runs that differ, so that a change far down is seen too."""
    old, new = before.splitlines(), after.splitlines()
    if min(len(old), len(new)) < 2 or max(len(old), len(new)) > _MOST_LINES:
        return []
    runs = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return [
        (_run(old, first, last), _run(new, start, end))
        for tag, first, last, start, end in runs
        if tag != "equal"
    ]


def _run(lines: list[str], first: int, last: int) -> str:
    text = "\n".join(lines[first:last])
    return f"line {first + 1}: {text}" if first < last else ""


def comparable(obj: dict[str, Any]) -> dict[str, Any]:
    """The object without status and what only the API server writes."""
    metadata = {key: item for key, item in (obj.get("metadata") or {}).items() if key not in SERVER_SIDE}
    return {**{key: item for key, item in obj.items() if key != "status"}, "metadata": metadata}


def changed_fields(before: dict[str, Any], after: dict[str, Any]) -> tuple[FieldChange, ...]:
    """Every field that differs, in the object's own order. Redacted, each value on one line."""
    return tuple(_walk(comparable(before), comparable(after), (), {}))
