"""The tool that says why the bill moved."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import BeforeValidator, Field

from aiops_cost.models.changes import ChangeAsk, CostChange
from aiops_cost.models.pages import MONEY_PAGE
from aiops_cost.ports import CostChanges
from aiops_shared.app.views import drawn_on
from aiops_shared.params import READS, Clusters, Detail, to_list

Period = Annotated[str, Field(max_length=40, description="7d (settled), 2026-10 or FROM..TO")]
Baseline = Annotated[str, Field(max_length=40, description="Absent: the days before")]
Changes = Annotated[list[str], BeforeValidator(to_list), Field(description="Known: '-6h deploy v2'")]


@dataclass(frozen=True)
class ChangeTools:
    """Tools about differences between bills."""

    changes: Callable[[], CostChanges]

    async def explain_cost_change(
        self,
        period: Period = "7d",
        baseline: Baseline = "",
        cluster: Clusters = None,
        changes: Changes = [],  # noqa: B006  # fastmcp copies defaults; a schema wants a list
        detail: Detail = "summary",
        chart: Annotated[bool, Field(description="With a PNG")] = False,
    ) -> CostChange:
        """Explain why a bill is higher, the cause of a cost change, a spike of this week against others, or
        growth: price x quantity x mix, what moved with it, ranked. Without cluster: the account. For amounts
        use get_costs.
        """
        ask = ChangeAsk(
            clusters=cluster,
            period=period or "7d",
            baseline=baseline or "",
            changes=tuple(changes),
            full=detail == "full",
            chart=chart,
        )
        return await self.changes().explain(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        page = drawn_on(MONEY_PAGE)
        return [
            FunctionTool.from_function(self.explain_cost_change, annotations=READS, tags={"read"}, meta=page)
        ]
