"""The smallest server on the protocol's own SDK with one tool: the floor."""

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import ListToolsResult, Tool


async def _list(*_: object) -> ListToolsResult:
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    return ListToolsResult(tools=[Tool(name="ping", description="Say it back.", input_schema=schema)])


async def main() -> None:
    """Serve over stdio."""
    server: Server = Server("bare", on_list_tools=_list)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
