"""Runs under the mcp SDK 1.x alone: reads what to ask as JSON on stdin, writes what it got on stdout."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from typing import Any

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client


async def main(asked: dict[str, Any]) -> dict[str, Any]:
    """One session."""
    async with AsyncExitStack() as stack:
        if asked["url"]:
            module: Any = __import__("mcp.client.streamable_http", fromlist=["streamablehttp_client"])
            opened = module.streamablehttp_client(asked["url"], headers=asked["headers"])
        else:
            command, *arguments = asked["command"]
            opened = stdio_client(
                StdioServerParameters(
                    command=command, args=arguments, env=asked["environment"], cwd=asked["folder"]
                )
            )
        read, write, *_ = await stack.enter_async_context(opened)
        session: Any = await stack.enter_async_context(ClientSession(read, write))
        began = await session.initialize()
        tools = (await session.list_tools()).tools
        answers = [await session.call_tool(name, arguments) for name, arguments in asked["calls"]]
        return {
            "protocol": str(began.protocolVersion),
            "tools": [tool.name for tool in tools],
            "answers": [
                {
                    "structured": answer.structuredContent,
                    "text": "".join(getattr(block, "text", "") for block in answer.content),
                }
                for answer in answers
            ],
        }


if __name__ == "__main__":
    json.dump(asyncio.run(main(json.load(sys.stdin))), sys.stdout)
