"""The tool that says what things cost."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, get_args

from fastmcp.tools.function_tool import FunctionTool
from pydantic import BeforeValidator, Field

from aiops_cost.analysis.cost_filters import TAG_WORD, asked_for
from aiops_cost.models.costs import CostAsk, CostReport, Granularity, GroupBy
from aiops_cost.models.pages import MONEY_PAGE
from aiops_cost.ports import Costs
from aiops_shared.app.views import drawn_on
from aiops_shared.errors import InvalidInputError
from aiops_shared.params import READS, AnyCluster, Limit, shown, to_list

GROUPS = tuple(one for one in get_args(GroupBy) if one != "tag")
By = Annotated[str, Field(max_length=140, description=f"{', '.join(GROUPS)}, tag:KEY")]
Period = Annotated[str, Field(max_length=40, description="30d, mtd, 2026-10 or FROM/TO")]
Filters = Annotated[
    list[str], BeforeValidator(to_list), Field(description="service=, region!=, namespace=, tag:team=a")
]
DIVIDED = ("namespace", "workload")  # among pods; everything else is a group of the bill's own
DIVIDE = "group_by=workload or group_by=namespace"


@dataclass(frozen=True)
class CostTools:
    """Tools about bills. `divided` answers by namespace and workload."""

    costs: Callable[[], Costs]
    divided: Callable[[], Costs]

    async def get_costs(
        self,
        group_by: By = "service",
        period: Period = "30d",
        cluster: AnyCluster = None,
        filters: Filters = [],  # noqa: B006  # fastmcp copies defaults; a schema wants a list
        amortized: Annotated[bool, Field(description="Not unblended")] = False,
        granularity: Granularity = "total",
        limit: Limit = 10,
        chart: Annotated[bool, Field(description="With a PNG")] = False,
    ) -> CostReport:
        """What was spent, by service, team, account or workload: rows that sum to the bill, change,
        forecast, anomalies, budgets. For the reason: explain_cost_change.
        """
        wanted, tag = _group(group_by or "service")
        asked = asked_for(filters)
        if asked.namespace and wanted not in DIVIDED:
            raise InvalidInputError("filters", f"a bill by {wanted} knows no namespace", DIVIDE)
        ask = CostAsk(
            group_by=wanted,
            period=period or "30d",
            tag=tag,
            cluster=cluster,
            namespace=asked.namespace,
            only=asked.only,
            without=asked.without,
            metric="amortized" if amortized else "unblended",
            granularity=granularity,
            limit=limit,
            chart=chart,
        )
        return await (self.divided if wanted in DIVIDED else self.costs)().costs(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        page = drawn_on(MONEY_PAGE)
        return [FunctionTool.from_function(self.get_costs, annotations=READS, tags={"read"}, meta=page)]


def _group(text: str) -> tuple[GroupBy, str]:
    """What to group by, and the tag's key. Raises InvalidInputError."""
    word = text.strip()
    if word.startswith(TAG_WORD):
        return "tag", word[len(TAG_WORD) :]
    for known in GROUPS:
        if word.lower() == known:
            return known, ""
    raise InvalidInputError("group_by", f"{shown(text)} is none", f"{', '.join(GROUPS)} or tag:KEY")
