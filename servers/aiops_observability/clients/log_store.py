"""A store of logs as the analyses ask it: error lines, and counts by what the lines say.

`LogStore` is fulfilled by CloudWatch (`log_cloudwatch`: the backend counts), OpenSearch and pods
(`log_held`: lines are read and counted here). Each says what it read and what of it is a sample.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from aiops_shared.aws.log_lines import Line
from aiops_shared.aws.log_spans import Span
from aiops_shared.results import Evidence

Which = Literal["errors", "trouble", "all"]
MOST_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Told:
    """One line with its moment (Unix seconds) and who wrote it."""

    at_s: float
    line: Line
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of a span, newest first. `matched`: how many there are; fewer lines than that are a sample."""

    lines: tuple[Told, ...]
    matched: int
    warnings: tuple[str, ...] = ()

    @property
    def sampled(self) -> bool:
        """Whether some were left out."""
        return len(self.lines) < self.matched


@dataclass(frozen=True, slots=True)
class Count:
    """How many lines say the same: bucket start (Unix seconds, None without buckets), facts by name."""

    at_s: float | None
    facts: Mapping[str, str]
    count: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of a span. `by`: the facts that the lines have, of those that were asked for."""

    counts: tuple[Count, ...]
    by: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Spent:
    """What the queries of one call cost, for the answer."""

    scanned_bytes: int = 0
    evidence: list[Evidence] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def warn(self, *said: str) -> None:
        """Say something once."""
        self.warnings += [each for each in said if each and each not in self.warnings]


class LogStore(Protocol):
    """Logs of one target."""

    spent: Spent

    @property
    def what(self) -> str:
        """Which logs these are, for a person."""
        ...

    async def admit(self, spans: Sequence[Span]) -> None:
        """Raises QueryInvalidError where reading all of these spans would cost too much."""
        ...

    async def lines(self, span: Span, which: Which, service: str = "", most: int = MOST_LINES) -> Lines:
        """Lines of a span. Raises AiopsError."""
        ...

    async def counts(
        self, span: Span, by: Sequence[str], *, step_s: int | None = None, service: str = ""
    ) -> Counts:
        """Lines counted by level, service, route, class (of status) and bucket. Raises AiopsError."""
        ...
