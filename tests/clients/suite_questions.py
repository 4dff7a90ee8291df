"""What of the conformance suite's parts asks back: input-required results of MCP 2026-07-28 (SEP-2322).

Each asks on its first round and answers when the responses that it asked for are there; a response of the
wrong key is asked for anew.
"""

from collections.abc import Mapping
from typing import Any, Final

from fastmcp import Context, FastMCP
from fastmcp.tools import ToolResult
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)
from mcp_types.jsonrpc import MISSING_REQUIRED_CLIENT_CAPABILITY

Question = ElicitRequest | CreateMessageRequest | ListRootsRequest
Said = ToolResult | InputRequiredResult


def _form(message: str, field: str, kind: str = "string") -> ElicitRequest:
    schema: dict[str, Any] = {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def asks_model(text: str) -> CreateMessageRequest:
    """A question to the client's model."""
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=100))


NAME: Final = _form("What is your name?", "name")
SURE: Final = _form("Please confirm", "ok", "boolean")
CAPITAL: Final = asks_model("What is the capital of France?")
ROOTS: Final = ListRootsRequest()
# Tool of one question and answer -> what it asks, and the state it sends along.
ONCE: Final[Mapping[str, tuple[dict[str, Question], str | None]]] = {
    "test_input_required_result_elicitation": ({"user_name": NAME}, None),
    "test_input_required_result_sampling": ({"capital_question": CAPITAL}, None),
    "test_input_required_result_list_roots": ({"client_roots": ROOTS}, None),
    "test_input_required_result_request_state": ({"confirm": SURE}, "first"),
    "test_input_required_result_tampered_state": ({"confirm": SURE}, "first"),
    "test_input_required_result_multiple_inputs": (
        {"user_name": NAME, "greeting": asks_model("Say hello"), "client_roots": ROOTS},
        "first",
    ),
}
ROUNDS: Final = {None: "step1", "step1": "step2"}


def add_questions(server: FastMCP) -> None:
    """Add them all."""
    for name, (asks, state) in ONCE.items():
        _add_once(server, name, asks, state)
    _add_rounds(server)
    _add_by_capability(server)

    @server.prompt(description="Asks before it answers")
    def test_input_required_result_prompt(ctx: Context) -> str | InputRequiredResult:
        question: dict[str, Question] = {"user_context": _form("What context should be used?", "context")}
        return "Use the context." if ctx.input_responses else InputRequiredResult(input_requests=question)


def _add_once(server: FastMCP, name: str, asks: dict[str, Question], state: str | None) -> None:
    @server.tool(name=name, description="Asks once, then answers", output_schema=None)
    def once(ctx: Context) -> Said:
        answers = ctx.input_responses or {}
        if not asks.keys() <= answers.keys() or ctx.request_state != state:
            return InputRequiredResult(input_requests=asks, request_state=state)
        return ToolResult(f"state-ok: {', '.join(sorted(asks))}")


def _add_rounds(server: FastMCP) -> None:
    @server.tool(description="Asks twice, then answers", output_schema=None)
    def test_input_required_result_multi_round(ctx: Context) -> Said:
        step = ROUNDS.get(ctx.request_state)
        if step is None:
            return ToolResult("after two rounds")
        return InputRequiredResult(input_requests={step: _form(f"{step}?", "name")}, request_state=step)


def _add_by_capability(server: FastMCP) -> None:
    def has(ctx: Context, capability: str) -> bool:
        declared = ctx.session.client_capabilities if ctx.session else None
        return getattr(declared, capability, None) is not None

    @server.tool(description="Asks what the client can answer", output_schema=None)
    def test_input_required_result_capabilities(ctx: Context) -> Said:
        can: dict[str, Question] = {"elicitation": NAME, "sampling": CAPITAL}
        return InputRequiredResult(input_requests={name: can[name] for name in can if has(ctx, name)})

    @server.tool(description="Needs a client that can sample", output_schema=None)
    def test_missing_capability(ctx: Context) -> ToolResult:
        if not has(ctx, "sampling"):
            needs: dict[str, Any] = {"requiredCapabilities": {"sampling": {}}}
            raise MCPError(code=MISSING_REQUIRED_CLIENT_CAPABILITY, message="sampling is needed", data=needs)
        return ToolResult("sampled")
