"""The one door: every call of every tool passes here, and here alone stands a broad `except`.

In: argument errors become `[invalid_input]` before anything upstream happens. Out: errors become
`[code] thing: reason; what next`; every string is redacted first, then escaped, then the answer is cut to its
budget. A bug never shows its text to a client; the log has it, redacted, under an id.
"""

import json
import logging
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import anyio
import anyio.to_thread
import orjson
from fastmcp.exceptions import ValidationError as ArgumentsError
from fastmcp.tools import ToolResult
from fastmcp.tools.base import InputRequiredToolResult
from fastmcp.tools.function_tool import FunctionTool
from mcp.shared.exceptions import MCPError
from mcp_types import ImageContent, TextContent
from mcp_types import Tool as ListedTool
from opentelemetry import trace
from pydantic import ValidationError

from aiops_shared.app.fitting import BYTES_PER_TOKEN, HARD_CAP_BYTES, fit, size_bytes, without_empties
from aiops_shared.app.pictures import collecting
from aiops_shared.app.progressing import telling
from aiops_shared.app.schemas import lean, shallow
from aiops_shared.app.views import DATA_KEY, client_draws, viewing
from aiops_shared.errors import AiopsError, InvalidInputError, UpstreamTimeoutError
from aiops_shared.guardrails.redacting import escape_untrusted, redact, redact_tree, shortened
from aiops_shared.results.counting import count_redactions

CALL_DEADLINE_S = 50.0  # Kiro and Q cut a call at 60 s
DEFAULT_TOKENS = 1_500
_LONGEST_PLACE = 80  # of a parameter that an error names
LONG_TOKENS = 4_000  # diagnose, investigate, get_report
MAX_ARGUMENT_BYTES = 1_500_000
SMALL_BYTES = 6_000  # an answer that is cleaned in milliseconds, whatever is in it

log = logging.getLogger("aiops.app")


