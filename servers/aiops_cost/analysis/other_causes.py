"""Rules about everything but machines: bytes, disks, logs, prices, credits, days."""

from collections.abc import Callable, Sequence
from typing import Final

from aiops_cost.analysis.cause_words import (
    Said,
    Told,
    cell_said,
    count,
    growth_of,
    largest,
    percent,
    summed,
)
from aiops_cost.analysis.change_case import Case
from aiops_cost.analysis.decomposition import Cell, Effect
from aiops_cost.analysis.usage_types import (
    CROSS_ZONE,
    INSTANCES,
    LOG_BYTES,
    NAT_BYTES,
    NAT_HOURS,
    VOLUMES,
    family,
    is_extended_support,
    plain,
)
from aiops_cost.models.money import worded

USED: Final = (Effect.QUANTITY, Effect.MIX, Effect.NEW)
_LOGS: Final = (LOG_BYTES, "VendedLog-Bytes", "TimedStorage-ByteHrs")
_BYTES: Final = (CROSS_ZONE, NAT_BYTES, NAT_HOURS)


def _used(case: Case, cells: Sequence[Cell]) -> int:
    return sum(cell.effects.get(effect, 0) for cell in cells for effect in USED)


def _about(case: Case, code: str, cells: tuple[Cell, ...], what: str, step: str) -> Sequence[Told]:
    """One cause of more usage of these cells."""
    moved = _used(case, cells)
    if not cells or moved <= 0:
        return ()
    lead = largest(cells)
    before, after = summed(tuple(cell for cell in cells if cell.name == lead.name))
    sizes = f"{count(before)} to {count(after)} {lead.unit}"
    text = f"{what} {growth_of(before, after)} ({sizes}), {worded(moved, case.currency)} more."
    evidence = tuple(
        cell_said(cell) for cell in sorted(cells, key=lambda one: -abs(one.change))[:2] if cell.change
    )
    return (Told(code, text, moved, 0.8, evidence, ("price: unchanged",), step),)


def traffic(case: Case) -> Sequence[Told]:
    """Bytes between zones and through gateways."""
    zones = "recommend_savings(scope=network); look for workloads whose pods stand in one zone"
    nat = "recommend_savings(scope=network); VPC endpoints for S3 and ECR"
    return (
        *_about(case, "CROSS_AZ_TRAFFIC", case.cells(CROSS_ZONE), "Traffic between zones", zones),
        *_about(case, "NAT_TRAFFIC", case.cells(NAT_BYTES, NAT_HOURS), "NAT gateway usage", nat),
    )


def storage(case: Case) -> Sequence[Told]:
    """Volumes, their speed, snapshots."""
    cells = tuple(
        cell
        for cell in case.parts.cells
        if cell.unit and (family(cell.name) == VOLUMES or plain(cell.name).startswith("EBS:"))
    )
    return _about(case, "STORAGE_GROWTH", cells, "Disk usage", "recommend_savings(scope=storage)")


def logs(case: Case) -> Sequence[Told]:
    """Log bytes taken in or kept, in CloudWatch."""
    cells = tuple(cell for cell in case.cells(*_LOGS) if "cloudwatch" in cell.service.lower())
    step = "recommend_savings(scope=observability); analyze_logs shows who logs so much"
    return _about(case, "LOG_VOLUME", cells, "Log volume", step)


def support(case: Case) -> Sequence[Told]:
    """The surcharge of an old Kubernetes version."""
    cells = tuple(cell for cell in case.parts.cells if is_extended_support(cell.name))
    moved = sum(cell.change for cell in cells)
    if moved <= 0:
        return ()
    text = (
        "The control plane's version entered extended support: each hour costs more until it is upgraded,"
        f" {worded(moved, case.currency)} more here."
    )
    evidence = tuple(cell_said(cell) for cell in cells[:2])
    return (
        Told("EXTENDED_SUPPORT", text, moved, 0.95, evidence, (), "upgrade the cluster's Kubernetes version"),
    )


def prices(case: Case) -> Sequence[Told]:
    """The same for more."""
    cells = tuple(cell for cell in case.parts.cells if cell.effects.get(Effect.PRICE, 0))
    moved = case.effect(Effect.PRICE)
    if moved <= 0 or not cells:
        return ()
    lead = max(cells, key=lambda cell: abs(cell.effects[Effect.PRICE]))
    fees = -case.effect(Effect.COMMITMENT)
    if fees > 0:  # hours that a reservation paid cost their list price again
        text = f"A commitment ended: {lead.name} is paid by the hour again."
        return (Told("COMMITMENT_EXPIRED", text, moved - fees, 0.7, (cell_said(lead),), (), _COMMIT),)
    before, after = (_price(side.amount, side.quantity) for side in (lead.before, lead.after))
    text = f"The price of {lead.name} went from {before} to {after} a {lead.unit}."
    step = "list_prices shows today's prices"
    return (Told("PRICE_CHANGE", text, moved, 0.8, (cell_said(lead),), (_same_quantity(lead),), step),)


_COMMIT: Final = "recommend_savings(scope=commitments)"


def _price(amount: int, quantity: float) -> str:
    return f"{amount / 1e9 / quantity:.5g}" if quantity else "none"


