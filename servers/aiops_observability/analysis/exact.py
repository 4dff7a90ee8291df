"""Probabilities of tables and ranks: the tests behind "this group is different", on numpy alone.

Called by `outliers` and whoever compares two groups. Checked in the tests against published tables. Nothing
here knows what the numbers mean.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
_TIE = 1e-7  # two probabilities are the same up to here (R's fisher.test takes the same tolerance)
_MOST_EXACT = 10  # group sizes up to which ranks are counted out


def log_factorials(most: int) -> Array:
    """ln 0! … ln most!."""
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, most + 1, dtype=np.float64)))))


def hypergeometric(hits: int, rest_hits: int, size: int, rest: int) -> tuple[int, Array]:
    """How the hits of a table may fall on the first group, its margins held: the least count and their
    chances.

    `size`, `rest`: how many are in each group; `hits`, `rest_hits`: how many of them are hit.
    """
    drawn, total = hits + rest_hits, size + rest
    least, most = max(0, drawn - rest), min(drawn, size)
    logs = log_factorials(total)
    at = np.arange(least, most + 1)

    def choose(n: int | npt.NDArray[np.int64], k: npt.NDArray[np.int64]) -> Array:
        return np.asarray(logs[n] - logs[k] - logs[np.asarray(n) - k])

    ways = choose(size, at) + choose(rest, drawn - at)
    chances = np.exp(ways - ways.max())
    return least, chances / chances.sum()


def fisher(hits: int, size: int, rest_hits: int, rest: int) -> float:
    """Two-sided p of Fisher's exact test on hits of two groups (Fisher 1935; sums all no likelier tables)."""
    least, chances = hypergeometric(hits, rest_hits, size, rest)
    return float(min(1.0, chances[chances <= chances[hits - least] * (1 + _TIE)].sum()))


def more_hits(strata: Sequence[tuple[int, int, int, int]]) -> float:
    """One-sided p that the first group is hit more, over strata of (hits, size, rest_hits, rest).

    The exact conditional test (Mehta, Patel, Gray 1985): in each stratum the hits fall by chance alone; the
    distributions of the strata are folded. One stratum: Fisher's one-sided test. So a group that merely
    serves more of a failing route is not blamed for it.
    """
    least, chances, seen = 0, np.ones(1), 0
    for hits, size, rest_hits, rest in strata:
        if not size or not rest:
            continue  # nothing to compare with in this stratum
        low, here = hypergeometric(hits, rest_hits, size, rest)
        least, chances, seen = least + low, np.convolve(chances, here), seen + hits
    return float(min(1.0, chances[max(0, seen - least) :].sum()))


def ranks(values: Array) -> Array:
    """Ranks from 1, ties sharing their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    means = ends - (counts - 1) / 2.0
    return np.asarray(means[inverse.ravel()], dtype=np.float64)


def larger(values: Array, rest: Array) -> tuple[float, float]:
    """Mann-Whitney: the one-sided p that the first values are larger, and Cliff's delta (-1..1).

    Small groups without ties are counted out; else the normal approximation with ties and continuity
    correction (Mann, Whitney 1947; Lehmann 1975).
    """
    n, m = values.size, rest.size
    if not n or not m:
        return 1.0, 0.0
    both = np.concatenate((values, rest))
    ranked = ranks(both)
    u = float(ranked[:n].sum() - n * (n + 1) / 2)
    delta = 2.0 * u / (n * m) - 1.0
    _, ties = np.unique(both, return_counts=True)
    if n <= _MOST_EXACT and m <= _MOST_EXACT and ties.max() == 1:
        return _counted_out(u, n, m), delta
    return _by_normal(u, n, m, ties.astype(np.float64)), delta


def _by_normal(u: float, n: int, m: int, ties: Array) -> float:
    total = n + m
    spread = n * m / 12.0 * (total + 1 - float((ties**3 - ties).sum()) / (total * (total - 1)))
    if spread <= 0:
        return 1.0
    return upper_tail((u - n * m / 2.0 - 0.5) / math.sqrt(spread))


def _counted_out(u: float, n: int, m: int) -> float:
    """P(U >= u) by the recursion over how many arrangements give each U."""
    ways: dict[tuple[int, int], Array] = {}

    def count(a: int, b: int) -> Array:
        if not a or not b:
            return np.ones(1)
        if (a, b) not in ways:
            found = np.zeros(a * b + 1)
            first, second = count(a - 1, b), count(a, b - 1)
            found[b : b + first.size] += first
            found[: second.size] += second
            ways[a, b] = found
        return ways[a, b]

    all_ways = count(n, m)
    return float(all_ways[round(u) :].sum() / all_ways.sum())


def upper_tail(z: float) -> float:
    """P(Z >= z) of the standard normal."""
    return 0.5 * math.erfc(z / math.sqrt(2.0))


def holm(probabilities: Sequence[float]) -> list[float]:
    """p-values corrected for how many were asked (Holm 1979): the chance of one false finding among all."""
    order = sorted(range(len(probabilities)), key=lambda index: probabilities[index])
    corrected, worst = [1.0] * len(probabilities), 0.0
    for place, index in enumerate(order):
        worst = max(worst, min(1.0, (len(probabilities) - place) * probabilities[index]))
        corrected[index] = worst
    return corrected
