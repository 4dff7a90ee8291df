"""Is a bill unusual, beside the weeks before it?

Each weekday has its median over the weeks before (up to eight, at least three), and the weeks a trend
(Theil-Sen, so that one odd week does not bend it). The period's days are expected to follow both; what is
left over is measured in robust spreads (1.4826 x median absolute deviation) of whole weeks, never below half
a percent of the level, since three equal weeks do not mean that none may differ.
Pure; amounts are billionths, the statistics floating point: nothing here is added to a bill.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from statistics import fmean, median
from typing import Final

LEAST_WEEKS: Final = 3
MOST_WEEKS: Final = 8
TREND_WEEKS: Final = 4  # fewer do not tell a trend from chance
UNUSUAL: Final = 3.0  # spreads
FLOOR: Final = 0.005
_NORMAL: Final = 1.4826


@dataclass(frozen=True, slots=True)
class Usual:
    """What was to be expected, in billionths. `weeks` below LEAST_WEEKS: nothing can be said."""

    weeks: int
    expected: int = 0
    spread: int = 0
    actual: int = 0
    trend: float = 0.0  # of a week, as a share

    @property
    def known(self) -> bool:
        """There are enough weeks."""
        return self.weeks >= LEAST_WEEKS

    @property
    def score(self) -> float:
        """How many spreads it is off."""
        return (self.actual - self.expected) / self.spread if self.spread else 0.0

    @property
    def unusual(self) -> bool:
        """More than chance and the usual trend."""
        return self.known and abs(self.score) > UNUSUAL


def usual(amounts: Mapping[date, int], period: Sequence[date]) -> Usual:
    """The days of `period` beside those before the first of them; `amounts` by settled day."""
    first = min(period)
    weeks = _weeks(amounts, first)
    if len(weeks) < LEAST_WEEKS:
        return Usual(len(weeks))
    step = _slope([sum(week) for week in weeks]) / 7 if len(weeks) >= TREND_WEEKS else 0.0
    flat = [
        [amount - step * (7 * place + day) for day, amount in enumerate(week)]
        for place, week in enumerate(weeks)
    ]
    profile = [median(week[day] for week in flat) for day in range(7)]
    expected = sum(
        profile[(day - first).days % 7] + step * (7 * len(weeks) + (day - first).days) for day in period
    )
    left = [[one - profile[day] for day, one in enumerate(week)] for week in flat]
    level = abs(fmean(sum(week) for week in weeks))
    spread = max(_spread([sum(week) for week in left]), _daily(left) * sqrt(7), FLOOR * level, 1.0)
    actual = sum(amounts[day] for day in period)
    scale = sqrt(max(len(period), 1) / 7)
    return Usual(
        len(weeks), round(expected), round(spread * scale), actual, 7 * 7 * step / level if level else 0.0
    )


def _weeks(amounts: Mapping[date, int], first: date) -> list[list[int]]:
    """Whole weeks that end before `first`, oldest first."""
    found: list[list[int]] = []
    for back in range(1, MOST_WEEKS + 1):
        start = first - timedelta(days=7 * back)
        days = [start + timedelta(days=day) for day in range(7)]
        if any(day not in amounts for day in days):
            break
        found.append([amounts[day] for day in days])
    return found[::-1]


def _slope(totals: Sequence[int]) -> float:
    """Theil-Sen: the median of all slopes, of a week's total; a seventh of it is a day's."""
    slopes = [
        (totals[late] - totals[early]) / (late - early)
        for early in range(len(totals))
        for late in range(early + 1, len(totals))
    ]
    return median(slopes) / 7


def _spread(values: Sequence[float]) -> float:
    middle = median(values)
    return _NORMAL * median(abs(one - middle) for one in values)


def _daily(left: Sequence[Sequence[float]]) -> float:
    return _NORMAL * median(abs(one) for week in left for one in week)
