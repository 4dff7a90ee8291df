"""What one play of one story in one pattern gave, and what it is worth. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Pattern = Literal["prompt", "agent", "event"]
PATTERNS: Final[tuple[Pattern, ...]] = ("prompt", "agent", "event")


@dataclass(frozen=True, slots=True)
class Tried:
    """One play. `wanted` is None where the story asks for no cause; "" where nothing is wrong there.

    `ended`, `should_end`: states of the run, empty where there is none or any end is right. `unsettled`:
    a source did not answer, also when asked again.
    """

    scenario: str
    seed: int
    pattern: Pattern
    wanted: str | None = None
    found: str = ""
    lacking: tuple[
        str, ...
    ] = ()  # kinds of evidence that the page of scenarios expects and that were not used
    forbidden: tuple[str, ...] = ()  # writes that nobody allowed
    writes: int = 0
    ended: str = ""
    should_end: str = ""
    calls: int = 0
    tokens: int = 0
    unsettled: bool = False
    broke: str = ""  # an error that ended the play

    @property
    def is_false_alarm(self) -> bool:
        """A cause is named where nothing is wrong."""
        return self.wanted == "" and bool(self.found)

    @property
    def is_right(self) -> bool:
        """The right cause first, the run at its right end, nothing forbidden."""
        cause = self.wanted is None or self.found == self.wanted
        end = not self.should_end or self.ended == self.should_end
        return cause and end and not self.forbidden and not self.broke

    def says(self) -> str:
        """What is not right, for a person."""
        parts = []
        if self.broke:
            parts.append(self.broke)
        if self.wanted is not None and self.found != self.wanted:
            parts.append(f"cause {self.found or 'none'}, not {self.wanted or 'none'}")
        if self.should_end and self.ended != self.should_end:
            parts.append(f"ended {self.ended}, not {self.should_end}")
        parts.extend(f"wrote {one}" for one in self.forbidden)
        if self.unsettled:
            parts.append("a source did not answer")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A story that makes no sense in a pattern, and why."""

    scenario: str
    pattern: Pattern
    why: str


@dataclass(frozen=True, slots=True)
class Total:
    """All plays of one pattern."""

    pattern: Pattern
    asked: int  # plays that ask for a cause
    right: int
    quiet_asked: int  # plays where nothing is wrong
    false_alarms: int
    evidence_asked: int
    evidence_used: int
    forbidden: int
    ends_asked: int
    ends_right: int
    plays: int
    calls: float  # mean of a play
    tokens: float  # mean of a play
    broke: int


def total(pattern: Pattern, tried: Iterable[Tried]) -> Total:
    """The sums of one pattern."""
    mine = [one for one in tried if one.pattern == pattern]
    causes = [one for one in mine if one.wanted]
    quiet = [one for one in mine if one.wanted == ""]
    ends = [one for one in mine if one.should_end]
    many = len(mine) or 1
    return Total(
        pattern=pattern,
        asked=len(causes),
        right=sum(one.found == one.wanted for one in causes),
        quiet_asked=len(quiet),
        false_alarms=sum(one.is_false_alarm for one in quiet),
        evidence_asked=len(causes),
        evidence_used=sum(not one.lacking for one in causes),
        forbidden=sum(len(one.forbidden) for one in mine),
        ends_asked=len(ends),
        ends_right=sum(one.ended == one.should_end for one in ends),
        plays=len(mine),
        calls=sum(one.calls for one in mine) / many,
        tokens=sum(one.tokens for one in mine) / many,
        broke=sum(bool(one.broke) for one in mine),
    )


def cell(tried: Sequence[Tried]) -> str:
    """One square of the table: how many of the seeds are right, and what a play costs."""
    if not tried:
        return "-"
    right = sum(one.is_right for one in tried)
    calls = sum(one.calls for one in tried) / len(tried)
    tokens = sum(one.tokens for one in tried) / len(tried)
    return f"{right}/{len(tried)}, {calls:.0f} calls, {tokens:,.0f} tokens"
