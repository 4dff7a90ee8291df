"""Which scope a call of each tool needs: what the door asks for before a server sees the call."""

from collections.abc import Iterable, Mapping

from fastmcp import FastMCP
from fastmcp.tools import Tool

from aiops_shared.auth.scopes import scope_of


async def scopes_of(server: FastMCP) -> Mapping[str, str]:
    """Of every tool that a server lists, by the name that it lists."""
    tools: Iterable[Tool] = await server.list_tools()
    return {tool.name: scope_of(tool.tags) for tool in tools}
