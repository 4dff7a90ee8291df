"""The two tests behind a verdict: whether failures are more, whether values are higher at the same moments.

Plain Python, exact in their conditional form; every one-sided p is told beside the effect, since with many
requests everything is significant. Called by `judging`. Pure.
"""

import math
from collections.abc import Sequence

_MOST_EXACT = 5_000  # failures: beyond it the normal form is the same to three digits


def more_failures(failed: int, of: int, base_failed: int, base_of: int) -> float:
    """One-sided p that the first share is higher: given all failures, how they fall by traffic alone.

    The conditional binomial test of two rates (Przyborowski, Wilenski 1940), which is right for rare events
    and needs no table of all requests; with failures by the thousand the two-proportion z.
    """
    if of <= 0 or base_of <= 0:
        return 1.0
    every, part = failed + base_failed, of / (of + base_of)
    if every == 0:
        return 1.0
    if every > _MOST_EXACT:
        return _by_normal(failed, of, base_failed, base_of)
    return _upper(failed, every, part)


def form_of(failed: int, base_failed: int) -> str:
    """Which form `more_failures` took."""
    exact = failed + base_failed <= _MOST_EXACT
    return "exact binomial, one-sided" if exact else "two-proportion z, one-sided"


def higher(values: Sequence[float], base: Sequence[float], least_ratio: float = 1.0) -> float:
    """One-sided p of the sign test over moments: how often the value is above `least_ratio` x the base."""
    pairs = [(one, other) for one, other in zip(values, base, strict=True) if one != least_ratio * other]
    above = sum(1 for one, other in pairs if one > least_ratio * other)
    return _upper(above, len(pairs), 0.5) if pairs else 1.0


def _upper(hits: int, draws: int, share: float) -> float:
    """P(X >= hits) of the binomial, summed from the largest term down."""
    if hits <= 0:
        return 1.0
    if share >= 1:
        return 1.0
    logs = [_log_term(count, draws, share) for count in range(hits, draws + 1)]
    top = max(logs)
    return min(1.0, math.exp(top) * math.fsum(math.exp(one - top) for one in logs))


def _log_term(count: int, draws: int, share: float) -> float:
    choose = math.lgamma(draws + 1) - math.lgamma(count + 1) - math.lgamma(draws - count + 1)
    return choose + count * math.log(share) + (draws - count) * math.log1p(-share)


def _by_normal(failed: int, of: int, base_failed: int, base_of: int) -> float:
    pooled = (failed + base_failed) / (of + base_of)
    error = math.sqrt(pooled * (1 - pooled) * (1 / of + 1 / base_of))
    return (
        0.5 if error == 0 else 0.5 * math.erfc((failed / of - base_failed / base_of) / error / math.sqrt(2))
    )
