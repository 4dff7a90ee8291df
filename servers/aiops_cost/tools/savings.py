"""The savings tool: what to change, what that saves, and why it holds."""

from collections.abc import Callable
from dataclasses import dataclass

from fastmcp.tools.function_tool import FunctionTool

from aiops_cost.models.savings import SavingsAsk, SavingsReport, Scope
from aiops_cost.ports import Savings
from aiops_shared.params import READS, AnyNamespace, Cluster, Detail


@dataclass(frozen=True)
class SavingsTools:
    """Tools about what could cost less."""

    savings: Callable[[], Savings]

    async def recommend_savings(
        self,
        scope: Scope = "all",
        cluster: Cluster = None,
        namespace: AnyNamespace = None,
        detail: Detail = "summary",
    ) -> SavingsReport:
        """What to change to pay less (idle, oversized, unused): current, proposed, USD a month, the
        arithmetic, risk and the YAML patch. For why the bill moved use explain_cost_change.
        """
        ask = SavingsAsk(scope=scope, cluster=cluster, namespace=namespace or "", full=detail == "full")
        return await self.savings().recommend(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.recommend_savings, annotations=READS, tags={"read"})]
