"""Every way the suite says no, with the code a client can act on.

The tree, sorted by what to do next::

    AiopsError
    ├── InvalidInputError          correct the arguments
    │   └── QueryInvalidError      correct the query
    ├── NotConfiguredError         the operator must give something first
    ├── NotFoundError              another name (the nearest ones are in the hint)
    │   ├── ClusterNotFoundError
    │   ├── KindUnknownError
    │   ├── PlanNotFoundError
    │   ├── ActionNotFoundError
    │   ├── SopNotFoundError
    │   └── RunNotFoundError
    ├── SopInvalidError            correct the SOP file (`eks-aiops sops lint` says where)
    ├── SopChangedError            the SOP is another one than was approved: start again
    ├── InsufficientDataError      a longer window, or wait: an answer would be a guess
    ├── ActionRefusedError         policy or mode says no; another call will not help
    │   ├── ReadOnlyError
    │   ├── FrozenError
    │   ├── RepeatLimitError
    │   ├── RateLimitedError       wait, then again
    │   ├── QueueFullError         too many events wait: send again later
    │   ├── BehalfInvalidError     a statement of whom a call is for is forged, expired or meant for others
    │   ├── AuditDownError         the audit cannot be written; no effect without it
    │   ├── ApprovalPendingError   a person must approve first
    │   └── ApprovalInvalidError   forged, replayed, expired or by the wrong person
    ├── PlanStaleError             plan again: the target changed since
    ├── PlanExpiredError           plan again: too old
    ├── PlanTamperedError          the stored plan does not match its digest
    ├── ConfirmMismatchError       repeat the plan's own sentence
    ├── UndoRefusedError           somebody else changed it since, or it cannot be undone
    ├── AccessDeniedError          the identity lacks a right
    │   └── UnauthenticatedError
    ├── ConflictError              changed by somebody else at the same time
    ├── ExpiredError               a cursor or watch is too old: start again without it
    └── UpstreamError              the other side failed
        ├── UnreachableError
        ├── UpstreamTimeoutError
        ├── ThrottledError
        └── AnswerTooLargeError

Codes are stable and listed in docs/errors.md; wording may change. Raised everywhere, turned into
`[code] thing: reason; what next` in one place, `aiops_shared.app`.
"""

from typing import ClassVar


class AiopsError(Exception):
    """A failure that the caller can act on: *thing: reason; what to do next*."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, thing: str, reason: str, hint: str = "") -> None:
        self.thing = thing
        self.reason = reason
        self.hint = hint
        super().__init__(thing, reason, hint)

    def __str__(self) -> str:
        tail = f"; {self.hint}" if self.hint else ""
        return f"{self.thing}: {self.reason}{tail}"

    def wire(self) -> str:
        """The text a client sees: the code leads."""
        return f"[{self.code}] {self}"


class InvalidInputError(AiopsError):
    """An argument is of a wrong form (said before any upstream call), or asks for what cannot be done.

    The latter shows when the object is looked at: a rollback without an earlier revision, nothing to change.
    """

    code = "invalid_input"


class QueryInvalidError(InvalidInputError):
    """A query does not parse or asks for too much."""

    code = "query_invalid"


class NotConfiguredError(AiopsError):
    """Something only the operator can give is missing: credentials, a cluster, a key."""

    code = "not_configured"


class NotFoundError(AiopsError):
    """Nothing has that name; the hint carries the nearest right ones."""

    code = "not_found"


class ClusterNotFoundError(NotFoundError):
    """The cluster is neither in the operator's table nor discovered."""

    code = "cluster_not_found"


class KindUnknownError(NotFoundError):
    """The cluster serves no such kind."""

    code = "kind_unknown"


class PlanNotFoundError(NotFoundError):
    """No plan of that id that this caller may see."""

    code = "plan_not_found"


class ActionNotFoundError(NotFoundError):
    """No action of that id that this caller may see."""

    code = "action_not_found"


class SopNotFoundError(NotFoundError):
    """No SOP of that name."""

    code = "sop_not_found"


class RunNotFoundError(NotFoundError):
    """No run of that id, or one of another caller."""

    code = "run_not_found"


class SopInvalidError(AiopsError):
    """A SOP file that breaks the format: nothing of it is executed."""

    code = "sop_invalid"


class SopChangedError(AiopsError):
    """The SOP's file is another one than was pinned or approved."""

    code = "sop_changed"


