"""OpenSearch PPL and SQL as CloudWatch Logs Insights takes them: the subset that the suite sends, no more.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData_PPL.html and …_SQL.html. Both are
brought into the steps of `insights_language`; whatever else is written is refused as malformed.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from aiops_lab.aws.insights_expressions import Expression, Reader, malformed, tokens, written
from aiops_lab.aws.insights_language import (
    FOLDS,
    LIMIT,
    Fact,
    Parsed,
    Row,
    commands,
    deduplicated,
    fact,
    filtered,
    grouping,
    ordered,
    parse_query,
    shown,
)

_SQL = re.compile(
    r"\s*select\s+(?P<columns>.+?)\s+from\s+(?P<groups>`[^`]+`)(?:\s+where\s+(?P<where>.+?))?"
    r"(?:\s+group\s+by\s+(?P<by>.+?))?(?:\s+order\s+by\s+(?P<order>.+?))?(?:\s+limit\s+(?P<limit>\d+))?\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_GROUPS = re.compile(r"logGroups\(\s*logGroupIdentifier\s*:\s*\[(?P<names>[^\]]*)\]\s*\)")


def parse(text: str, language: str) -> Parsed:
    """A query in one of the three languages. Raises AwsError MalformedQueryException."""
    match language:
        case "CWLI":
            return parse_query(text)
        case "PPL":
            return _ppl(text)
        case _:
            return _sql(text)


def groups_of(text: str) -> tuple[str, ...]:
    """The log groups that an SQL query names in its FROM. Raises AwsError where there are none."""
    match = _SQL.fullmatch(text)
    if match is None:
        raise malformed("SELECT … FROM `log group` is what the lab plays of SQL")
    inner = match["groups"][1:-1]
    several = _GROUPS.fullmatch(inner.strip())
    names = re.findall(r"['\"]([^'\"]+)['\"]", several["names"]) if several else [inner]
    if not names:
        raise malformed("FROM names no log group")
    return tuple(names)


def _ppl(text: str) -> Parsed:
    found = Parsed()
    for command in commands(text):
        word, _, rest = command.partition(" ")
        make = _PPL.get(word.lower())
        if make is None:
            raise malformed(f"[{word}] is not a valid term at this part of the query")
        found = make(found, rest.strip())
    return found


def _computed(found: Parsed, rest: str) -> Parsed:
    """`eval size = length(`@message`)`."""
    name, sign, value = rest.partition("=")
    if not sign:
        raise malformed("eval takes name = expression")
    reader = Reader(tokens(value))
    made = reader.expression()
    reader.end()

    called = name.strip("` ")

    def step(rows: Sequence[Row]) -> Sequence[Row]:
        return [{**row, called: made(row)} for row in rows]

    return found.with_step(step)


def _head(found: Parsed, rest: str) -> Parsed:
    asked = int(rest) if rest.isdecimal() else 10 if not rest else 0
    if not 1 <= asked <= LIMIT:
        raise malformed("head takes a number")
    if not found.sorted and not found.counted:
        return found.with_step(lambda rows: rows, limit=asked)
    return found.with_step(lambda rows: rows[:asked], cuts=True, limit=asked)


def _sorted(found: Parsed, rest: str) -> Parsed:
    """`sort - n, + route`."""
    parts = [part.strip() for part in rest.split(",")]
    said = ", ".join(f"{part.lstrip('+- ')} {'desc' if part.startswith('-') else 'asc'}" for part in parts)
    return ordered(found, said)


def _stats(found: Parsed, rest: str) -> Parsed:
    """`stats count() as n by span(`@timestamp`, 5m) as at, route`."""
    reader = Reader(tokens(rest))
    facts = [fact(reader)]
    while reader.took(","):
        facts.append(fact(reader))
    groups: tuple[tuple[str, Expression], ...] = reader.listed() if reader.took("by") else ()
    reader.end()
    fields = (*(one.name for one in facts), *(name for name, _ in groups))
    return found.with_step(grouping(groups, facts), fields=fields, counted=True, sorted=False)


_PPL: Mapping[str, Callable[[Parsed, str], Parsed]] = {
    "fields": shown,
    "where": filtered,
    "eval": _computed,
    "stats": _stats,
    "sort": _sorted,
    "dedup": deduplicated,
    "head": _head,
}


def _sql(text: str) -> Parsed:
    match = _SQL.fullmatch(text)
    if match is None:
        raise malformed("SELECT … FROM `log group` is what the lab plays of SQL")
    found = filtered(Parsed(), _likes(match["where"])) if match["where"] else Parsed()
    facts, columns = _columns(match["columns"])
    if match["by"] or facts:
        groups = Reader(tokens(match["by"])).listed() if match["by"] else ()
        named = dict(groups)
        for name, made in columns:  # what is grouped by may stand under another name among the columns
            named.setdefault(name, made)
        fields = tuple(name for name, _ in columns) + tuple(one.name for one in facts)
        found = found.with_step(grouping(tuple(named.items()), facts), fields=fields, counted=True)
    elif match["columns"].strip() != "*":
        found = shown(found, match["columns"])
    if match["order"]:
        found = ordered(found, match["order"])
    return _head(found, match["limit"]) if match["limit"] else found


def _likes(where: str) -> str:
    """SQL's LIKE knows `%`: brought into a regular expression."""

    def regex(found: re.Match[str]) -> str:
        text = re.escape(found[2]).replace("%", ".*").replace("/", r"\/")
        return f"{found[1]} /^{text}$/"

    return re.sub(r"(?i)\b(like)\s+'([^']*)'", regex, where)


def _columns(text: str) -> tuple[list[Fact], list[tuple[str, Expression]]]:
    """The aggregates and the other columns of a SELECT."""
    if text.strip() == "*":
        return [], []
    reader = Reader(tokens(text))
    facts: list[Fact] = []
    columns: list[tuple[str, Expression]] = []
    while True:
        if reader.peek() in FOLDS and reader.tokens[reader.at + 1 : reader.at + 2] == [("sign", "(")]:
            facts.append(fact(reader))
        else:
            start = reader.at
            made = reader.expression()
            said = written(reader.tokens[start : reader.at])
            columns.append(((reader.name() if reader.took("as") else said), made))
        if not reader.took(","):
            break
    reader.end()
    return facts, columns
