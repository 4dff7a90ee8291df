"""The tool that finds procedures."""

from dataclasses import dataclass
from typing import Annotated, Protocol

from fastmcp.tools.function_tool import FunctionTool
from pydantic import Field

from aiops_shared.params import READS, Limit
from aiops_sop.models.sops import SopAsk, Sops
from aiops_sop.tools.investigate import Event, Words


class SopFinding(Protocol):
    """Finds SOPs; fulfilled by `clients.sop_finding`."""

    async def find(self, ask: SopAsk) -> Sops:
        """The answer. Raises SopNotFoundError with the nearest ids, SopInvalidError."""
        ...


@dataclass(frozen=True)
class SopTools:
    """The tool about SOPs."""

    finding: SopFinding

    async def find_sops(
        self,
        query: Annotated[Words, Field(description="Words")] = "",
        event: Event = {},  # noqa: B006  # fastmcp copies defaults
        cause: Annotated[Words, Field(description="Finding code")] = "",
        name: Annotated[Words, Field(description="One, in full")] = "",
        limit: Limit = 10,
    ) -> Sops:
        """Find procedures (SOPs, runbooks) by words, event or cause: ranked by fit and by what helped, with
        risk and parameters; or one in full by name. Run one with start_run.
        """
        return await self.finding.find(SopAsk(query=query, event=event, cause=cause, name=name, limit=limit))

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.find_sops, annotations=READS, tags={"read"})]
