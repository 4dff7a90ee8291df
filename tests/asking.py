"""A server in this process, a real client on it, and a lab that plays story after story.

What the stages of the servers that only read have in common (`tests/observability/stage.py`,
`tests/cost/stage.py`): one lab for many stories, since a reset takes a second and a new lab several.
"""

from dataclasses import dataclass
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import FastMCPTransport
from mcp.client import advertise
from mcp_types import ImageContent

from aiops_lab.run import Lab
from aiops_lab.scenarios.names import Names, cast
from aiops_shared.app.views import UI_EXTENSION
from tests.e2e.stage import Answer, Obj, asked


@dataclass
class Asking:
    """A lab, the server on it and its client."""

    lab: Lab
    client: Client[FastMCPTransport]

    @property
    def who(self) -> Names:
        """The cast of the world that is being played."""
        return cast(self.lab.seed)

    def play(self, scenario: str, seed: int = 0) -> None:
        """Stand at T0 of another story."""
        self.lab.reset(scenario, seed)

    async def ask(self, tool: str, **arguments: Any) -> Answer:
        """Call one tool."""
        return await asked(self.client, tool, arguments)

    async def got(self, tool: str, **arguments: Any) -> Obj:
        """Call one tool that must answer."""
        answer = await self.ask(tool, **arguments)
        assert not answer.error, answer.error
        return answer.data

    async def pictures(self, tool: str, **arguments: Any) -> list[ImageContent]:
        """The pictures that come with an answer."""
        result = await self.client.call_tool(tool, arguments)
        return [block for block in result.content if isinstance(block, ImageContent)]


def drawing(server: Any) -> Client[FastMCPTransport]:
    """A client whose host draws pages."""
    return Client(server, extensions=[advertise(UI_EXTENSION, {"mimeTypes": ["text/html;profile=mcp-app"]})])
