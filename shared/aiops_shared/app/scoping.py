"""What a caller's scopes allow of a server: shown in its lists, asked for at each call (D17).

The HTTP door said 403 before; here the scope is asked for by the tool that is about to run, whatever name and
way the call came by, and of whom a statement of another server names. Over stdio no scope is missing.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastmcp.server.middleware import CallNext, Middleware, MiddlewareContext
from fastmcp.tools import Tool, ToolResult
from mcp_types import CallToolRequestParams, ListToolsRequest

from aiops_shared.app.boundary import refusal
from aiops_shared.auth.acting import acting
from aiops_shared.auth.scopes import READ
from aiops_shared.errors import AccessDeniedError

if TYPE_CHECKING:
    from aiops_shared.app import CallLog


class Scoping(Middleware):
    """`tools`: tool -> the scope that it needs. Resources and prompts are read."""

    def __init__(self, tools: Mapping[str, str], calls: "CallLog | None") -> None:
        self._tools = tools
        self._calls = calls

    async def on_list_tools(
        self,
        context: MiddlewareContext[ListToolsRequest],
        call_next: CallNext[ListToolsRequest, Sequence[Tool]],
    ) -> Sequence[Tool]:
        """Those that the caller may call."""
        return [tool for tool in await call_next(context) if _holds(self._tools.get(tool.name, READ))]

    async def on_call_tool(
        self,
        context: MiddlewareContext[CallToolRequestParams],
        call_next: CallNext[CallToolRequestParams, ToolResult],
    ) -> ToolResult:
        """Run, or say which scope is missing; a name that nobody knows is for the door to refuse."""
        name = context.message.name
        needs = self._tools.get(name, READ)
        if _holds(needs):
            return await call_next(context)
        error = missing(name[:64], needs)
        if self._calls:
            await self._calls.refused(name[:64], {}, error)
        return refusal(error)

    async def on_list_resources(
        self, context: MiddlewareContext[Any], call_next: CallNext[Any, Sequence[Any]]
    ) -> Sequence[Any]:
        """All of them, to who may read."""
        return await call_next(context) if _holds(READ) else []

    on_list_resource_templates = on_list_resources
    on_list_prompts = on_list_resources


def missing(what: str, needs: str) -> AccessDeniedError:
    """The refusal of a caller whose token lacks a scope."""
    return AccessDeniedError(what, f"your token lacks the scope {needs}", "sign in again and ask for it")


def _holds(needs: str) -> bool:
    found = acting()
    return found is None or needs in found.who.held
