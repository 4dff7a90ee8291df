"""The tool that says what changed, by whom and with what client."""

from dataclasses import dataclass

from fastmcp.tools.function_tool import FunctionTool

from aiops_eks.models.change_rows import ChangeAsk, ChangeList
from aiops_eks.ports import Changes
from aiops_shared.params import (
    READS,
    AnyKind,
    AnyName,
    AnyNamespace,
    Clusters,
    Cursor,
    Limit,
    SinceHour,
    Until,
)


@dataclass(frozen=True)
class ChangeTools:
    """Tools about changes."""

    journal: Changes

    async def list_changes(
        self,
        cluster: Clusters = None,
        namespace: AnyNamespace = None,
        kind: AnyKind = None,
        name: AnyName = None,
        since: SinceHour = "-1h",
        until: Until = None,
        limit: Limit = 30,
        cursor: Cursor = None,
    ) -> ChangeList:
        """List what anybody changed since a moment, newest first, by whom and with what client:
        rollouts with diff, config, scaling, deletions, nodes, add-ons, AWS calls, GitOps syncs.

        Use it for "what changed before it broke"; for symptoms use list_events.
        """
        ask = ChangeAsk(
            cluster=cluster,
            namespace=namespace or "",
            kind=kind or "",
            name=name or "",
            since=since,
            until=until or "",
            limit=limit,
            cursor=cursor or "",
        )
        return await self.journal.changes(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.list_changes, annotations=READS, tags={"read"})]
