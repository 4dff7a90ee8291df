"""How a step can end short of done, as the engine passes it on."""

from dataclasses import dataclass
from typing import Any, Literal

from aiops_shared.errors import (
    ActionRefusedError,
    AiopsError,
    ApprovalPendingError,
    AuditDownError,
    FrozenError,
    RateLimitedError,
    RepeatLimitError,
    UnauthenticatedError,
    UpstreamError,
)
from aiops_shared.guardrails.asking_people import approval_named_in

Json = Any
Wants = Literal["approval", "answer", "freeze", "evidence"]
BLOCKED = "BLOCKED_EVIDENCE"


class StepFailedError(Exception):
    """The step did not do what it is for. `code` is the error's, or one of the engine's own."""

    def __init__(self, says: str, code: str = "failed", *, refused: bool = False) -> None:
        super().__init__(says)
        self.says = says
        self.code = code
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Pause:
    """What a step waits for: a person's yes, the end of a freeze, a source that answers again."""

    kind: Wants
    says: str
    id: str = ""
    how: str = ""
    until: str = ""  # safety time, RFC 3339


class PausedError(Exception):
    """The run is laid down until `pause` is over."""

    def __init__(self, pause: Pause) -> None:
        super().__init__(pause.says)
        self.pause = pause


def failed(error: AiopsError) -> StepFailedError:
    """An answer of a server that ends the step."""
    limits = isinstance(error, RepeatLimitError | RateLimitedError)
    return StepFailedError(
        error.wire()[:600], error.code, refused=isinstance(error, ActionRefusedError) and not limits
    )


def pause_of(error: AiopsError) -> Pause | None:
    """What to wait for, where waiting helps; None where it does not."""
    if isinstance(error, ApprovalPendingError):
        approval = approval_named_in(error.hint)
        return Pause("approval", f"{error.thing}: {error.reason}", approval, error.hint)
    if isinstance(error, FrozenError):
        return Pause("freeze", str(error)[:400], how="eks-aiops freeze status")
    if isinstance(error, UpstreamError | UnauthenticatedError | AuditDownError | RateLimitedError):
        return Pause("evidence", f"{BLOCKED}: {error}"[:400])
    return None


def stopped(error: AiopsError) -> PausedError | StepFailedError:
    """A pause where waiting helps, else the step's end."""
    pause = pause_of(error)
    return failed(error) if pause is None else PausedError(pause)
