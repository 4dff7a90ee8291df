"""The output budget (decision D29): what a client can read is bounded, and what was cut is said.

Tools cut their own lists before they make a cursor; this is the backstop for whatever is still too large.
A token is taken as 3 bytes of this kind of JSON, which overestimates slightly.
"""

import json
from collections.abc import Collection
from typing import Any

import orjson

BYTES_PER_TOKEN = 3
HARD_CAP_BYTES = 36_000  # 12,000 tokens; also under the 40,000 bytes from which clients spill to a file
KEEP_TAIL = frozenset({"lines"})  # of a log the newest lines matter


def size_bytes(value: Any) -> int:
    """Size as compact JSON."""
    try:
        return len(orjson.dumps(value, default=str))
    except TypeError:  # an integer of more than 64 bits, which only arguments may hold
        return len(json.dumps(value, default=str))


def without_empties(value: Any, required: Collection[str] = ()) -> Any:
    """The same data without empty fields, but for the `required` ones of the outermost object.

    List items stay, since their position has a meaning.
    """
    if isinstance(value, dict):
        inner = {key: without_empties(item) for key, item in value.items()}
        return {key: item for key, item in inner.items() if key in required or not _is_empty(key, item)}
    if isinstance(value, list):
        return [without_empties(item) if isinstance(item, dict | list) else item for item in value]
    return value


def _is_empty(key: str, item: Any) -> bool:
    return item is None or item in ("", [], {}) or (key == "truncated" and item is False)


def _largest(value: Any, path: tuple[str | int, ...] = ()) -> tuple[int, tuple[str | int, ...]]:
    """The longest list or text below `value`: its size and where it is."""
    best = (0, path)
    if isinstance(value, dict):
        for key, item in value.items():
            best = max(best, _largest(item, (*path, key)), key=lambda found: found[0])
    elif isinstance(value, list):
        best = (size_bytes(value), path) if len(value) > 1 else best
        if len(value) == 1:
            best = max(best, _largest(value[0], (*path, 0)), key=lambda found: found[0])
    elif isinstance(value, str):
        best = (len(value.encode()), path)
    return best


def _halve(parent: Any, key: str | int, *, tail: bool) -> None:
    item = parent[key]
    keep = len(item) // 2
    parent[key] = item[-keep:] if tail else item[:keep]


def fit(answer: dict[str, Any], max_bytes: int) -> dict[str, Any]:
    """The answer cut to `max_bytes`, with a warning for each thing that was cut."""
    if size_bytes(answer) <= max_bytes:
        return answer
    cuts: dict[str, str] = {}
    originals: dict[str, int] = {}
    while size_bytes(answer) > max_bytes - 300:
        length, path = _largest({key: item for key, item in answer.items() if key != "summary"})
        if length < 64 or not path:
            break
        parent: Any = answer
        for part in path[:-1]:
            parent = parent[part]
        name = ".".join(str(part) for part in path)
        originals.setdefault(name, len(parent[path[-1]]))
        _halve(parent, path[-1], tail=bool(KEEP_TAIL & set(path)))
        cuts[name] = f"{name}: {len(parent[path[-1]])} of {originals[name]} shown"
    said = "; ".join(cuts.values())
    answer["truncated"] = True
    answer.pop("next_cursor", None)
    answer["warnings"] = [
        *answer.get("warnings", []),
        f"Cut to fit the answer budget: {said}. Narrow the call.",
    ]
    return answer
