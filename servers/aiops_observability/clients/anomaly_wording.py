"""Anomalies in words and rows: a sentence for each, and amounts that people can read.

Called by `anomaly_reading`.
"""

from datetime import datetime, timedelta
from math import isnan

from aiops_observability.analysis.anomalies import Anomaly
from aiops_observability.clients.anomaly_series import Signal
from aiops_shared.metrics.series import Window

SIZES = ((2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
WORDS = {
    "spike": "abnormal spike",
    "level_shift": "abnormal level shift",
    "trend": "abnormal {way} trend",
    "variance": "abnormal unrest",
    "missing": "missing data",
}


def amount(value: float, unit: str) -> str:
    """A value with its unit, short."""
    if isnan(value):
        return "nothing"
    if unit == "bytes":
        size, word = next(((s, w) for s, w in SIZES if abs(value) >= s), (1.0, "B"))
        return f"{value / size:.3g} {word}" if abs(value) / size < 1000 else f"{value / size:.0f} {word}"
    if unit == "ratio":
        return f"{100 * value:.3g} %"
    return f"{value:.3g} {unit}".strip()


def stamp(moment: datetime) -> str:
    """A moment as text."""
    return moment.strftime("%Y-%m-%dT%H:%MZ")


def lasting(seconds: float) -> str:
    """A span as people say it."""
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.3g} h" if seconds < 72 * 3600 else f"{seconds / 86_400:.3g} d"


def once_in(rarity: float, step_s: float) -> str:
    """How rare: once in so long, were the series as it used to be."""
    if rarity > 12:
        return "never seen"
    return f"once in {lasting(step_s * 10.0**rarity)}" if rarity < 9 else "once in years"


def sentence(signal: Signal, one: Anomaly) -> str:
    """What is abnormal, in a sentence."""
    window: Window = signal.window
    since = stamp(window.moment(one.first))
    way = "increasing" if one.seen > one.expected else "decreasing"
    what = WORDS[one.kind].format(way=way)
    span = lasting((one.last - one.first + 1) * window.step_s)
    still = "still so" if one.lasts else f"for {span}"
    if one.kind == "missing":
        return f"{signal.name}: missing data since {since}, {still}."
    return (
        f"{signal.name}: {what} since {since}, {still}: {amount(one.seen, signal.unit)} where"
        f" {amount(one.expected, signal.unit)} is usual; {once_in(one.rarity, window.step_s)}."
    )


def row(signal: Signal, one: Anomaly) -> tuple[str | float | bool | None, ...]:
    """An anomaly as a row."""
    window = signal.window
    low, high = one.band
    return (
        signal.name,
        one.kind,
        stamp(window.moment(one.first)),
        None if one.lasts else stamp(window.moment(one.last)),
        round4(one.expected),
        round4(one.seen),
        round4(low),
        round4(high),
        round(min(one.rarity, 99.0), 1),
        one.detector,
    )


COLUMNS = ("signal", "kind", "onset", "until", "expected", "seen", "low", "high", "-log10 p", "by")


def round4(value: float) -> float | None:
    """Four digits are enough; nothing for NaN."""
    return None if isnan(value) else float(f"{value:.4g}")


def ago(now: datetime, moment: datetime) -> str:
    """How long ago."""
    return lasting(max(0.0, (now - moment) / timedelta(seconds=1)))
