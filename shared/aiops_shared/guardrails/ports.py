"""What the executor needs from others, said by the executor.

`Effects` is a server's adapter: `aiops_eks.clients` fulfils it over the Kubernetes API, tests with a fake
world. `Trail` and `Brake` are the audit and the freezes as a run sees them.
"""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from aiops_shared.guardrails.models import (
    Approval,
    Caller,
    Facts,
    GateCheck,
    GateResult,
    Json,
    ObjectRef,
    Part,
    Plan,
    Request,
    Round,
    Step,
    Verdict,
)
from aiops_shared.guardrails.permits import Permit

if TYPE_CHECKING:
    from sqlalchemy import Connection

Answer = Literal["accepted", "declined", "unavailable"]


class Effects(Protocol):
    """The hand of the executor. Every method may raise `AiopsError`; `apply_step` raises `ConflictError`
    when the resourceVersion moved and any `UpstreamError` when the outcome is unknown.
    """

    async def read(self, ref: ObjectRef) -> Json | None:
        """The object as it is now, or None when it is gone."""
        ...

    async def apply_step(
        self, ref: ObjectRef, step: Step, current: Json | None, permit: Permit
    ) -> Json | None:
        """Carry out one step on the object read as `current` (uid and resourceVersion are preconditions).

        Returns the object as the API answered, None after a deletion or eviction.
        """
        ...

    async def replace(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """Put `body` (with its resourceVersion) in place; the way back of an undo."""
        ...

    async def create(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """Create again what an action deleted."""
        ...

    async def delete(self, ref: ObjectRef, uid: str, permit: Permit) -> None:
        """Delete what an action created, only if it still is that object."""
        ...

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        """One look at what must hold after a step."""
        ...

    async def measure(self, plan: Plan) -> Facts:
        """Measure the plan's facts again, now (D3)."""
        ...


@runtime_checkable
class Sweeper(Protocol):
    """An adapter whose targets have parts that a `sweep` takes away one by one."""

    async def parts(self, ref: ObjectRef, step: Step) -> Round:
        """What is left of the target's parts, and what may go now."""
        ...

    async def carry_part(self, ref: ObjectRef, step: Step, part: Part, permit: Permit) -> str:
        """Take one part away; why it may not go now (it is asked for again), or nothing when it goes."""
        ...


@runtime_checkable
class Leaver(Protocol):
    """An adapter whose steps leave something of ours behind, which an action that failed takes away too."""

    async def leave(self, ref: ObjectRef, steps: tuple[Step, ...], permit: Permit) -> str:
        """Take away what these steps left (a debug pod, never the user's own); says what, or nothing."""
        ...


class Trail(Protocol):
    """The audit inside a transaction: raises AuditDownError, so that nothing commits without it."""

    def intent_in(self, conn: "Connection", caller: Caller, action_id: str, says: dict[str, Any]) -> int:
        """Record what is about to happen; returns the record's number."""
        ...

    def outcome_in(
        self, conn: "Connection", caller: Caller, action_id: str, intent: int, says: dict[str, Any]
    ) -> None:
        """Record how that intent ended."""
        ...

    def note_in(
        self, conn: "Connection", caller: Caller, about: str, event: str, says: dict[str, Any]
    ) -> None:
        """Record a refusal or another event that is no effect."""
        ...


class Brake(Protocol):
    """Freeze windows, the kill switch and frozen keys (action, owner), asked before every effect."""

    def reason_in(
        self,
        conn: "Connection",
        cluster: str,
        keys: frozenset[tuple[str, str]],
        world_now: datetime,
        kill_only: bool,
    ) -> str:
        """Why nothing may be written now; empty when it may."""
        ...

    def freeze_key_in(self, conn: "Connection", cluster: str, key: tuple[str, str], reason: str) -> None:
        """No more of this action on this owner until a person lifts it."""
        ...


class Judge(Protocol):
    """The policies: pure, the same request always gets the same verdict."""

    @property
    def digest(self) -> str:
        """Digest of the bundle in force."""
        ...

    def decide(self, request: Request) -> Verdict:
        """The verdict; a failure is a deny."""
        ...


class Asker(Protocol):
    """The client's person, where the client can ask (elicitation or an input-required round trip)."""

    async def ask(self, approval: Approval, plan: Plan, nonce: str) -> Answer:
        """Show the diff and ask; `accepted` only if the answer carried the nonce."""
        ...
