"""The event tool: what the cluster's components said happened."""

from dataclasses import dataclass

from fastmcp.tools.function_tool import FunctionTool

from aiops_eks.models.answers import EventAsk, EventList
from aiops_eks.ports import Journal
from aiops_shared.params import (
    READS,
    AnyKind,
    AnyName,
    AnyNamespace,
    Clusters,
    Cursor,
    Limit,
    Reason,
    SinceHour,
)


@dataclass(frozen=True)
class EventTools:
    """Tools about events."""

    journal: Journal

    async def list_events(
        self,
        cluster: Clusters = None,
        namespace: AnyNamespace = None,
        kind: AnyKind = None,
        name: AnyName = None,
        reason: Reason = None,
        since: SinceHour = "-1h",
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> EventList:
        """List Kubernetes events (BackOff, FailedScheduling, Unhealthy, …), counted, warnings first.

        Use it for what happened to objects in the last hour; for what a program wrote use get_pod_logs.
        """
        ask = EventAsk(
            cluster=cluster,
            namespace=namespace or "",
            kind=kind or "",
            name=name or "",
            reason=reason or "",
            since=since,
            limit=limit,
            cursor=cursor or "",
        )
        return await self.journal.events(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.list_events, annotations=READS, tags={"read", "sensitive"})]
