"""Input schemas by tool, read once at start.

MCP 2026-07-28 lets a tool's schema name parameters that must stand in a header too, so the framework looks a
schema up at each call. Without an answer from here it lists every tool for that, at each call.
"""

from collections.abc import Mapping
from typing import Any

from fastmcp import FastMCP

from aiops_shared.remote.asgi import App, Message, Receive, Scope, Send


class Listed:
    """The innermost layer: fills the lookup when the server has started."""

    def __init__(self, inner: App, server: FastMCP) -> None:
        self._inner = inner
        self._server = server
        self._schemas: dict[str, Mapping[str, Any]] = {}
        server._mcp_server.get_tool_input_schema = self._schemas.get  # no public way

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""
        if scope["type"] != "lifespan":
            await self._inner(scope, receive, send)
            return

        async def started(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                tools = await self._server.list_tools()
                self._schemas.update({tool.name: tool.parameters for tool in tools})
            await send(message)

        await self._inner(scope, receive, started)
