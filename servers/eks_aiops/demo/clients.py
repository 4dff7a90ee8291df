"""Starts the servers that `mcp.json.example` names, as an MCP client would, and asks them."""

import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastmcp import Client
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport

EXAMPLE = "mcp.json.example"


def example_file() -> Path:
    """`mcp.json.example`, from the checkout or from the wheel."""
    here = Path(__file__).resolve()
    checkout = here.parents[3] / EXAMPLE
    return checkout if checkout.exists() else here.parent / EXAMPLE


def entry(name: str) -> tuple[list[str], dict[str, str]]:
    """Arguments and environment of one entry.

    The example starts the published package with uvx; here the same entry runs from this installation.
    """
    found = json.loads(example_file().read_text(encoding="utf-8"))["mcpServers"][name]
    arguments = [str(item) for item in found["args"]]
    return arguments[arguments.index("eks-aiops") + 1 :], dict(found.get("env", {}))


@dataclass
class Person:
    """The person behind the client: sees every question, and says yes to what is in front of them."""

    asked: list[str] = field(default_factory=list)
    says_yes: bool = True

    async def answer(
        self, message: str, response_type: type[Any] | None, params: Any, context: Any
    ) -> ElicitResult[Any]:
        """The client's elicitation handler."""
        del params, context
        self.asked.append(message)
        if not self.says_yes or response_type is None:
            return ElicitResult(action="decline")
        fields = getattr(response_type, "__dataclass_fields__", {}) or getattr(
            response_type, "model_fields", {}
        )
        return ElicitResult(action="accept", content=dict.fromkeys(fields, True))


@dataclass(frozen=True)
class Answer:
    """One tool's answer: its data, or its error text."""

    data: dict[str, Any]
    error: str
    text: str


Ask = Callable[..., Awaitable[Answer]]


@asynccontextmanager
async def connected(
    name: str, environment: dict[str, str], person: Person, log: Path
) -> AsyncIterator[tuple[Client[StdioTransport], Ask]]:
    """A real MCP client over stdio to one server of the example."""
    arguments, given = entry(name)
    transport = StdioTransport(
        sys.executable,
        ["-m", "eks_aiops", *arguments],
        env={**given, **environment},
        keep_alive=False,
        log_file=log,
    )
    async with Client(transport, elicitation_handler=person.answer) as client:

        async def ask(tool: str, **wanted: Any) -> Answer:
            result = await client.call_tool(tool, wanted, raise_on_error=False)
            text = "".join(getattr(block, "text", "") for block in result.content)
            data = result.structured_content or {}
            return Answer(data=data, error=text if result.is_error else "", text=text)

        yield client, ask
