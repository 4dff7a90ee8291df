"""CEL in SOPs: conditions, values and `{{ … }}`, compiled when a file is loaded, bounded when they run.

Called by the parser (every expression of a file is compiled once, so that a broken one never starts), by the
engine (values and conditions of a running step) and by whatever matches events. Run-time errors raise
InvalidInputError: a caller that polls takes them as "not yet", one that decides as "no".
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from aiops_shared.errors import InvalidInputError
from aiops_shared.kube.cel import Language, Program, shown, without_texts

Json = Any
NAMES: Final = ("params", "steps", "result", "event", "item", "index", "lab", "expected")
# What a later expression may ask of a step; the engine fills them (docs/sop-format.md).
STEP_FIELDS: Final = frozenset({"result", "ok", "verified", "state", "plan", "action", "answer", "skipped"})
MOST_ITEMS: Final = 500  # of one `foreach`
MOST_RESULT_CHARS: Final = 256 * 1024
_FILL: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_WHOLE: Final = re.compile(r"\s*\{\{((?:(?!\}\}).)*)\}\}\s*", re.DOTALL)
_USED: Final = re.compile(
    r"(?<![\w.\"'])([a-z]\w*)\b(?:\s*\.\s*\??\s*([A-Za-z_]\w*))?(?:\s*\.\s*\??\s*([A-Za-z_]\w*))?"
)
_LANGUAGE: Final = Language(NAMES, timestamps=("now",), bounded=True, extended=True)


def check(text: str, *, condition: bool = False) -> None:
    """Compile and type-check one expression. Raises InvalidInputError with what is wrong."""
    _compiled(text, condition=condition)


def evaluate(text: str, context: Mapping[str, Json]) -> Json:
    """What an expression gives. Raises InvalidInputError when it fails, or gives what is no JSON."""
    return _json(_compiled(text, condition=False).value(_data(text, context)), text)


def holds(text: str, context: Mapping[str, Json]) -> bool:
    """Whether a condition is met. Raises InvalidInputError when it fails or gives no true or false."""
    return _compiled(text, condition=True).truth(_data(text, context))


def items(text: str, context: Mapping[str, Json]) -> list[Json]:
    """The list of a `foreach`. Raises InvalidInputError for what is no list, or too long a one."""
    found = evaluate(text, context)
    if not isinstance(found, list):
        raise InvalidInputError(f"foreach {shown(text)}", "gives no list", "it goes through a list")
    if len(found) > MOST_ITEMS:
        raise InvalidInputError(
            f"foreach {shown(text)}", f"gives {len(found)} items", f"at most {MOST_ITEMS}: narrow it"
        )
    return found


def filled(tree: Json, context: Mapping[str, Json]) -> Json:
    """A tree with every `{{ cel }}` replaced: typed where it is the whole text. Raises as `evaluate`.

    Of a mapping at the top (a step's `with`), a key whose expression gives null is left out: that is how an
    optional parameter without a value becomes an argument that is not given.
    """
    if isinstance(tree, dict):
        found = {key: _filled(value, context) for key, value in tree.items()}
        return {key: value for key, value in found.items() if value is not None or tree[key] is None}
    return _filled(tree, context)


def _filled(tree: Json, context: Mapping[str, Json]) -> Json:
    if isinstance(tree, dict):
        return {key: _filled(value, context) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_filled(value, context) for value in tree]
    if not isinstance(tree, str):
        return tree
    if whole := _WHOLE.fullmatch(tree):
        return evaluate(whole[1].strip(), context)
    return _FILL.sub(lambda found: _words(evaluate(found[1].strip(), context)), tree)


def expressions_in(tree: Json) -> Iterator[str]:
    """Every expression within `{{ }}` of a tree. Raises InvalidInputError for one that does not close."""
    if isinstance(tree, dict):
        for value in tree.values():
            yield from expressions_in(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from expressions_in(value)
    elif isinstance(tree, str):
        yield from (found[1].strip() for found in _FILL.finditer(tree))
        if "{{" in _FILL.sub("", tree) or "${" in tree:
            raise InvalidInputError(
                f"text {shown(tree)}", "holds `{{` without `}}`, or `${`", "write {{ cel }}"
            )


def used(text: str) -> Iterator[tuple[str, str, str]]:
    """The dotted names of an expression, three parts of each: `steps.clean.verified`."""
    for found in _USED.finditer(without_texts(text)):
        yield found[1], found[2] or "", found[3] or ""


@lru_cache(maxsize=2048)
def _compiled(text: str, *, condition: bool) -> Program:
    return _LANGUAGE.condition(text) if condition else _LANGUAGE.compiled(text)


def _data(text: str, context: Mapping[str, Json]) -> dict[str, Json]:
    """All names have a value, so that one without says "no such key" and not that it is unknown."""
    given = {name: context.get(name) for name in NAMES}
    for name in ("params", "steps"):
        given[name] = {} if given[name] is None else given[name]
    if "records" in text:
        given = {name: _with_records(value) for name, value in given.items()}
    return {**given, "now": _moment(context.get("now"))}


def _with_records(tree: Json) -> Json:
    """A copy in which each table (`columns`, `rows`) also has `records`: its rows by column."""
    if isinstance(tree, Mapping):
        copy = {key: _with_records(value) for key, value in tree.items()}
        columns, rows = tree.get("columns"), tree.get("rows")
        if isinstance(columns, list | tuple) and isinstance(rows, list | tuple):
            copy["records"] = [
                dict(zip(columns, row, strict=False)) for row in rows if isinstance(row, list | tuple)
            ]
        return copy
    return [_with_records(value) for value in tree] if isinstance(tree, list | tuple) else tree


def _moment(now: Json) -> datetime:
    if isinstance(now, str):
        return datetime.fromisoformat(now)
    return now if isinstance(now, datetime) else datetime.fromtimestamp(0, UTC)


def _json(found: Any, text: str) -> Json:
    value = _plain(found, text)
    if isinstance(value, str | list | dict) and len(str(value)) > MOST_RESULT_CHARS:
        raise InvalidInputError(f"expression {shown(text)}", "gives too much", "narrow it")
    return value


def _plain(found: Any, text: str) -> Json:
    if found is None or isinstance(found, bool | int | float | str):
        return found
    if isinstance(found, datetime):
        return found.isoformat()
    if isinstance(found, Mapping):
        return {str(key): _plain(value, text) for key, value in found.items()}
    if isinstance(found, list):
        return [_plain(value, text) for value in found]
    raise InvalidInputError(
        f"expression {shown(text)}",
        f"gives a {type(found).__name__}",
        "give a text, number, truth, list or map",
    )


def _words(value: Json) -> str:
    """A value within a longer text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(_words(one) for one in value)
    return str(value)
