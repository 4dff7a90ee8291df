"""label_replace, label_join, and the labels of absent()."""

import re
from collections.abc import Sequence

from aiops_lab.promql.matchers import Match
from aiops_lab.promql.values import NAME, Labels, PromqlError, Vector, labelled, merged

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_REFERENCE = re.compile(r"\$(?:(?P<plain>\w+)|\{(?P<braced>\w+)\}|(?P<dollar>\$))")


def replaced(vector: Vector, target: str, template: str, source: str, pattern: str) -> Vector:
    """label_replace. Raises PromqlError for a bad pattern or label name."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise PromqlError(f"invalid regular expression in label_replace(): {pattern}") from error
    if not _LABEL.fullmatch(target):
        raise PromqlError(f"invalid destination label name in label_replace(): {target}")

    def new(labels: Labels) -> Labels:
        known = dict(labels)
        match = expression.fullmatch(known.get(source, ""))
        return labels if match is None else labelled({**known, target: _expanded(template, match)})

    return _renamed(vector, [new(labels) for labels in vector.labels])


def _expanded(template: str, match: re.Match[str]) -> str:
    """Go's Regexp.Expand: unknown groups are empty."""

    def value(reference: re.Match[str]) -> str:
        if reference["dollar"]:
            return "$"
        name = reference["plain"] or reference["braced"]
        place: int | str = int(name) if name.isdecimal() else name
        try:
            return match[place] or ""
        except (IndexError, re.error):
            return ""

    return _REFERENCE.sub(value, template)


def joined(vector: Vector, target: str, separator: str, sources: Sequence[str]) -> Vector:
    """label_join. Raises PromqlError for a bad label name."""
    for name in sources:
        if not _LABEL.fullmatch(name):
            raise PromqlError(f"invalid source label name in label_join(): {name}")
    if not _LABEL.fullmatch(target):
        raise PromqlError(f"invalid destination label name in label_join(): {target}")
    known = [dict(labels) for labels in vector.labels]
    names = [
        labelled({**each, target: separator.join(each.get(one, "") for one in sources)}) for each in known
    ]
    return _renamed(vector, names)


def _renamed(vector: Vector, labels: Sequence[Labels]) -> Vector:
    return merged(Vector(tuple(labels), vector.values, vector.present))


def absent_labels(matches: Sequence[Match]) -> Labels:
    """What an absent series would be called: the labels that the selector names exactly, once."""
    named = [one for one in matches if one.name != NAME]
    names = [one.name for one in named]
    return labelled({one.name: one.value for one in named if one.exact and names.count(one.name) == 1})
