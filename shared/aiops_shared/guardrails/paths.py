"""Fields by name in plain JSON: what a plan writes, is bound to, and what an undo gives back.

A path is dotted. `[name=app]` picks the list item whose field has that value, `[0]` the item by place, and
a quoted part holds dots: `spec.containers[name=app].image`, `metadata.annotations."a.b/c"`.
The executor, the undo and the planners use it; objects are never changed in place.
"""

import copy
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any, Final

from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.canonical import canonical, sha256_of

Json = Any


class Missing(Enum):
    """Absence, which is not the same as null."""

    MISSING = "missing"

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing.MISSING


@dataclass(frozen=True, slots=True)
class Key:
    """A field of an object."""

    name: str


@dataclass(frozen=True, slots=True)
class Pick:
    """The first item of a list whose `field` reads `value`."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Place:
    """An item of a list by its place."""

    index: int


Part = Key | Pick | Place
_SPECIAL = frozenset('.[]="\\')


class _Reader:
    """Reads one path from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def parts(self) -> tuple[Part, ...]:
        found: list[Part] = [Key(self.word())]
        while self.at < len(self.text):
            found.append(self.next_part())
        return tuple(found)

    def next_part(self) -> Part:
        opener = self.text[self.at]
        self.at += 1
        if opener == ".":
            return Key(self.word())
        if opener == "[":
            return self.selector()
        raise self.error(f"unexpected {opener!r}")

    def selector(self) -> Part:
        quoted = self.text[self.at : self.at + 1] == '"'
        field = self.word()
        if self.take("]"):
            if quoted or not (field.isascii() and field.isdigit()):
                raise self.error("expected [field=value] or [0]")
            return Place(int(field))
        if not self.take("="):
            raise self.error("expected '=' or ']'")
        value = self.word(allow_empty=True)
        if not self.take("]"):
            raise self.error("expected ']'")
        return Pick(field, value)

    def take(self, char: str) -> bool:
        found = self.text[self.at : self.at + 1] == char
        self.at += found
        return found

    def word(self, *, allow_empty: bool = False) -> str:
        if self.take('"'):
            return self.quoted()
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in _SPECIAL:
            self.at += 1
        if start == self.at and not allow_empty:
            raise self.error("a part is empty")
        return self.text[start : self.at]

    def quoted(self) -> str:
        letters: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char == '"':
                return "".join(letters)
            if char == "\\":
                char = self.text[self.at : self.at + 1]
                self.at += 1
            letters.append(char)
        raise self.error("a quote is not closed")

    def error(self, reason: str) -> InvalidInputError:
        return InvalidInputError(
            f"path {self.text[:120]!r}", f"{reason} at {self.at}", "see `[name=app]` and quotes"
        )


def parse(path: str) -> tuple[Part, ...]:
    """The parts of a path. Raises InvalidInputError."""
    return _Reader(path).parts()


def join(parts: tuple[Part, ...]) -> str:
    """The path of these parts; `parse(join(parts)) == parts`."""
    return "".join(_spell(part) for part in parts).removeprefix(".")


def _spell(part: Part) -> str:
    match part:
        case Key(name):
            return f".{_quote(name)}"
        case Place(index):
            return f"[{index}]"
        case Pick(field, value):
            return f"[{_quote(field)}={_quote(value)}]"


