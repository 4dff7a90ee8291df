"""Metrics Insights as far as the driver reads it: which metric a query scans, and how its series are called.

Called by `cloudwatch`. CloudWatch itself parses the rest, and says what is wrong with it.
"""

import re
from dataclasses import dataclass

from aiops_shared.errors import QueryInvalidError
from aiops_shared.metrics.cloudwatch_language import Selector
from aiops_shared.metrics.cloudwatch_tables import NAMES

_NAME = r'(?:"[^"]+"|[\w.#:/-]+)'
_SOURCE = re.compile(
    rf"\s*SELECT\s+\w+\s*\(\s*({_NAME})\s*\)\s+FROM\s+(?:SCHEMA\s*\(([^)]*)\)|({_NAME}))", re.IGNORECASE
)
_GROUPS = re.compile(rf"\bGROUP\s+BY\s+({_NAME}(?:\s*,\s*{_NAME})*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SqlSource:
    """What a query scans. `dimensions`: its SCHEMA's, none where it takes any; `groups`: of GROUP BY."""

    selector: Selector
    dimensions: tuple[str, ...]
    groups: tuple[str, ...]


def source_of(query: str) -> SqlSource:
    """The source of a query. Raises QueryInvalidError for one that cannot be read."""
    found = _SOURCE.match(query)
    if found is None:
        raise QueryInvalidError(
            "query",
            "is no Metrics Insights query",
            "SELECT AVG(metric) FROM SCHEMA(namespace, dimension) WHERE … GROUP BY … LIMIT 10",
        )
    schema = [_bare(part) for part in found[2].split(",")] if found[2] else [_bare(found[3])]
    groups = _GROUPS.search(query)
    named = tuple(_bare(part) for part in groups[1].split(",")) if groups else ()
    return SqlSource(Selector(schema[0], _bare(found[1]), ()), tuple(schema[1:]), named)


def label_of(label: str, source: SqlSource | None) -> dict[str, str]:
    """The labels of a series that CloudWatch made: its group where that is one dimension, else its title."""
    if source is not None and len(source.groups) == 1:
        return {NAMES.get(source.groups[0], source.groups[0]): label}
    if source is not None and len(words := label.split(" ")) == len(source.groups):
        return {NAMES.get(name, name): word for name, word in zip(source.groups, words, strict=True)}
    return {"series": label}


def _bare(name: str) -> str:
    return name.strip().strip('"')
