"""A line on standard input that is no JSON-RPC message gets an answer, as over HTTP (BI-128).

The SDK's stdio transport leaves such a line without one: a client that sent half of a surrogate pair, or an
object nested beyond the parser's depth, would wait for ever. Called by `aiops_shared.app.serving`.
"""

import contextvars
import json
from types import TracebackType
from typing import Any, Final, Protocol, Self

from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError
from pydantic import ValidationError

Item = SessionMessage | Exception
_LONGEST_ID: Final = 200


class Reading(Protocol):
    """The SDK's stream of what a client sends."""

    last_context: contextvars.Context | None

    async def receive(self) -> Item:
        """The next message, or why there is none in a line."""
        ...

    async def __anext__(self) -> Item:
        """The next one; ends with the input."""
        ...

    async def aclose(self) -> None:
        """Read no further."""
        ...


class Writing(Protocol):
    """The SDK's stream of what goes to the client."""

    async def send(self, item: SessionMessage) -> None:
        """One message."""
        ...


class AnsweredInput:
    """What a client sends, without the lines that are no message: they are answered here."""

    def __init__(self, reading: Reading, writing: Writing) -> None:
        self._reading, self._writing = reading, writing

    @property
    def last_context(self) -> contextvars.Context | None:
        """The sender's, of the item that was read last."""
        return self._reading.last_context

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        """The next message; ends with the input."""
        while isinstance(item := await self._reading.__anext__(), Exception):
            await self._refuse(item)
        return item

    async def receive(self) -> Item:
        """The next message. Raises anyio.EndOfStream."""
        while isinstance(item := await self._reading.receive(), Exception):
            await self._refuse(item)
        return item

    async def _refuse(self, problem: Exception) -> None:
        if answer := refusal_of(problem):
            await self._writing.send(SessionMessage(answer))

    async def aclose(self) -> None:
        """Read no further."""
        await self._reading.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def refusal_of(problem: Exception) -> JSONRPCError | None:
    """The answer to a line that is no message; its id where Python's more patient parser finds one.

    Nothing for a blank line, which some clients send between messages.
    """
    line, is_json = _line_of(problem)
    if not is_json and line.isspace():
        return None
    found = _parsed(line) if line else None
    code, says = (INVALID_REQUEST, "Invalid Request") if is_json else (PARSE_ERROR, "Parse error")
    return JSONRPCError(jsonrpc="2.0", id=_id_in(found), error=ErrorData(code=code, message=says))


def _line_of(problem: Exception) -> tuple[str, bool]:
    """The line, as far as the SDK's complaint holds it, and whether it was JSON."""
    if not isinstance(problem, ValidationError):
        return "", False
    first: dict[str, Any] = dict(problem.errors(include_url=False, include_context=False)[0])
    if first["type"] != "json_invalid":
        return "", True
    line = first["input"]
    return (line if isinstance(line, str) else ""), False


def _parsed(line: str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _id_in(found: Any) -> int | str | None:
    """An id that can be sent back: a client waits for an answer to it."""
    number = found.get("id") if isinstance(found, dict) else None
    if isinstance(number, bool) or not isinstance(number, int | str):
        return None
    if isinstance(number, int):
        return number if abs(number) < 2**63 else None
    return number if len(number) <= _LONGEST_ID and number.isprintable() else None
