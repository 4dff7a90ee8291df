"""Whether two shares differ: before against after, one endpoint against another.

Called by the readers of logs. Fisher's exact test where counts are small, the two-proportion z test
elsewhere (both as in Agresti, Categorical Data Analysis, 3.1 and 3.5); the effect is told beside the p-value,
since with many requests everything is significant. Pure.
"""

import math
from dataclasses import dataclass

from aiops_observability.analysis.exact import fisher

SMALL = 10  # an expected count below it is not left to the normal approximation
MOST_EXACT = 20_000
SIGNIFICANT = 0.01
LEAST_EFFECT = 0.1  # of the share before; less is no change worth a word, whatever its p-value


@dataclass(frozen=True, slots=True)
class Change:
    """Two shares compared. `p_value` two-sided; `low` and `high` bound the difference at 95 %."""

    before: float
    after: float
    p_value: float
    low: float
    high: float
    method: str

    @property
    def difference(self) -> float:
        """After minus before."""
        return self.after - self.before

    @property
    def significant(self) -> bool:
        """Whether chance does not explain it and it is large enough to matter."""
        worth = abs(self.difference) >= LEAST_EFFECT * max(self.before, 1e-9)
        return self.p_value < SIGNIFICANT and worth


def compared(bad_before: int, all_before: int, bad_after: int, all_after: int) -> Change:
    """Two shares. Raises ValueError where one has no observations or more failures than observations."""
    if all_before < 1 or all_after < 1 or bad_before > all_before or bad_after > all_after:
        raise ValueError("a share needs observations, and at most as many failures")
    before, after = bad_before / all_before, bad_after / all_after
    pooled = (bad_before + bad_after) / (all_before + all_after)
    least = min(all_before, all_after) * min(pooled, 1 - pooled)
    exact = least < SMALL and all_before + all_after <= MOST_EXACT
    p_value = (
        fisher(bad_after, all_after, bad_before, all_before)
        if exact
        else _z(before, all_before, after, all_after, pooled)
    )
    error = math.sqrt(before * (1 - before) / all_before + after * (1 - after) / all_after)
    gap = after - before
    method = "Fisher's exact test" if exact else "two-proportion z test"
    return Change(before, after, p_value, gap - 1.96 * error, gap + 1.96 * error, method)


def _z(before: float, all_before: int, after: float, all_after: int, pooled: float) -> float:
    error = math.sqrt(pooled * (1 - pooled) * (1 / all_before + 1 / all_after))
    return 1.0 if error == 0 else math.erfc(abs(after - before) / error / math.sqrt(2))


def poisson_tail(count: int, expected: float, spread: float = 0.0) -> float:
    """−log10 of the chance to see `count` or more where `expected` is usual.

    `spread` is the variance's part beyond Poisson's (variance = m + spread·m²): a negative binomial.
    """
    if count <= expected or expected <= 0:
        return 0.0
    # Chernoff's bound: within a factor of a few of the tail, and it never underflows.
    if spread <= 0:
        bound = count * math.log(count / expected) - (count - expected)
    else:
        size = 1 / spread
        bound = count * math.log(count / expected) - (count + size) * math.log(
            (count + size) / (expected + size)
        )
    return max(0.0, bound / math.log(10))