def escape_tree(value: Any) -> Any:
    """Control characters of every string made visible."""
    if isinstance(value, str):
        return escape_untrusted(value)
    if isinstance(value, dict):
        return {escape_untrusted(str(key)): escape_tree(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [escape_tree(item) for item in value]
    return value


def clean(text: str) -> str:
    """One outgoing text: redacted, escaped, at most 2,000 characters."""
    return escape_untrusted(redact(text))[:2000]


def refusal(error: AiopsError) -> ToolResult:
    """An error as the client sees it."""
    return ToolResult(content=[TextContent(type="text", text=clean(error.wire()))], is_error=True)


def internal(tool: str, bug: Exception) -> ToolResult:
    """A bug as the client sees it: an id that the log explains, and nothing of its text."""
    mark = secrets.token_hex(4)
    log.error("bug %s in %s", mark, tool, exc_info=bug)
    text = f"[internal] {tool}: unexpected failure {mark}; see the server's log for it"
    return ToolResult(content=[TextContent(type="text", text=text)], is_error=True)


def _argument_problem(tool: str, cause: ValidationError) -> InvalidInputError:
    """Pydantic's complaint without the value (it may be a secret) and without its URL."""
    says = []
    for problem in cause.errors(include_url=False, include_input=False, include_context=False)[:3]:
        where = ".".join(str(part) for part in problem["loc"] if not str(part).startswith("function-"))
        where = shortened(where, _LONGEST_PLACE)  # an unknown key is a caller's own text, of any length
        says.append(f"{where or 'arguments'}: {problem['msg'].removeprefix('Value error, ')}")
    return InvalidInputError(tool, "; ".join(says), "correct the arguments and call again")


def _unfit(arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """Why arguments are not looked at at all, and what to do; nothing for most."""
    if size_bytes(arguments) > MAX_ARGUMENT_BYTES:
        return "the arguments exceed 1.5 MB", "send less"
    try:
        json.dumps(arguments, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return "a text is no Unicode (half a surrogate pair)", "send whole characters"
    return ()


def _asked_for_more(arguments: Mapping[str, Any]) -> bool:
    return (
        arguments.get("detail") == "full"
        or arguments.get("view") == "yaml"
        or arguments.get("fix") is True
        or "limit" in arguments
        or "tail" in arguments
    )


class BoundTool(FunctionTool):
    """A tool behind the door. `budget_tokens` bounds its ordinary answer."""

    LONG: ClassVar[frozenset[str]] = frozenset({"diagnose", "investigate", "get_report"})
    full_output_schema: dict[str, Any] | None = None
    page: dict[str, Any] | None = None  # the `ui` part of its meta: where a host may draw its answers
    names_page: bool = False

    @classmethod
    def bind(cls, tool: FunctionTool) -> "BoundTool":
        """The same tool with lean schemas."""
        bound = cls(
            fn=tool.fn,
            return_type=tool.return_type,
            name=tool.name,
            description=tool.description,
            parameters=lean(tool.parameters),
            output_schema=shallow(tool.output_schema or {}),
            annotations=tool.annotations,
            tags=tool.tags,
            task_config=tool.task_config,
        )
        bound.full_output_schema = tool.output_schema
        bound.page = (tool.meta or {}).get("ui")
        return bound

    def to_mcp_tool(self, **overrides: Any) -> ListedTool:
        """As listed: without the framework's own `_meta`, which every client would pay for.

        A page is named where the client draws pages (`names_page`), and to nobody else.
        """
        meta = {"ui": self.page} if self.page and self.names_page else None
        return super().to_mcp_tool(**{"_meta": meta, **overrides})

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Run behind the door."""
        try:
            if said := _unfit(arguments):
                return refusal(InvalidInputError(self.name, *said))
            draws = self.page is not None and client_draws()
            with anyio.fail_after(CALL_DEADLINE_S), collecting() as pictures, viewing(draws) as drawn:
                result = await telling(partial(super().run, arguments))
        except AiopsError as error:
            return refusal(error)
        except ArgumentsError as error:
            cause = error.__cause__
            if isinstance(cause, ValidationError):
                return refusal(_argument_problem(self.name, cause))
            return refusal(InvalidInputError(self.name, "the arguments do not fit", "see the tool's schema"))
        except TimeoutError:
            return refusal(
                UpstreamTimeoutError(
                    self.name, f"no answer within {CALL_DEADLINE_S:.0f} s", "narrow the call"
                )
            )
        except MCPError:
            raise
        except Exception as bug:  # noqa: BLE001  # the door: nothing of a bug may reach a client
            return internal(self.name, bug)
        if isinstance(result, InputRequiredToolResult):
            return result
        data = result.structured_content
        if data is not None and not drawn and not pictures and size_bytes(data) <= SMALL_BYTES:
            return self._send(result, arguments, pictures, drawn)  # a thread costs more than it saves
        # Off the loop: a megabyte of hostile text takes a second to clean, and other calls go on meanwhile.
        return await anyio.to_thread.run_sync(self._send, result, arguments, pictures, drawn)

    def _send(
        self,
        result: ToolResult,
        arguments: Mapping[str, Any],
        pictures: Sequence[ImageContent],
        drawn: Mapping[str, Any],
    ) -> ToolResult:
        data = result.structured_content
        if data is None:
            return ToolResult(content=[TextContent(type="text", text=clean(str(result.content)))])
        tokens = LONG_TOKENS if self.name in self.LONG else DEFAULT_TOKENS
        budget = HARD_CAP_BYTES if _asked_for_more(arguments) else tokens * BYTES_PER_TOKEN
        required = (self.output_schema or {}).get("required", ())
        counts: Counter[str] = Counter()
        answer = fit(without_empties(escape_tree(redact_tree(data, counts)), required), budget)
        count_redactions(counts)
        text = orjson.dumps(answer).decode()
        trace.get_current_span().set_attribute("aiops.result_bytes", len(text))
        blocks = [TextContent(type="text", text=text), *pictures]
        meta = {DATA_KEY: escape_tree(redact_tree(drawn))} if drawn else None
        return ToolResult(content=blocks, structured_content=answer, meta=meta)