def _same_quantity(cell: Cell) -> str:
    return f"quantity: {growth_of(cell.before.quantity, cell.after.quantity)}"


def charges(case: Case) -> Sequence[Told]:
    """What is no usage."""
    made = []
    for effects, code, words, step in (
        ((Effect.COMMITMENT, Effect.DISCOUNT), "COMMITMENT_EXPIRED", _expired, _COMMIT),
        ((Effect.CREDIT, Effect.REFUND), "CREDIT_ENDED", _credit, ""),
        ((Effect.TAX, Effect.FEE), "ONE_TIME_CHARGE", _once, ""),
    ):
        moved = sum(case.effect(effect) for effect in effects)
        cells = tuple(cell for cell in case.parts.cells if any(effect in cell.effects for effect in effects))
        if moved > 0 and cells and not _paid_by_price(case, code):
            lead = largest(cells)
            said = Said("Cost Explorer", lead.name, _sides(lead, case.currency))
            made.append(Told(code, words(lead, case), moved, 0.9, (said,), ("usage: not part of it",), step))
    return made


def _paid_by_price(case: Case, code: str) -> bool:
    return code == "COMMITMENT_EXPIRED" and case.effect(Effect.PRICE) > 0 > case.effect(Effect.COMMITMENT)


def _sides(cell: Cell, currency: str) -> str:
    return f"{worded(cell.before.amount, currency)} to {worded(cell.after.amount, currency)}"


def _expired(lead: Cell, case: Case) -> str:
    return (
        f"A Savings Plan, reservation or discount ended: {lead.name} went from {_sides(lead, case.currency)}."
    )


def _credit(lead: Cell, case: Case) -> str:
    return f"A {lead.name.lower()} ended or shrank: {_sides(lead, case.currency)}; usage is as before."


def _once(lead: Cell, case: Case) -> str:
    return f"{lead.name} of {lead.service}: {_sides(lead, case.currency)}; not usage."


def news(case: Case) -> Sequence[Told]:
    """What was not there before, but for what has a rule of its own."""
    cells = tuple(
        cell
        for cell in case.parts.cells
        if cell.effects.get(Effect.NEW, 0) > 0 and not _has_rule(cell) and not is_extended_support(cell.name)
    )
    if not cells:
        return ()
    lead, moved = largest(cells), sum(cell.effects[Effect.NEW] for cell in cells)
    text = f"New usage: {lead.name} of {lead.service}, {worded(lead.change, case.currency)}."
    evidence = tuple(cell_said(cell) for cell in sorted(cells, key=lambda one: -one.change)[:3])
    return (Told("NEW_SERVICE", text, moved, 0.85, evidence, (), "get_costs(group_by=usage_type)"),)


def _has_rule(cell: Cell) -> bool:
    kind = family(cell.name)
    logged = kind in _LOGS and "cloudwatch" in cell.service.lower()
    return kind in {INSTANCES, VOLUMES, *_BYTES} or plain(cell.name).startswith("EBS:") or logged


def calendar(case: Case) -> Sequence[Told]:
    """More days than before."""
    moved = case.effect(Effect.CALENDAR)
    if not moved:
        return ()
    text = "No anomaly: the spans differ in days; a day costs about the same."
    return (Told("CALENDAR", text, moved, 0.9),)


def fallen(case: Case) -> Sequence[Told]:
    """Less was used, got cheaper or ended."""
    if case.change >= 0:
        return ()
    wanted: tuple[tuple[str, Callable[[Cell], int]], ...] = (
        ("PRICE_CHANGE", lambda cell: cell.effects.get(Effect.PRICE, 0)),
        ("USAGE_FELL", lambda cell: sum(cell.effects.get(one, 0) for one in (*USED, Effect.GONE))),
    )
    made = []
    for code, part in wanted:
        cells = tuple(cell for cell in case.parts.cells if part(cell) < 0)
        if not cells:
            continue
        lead = min(cells, key=part)
        how = "costs less" if code == "PRICE_CHANGE" else "was used less"
        text = f"{lead.name} {how}: {_sides(lead, case.currency)}."
        made.append(Told(code, text, sum(part(cell) for cell in cells), 0.75, (cell_said(lead),)))
    return made


def grown(case: Case) -> Sequence[Told]:
    """More of what has no rule of its own."""
    cells = tuple(
        cell
        for cell in case.parts.cells
        if not _has_rule(cell)
        and not is_extended_support(cell.name)
        and sum(cell.effects.get(one, 0) for one in (Effect.QUANTITY, Effect.MIX, Effect.UNMEASURED)) > 0
    )
    if not cells:
        return ()
    lead = largest(cells)
    moved = sum(
        cell.effects.get(one, 0) for cell in cells for one in (Effect.QUANTITY, Effect.MIX, Effect.UNMEASURED)
    )
    grew = percent(lead.after.amount / lead.before.amount - 1) if lead.before.amount else "from nothing"
    text = f"{lead.name} of {lead.service} {grew}: {_sides(lead, case.currency)}."
    return (Told("QUANTITY_GROWTH", text, moved, 0.6, (cell_said(lead),)),)
