"""How surprising each point is, by detectors that look only at the past: minus log10 of a tail probability.

Called by `anomalies`. Each detector has its own false-alarm budget there. None needs a library: a residual
against a quick mean, the distance from every value seen before, the same over eight features, a running sum
of ranks for shifts, and the same residual of the spread.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from aiops_observability.analysis.robust import Array, ewma, middle, spread

BLOCKS = 28  # the tail is fitted anew so often
TAIL = 0.97
ALARMING = 4.5  # rarer than that: not learnt from
MOST_ALARMING = 0.08
LEAST_PAST = 20
TOGETHER = 2.0  # points that exceed come in such groups
DAY_S = 86_400.0


def surprise(scores: Array, warm: int, least: float = 0.02, taught: int = LEAST_PAST) -> Array:
    """Minus log10 p of each score under an exponential tail fitted to the scores before it; 0 while warm.

    With few excesses known the tail is uncertain, and so much fatter (what an exponential of unknown mean
    predicts is a Lomax). What was an alarm itself teaches nothing, unless so much was that it is the series'
    way. `least`: the smallest mean excess that is believed; `taught`: from how many scores on.
    """
    found = np.zeros(scores.size)
    width = max(16, (scores.size - warm) // BLOCKS)
    for first in range(warm, scores.size, width):
        past = _taught(scores[:first], found[:first])
        if past.size < taught:
            continue
        start = float(np.quantile(past, TAIL))
        over = past[past > start] - start
        typical = float(np.median(over)) / np.log(2.0) if over.size else 0.0
        mean = max(typical, float(np.mean(np.minimum(over, 8 * typical))) if over.size else 0.0, least)
        here = scores[first : first + width]
        known = max(3.0, over.size / TOGETHER)
        beyond = np.maximum(here - start, 0.0) / mean
        tail = known * np.log10(1.0 + beyond / known) - np.log10(1.0 - TAIL)
        found[first : first + width] = np.where(here > start, tail, 0.0)
    return found


def _taught(scores: Array, rarity: Array) -> Array:
    """The scores that a tail may be fitted to."""
    told = ~np.isnan(scores)
    scores, rarity = scores[told], rarity[told]
    ordinary = rarity < ALARMING
    if not scores.size:
        return scores
    return scores[ordinary] if ordinary.mean() > 1.0 - MOST_ALARMING else scores


def running_spread(values: Array, window: int, every: int) -> Array:
    """The spread (MAD) of the `window` values before each, refreshed every few rows."""
    found = np.full(values.size, np.nan)
    for first in range(every, values.size, every):
        found[first : first + every] = spread(values[max(0, first - window) : first])
    found[:every] = found[every] if values.size > every else spread(values)
    return found


def residual(values: Array, step_s: float) -> Array:
    """Each value less the quick mean (15 minutes, 3 rows at least) of those before it."""
    quick = ewma(values, max(3.0, 900.0 / step_s) * 0.5)
    return np.concatenate([[0.0], values[1:] - quick[:-1]])


def usual_size(sizes: Array, step_s: float) -> Array:
    """How large a score is usual at this hour: the median over earlier days of the largest within 20 minutes.

    0 before two days are known: it only ever calms, so a spike that comes back each night is no news.
    """
    day = round(DAY_S / step_s)
    days = sizes.size // day + 1
    reach = max(1, round(1200.0 / step_s))
    padded = np.concatenate([np.zeros(reach), sizes, np.zeros(days * day - sizes.size + reach)])
    largest = sliding_window_view(padded, 2 * reach + 1).max(axis=1)[: days * day].reshape(days, day)
    found = np.zeros((days, day))
    for number in range(2, days):
        found[number] = np.median(largest[max(0, number - 7) : number], axis=0)
    return found.reshape(-1)[: sizes.size]


def ewma_score(values: Array, step_s: float) -> tuple[Array, Array]:
    """Residual over its running spread, calmed where so much is usual at the hour; and the plain sizes."""
    rest = residual(values, step_s)
    rows = round(DAY_S / step_s)
    scale = running_spread(rest, min(rows, values.size), max(4, rows // 24, values.size // 160))
    floor = max(0.2 * float(np.median(scale)), 1e-12 + 1e-3 * spread(values))
    sizes = np.abs(rest) / np.maximum(scale, floor)
    usual = usual_size(sizes, step_s)
    return sizes / np.maximum(1.0, usual / 3.0), sizes


def novelty_score(values: Array, step_s: float) -> Array:
    """How far each value (median of three) is from every value seen until an hour before, in spreads."""
    smooth = median_of_three(values)
    away = max(1, round(3600.0 / step_s))
    width = max(4, away // 2, values.size // 160)
    found = np.zeros(values.size)
    for first in range(away + width, values.size, width):
        known = np.sort(smooth[: first - away])
        here = smooth[first : first + width]
        place = np.clip(np.searchsorted(known, here), 1, known.size - 1)
        found[first : first + width] = np.minimum(
            np.abs(here - known[place - 1]), np.abs(here - known[place])
        )
        beyond = here > known[-1]
        found[first : first + width][beyond] = (here - known[-1])[beyond]
    return found / max(spread(smooth), 1e-3 * float(np.ptp(smooth)), 1e-12)


def median_of_three(values: Array) -> Array:
    """Each value as the median of itself and the two before it."""
    before = np.concatenate([values[:1], values[:1], values])
    return np.asarray(np.median(sliding_window_view(before, 3), axis=1))


def features_score(values: Array, step_s: float, keep: int = 400) -> Array:
    """The distance in eight features (level, slope, spread over three spans) from anything seen before."""
    spans = [max(4, round(seconds / step_s)) for seconds in (1800.0, 7200.0, 28_800.0)]
    table = _features(values, spans)
    scale = np.array([max(spread(column), 1e-9 + 1e-3 * float(np.ptp(column))) for column in table.T])
    table = np.clip(table / scale, -50, 50)
    away, width = spans[1], max(32, values.size // 48)
    found = np.full(values.size, np.nan)
    for first in range(max(2 * spans[2], values.size // 4), values.size, width):
        past = table[spans[0] : first - away]
        known = past[:: max(1, past.shape[0] // keep)]
        here = table[first : first + width]
        square = (here**2).sum(1)[:, None] + (known**2).sum(1)[None, :] - 2.0 * here @ known.T
        found[first : first + width] = np.sqrt(np.maximum(square.min(axis=1), 0.0))
    return found / np.maximum(1.0, usual_size(np.nan_to_num(found), step_s) / 2.0)


def _features(values: Array, spans: list[int]) -> Array:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    squares = np.concatenate([[0.0], np.cumsum(values**2)])
    at = np.arange(1, values.size + 1)
    columns = []
    for span in spans:
        first = np.maximum(at - span, 0)
        count = at - first
        mean = (sums[at] - sums[first]) / count
        columns.append(mean)
        columns.append(np.sqrt(np.maximum((squares[at] - squares[first]) / count - mean**2, 0.0)))
        if len(columns) < 8:
            columns.append(mean - np.concatenate([np.repeat(mean[0], span), mean[:-span]])[: mean.size])
    return np.stack(columns[:8], axis=1)


def deseasoned(values: Array, step_s: float) -> Array:
    """Values less what earlier days had at this time (median of up to 7, within half an hour); causal.

    The first day, and a series whose days do not look alike, is returned as it is.
    """
    day = round(DAY_S / step_s)
    if values.size < 2 * day:
        return values - np.median(values)
    smooth = _centred(values, max(1, round(450.0 / step_s)))
    days = -(-values.size // day)
    filled_in = np.full(days * day, np.nan)
    filled_in[: values.size] = smooth
    table = filled_in.reshape(days, day)
    expected = np.tile(np.nanmedian(table[0]), (days, day))
    for number in range(1, days):
        expected[number] = np.median(table[max(0, number - 7) : number], axis=0)
    rest = values - expected.reshape(-1)[: values.size]
    plain = values - np.median(values)
    return rest if spread(rest[day:]) < 0.9 * spread(plain[day:]) else plain


def _centred(values: Array, reach: int) -> Array:
    """The mean of each value and `reach` on both sides."""
    padded = np.concatenate([np.repeat(values[0], reach), values, np.repeat(values[-1], reach)])
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    return np.asarray((sums[2 * reach + 1 :] - sums[: -2 * reach - 1]) / (2 * reach + 1))


def level_score(values: Array, step_s: float) -> Array:
    """A running sum of ranks: where the last half hour lies among the past day, less what noise gives.

    Widened for autocorrelation, so that slow noise is no shift.
    """
    rest = deseasoned(values, step_s)
    span = max(3, round(1800.0 / step_s))
    mean = _moving(rest, span)
    day = round(DAY_S / step_s)
    width = max(8, day // 24, values.size // 160)
    found = np.zeros(values.size)
    for first in range(day // 4, values.size, width):
        past = mean[max(0, first - 3 * day) : max(span, first - 2 * span)]
        usual = middle(past)
        wide = max(spread(past), 1e-3 * abs(usual), 1e-12)
        found[first : first + width] = np.abs(mean[first : first + width] - usual) / wide
    return found / np.maximum(1.0, usual_size(found, step_s) / 2.0)


def _moving(values: Array, span: int) -> Array:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(1, values.size + 1)
    first = np.maximum(at - span, 0)
    return np.asarray((sums[at] - sums[first]) / (at - first))


def variance_score(values: Array, step_s: float) -> Array:
    """The residual of the spread: how restless the last quarter of an hour is against the past day."""
    restless = np.log(np.maximum(ewma(np.abs(np.diff(values, prepend=values[0])), 6.0), 1e-12))
    day = round(DAY_S / step_s)
    width = max(8, day // 24, values.size // 160)
    found = np.zeros(values.size)
    for first in range(day // 4, values.size, width):
        past = restless[max(0, first - 2 * day) : max(8, first - 12)]
        found[first : first + width] = np.maximum(restless[first : first + width] - middle(past), 0.0) / (
            max(spread(past), 0.05)
        )
    usual = usual_size(found, step_s)
    return found / np.maximum(1.0, usual / 2.0)
