"""What the tools need and the clients fulfil. No code."""

from typing import Protocol

from aiops_cost.models.changes import ChangeAsk, CostChange
from aiops_cost.models.costs import CostAsk, CostReport
from aiops_cost.models.estimates import Estimate, EstimateAsk
from aiops_cost.models.prices import PriceAsk, PriceReport
from aiops_cost.models.savings import SavingsAsk, SavingsReport


class CostChanges(Protocol):
    """Why the bill moved."""

    async def explain(self, ask: ChangeAsk) -> CostChange:
        """One comparison. Raises InvalidInputError for spans that are none, what Cost Explorer raises."""
        ...


class Costs(Protocol):
    """What things cost: `clients/cost_reading.py` by the bill's own groups, `clients/allocation_reading.py`
    by namespace and workload.
    """

    async def costs(self, ask: CostAsk) -> CostReport:
        """The rows of one period. Raises InvalidInputError, NotConfiguredError, AccessDeniedError."""
        ...


class Savings(Protocol):
    """What could cost less: `clients/savings_reading.py`."""

    async def recommend(self, ask: SavingsAsk) -> SavingsReport:
        """What to change and what that saves."""
        ...


class PriceLists(Protocol):
    """What AWS asks for things: `clients/price_listing.py`."""

    async def listed(self, ask: PriceAsk) -> PriceReport:
        """One page of prices. Raises NotFoundError with the nearest names, what AWS says without a copy."""
        ...


class Estimates(Protocol):
    """What a change will cost: `clients/estimate_reading.py`."""

    async def estimate(self, ask: EstimateAsk) -> Estimate:
        """One change. Raises InvalidInputError, PlanNotFoundError, PlanExpiredError, what prices raise."""
        ...
