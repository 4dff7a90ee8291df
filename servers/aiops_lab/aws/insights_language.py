"""The Logs Insights query language as AWS documents it, as far as the lab plays it.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax.html: `fields`, `display`, `filter`,
`parse` (glob or regular expression), `stats … by …`, `sort`, `dedup`, `limit`. Anything else is refused as a
malformed query: a wrong answer would be worse. Commands run in the order they are written; where none sorts,
events come newest first.
"""

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiops_lab.aws.insights_expressions import (
    Expression,
    Reader,
    Row,
    compiled,
    malformed,
    number,
    plain,
    tokens,
    written,
)

Rows = Sequence[Row]
Step = Callable[[Rows], Rows]
LIMIT = 10_000
__all__ = ["LIMIT", "Parsed", "Row", "malformed", "parse_query"]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A query that can be run. `fields` are the columns of its result."""

    fields: tuple[str, ...] = ("@timestamp", "@message")
    steps: tuple[Step, ...] = ()
    limit: int = LIMIT
    events: int = 0  # so many steps leave events: what they let through has "matched"
    sorted: bool = False
    counted: bool = False  # its rows are no events any more

    def run(self, rows: Rows) -> list[Row]:
        """The rows that pass, in order."""
        kept: Rows = rows
        for step in self.steps:
            kept = step(kept)
        if not self.sorted and not self.counted:
            kept = sorted(kept, key=lambda row: str(row.get("@timestamp", "")), reverse=True)
        return list(kept[: self.limit])

    def matched(self, rows: Rows) -> int:
        """How many events the query's filters let through, whatever is counted or cut after them."""
        for step in self.steps[: self.events]:
            rows = step(rows)
        return len(rows)

    def with_step(self, step: Step, *, cuts: bool = False, **changed: Any) -> "Parsed":
        """One more command. `cuts`: what it leaves out has matched all the same."""
        whole = self.events == len(self.steps) and not cuts and not changed.get("counted")
        given = {
            "events": self.events + whole,
            "fields": self.fields,
            "limit": self.limit,
            "sorted": self.sorted,
            "counted": self.counted,
            **changed,
        }
        return Parsed(steps=(*self.steps, step), **given)


def parse_query(text: str) -> Parsed:
    """Raises AwsError MalformedQueryException for what the lab does not play."""
    found = Parsed()
    for command in commands(text):
        word, _, rest = command.partition(" ")
        make = COMMANDS.get(word.lower())
        if make is None:
            raise malformed(f"unexpected symbol found {word} (the lab plays {', '.join(COMMANDS)})")
        found = make(found, rest.strip())
    return found


def commands(text: str) -> list[str]:
    """The commands between pipes that stand outside of texts and regular expressions; comments go."""
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    parts, start, quote = [], 0, ""
    for at, letter in enumerate(text):
        if quote:
            if letter == quote and text[at - 1] != "\\":
                quote = ""
        elif letter in "\"'`" or (letter == "/" and _begins_regex(text[start:at])):
            quote = letter
        elif letter == "|":
            parts.append(text[start:at])
            start = at + 1
    found = [" ".join(part.split()) if '"' not in part else part.strip() for part in (*parts, text[start:])]
    found = [part for part in found if part]
    if not found:
        raise malformed("the query is empty")
    return found


def _begins_regex(before: str) -> bool:
    before = before.strip()
    return before.endswith(("like", "=~")) or re.fullmatch(r"parse\s+@?[\w.]+", before) is not None


def filtered(found: Parsed, rest: str) -> Parsed:
    """`filter condition`."""
    reader = Reader(tokens(rest))
    test = reader.expression()
    reader.end()
    return found.with_step(lambda rows: [row for row in rows if test(row)])


def shown(found: Parsed, rest: str) -> Parsed:
    """`fields a, strlen(b) as c`."""
    reader = Reader(tokens(rest))
    columns = reader.listed()
    reader.end()
    fields = tuple(name for name, _ in columns)
    return found.with_step(lambda rows: [_added(row, columns) for row in rows], fields=fields)


def _added(row: Row, columns: Iterable[tuple[str, Expression]]) -> Row:
    return {**row, **{name: value for name, made in columns if (value := made(row)) is not None}}


