"""The answer about a change: tables, summary, verdict. Cents are made here and nowhere before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Final

from aiops_cost.analysis.cause_words import Told, percent
from aiops_cost.analysis.change_case import Case, Pair
from aiops_cost.analysis.cost_causes import covered, is_growth
from aiops_cost.analysis.decomposition import Cell, Decomposition, Effect
from aiops_cost.analysis.usage_types import (
    CROSS_ZONE,
    LOG_BYTES,
    NAT_BYTES,
    VOLUMES,
    on_graviton,
    on_spot,
)
from aiops_cost.analysis.usual_week import LEAST_WEEKS, Usual
from aiops_cost.models.changes import CostCause, Verdict
from aiops_cost.models.money import shown, to_cents, worded
from aiops_shared.guardrails.redacting import shortened
from aiops_shared.results import Cell as Value
from aiops_shared.results import Evidence, Table

FEW, MANY = 6, 60
FEW_CAUSES: Final = 3
FLAT: Final = 0.005  # of the baseline: less is no change to talk of
MATERIAL: Final = 0.005  # of the baseline: an unusual service that moved less is not worth a word
EXPLAINED: Final = 0.5
CHARGED: Final = frozenset({Effect.CREDIT, Effect.REFUND, Effect.TAX, Effect.FEE, Effect.COMMITMENT})


@dataclass(frozen=True, slots=True)
class Judged:
    """A case and what became of it."""

    case: Case
    causes: tuple[Told, ...]
    verdict: Verdict


def judged(case: Case, causes: tuple[Told, ...]) -> Judged:
    """Usual, grown, explained or not."""
    if is_growth(causes) and causes[0].amount * case.change > 0:
        return Judged(case, causes, "no_anomaly")
    if case.total.known and not case.total.unusual and not _odd_services(case):
        return Judged(case, (), "no_anomaly")
    if not case.change:
        return Judged(case, (), "no_anomaly")
    if covered(causes, case) >= EXPLAINED:
        return Judged(case, causes, "explained")
    return Judged(case, causes, "unexplained" if case.total.known else "insufficient")


def _odd_services(case: Case) -> bool:
    """A service that is unusual and moved enough, though the total hides it."""
    least = MATERIAL * abs(case.parts.before)
    moved = {name: _moved(case.parts.of_service(name)) for name in case.services}
    return any(case.services[name].unusual and abs(moved[name]) >= least for name in moved)


def _moved(parts: Decomposition) -> int:
    return parts.after - parts.before


def _share(amount: int, of: int) -> float | None:
    return round(100 * amount / abs(of), 1) if of else None


def effects_table(parts: Decomposition) -> Table:
    """The waterfall; what rounding to cents leaves is a row."""
    rows: list[tuple[Value, ...]] = [("baseline", shown(parts.before), None)]
    cents = to_cents(parts.before)
    for effect, amount in parts.effects.items():
        if to_cents(amount):
            rows.append((effect.value, shown(amount), _share(amount, parts.before)))
            cents += to_cents(amount)
    if rest := to_cents(parts.after) - cents:
        rows.append(("rounding", rest / 100, None))
    rows.append(("period", shown(parts.after), _share(_moved(parts), parts.before)))
    return Table(columns=("part", "amount", "pct_of_baseline"), rows=tuple(rows))


_DRIVER_COLUMNS = (
    *("service", "before", "after", "change", "change_pct"),
    *("quantity_pct", "price_pct", "mix_pct", "other_pct"),
)


def drivers_table(parts: Decomposition, *, full: bool) -> Table:
    """By service; the small ones together, so that the rows sum to the bill."""
    names = [name for name in parts.services() if to_cents(_moved(parts.of_service(name)))] or [
        *parts.services()[:1]
    ]
    kept = names[: MANY if full else FEW]
    rows = [_driver(name, parts.of_service(name)) for name in kept]
    sums = [to_cents(one) for one in (parts.before, parts.after)]
    rest = [
        total - sum(to_cents(_side(parts.of_service(name), place)) for name in kept)
        for place, total in enumerate(sums)
    ]
    if any(rest):
        change = (rest[1] - rest[0]) / 100
        rows.append(("(others)", rest[0] / 100, rest[1] / 100, round(change, 2), *[None] * 5))
    return Table(columns=_DRIVER_COLUMNS, rows=tuple(rows))


def _side(parts: Decomposition, place: int) -> int:
    return parts.after if place else parts.before


def _driver(name: str, parts: Decomposition) -> tuple[Value, ...]:
    wanted = [parts.effects.get(one, 0) for one in (Effect.QUANTITY, Effect.PRICE, Effect.MIX)]
    other = _moved(parts) - sum(wanted)
    shares = [_share(amount, parts.before) for amount in (_moved(parts), *wanted, other)]
    before, after = to_cents(parts.before), to_cents(parts.after)
    return (name, before / 100, after / 100, (after - before) / 100, *shares)


_CELL_COLUMNS = (
    *("usage", "unit", "quantity_before", "quantity_after", "price_before", "price_after"),
    *("before", "after", "change"),
)


def cells_table(parts: Decomposition, *, full: bool) -> Table:
    """The largest movers, as price times quantity."""
    moved = sorted(parts.cells, key=lambda cell: (-abs(cell.change), cell.name))
    rows = [_cell_row(cell) for cell in moved[: MANY if full else FEW] if to_cents(cell.change)]
    return Table(columns=_CELL_COLUMNS, rows=tuple(rows))


def _cell_row(cell: Cell) -> tuple[Value, ...]:
    sides = (cell.before, cell.after)
    quantities = [round(side.quantity, 3) if isfinite(side.quantity) else None for side in sides]
    prices = [_price(side.amount, side.quantity) for side in sides]
    before, after = to_cents(cell.before.amount), to_cents(cell.after.amount)
    name = cell.name or cell.service
    return (name, cell.unit, *quantities, *prices, before / 100, after / 100, (after - before) / 100)


def _price(amount: int, quantity: float) -> float | None:
    if not isfinite(quantity) or not quantity:
        return None
    return float(f"{amount / 1e9 / quantity:.6g}")


def usual_words(total: Usual, currency: str) -> str:
    """The period beside the weeks before it."""
    if not total.known:
        return (
            f"not known: {total.weeks} whole weeks lie before, {LEAST_WEEKS} are needed to say what is usual"
        )
    word = "unusual" if total.unusual else "usual"
    trend = f", trend {percent(total.trend)} a week" if abs(total.trend) >= FLAT else ""
    return (
        f"{word}: {worded(total.expected, currency)} +- {worded(total.spread, currency)} expected by"
        f" weekday over {total.weeks} weeks{trend}; off by {total.score:+.1f} spreads"
    )


def summary_of(told: Judged, what: str, spans: str) -> str:
    """The number first, then the sentence."""
    case = told.case
    change = case.change
    share = f" ({percent(change / abs(case.parts.before))})" if case.parts.before else ""
    sign = "+" if change >= 0 else ""
    head = (
        f"{what}: {sign}{worded(change, case.currency)}{share} to {worded(case.parts.after, case.currency)},"
        f" {spans}."
    )
    return f"{head} {_verdict_words(told)}"[:400]


def _verdict_words(told: Judged) -> str:
    if told.causes:
        more = f" Also {', '.join(one.code for one in told.causes[1:3])}." if len(told.causes) > 1 else ""
        return f"{told.causes[0].code}: {told.causes[0].sentence}{more}"
    if told.verdict == "no_anomaly":
        return f"No anomaly: as in the weeks before ({told.case.total.weeks} compared)."
    return "No cause was found."


def spans_words(period: Sequence[date], baseline: Sequence[date]) -> tuple[str, str]:
    """`2026-11-15..2026-11-21 (7 days)`."""
    both = [f"{days[0]}..{days[-1]} ({len(days)} days)" for days in (period, baseline)]
    return both[0], both[1]


def cause_models(told: Judged, *, full: bool) -> tuple[CostCause, ...]:
    """As the answer shows them."""
    return tuple(
        CostCause(
            code=one.code,
            cause=one.sentence,
            change_usd=shown(one.amount),
            confidence=one.confidence,
            evidence=tuple(
                Evidence(source=said.source, query=said.query, says=said.says) for said in one.evidence
            ),
            ruled_out=one.ruled_out,
            next_step=one.next_step,
        )
        for one in told.causes[: None if full else FEW_CAUSES]
    )


def facts_table(case: Case) -> Table:
    """What moved with the bill: from the bill itself, the metrics, the cluster, the caller."""
    rows = [*_billed(case), *_measured(case), *_cluster(case)]
    for voice in case.voices[:2]:
        roots = "; ".join(_plain(root) for root in voice.roots[:2])
        rows.append(
            (f"anomaly since {voice.since}", None, f"{worded(voice.impact)} {roots}", "Cost Explorer")
        )
    rows += [("change", None, _plain(text), "caller") for text in case.changes[:5]]
    return Table(columns=("fact", "before", "after", "source"), rows=tuple(rows))


def _plain(text: str) -> str:
    """Somebody else's words on one line, redacted; the column is marked untrusted."""
    return shortened(" ".join("".join(one if one.isprintable() else " " for one in text).split()), 120)