def _quote(word: str) -> str:
    if word and not _SPECIAL & set(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def get(obj: Json, path: str) -> Json:
    """The value at `path`, or MISSING."""
    return _walk(obj, parse(path))


def put(obj: Json, path: str, value: Json) -> Json:
    """A copy of `obj` with `value` at `path`; parents that are objects are made, list items are not.

    A last part `[name=x]` may add that item. Raises InvalidInputError.
    """
    return _put(copy.deepcopy(obj), path, copy.deepcopy(value))


def remove(obj: Json, path: str) -> Json:
    """A copy of `obj` without `path`; the same when it was not there."""
    parts = parse(path)
    changed = copy.deepcopy(obj)
    parent = _walk(changed, parts[:-1])
    place = _place(parent, parts[-1])
    if place is not None:
        del parent[place]
    return changed


def write(obj: Json, values: dict[str, Json]) -> Json:
    """A copy of `obj` with every value in place; None removes (the `values` of a step)."""
    for path, value in values.items():
        obj = remove(obj, path) if value is None else put(obj, path, value)
    return obj


def restore(obj: Json, seen: Json, paths: tuple[str, ...]) -> Json:
    """A copy of `obj` in which `paths` read as they did in `seen`; everything else stays.

    A list item comes back at its old place; parents that `seen` did not have go when they are left empty.
    """
    for path in paths:
        value = get(seen, path)
        obj = _remove_and_prune(obj, seen, parse(path)) if value is MISSING else _put_back(obj, seen, path)
    return obj


def uid_of(obj: Json | None) -> str:
    """metadata.uid, or nothing."""
    uid = get(obj, "metadata.uid") if obj is not None else MISSING
    return uid if isinstance(uid, str) else ""


def digest_of(obj: Json | None, paths: tuple[str, ...]) -> str:
    """sha256 over the uid and the values at `paths`; missing differs from null, gone from empty (D2)."""
    seen = {path: get(obj, path) for path in sorted(set(paths))}
    values = {path: value for path, value in seen.items() if value is not MISSING}
    return sha256_of({"gone": obj is None, "uid": uid_of(obj), "values": values})


def moved(before: Json | None, after: Json | None, paths: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `paths` that do not read the same in both."""
    return tuple(path for path in paths if not same(get(before, path), get(after, path)))


def same(one: Json, other: Json) -> bool:
    """Equal as JSON: true is not 1, missing is not null."""
    if one is MISSING or other is MISSING:
        return one is other
    return canonical(one) == canonical(other)


def holds(obj: Json, part: Json) -> bool:
    """Whether everything that `part` says is found in `obj` (lists of named items by their name)."""
    if isinstance(part, dict):
        return isinstance(obj, dict) and all(_has(obj, key, value) for key, value in part.items())
    if isinstance(part, list):
        return isinstance(obj, list) and all(_in_list(obj, item) for item in part)
    return same(obj, part)


def _has(obj: dict[str, Json], key: str, value: Json) -> bool:
    return holds(obj[key], value) if key in obj else value is None


def _in_list(items: list[Json], wanted: Json) -> bool:
    return any(holds(item, wanted) for item in items)


def _walk(obj: Json, parts: tuple[Part, ...]) -> Json:
    for part in parts:
        place = _place(obj, part)
        if place is None:
            return MISSING
        obj = obj[place]
    return obj


def _place(obj: Json, part: Part) -> str | int | None:
    """Key or index of `part` in `obj`, or None."""
    match part:
        case Key(name):
            return name if isinstance(obj, dict) and name in obj else None
        case Place(index):
            return index if isinstance(obj, list) and index < len(obj) else None
        case Pick(field, value):
            return _picked(obj, field, value)


def _picked(obj: Json, field: str, value: str) -> int | None:
    if not isinstance(obj, list):
        return None
    for index, item in enumerate(obj):
        if isinstance(item, dict) and field in item and _text(item[field]) == value:
            return index
    return None


def _text(value: Json) -> str:
    return value if isinstance(value, str) else canonical(value)


def _put(obj: Json, path: str, value: Json, index: int | None = None) -> Json:
    parts = parse(path)
    parent = obj
    for part, following in pairwise(parts):
        parent = _enter(parent, part, following, path)
    last = parts[-1]
    place = _place(parent, last)
    if place is not None:
        parent[place] = value
    elif isinstance(last, Key) and isinstance(parent, dict):
        parent[last.name] = value
    elif (
        isinstance(last, Pick) and isinstance(parent, list) and _picked([value], last.field, last.value) == 0
    ):
        parent.insert(len(parent) if index is None else index, value)
    else:
        raise InvalidInputError(f"path {path!r}", "leads through something that is not there", "plan again")
    return obj


def _enter(parent: Json, part: Part, following: Part, path: str) -> Json:
    place = _place(parent, part)
    if place is None:
        if not (isinstance(part, Key) and isinstance(parent, dict)):
            raise InvalidInputError(f"path {path!r}", f"{_spell(part)} is not there", "plan again")
        place = part.name
        parent[place] = {} if isinstance(following, Key) else []
    return parent[place]


def _put_back(obj: Json, seen: Json, path: str) -> Json:
    parts = parse(path)
    index = _place(_walk(seen, parts[:-1]), parts[-1])
    value = copy.deepcopy(get(seen, path))
    return _put(copy.deepcopy(obj), path, value, index if isinstance(index, int) else None)


def _remove_and_prune(obj: Json, seen: Json, parts: tuple[Part, ...]) -> Json:
    obj = remove(obj, join(parts))
    for length in range(len(parts) - 1, 0, -1):
        parent = parts[:length]
        if _walk(seen, parent) is not MISSING or _walk(obj, parent) not in ({}, []):
            break
        obj = remove(obj, join(parent))
    return obj