def extracted(found: Parsed, rest: str) -> Parsed:
    """`parse field "glob *" as a, b` or `parse field /(?<a>…)/`."""
    taken = tokens(f"parse {rest}")[1:]
    reader = Reader(taken if taken and taken[0][0] in {"word", "quoted"} else [("word", "@message"), *taken])
    field = reader.name()
    kind, text = reader.next()
    if kind == "regex":
        pattern = compiled(text)
        names = tuple(pattern.groupindex)
        if not names:
            raise malformed("parse needs named groups")
    elif kind == "text":
        reader.expect("as")
        names = tuple(_names(reader))
        pieces = text[1:-1].split("*")
        if len(pieces) - 1 != len(names):
            raise malformed("parse needs a name for each *")
        pattern = _glob(pieces, names)
    else:
        raise malformed(f"unexpected symbol found {text}")
    reader.end()

    def step(rows: Rows) -> Rows:
        made = []
        for row in rows:
            match = pattern.search(plain(row.get(field)))
            got = {} if match is None else {k: v for k, v in match.groupdict().items() if v is not None}
            made.append({**row, **got} if got else row)
        return made

    return found.with_step(step)


def _glob(pieces: Sequence[str], names: Sequence[str]) -> re.Pattern[str]:
    text = re.escape(pieces[0])
    for at, (name, piece) in enumerate(zip(names, pieces[1:], strict=True)):
        last = at == len(names) - 1 and not piece
        text += f"(?P<{name}>{'.*' if last else '.*?'}){re.escape(piece)}"
    return compiled(text)


def _names(reader: Reader) -> Iterator[str]:
    yield reader.name()
    while reader.took(","):
        yield reader.name()


def ordered(found: Parsed, rest: str) -> Parsed:
    """`sort a desc, b`."""
    reader = Reader(tokens(rest))
    keys: list[tuple[Expression, bool]] = []
    while reader.left():
        start = reader.at
        if reader.tokens[start][0] == "word" and _called(reader, found.fields):
            keys.append((_column(_called(reader, found.fields), reader), False))
        else:
            keys.append((reader.expression(), False))
        if reader.took("desc"):
            keys[-1] = (keys[-1][0], True)
        else:
            reader.took("asc")
        if reader.left():
            reader.expect(",")

    def step(rows: Rows) -> Rows:
        kept = list(rows)
        for made, down in reversed(keys):
            kept.sort(key=partial(_key_of, made), reverse=down)
        return kept

    return found.with_step(step, sorted=True)


def _called(reader: Reader, fields: Sequence[str]) -> str:
    """A column whose own text is an expression, as `count(*)`, where the sort names it so."""
    for end in range(reader.at + 2, len(reader.tokens) + 1):
        if (said := written(reader.tokens[reader.at : end])) in fields:
            return said
    return ""


def _column(name: str, reader: Reader) -> Expression:
    start = reader.at
    while written(reader.tokens[start : reader.at]) != name:
        reader.next()
    return lambda row: row.get(name)


def _key_of(made: Expression, row: Row) -> tuple[int, float, str]:
    return sort_key(made(row))


def sort_key(value: Any) -> tuple[int, float, str]:
    """Numbers by size, texts by letters, nothing first."""
    if value is None:
        return (0, 0.0, "")
    as_number = number(value)
    return (1, as_number, "") if as_number is not None else (2, 0.0, plain(value))


def cut(found: Parsed, rest: str) -> Parsed:
    """`limit 20`."""
    if not rest.isdecimal() or not 1 <= int(rest) <= LIMIT:
        raise malformed(f"limit takes a number from 1 to {LIMIT}")
    asked = int(rest)
    if not found.sorted and not found.counted:
        return found.with_step(lambda rows: rows, limit=asked)
    return found.with_step(lambda rows: rows[:asked], cuts=True, limit=asked)


def deduplicated(found: Parsed, rest: str) -> Parsed:
    """`dedup a, b`: the newest of each, or the first in the sort's order."""
    reader = Reader(tokens(rest))
    names = tuple(_names(reader))
    reader.end()

    def step(rows: Rows) -> Rows:
        if not found.sorted and not found.counted:
            rows = sorted(rows, key=lambda row: str(row.get("@timestamp", "")), reverse=True)
        seen: dict[tuple[str, ...], Row] = {}
        for row in rows:
            if all(row.get(name) is not None for name in names):
                seen.setdefault(tuple(plain(row.get(name)) for name in names), row)
        return list(seen.values())

    return found.with_step(step, cuts=True, sorted=True)


