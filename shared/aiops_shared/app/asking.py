"""Asking the person behind the client, in both protocol generations (decision D4).

2026-07-28: the tool returns an input-required result and is called again with the answer. Older: the server
sends an elicitation and waits, at most 40 s. A client that cannot ask is told the other way to approve.
The state that travels with the question is a single-use nonce; an answer without it counts for nothing.
"""

from dataclasses import dataclass
from typing import Literal

import anyio
from fastmcp import Context
from mcp_types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

ASK_AT_MOST_S = 40.0
_KEY = "approval"
_SCHEMA = {
    "type": "object",
    "properties": {"approve": {"type": "boolean", "description": "true: do it. false: do not."}},
    "required": ["approve"],
}


@dataclass(frozen=True)
class Answered:
    """What the person said, and the state that came back with it."""

    outcome: Literal["accepted", "declined", "unavailable"]
    state: str = ""
    said_no: bool = False  # they answered, and the answer is no; else they put the question away


def answered(context: Context) -> Answered | None:
    """The answer that this call carries (second leg of 2026-07-28), or None on a first leg."""
    responses, state = context.input_responses, context.request_state
    if not responses or _KEY not in responses or not state:
        return None
    response = responses[_KEY]
    if not isinstance(response, ElicitResult):
        return Answered("declined", state)
    return _said(response.action, (response.content or {}).get("approve"), state)


def can_ask(context: Context) -> bool:
    """Whether the client declared that it can put a question to its user."""
    session = context.session
    capabilities = session.client_capabilities if session is not None else None
    return capabilities is not None and capabilities.elicitation is not None


def is_modern(context: Context) -> bool:
    """Whether this request speaks 2026-07-28 or later."""
    request = context.request_context
    return request is not None and request.protocol_version in MODERN_PROTOCOL_VERSIONS


def question(message: str, state: str) -> InputRequiredResult:
    """The first leg of 2026-07-28."""
    params = ElicitRequestFormParams(message=message, requested_schema=_SCHEMA)
    return InputRequiredResult(input_requests={_KEY: ElicitRequest(params=params)}, request_state=state)


async def ask_and_wait(context: Context, message: str, state: str) -> Answered:
    """The older generations: ask and wait."""
    with anyio.move_on_after(ASK_AT_MOST_S):
        result = await context.elicit(message, bool)
        return _said(result.action, getattr(result, "data", None), state)
    return Answered("unavailable", state)


def _said(action: str, value: object, state: str) -> Answered:
    """Only an accept with a true says yes; only one with a false says no."""
    if action == "accept" and value:
        return Answered("accepted", state)
    return Answered("declined", state, said_no=action == "accept" and value is False)
