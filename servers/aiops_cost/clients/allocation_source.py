"""What every source of allocations gives: rows in billionths, and how they came about.

Sources in order: cost and usage files with split cost allocation data, OpenCost, the own allocation. Each
fulfils `Source`; `allocation_reading` asks them and shows the result.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Protocol

from aiops_cost.analysis.allocation import Allocation
from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.periods import Period
from aiops_cost.models.bills import Metric, Spent
from aiops_shared.aws import EksCluster
from aiops_shared.results import Evidence


@dataclass(frozen=True, slots=True)
class Asked:
    """One cluster and period. `word` opens the cluster; `alone`: it is the only one asked about."""

    word: str | None
    name: str
    eks: EksCluster | None
    period: Period
    now: datetime
    metric: Metric
    counted: Spent
    alone: bool = True

    @property
    def window(self) -> tuple[datetime, datetime]:
        """The period as moments, at most until now."""
        first = datetime.combine(self.period.first, time(), UTC)
        return first, min(datetime.combine(self.period.end, time(), UTC), self.now)


@dataclass(frozen=True, slots=True)
class Divided:
    """One cluster's costs by owner. `source`: cur, opencost or own."""

    source: str
    method: str
    allocation: Allocation
    unsettled: tuple[date, ...] = ()
    currency: str = "USD"
    evidence: tuple[Evidence, ...] = ()
    warnings: tuple[str, ...] = ()


class Source(Protocol):
    """One way to know what workloads cost."""

    name: str

    async def divided(self, asked: Asked) -> Divided:
        """The costs of one cluster. Raises AiopsError where this source does not know."""
        ...


def unsettled_of(bill: Bill) -> tuple[date, ...]:
    """Its days that may still change."""
    return tuple(day for day, open_ in zip(bill.days, bill.unsettled, strict=True) if open_)
