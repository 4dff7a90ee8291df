"""Label matchers as functions, from the syntax tree."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import promql_parser as parser

from aiops_lab.promql.values import NAME, PromqlError


@dataclass(frozen=True, slots=True)
class Match:
    """One matcher: a label that is not there counts as empty."""

    name: str
    value: str
    pattern: re.Pattern[str] | None
    wanted: bool

    def __call__(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels fit."""
        found = labels.get(self.name, "")
        if self.pattern is not None:
            return (self.pattern.fullmatch(found) is not None) == self.wanted
        return (found == self.value) == self.wanted

    @property
    def exact(self) -> bool:
        """Whether it names one value."""
        return self.pattern is None and self.wanted


_KINDS = {
    str(parser.MatchOp.Equal): (False, True),
    str(parser.MatchOp.NotEqual): (False, False),
    str(parser.MatchOp.Re): (True, True),
    str(parser.MatchOp.NotRe): (True, False),
}


def matches_of(selector: parser.VectorSelector) -> tuple[Match, ...]:
    """The matchers of a selector. Raises PromqlError for alternatives, which are not PromQL."""
    if selector.matchers.or_matchers:
        raise PromqlError('unexpected "or" in label matching', "bad_data")
    named = [] if selector.name is None else [Match(NAME, selector.name, None, wanted=True)]
    return (*named, *(_match(one) for one in selector.matchers.matchers))


def _match(one: parser.Matcher) -> Match:
    regular, wanted = _KINDS[str(one.op)]
    return Match(one.name, one.value, compiled(one.value) if regular else None, wanted)


def compiled(pattern: str) -> re.Pattern[str]:
    """A pattern for `fullmatch`. Raises PromqlError for what Python's engine cannot read."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise PromqlError(f"error parsing regexp: {error}: `{pattern}`", "bad_data") from error


def name_of(matches: Sequence[Match]) -> str | None:
    """The one metric that is asked for, if it is one."""
    return next((one.value for one in matches if one.name == NAME and one.exact), None)
