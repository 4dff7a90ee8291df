"""The estimate tool: what a change costs before it is made."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import AfterValidator, Field

from aiops_cost.models.estimates import Estimate, EstimateAsk
from aiops_cost.ports import Estimates
from aiops_shared.errors import InvalidInputError
from aiops_shared.params import READS, AnyName, Cluster, Detail, shown

MOST_LETTERS = 400
_PLAN = re.compile(r"[A-Za-z0-9_-]{1,80}")


def _plan(value: str) -> str:
    if value and not _PLAN.fullmatch(value):
        raise InvalidInputError("plan_id", f"{shown(value)} is no plan id", "as plan_workload_change gave it")
    return value


def _short(value: str) -> str:
    if len(value) > MOST_LETTERS or not value.isprintable():
        raise InvalidInputError("instances", f"takes at most {MOST_LETTERS} characters", "as 3 m5.xlarge")
    return value


@dataclass(frozen=True)
class EstimateTools:
    """Tools about what is not paid yet."""

    estimates: Callable[[], Estimates]

    async def estimate_cost(
        self,
        manifest: Annotated[
            str, Field(description="YAML: workloads, claims, LoadBalancer Services, NodePools")
        ] = "",
        plan_id: Annotated[str, AfterValidator(_plan), Field(description="Of the eks server")] = "",
        nodepool: AnyName = None,
        instances: Annotated[
            str,
            AfterValidator(_short),
            Field(description="As -8 c5.4xlarge, 7 r5.2xlarge, 1 r5.2xlarge spot"),
        ] = "",
        cluster: Cluster = None,
        detail: Detail = "summary",
    ) -> Estimate:
        """Estimate what a change would add a month to the bill, before it is made: manifest (HPA,
        Deployment, claim; against its live version), plan_id, nodepool or instances.
        """
        ask = EstimateAsk(
            manifest=manifest,
            plan_id=plan_id,
            nodepool=nodepool or "",
            instances=instances,
            cluster=cluster,
            full=detail == "full",
        )
        if sum(map(bool, (manifest.strip(), plan_id, ask.nodepool, instances.strip()))) != 1:
            raise InvalidInputError(
                "estimate_cost", "takes one change", "give one of manifest, plan_id, nodepool, instances"
            )
        return await self.estimates().estimate(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.estimate_cost, annotations=READS, tags={"read"})]
