"""Which scope a call of a tool needs: by its effect, as its tags say it (D6).

`start_run` plans in mode plan and executes in the others: the door asks for planning, the tool itself for the
rest.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from fastmcp import FastMCP
from fastmcp.tools import Tool

_BY_TAG: Final = (
    ("plans", "aiops:plan"),
    ("write", "aiops:execute"),
    ("local_write", "aiops:plan"),
    ("plan", "aiops:plan"),
    ("sensitive", "aiops:sensitive"),
)
READ: Final = "aiops:read"


def scope_of(tags: Iterable[str]) -> str:
    """Of a tool with these tags."""
    found = set(tags)
    return next((scope for tag, scope in _BY_TAG if tag in found), READ)


async def scopes_of(server: FastMCP) -> Mapping[str, str]:
    """Of every tool that a server lists."""
    tools: Iterable[Tool] = await server.list_tools()
    return {tool.name: scope_of(tool.tags) for tool in tools}
