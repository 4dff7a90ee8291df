"""What the tools need and the clients fulfil. No code."""

from typing import Protocol

from aiops_cost.models.changes import ChangeAsk, CostChange


class CostChanges(Protocol):
    """Why the bill moved."""

    async def explain(self, ask: ChangeAsk) -> CostChange:
        """One comparison. Raises InvalidInputError for spans that are none, what Cost Explorer raises."""
        ...