class InsufficientDataError(AiopsError):
    """Too little was measured for an answer worth having; the hint says how much is needed."""

    code = "insufficient_data"


class ActionRefusedError(AiopsError):
    """Policy or mode refuses; the hint is the rule's advice."""

    code = "refused"


class ReadOnlyError(ActionRefusedError):
    """The server runs read-only."""

    code = "read_only"


class FrozenError(ActionRefusedError):
    """A freeze window or the kill switch is on."""

    code = "frozen"


class RepeatLimitError(ActionRefusedError):
    """The same action on the same owner happened too often."""

    code = "repeat_limit"


class RateLimitedError(ActionRefusedError):
    """Too many actions or calls by this caller in the window."""

    code = "rate_limited"
    retryable = True


class QueueFullError(ActionRefusedError):
    """As many events wait as may wait."""

    code = "queue_full"
    retryable = True


class BehalfInvalidError(ActionRefusedError):
    """The statement of whom a call is made for does not hold."""

    code = "behalf_invalid"


class AuditDownError(ActionRefusedError):
    """The audit cannot be written, so nothing may have an effect."""

    code = "audit_down"


class ApprovalPendingError(ActionRefusedError):
    """A person must approve first; the hint is the exact command."""

    code = "approval_pending"
    retryable = True


class ApprovalInvalidError(ActionRefusedError):
    """An approval that is forged, replayed, expired, or by somebody who may not give it."""

    code = "approval_invalid"


class PlanStaleError(AiopsError):
    """The target changed since the plan was made."""

    code = "plan_stale"


class PlanExpiredError(AiopsError):
    """The plan is older than its lifetime."""

    code = "plan_expired"


class PlanTamperedError(AiopsError):
    """The stored plan does not match the digest it was made with."""

    code = "plan_tampered"


class ConfirmMismatchError(AiopsError):
    """`confirm` is not the plan's own sentence."""

    code = "confirm_mismatch"


class UndoRefusedError(AiopsError):
    """The action cannot be undone, or somebody else changed the target since."""

    code = "undo_refused"


class AccessDeniedError(AiopsError):
    """The identity used lacks a right; the message names which."""

    code = "access_denied"


class UnauthenticatedError(AccessDeniedError):
    """The credentials were not accepted."""

    code = "unauthenticated"


class ConflictError(AiopsError):
    """Somebody else changed the object at the same time, or owns a field of it."""

    code = "conflict"
    retryable = True
    managers: frozenset[str] = frozenset()  # the field managers that a server-side apply conflicts with


class ExpiredError(AiopsError):
    """A cursor or watch position is too old (HTTP 410)."""

    code = "expired"
    retryable = True


class UpstreamError(AiopsError):
    """The other side failed or answered nonsense."""

    code = "upstream_error"
    retryable = True


class UnreachableError(UpstreamError):
    """No connection."""

    code = "unreachable"


class UpstreamTimeoutError(UpstreamError):
    """No answer within the deadline."""

    code = "timeout"


class ThrottledError(UpstreamError):
    """The other side asks to slow down."""

    code = "throttled"


class AnswerTooLargeError(UpstreamError):
    """The answer exceeds what may be read; ask for less."""

    code = "too_large"
    retryable = False


def every_error() -> list[type[AiopsError]]:
    """All classes of the tree, for docs/errors.md and the contract test."""
    found: list[type[AiopsError]] = []
    pending: list[type[AiopsError]] = [AiopsError]
    while pending:
        cls = pending.pop(0)
        found.append(cls)
        pending.extend(cls.__subclasses__())
    return found


def from_wire(text: str) -> AiopsError:
    """The error that another server of the suite sent as `[code] thing: reason; hint`.

    A code that is not known here is an `UpstreamError` that says it.
    """
    code, _, rest = text.removeprefix("[").partition("] ")
    thing, _, said = rest.partition(": ")
    reason, _, hint = said.partition("; ")
    kind = _by_code().get(code)
    if not text.startswith("[") or kind is None or not said:
        return UpstreamError("another server of the suite", text[:500] or "it failed without a word")
    return kind(thing, reason, hint)


def _by_code() -> dict[str, type[AiopsError]]:
    found: dict[str, type[AiopsError]] = {}
    waiting: list[type[AiopsError]] = [AiopsError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(kind.code, kind)
        waiting.extend(kind.__subclasses__())
    return found
