"""Whether a measure differs between two windows: by how much, and whether chance would do it too.

Called by `clients/comparing_windows.py`. Neighbouring samples resemble each other, so they are averaged over
blocks as long as their memory first, and counts are shrunk by their overdispersion (McCullagh and Nelder,
Generalized Linear Models, 4.5): without either, every noon would be significant. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np

from aiops_observability.analysis.exact import larger
from aiops_observability.analysis.proportions import compared
from aiops_observability.analysis.robust import Array

Verdict = Literal["worse", "better", "more", "less", "same", "unclear"]
SIGNIFICANT = 0.01
LEAST_CHANGE, LEAST_DELTA = 0.10, 0.5  # a tenth, and Cliff's delta: less is no change worth a word
LEAST_BLOCKS = 5
MOST_BLOCK = 6
STEADY = 1e-3  # of the level


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of one group in both windows. `p_value`: nan where it cannot be told."""

    before: float
    after: float
    p_value: float
    method: str

    @property
    def ratio(self) -> float:
        """After over before; nan from nothing."""
        return self.after / self.before if self.before else float("nan")

    @property
    def matters(self) -> bool:
        """Large enough to be worth a word."""
        if not self.before:
            return self.after > 0
        return abs(self.after - self.before) >= LEAST_CHANGE * abs(self.before)


def levels(before: Array, after: Array) -> Difference:
    """Two samples of a gauge, NaN left out: their medians, and Mann-Whitney on what is independent."""
    first, second = _blocks(before), _blocks(after)
    middle = (_median(before), _median(after))
    if min(first.size, second.size) < LEAST_BLOCKS:
        return Difference(
            *middle, float("nan"), f"{min(first.size, second.size)} independent samples: too few"
        )
    up, delta = larger(second, first)
    down, _ = larger(first, second)
    p_value = min(1.0, 2 * min(up, down))
    if abs(delta) < LEAST_DELTA:
        p_value = max(p_value, SIGNIFICANT)
    return Difference(*middle, p_value, f"Mann-Whitney, {first.size} and {second.size} blocks")


def shares(bad_before: Array, all_before: Array, bad_after: Array, all_after: Array) -> Difference:
    """Failures among requests, per step of each window: their shares, tested as counts."""
    sums = [float(np.nansum(one)) for one in (bad_before, all_before, bad_after, all_after)]
    if sums[1] < 1 or sums[3] < 1:
        return Difference(_over(sums[0], sums[1]), _over(sums[2], sums[3]), float("nan"), "no requests")
    widened = max(_dispersion(bad_before, all_before), _dispersion(bad_after, all_after))
    shrunk = [round(one / widened) for one in sums]
    change = compared(
        min(shrunk[0], shrunk[1]), max(1, shrunk[1]), min(shrunk[2], shrunk[3]), max(1, shrunk[3])
    )
    method = change.method + (f", counts over {widened:.1f} for their spread" if widened > 1.5 else "")
    return Difference(_over(sums[0], sums[1]), _over(sums[2], sums[3]), change.p_value, method)


def _over(bad: float, every: float) -> float:
    return bad / every if every else 0.0


def _dispersion(bad: Array, every: Array) -> float:
    """Pearson's chi-square a degree of freedom; at least 1."""
    seen = ~np.isnan(bad) & ~np.isnan(every) & (every > 0)
    bad, every = bad[seen], every[seen]
    if bad.size < 3:
        return 1.0
    share = float(np.sum(bad) / np.sum(every))
    if not 0 < share < 1:
        return 1.0
    return max(
        1.0, float(np.sum((bad - share * every) ** 2 / (share * (1 - share) * every)) / (bad.size - 1))
    )


def _median(values: Array) -> float:
    seen = values[~np.isnan(values)]
    return float(np.median(seen)) if seen.size else float("nan")


def _blocks(values: Array) -> Array:
    """Means of stretches as long as the samples' memory (AR(1): (1 + r) / (1 - r) steps)."""
    seen = values[~np.isnan(values)]
    if seen.size < 2 * LEAST_BLOCKS:
        return seen
    rest = seen - np.median(seen)
    power = float(np.dot(rest, rest))
    # What hardly moves has no memory: the last digits of a constant would be taken for one.
    moves = power > seen.size * (STEADY * float(np.median(seen))) ** 2
    memory = max(0.0, float(np.dot(rest[1:], rest[:-1])) / power) if moves else 0.0
    size = min(MOST_BLOCK, ceil((1 + memory) / max(1 - memory, 1e-3)))
    whole = seen[seen.size % size :]
    return np.asarray(whole.reshape(-1, size).mean(axis=1))


def verdict(found: Difference, p_value: float, *, more_is: Literal["worse", "neutral"]) -> Verdict:
    """What a difference means, given its p-value after correction for the number of questions."""
    if np.isnan(p_value):
        return "unclear"
    if p_value >= SIGNIFICANT or not found.matters:
        return "same"
    up = found.after > found.before
    if more_is == "neutral":
        return "more" if up else "less"
    return "worse" if up else "better"


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """The sum of all: one that is worse makes it worse."""
    for word in ("worse", "better"):
        if word in verdicts:
            return word
    told = [word for word in verdicts if word in {"same", "more", "less"}]
    return "same" if told else "unclear"
