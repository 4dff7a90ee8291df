"""Where every number of a generated file is from (row S51).

A maker asks `Reasons` for each number it writes; whatever stands in a file without having been asked for is
found by `unexplained`, and such a file is never returned. Called by the makers beside this module.

A number is a run of digits that no letter, digit, point, slash, colon or dash touches in front: names
(`us-east-1a`, `ip-10-0-1-5`, `autoscaling/v2`) are not numbers, `250m`, `0.95`, `-10` and `30 8 * * 1` are.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

RULE = "rule"  # the metric of a number that is a decision of this suite, not a measurement
NUMBER = re.compile(r"(?<![A-Za-z0-9._/:-])-?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Source:
    """What a number was measured by. `percentile` is the statistic: p95, max, mean."""

    metric: str
    window: str
    percentile: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One number of one file."""

    file: str
    number: str
    source: Source
    why: str


@dataclass
class Reasons:
    """The reasons of the files that are being made."""

    file: str = ""
    found: list[Reason] = field(default_factory=list)

    def of(self, number: str | float, source: Source, why: str) -> str:
        """The number as it is written, its reason kept."""
        text = f"{number:g}" if isinstance(number, float) else str(number)
        one = Reason(self.file, text, source, why)
        if one not in self.found:
            self.found.append(one)
        return text

    def whole(self, number: int, source: Source, why: str) -> int:
        """As `of`, for a number that stays one in YAML."""
        return int(self.of(number, source, why))

    def rule(self, number: str | float, why: str) -> str:
        """A number that nobody measured: a decision, with its source in `why`."""
        return self.of(number, Source(RULE, "any", "none"), why)

    def rule_whole(self, number: int, why: str) -> int:
        """As `rule`, for a number that stays one in YAML."""
        return int(self.rule(number, why))


def numbers(text: str) -> list[str]:
    """The numbers of a text, each once, in order."""
    return list(dict.fromkeys(NUMBER.findall(text)))


def unexplained(file: str, content: str, reasons: Iterable[Reason]) -> list[str]:
    """The numbers of a file that no reason names."""
    known = {number for one in reasons if one.file == file for number in NUMBER.findall(one.number)}
    return [number for number in numbers(content) if number not in known]
