"""Before and after: detection, repair, noise, recurrence, cost (S80-S82).

Means are over incidents whose times are known: an open one has no repair time, so it is left out and counted.
A repeat is an incident whose fingerprint stood in the same window before. An alert was actionable when the
incident it belongs to was acted on, by a run or by a person who confirmed a cause.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from aiops_sop.analysis.reports.facts import IncidentRow, Journal, Paid
from aiops_sop.analysis.reports.figures import Figure, Ledger
from aiops_sop.analysis.reports.windows import Window

LEAST = 5  # incidents in each window, below which a difference of means says nothing
MONTH_DAYS = 30
CHANGE = "{1} / {0} * 100 - 100"
DEFINITIONS = """\
- **Time to detect**: onset to detection, mean of closed ones. **Time to repair**: detection to resolution.
- **Recurrence**: share of closed incidents whose fingerprint had occurred before in the same window.
- **Actionable**: alerts of incidents that a run or a person acted on, of all alerts.
- **Cost**: what was paid, as a bill of thirty days. **Cost efficiency**: what was used (paid less `(idle)`)
  of what was paid. They are different quantities: the one can fall while the other stands."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two windows, with its facts."""

    name: str
    window: Window
    journal: Journal
    paid: Paid | None = None

    @property
    def closed(self) -> tuple[IncidentRow, ...]:
        """Incidents whose times are known."""
        return tuple(one for one in self.journal.incidents if one.closed)


@dataclass(slots=True)
class RoiText:
    """The report, and what it found for the money formula."""

    lines: list[str]
    headline: str
    significant: bool
    pairs: dict[str, tuple[Figure, Figure]]


def roi(ledger: Ledger, before: Side, after: Side) -> RoiText:
    """The comparison in figures and words."""
    pairs: dict[str, tuple[Figure, Figure]] = {}
    rows: list[tuple[str, Figure, Figure, Figure | None]] = []
    for name, key, make in _MEASURES:
        one, two = make(ledger, before), make(ledger, after)
        if one is None or two is None:
            continue
        pairs[key] = (one, two)
        change = ledger.made(f"{name}, change", "change %", CHANGE, one, two) if one.value else None
        rows.append((name, one, two, change))
    counted = [
        ledger.given(f"closed incidents, {s.name}", len(s.closed), "", _source(ledger, s))
        for s in (before, after)
    ]
    opened = [
        ledger.given(
            f"open incidents, {s.name}", len(s.journal.incidents) - len(s.closed), "", _source(ledger, s)
        )
        for s in (before, after)
    ]
    least = ledger.given(
        "least incidents for a comparison", LEAST, "", ledger.source("rule", "roi", "docs/reports.md")
    )
    significant = all(one.value >= LEAST for one in counted)
    lines = ["| Measure | Before | After | Change |", "|---|---:|---:|---:|"]
    lines += [
        f"| {name} | {a.said} | {b.said} | {c.said if c else 'from nothing'} |" for name, a, b, c in rows
    ]
    left = f"open ones, left out: {opened[0].said} and {opened[1].said}."
    lines += ["", f"From {counted[0].said} closed incidents before and {counted[1].said} after; {left}"]
    if not significant:
        lines.append(f"**Not significant**: fewer than {least.said} closed incidents in a window.")
    lines += ["", *_proxies(ledger, before, after), "", DEFINITIONS]
    head = ", ".join(f"{name.lower()} {c.shown}" for name, _, _, c in rows if c)
    return RoiText(lines, head, significant, pairs)


def _source(ledger: Ledger, side: Side) -> str:
    return ledger.source("incident journal", f"incidents detected in {side.window}", side.name)


def _mean(
    ledger: Ledger,
    side: Side,
    name: str,
    begin: Callable[[IncidentRow], datetime | None],
    end: Callable[[IncidentRow], datetime | None],
) -> Figure | None:
    spans = [(a, b) for one in side.closed if (a := begin(one)) is not None and (b := end(one)) is not None]
    if not spans:
        return None
    seconds = sum((Fraction(round((b - a).total_seconds() * 1000), 1000) for a, b in spans), Fraction())
    source = _source(ledger, side)
    total = ledger.given(f"{name}, sum, {side.name}", seconds / 60, "min", source)
    number = ledger.given(f"{name}, incidents with both times, {side.name}", len(spans), "", source)
    return ledger.made(f"{name}, {side.name}", "min", "{} / {}", total, number)


def _detect(ledger: Ledger, side: Side) -> Figure | None:
    return _mean(ledger, side, "time to detect", lambda one: one.onset_at, lambda one: one.detected_at)


