"""The tool that judges a release."""

from dataclasses import dataclass
from typing import Annotated, Protocol

from fastmcp.tools.function_tool import FunctionTool
from pydantic import Field

from aiops_shared.errors import InvalidInputError
from aiops_shared.params import READS, AnyNamespace, Cluster, Since
from aiops_sop.models.deployments import DeploymentAsk, DeploymentVerdict
from aiops_sop.tools.workloads import workload_of

Version = Annotated[str | None, Field(max_length=128, description="Its version")]
Baseline = Annotated[str | None, Field(max_length=128, description="Version, or FROM/TO")]


class Deployments(Protocol):
    """Judges releases; fulfilled by `clients.deployment_judging.DeploymentJudge`."""

    async def verify(self, ask: DeploymentAsk) -> DeploymentVerdict:
        """The verdict. Raises NotFoundError for a wrong name."""
        ...


@dataclass(frozen=True)
class DeploymentTools:
    """Tools about releases."""

    deployments: Deployments

    async def verify_deployment(
        self,
        workload: Annotated[
            str | None, Field(max_length=300, description="kind/name, e.g. deployment/api")
        ] = None,
        namespace: AnyNamespace = None,
        app: Annotated[str | None, Field(max_length=300, description="Argo CD Application")] = None,
        baseline: Baseline = None,
        canary: Version = None,
        since: Since = None,
        cluster: Cluster = None,
    ) -> DeploymentVerdict:
        """Judge a release by rollout, Argo CD, errors, latency and traffic: after against before, or a canary
        against its baseline. Verdict promote, hold or rollback, with its tests.
        """
        if not workload and not app:
            raise InvalidInputError("workload", "neither a workload nor an app", "name one of them")
        kind, name = workload_of(workload) if workload else ("Deployment", "")
        ask = DeploymentAsk(
            cluster=cluster,
            namespace=namespace or "",
            kind=kind,
            name=name,
            app=app or "",
            baseline=baseline or "",
            canary=canary or "",
            since=since or "",
        )
        return await self.deployments.verify(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.verify_deployment, annotations=READS, tags={"read"})]