_QUANTITIES: tuple[tuple[str, str], ...] = (
    ("cross-AZ GB", CROSS_ZONE),
    ("NAT GB", NAT_BYTES),
    ("log GB", LOG_BYTES),
    ("disk GB-months", VOLUMES),
)


def _billed(case: Case) -> list[tuple[Value, ...]]:
    rows = [(name, *_both(cells), "bill") for name, kind in _QUANTITIES if (cells := case.cells(kind))]
    hours = _both(case.instances)
    if any(hours):
        rows.append(("instance hours", *hours, "bill"))
    for name, fits in (("Spot share", on_spot), ("Graviton share", on_graviton)):
        part = _both(tuple(cell for cell in case.instances if fits(cell.name)))
        if any(part):
            shares = [one / all_ if all_ else 0.0 for one, all_ in zip(part, hours, strict=True)]
            rows.append((name, round(shares[0], 2), round(shares[1], 2), "bill"))
    return [*rows]


def _both(cells: Sequence[Cell]) -> tuple[float, float]:
    before, after = (sum(getattr(cell, side).quantity for cell in cells) for side in ("before", "after"))
    return round(before, 2), round(after, 2)


def _measured(case: Case) -> list[tuple[Value, ...]]:
    found = case.measured
    if found is None:
        return []
    pairs: Mapping[str, Pair] = {
        "cluster CPU share": found.cpu,
        "cluster memory share": found.memory,
        "requests a second": found.requests,
    }
    return [
        (
            name,
            *(None if one is None else float(f"{one:.3g}") for one in (pair.before, pair.after)),
            found.source,
        )
        for name, pair in pairs.items()
        if pair.before is not None or pair.after is not None
    ]


def _cluster(case: Case) -> list[tuple[Value, ...]]:
    seen = case.seen
    if seen is None:
        return []
    kinds = ", ".join(f"{total} {kind}" for kind, total in sorted(seen.instance_types.items())[:4])
    rows: list[tuple[Value, ...]] = [("nodes now", None, kinds or "none", "kubernetes")]
    if seen.launches:
        rows.append(("nodes that came", None, len(seen.launches), "kubernetes"))
    for name, total in seen.lacking.items():
        rows.append((f"pods pending: Insufficient {name}", None, total, "kubernetes"))
    return rows
