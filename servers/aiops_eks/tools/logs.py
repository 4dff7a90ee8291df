"""The log tool: what pods wrote."""

from dataclasses import dataclass
from typing import Annotated

from fastmcp.tools.function_tool import FunctionTool
from pydantic import Field

from aiops_eks.models.answers import LogAsk, PodLogs, Previous
from aiops_eks.ports import Logs
from aiops_shared.params import (
    READS,
    Clusters,
    Container,
    Detail,
    Grep,
    Namespace,
    PodName,
    Selector,
    Since,
    Tail,
    Workload,
)


@dataclass(frozen=True)
class LogTools:
    """Tools about pod logs."""

    logs: Logs

    async def get_pod_logs(
        self,
        namespace: Namespace,
        pod: PodName = None,
        workload: Workload = None,
        selector: Selector = None,
        cluster: Clusters = None,
        container: Container = None,
        previous: Annotated[Previous, Field(description="auto: the crashed instance, if any")] = "auto",
        grep: Grep = None,
        since: Since = None,
        tail: Tail = 100,
        detail: Detail = "summary",
    ) -> PodLogs:
        """Read log lines of a pod, or of a workload's or selector's pods merged by time; levels,
        patterns.

        Use it for what a crashed or failing container wrote; for events use list_events.
        """
        ask = LogAsk(
            namespace=namespace,
            cluster=cluster,
            pod=pod or "",
            workload=workload or "",
            selector=selector or "",
            container=container or "",
            previous=previous,
            grep=grep or "",
            since=since or "",
            tail=tail,
            detail=detail,
        )
        return await self.logs.read(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.get_pod_logs, annotations=READS, tags={"read", "sensitive"})]
