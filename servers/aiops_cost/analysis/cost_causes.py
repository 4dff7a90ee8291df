"""Why a bill moved, as causes: every rule looks at the parts of the change and at what moved with them.

A rule claims a part of the change (billionths) and says how sure it is: 0.5 for the bill alone, more for each
independent fact that agrees. Documented in docs/causes.md from `COST_CAUSES`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiops_cost.analysis import instance_causes, other_causes
from aiops_cost.analysis.cause_words import Told
from aiops_cost.analysis.change_case import Case

LEAST_SHARE: Final = 0.1  # of the change: smaller parts are no cause
COVERED: Final = 0.5  # of the change: less is unexplained
NO_ANOMALY: Final = frozenset({"TRAFFIC_GROWTH", "CALENDAR"})


@dataclass(frozen=True, slots=True)
class CostCode:
    """One row of docs/causes.md."""

    code: str
    says: str
    told_by: str


COST_CAUSES: Final[tuple[CostCode, ...]] = (
    CostCode(
        "INSTANCE_FAMILY_MISMATCH",
        "More machines are bought for memory while cores idle, or the other way round.",
        "instance hours grew, the cluster's CPU and memory shares lie apart, pods wait for the scarce one",
    ),
    CostCode(
        "TRAFFIC_GROWTH",
        "More requests, served at the same cost each: no anomaly.",
        "requests grew about as much as the bill",
    ),
    CostCode(
        "IDLE_NODES", "More machines, none of them used.", "instance hours grew, CPU and memory are low"
    ),
    CostCode("QUANTITY_GROWTH", "More of the same was used.", "quantity effect, nothing above explains it"),
    CostCode("SPOT_TO_ON_DEMAND", "Spot hours became on-demand hours.", "mix effect, the Spot share fell"),
    CostCode("INSTANCE_MIX", "Dearer instance types.", "mix effect of instances, Spot share as before"),
    CostCode("PRICE_CHANGE", "The same usage costs more.", "price effect"),
    CostCode("CROSS_AZ_TRAFFIC", "More bytes between zones.", "DataTransfer-Regional-Bytes"),
    CostCode("NAT_TRAFFIC", "More bytes through NAT gateways.", "NatGateway-Bytes, NatGateway-Hours"),
    CostCode("LOG_VOLUME", "More log bytes taken in.", "DataProcessing-Bytes, VendedLog-Bytes"),
    CostCode("STORAGE_GROWTH", "More or dearer volumes and snapshots.", "EBS usage types"),
    CostCode("EXTENDED_SUPPORT", "The cluster's version is in extended support.", "extendedSupport hours"),
    CostCode("COMMITMENT_EXPIRED", "A Savings Plan or reservation ended.", "its discount and fee are gone"),
    CostCode("CREDIT_ENDED", "A credit ended or became smaller.", "credits effect"),
    CostCode("ONE_TIME_CHARGE", "A fee, tax or upfront payment.", "fees and tax effect"),
    CostCode("NEW_SERVICE", "Usage that was not there before.", "new effect"),
    CostCode("CALENDAR", "More days were compared with fewer.", "calendar effect"),
    CostCode("USAGE_FELL", "Less was used, or usage ended.", "negative quantity, gone effect"),
    CostCode("UNEXPLAINED", "The parts that moved fit no rule.", "what is left"),
)
RULES: Final[tuple[Callable[[Case], Sequence[Told]], ...]] = (
    instance_causes.machines,
    instance_causes.spot_or_mix,
    other_causes.traffic,
    other_causes.storage,
    other_causes.logs,
    other_causes.support,
    other_causes.prices,
    other_causes.charges,
    other_causes.news,
    other_causes.calendar,
    other_causes.fallen,
    other_causes.grown,
)


def causes_of(case: Case) -> tuple[Told, ...]:
    """The causes, largest part of the change first; each part is claimed once, by the first rule."""
    moved = max(abs(case.change), _moves(case) // 3)
    if not moved:
        return ()
    found = [told for rule in RULES for told in rule(case)]
    wanted = [told for told in found if abs(told.amount) >= LEAST_SHARE * moved and _helps(told, case)]
    wanted.sort(key=lambda told: (-abs(told.amount), -told.confidence))
    rest = case.change - sum(told.amount for told in wanted)
    if abs(rest) > (1 - COVERED) * abs(case.change) and not wanted:
        wanted.append(_unexplained(case, rest))
    return tuple(wanted)


def _moves(case: Case) -> int:
    return sum(abs(cell.change) for cell in case.parts.cells)


def _helps(told: Told, case: Case) -> bool:
    """A cause pulls the way the bill went; against it only when it is as large as the change itself."""
    return told.amount * case.change > 0 or abs(told.amount) >= abs(case.change)


def covered(causes: Sequence[Told], case: Case) -> float:
    """Which share of the change the known causes explain."""
    known = sum(one.amount for one in causes if one.code != "UNEXPLAINED")
    return known / case.change if case.change else 1.0


def _unexplained(case: Case, rest: int) -> Told:
    largest = max(case.parts.cells, key=lambda cell: abs(cell.change))
    text = f"No rule explains it; the largest move is {largest.name or largest.service}."
    return Told("UNEXPLAINED", text, rest, 0.2, next_step="get_costs(group_by=usage_type)")


def is_growth(causes: Sequence[Told]) -> bool:
    """What grew is what is wanted: the first cause is no anomaly."""
    return bool(causes) and causes[0].code in NO_ANOMALY
