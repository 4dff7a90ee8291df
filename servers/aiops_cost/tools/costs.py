"""The tool that says what things cost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import BeforeValidator, Field

from aiops_cost.analysis.cost_filters import filters_of
from aiops_cost.models.bills import Metric
from aiops_cost.models.costs import CostAsk, CostReport, Granularity, GroupBy
from aiops_cost.models.pages import MONEY_PAGE
from aiops_cost.ports import Costs
from aiops_shared.app.views import drawn_on
from aiops_shared.params import READS, AnyNamespace, Cluster, to_list

Period = Annotated[str, Field(max_length=40, description="30d, mtd, last_month, 2026-10 or FROM/TO")]
Tag = Annotated[str, Field(max_length=128, description="Key, for group_by=tag")]
Filters = Annotated[
    list[str], BeforeValidator(to_list), Field(description="service=, account!=, tag:team=a|b, …")
]
Rows = Annotated[int, Field(ge=1, le=200, description="Rows")]
# Divided among pods; everything else is the bill's own group.
DIVIDED = ("namespace", "workload")


@dataclass(frozen=True)
class CostTools:
    """Tools about bills. `divided` answers by namespace and workload."""

    costs: Callable[[], Costs]
    divided: Callable[[], Costs]

    async def get_costs(
        self,
        group_by: GroupBy = "service",
        period: Period = "30d",
        cluster: Cluster = None,
        namespace: AnyNamespace = None,
        tag: Tag = "",
        filters: Filters = [],  # noqa: B006  # fastmcp copies defaults; a schema wants a list
        metric: Metric = "unblended",
        granularity: Granularity = "total",
        limit: Rows = 10,
        chart: Annotated[bool, Field(description="With a PNG")] = False,
    ) -> CostReport:
        """What was spent: rows that sum to the bill, change, month's end, anomalies, budgets. Without
        cluster: the account. Kept answers cost nothing. For why it moved use explain_cost_change.
        """
        only, without = filters_of(filters)
        ask = CostAsk(
            group_by=group_by,
            period=period or "30d",
            tag=tag or "",
            cluster=cluster,
            namespace=namespace or "",
            only=only,
            without=without,
            metric=metric,
            granularity=granularity,
            limit=limit,
            chart=chart,
        )
        return await (self.divided if group_by in DIVIDED else self.costs)().costs(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        page = drawn_on(MONEY_PAGE)
        return [FunctionTool.from_function(self.get_costs, annotations=READS, tags={"read"}, meta=page)]