# name -> what it makes of the values that are there
Fold = Callable[[list[Any], float], Any]


def _numbers(values: Iterable[Any]) -> list[float]:
    return [found for value in values if (found := number(value)) is not None]


def _pct(values: list[Any], percent: float) -> float | None:
    found = sorted(_numbers(values))
    return found[max(0, math.ceil(percent / 100 * len(found)) - 1)] if found else None


def _stddev(values: list[Any], _: float) -> float | None:
    found = _numbers(values)
    if not found:
        return None
    mean = sum(found) / len(found)
    return math.sqrt(sum((each - mean) ** 2 for each in found) / len(found))


FOLDS: Mapping[str, Fold] = {
    "count": lambda values, _: len(values),
    "count_distinct": lambda values, _: len({plain(value) for value in values}),
    "distinct_count": lambda values, _: len({plain(value) for value in values}),
    "dc": lambda values, _: len({plain(value) for value in values}),
    "sum": lambda values, _: sum(_numbers(values)),
    "avg": lambda values, _: sum(found) / len(found) if (found := _numbers(values)) else None,
    "min": lambda values, _: min(values, key=sort_key) if values else None,
    "max": lambda values, _: max(values, key=sort_key) if values else None,
    "pct": _pct,
    "percentile": _pct,
    "median": lambda values, _: _pct(values, 50),
    "stddev": _stddev,
    "earliest": lambda values, _: values[0] if values else None,
    "latest": lambda values, _: values[-1] if values else None,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """One aggregate: how it is called, of what, folded how."""

    name: str
    of: Expression
    fold: Fold
    percent: float = 50.0


def counted(found: Parsed, rest: str) -> Parsed:
    """`stats count(*) as n, pct(x, 95) by bin(5m), route`."""
    reader = Reader(tokens(rest))
    facts = [fact(reader)]
    while reader.took(","):
        facts.append(fact(reader))
    groups: tuple[tuple[str, Expression], ...] = ()
    if reader.took("by"):
        groups = reader.listed()
    reader.end()
    fields = (*(name for name, _ in groups), *(one.name for one in facts))
    step = grouping(groups, facts)
    return found.with_step(step, fields=fields, counted=True, sorted=False)


def fact(reader: Reader) -> Fact:
    """One aggregate off a reader."""
    start, name = reader.at, reader.name().lower()
    fold = FOLDS.get(name)
    if fold is None:
        raise malformed(f"unknown function {name}")
    reader.expect("(")
    percent = 50.0
    if reader.took("*") or reader.peek() == ")":
        if name != "count":
            raise malformed(f"{name} takes a field")
        of: Expression = lambda row: True  # noqa: E731  # a value that every row has
    else:
        reader.took("distinct")
        of = reader.expression()
        if reader.took(","):
            percent = float(reader.next()[1])
    reader.expect(")")
    said = written(reader.tokens[start : reader.at])
    return Fact(reader.name() if reader.took("as") else said, of, fold, percent)


def grouping(groups: Sequence[tuple[str, Expression]], facts: Sequence[Fact]) -> Step:
    """Rows put together by the values of `groups`."""

    def step(rows: Rows) -> Rows:
        kept: dict[tuple[Any, ...], list[Row]] = {}
        for row in rows:
            key = tuple(None if (value := made(row)) is None else plain(value) for _, made in groups)
            kept.setdefault(key, []).append(row)
        if not groups and not kept:
            kept[()] = []
        return [_folded(groups, facts, key, members) for key, members in kept.items()]

    return step


def _folded(
    groups: Sequence[tuple[str, Expression]], facts: Sequence[Fact], key: tuple[Any, ...], members: list[Row]
) -> Row:
    made: dict[str, Any] = {
        name: value for (name, _), value in zip(groups, key, strict=True) if value is not None
    }
    for one in facts:
        values = [value for row in members if (value := one.of(row)) is not None]
        made[one.name] = one.fold(values, one.percent)
    return made


COMMANDS: Mapping[str, Callable[[Parsed, str], Parsed]] = {
    "fields": shown,
    "display": shown,
    "filter": filtered,
    "parse": extracted,
    "stats": counted,
    "sort": ordered,
    "dedup": deduplicated,
    "limit": cut,
}