def _repair(ledger: Ledger, side: Side) -> Figure | None:
    return _mean(ledger, side, "time to repair", lambda one: one.detected_at, lambda one: one.resolved_at)


def alerts_of(ledger: Ledger, side: Side) -> Figure:
    """All alerts of the window, those without an incident too."""
    total = sum(one.alerts for one in side.journal.incidents) + side.journal.stray_alerts
    source = ledger.source("incident journal", f"alerts of {side.window}", side.name)
    return ledger.given(f"alerts, {side.name}", total, "", source)


def _alerts(ledger: Ledger, side: Side) -> Figure | None:
    days = ledger.given(
        f"days, {side.name}",
        Fraction(round(side.window.days * 24), 24),
        "",
        ledger.source("asked", str(side.window)),
    )
    return ledger.made(f"alerts a day, {side.name}", "per day", "{} / {}", alerts_of(ledger, side), days)


def _actionable(ledger: Ledger, side: Side) -> Figure | None:
    total = alerts_of(ledger, side)
    if not total.value:
        return None
    acted = sum(one.alerts for one in side.journal.incidents if one.acted_on)
    found = ledger.given(f"actionable alerts, {side.name}", acted, "", total.origin)
    return ledger.made(f"actionable, {side.name}", "%", "{} / {} * 100", found, total)


def repeats(incidents: Sequence[IncidentRow]) -> int:
    """Incidents whose fingerprint stood in the list before."""
    return len(incidents) - len({one.fingerprint for one in incidents})


def _recurrence(ledger: Ledger, side: Side) -> Figure | None:
    if not side.closed:
        return None
    source = _source(ledger, side)
    again = ledger.given(f"repeats, {side.name}", repeats(side.closed), "", source)
    every = ledger.given(f"closed incidents, {side.name}", len(side.closed), "", source)
    return ledger.made(f"recurrence, {side.name}", "%", "{} / {} * 100", again, every)


def _bill(ledger: Ledger, side: Side) -> Figure | None:
    if side.paid is None:
        return None
    source = ledger.source("cost.get_costs", side.paid.query, side.paid.method)
    total = ledger.given(f"paid, {side.name}", side.paid.total, side.paid.currency, source)
    days = ledger.given(f"days of the bill, {side.name}", Fraction(str(side.paid.days)), "", source)
    return ledger.made(
        f"paid in {MONTH_DAYS} days, {side.name}",
        side.paid.currency,
        f"{{}} / {{}} * {MONTH_DAYS}",
        total,
        days,
    )


def _efficiency(ledger: Ledger, side: Side) -> Figure | None:
    if side.paid is None or side.paid.idle is None or not side.paid.total:
        return None
    source = ledger.source("cost.get_costs", side.paid.query, side.paid.method)
    total = ledger.given(f"paid, {side.name}", side.paid.total, side.paid.currency, source)
    idle = ledger.given(f"idle, {side.name}", side.paid.idle, side.paid.currency, source)
    return ledger.made(f"cost efficiency, {side.name}", "%", "100 - {} / {} * 100", idle, total)


_MEASURES: tuple[tuple[str, str, Callable[[Ledger, Side], Figure | None]], ...] = (
    ("Time to detect", "detect", _detect),
    ("Time to repair", "repair", _repair),
    ("Alerts a day", "alerts", _alerts),
    ("Actionable alerts", "actionable", _actionable),
    ("Recurrence", "recurrence", _recurrence),
    ("Cost", "cost", _bill),
    ("Cost efficiency", "efficiency", _efficiency),
)


def _proxies(ledger: Ledger, before: Side, after: Side) -> list[str]:
    """S82: what stands in for what nobody can measure."""
    found = []
    for name, holds in (
        ("incidents detected between 22 and 6 h UTC", lambda one: one.night),
        ("incidents closed with a confirmed cause", lambda one: bool(one.confirmed) and one.closed),
        ("incidents that a procedure answered", lambda one: bool(one.run_id)),
    ):
        shares = [_share(ledger, side, name, holds) for side in (before, after)]
        if shares[0] and shares[1]:
            found.append(f"- {name[0].upper()}{name[1:]}: {shares[0].said} before, {shares[1].said} after.")
    return found


def _share(ledger: Ledger, side: Side, name: str, holds: Callable[[IncidentRow], bool]) -> Figure | None:
    if not side.journal.incidents:
        return None
    source = _source(ledger, side)
    number = ledger.given(
        f"{name}, {side.name}", sum(1 for one in side.journal.incidents if holds(one)), "", source
    )
    every = ledger.given(f"incidents, {side.name}", len(side.journal.incidents), "", source)
    return ledger.made(f"share of {name}, {side.name}", "%", "{} / {} * 100", number, every)
