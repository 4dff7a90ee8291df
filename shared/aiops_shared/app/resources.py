"""Resources behind the same door as the tools: redacted, escaped, errors with their code."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastmcp import FastMCP
from fastmcp.exceptions import ResourceError

from aiops_shared.app.boundary import clean, escape_tree
from aiops_shared.errors import AiopsError
from aiops_shared.guardrails.redacting import redact_tree


def serve_plans(server: FastMCP, read: Callable[[str], Awaitable[dict[str, Any]]]) -> None:
    """`plan://{plan_id}`: the whole diff and judgement of a stored plan, without bodies."""

    @server.resource("plan://{plan_id}", mime_type="application/json", description="A stored plan, whole")
    async def plan(plan_id: str) -> dict[str, Any]:
        try:
            shown: dict[str, Any] = escape_tree(redact_tree(await read(plan_id)))
        except AiopsError as error:
            raise ResourceError(clean(error.wire())) from error
        return shown
