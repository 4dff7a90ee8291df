"""What of the calls is written down: refusals and sensitive reads in the audit, the rest in the call journal.

One per server, over its guardrails. A refusal or a sensitive read that cannot be audited is refused; the
journal of ordinary reads is a convenience, and never stands in the way of one (fault R9).
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import Any

from fastmcp.tools import ToolResult
from opentelemetry import trace

from aiops_shared.errors import ActionRefusedError, AiopsError
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.redacting import redact_tree, shortened

log = logging.getLogger("aiops.calls")


@dataclass(frozen=True)
class Recorder:
    """Fulfils `app.CallLog` and the servers' `SensitiveReads`."""

    guard: Guardrails
    sensitive_reads: bool

    @property
    def allowed(self) -> bool:
        """Whether the operator permits sensitive reads."""
        return self.sensitive_reads and "aiops:sensitive" in self.guard.caller.scopes

    async def allow(self, what: str) -> None:
        """Pass, audited, or raise ActionRefusedError with what the operator must set."""
        said = shortened(what, 200)  # redacted whole: half a secret is not recognised
        if self.allowed:
            await self.guard.audit.sensitive_read(self.guard.caller, said, {"what": said})
            return
        raise ActionRefusedError(
            said,
            "logs and events may hold sensitive data and are not allowed (rule sensitive-read)",
            "the operator allows them with AIOPS_SENSITIVE_READS=true",
        )

    async def refused(self, tool: str, arguments: dict[str, Any], error: AiopsError) -> None:
        """A call that the configuration forbids."""
        says = {"tool": tool, "code": error.code, "arguments": redact_tree(arguments)}
        await self.guard.audit.refusal(self.guard.caller, tool, says)

    async def called(self, tool: str, arguments: dict[str, Any], result: ToolResult) -> None:
        """A call that ran."""
        text = "".join(getattr(block, "text", "") for block in result.content)
        span = trace.get_current_span().get_span_context()
        try:
            await self.guard.audit.journal(
                self.guard.caller,
                tool,
                _storable(arguments),
                trace=format(span.trace_id, "032x") if span.is_valid else "",
                result_digest=hashlib.sha256(text.encode()).hexdigest(),
                says=text[:200] if result.is_error else "",
            )
        except AiopsError as problem:
            log.warning("call journal: %s", problem.wire())


def _storable(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments as the database can keep them: half a surrogate pair has no bytes."""
    try:
        json.dumps(arguments, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return {"not kept": "a text is no Unicode"}
    return arguments
