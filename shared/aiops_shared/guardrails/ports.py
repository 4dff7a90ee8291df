"""What the executor needs from a server's adapter: read, one effect, one look at the result.

`aiops_eks.clients` fulfils it over the Kubernetes API; tests fulfil it with a fake world.
"""

from typing import Protocol

from aiops_shared.guardrails.models import Facts, GateCheck, GateResult, Json, ObjectRef, Plan, Step


class Effects(Protocol):
    """The hand of the executor. Every method may raise `AiopsError`; `apply_step` raises `ConflictError`
    when the resourceVersion moved and any `UpstreamError` when the outcome is unknown.
    """

    async def read(self, ref: ObjectRef) -> Json | None:
        """The object as it is now, or None when it is gone."""
        ...

    async def apply_step(
        self, ref: ObjectRef, step: Step, current: Json | None, permit: "object"
    ) -> Json | None:
        """Carry out one step on the object read as `current` (uid and resourceVersion are preconditions).

        Returns the object as the API answered, None after a deletion or eviction.
        """
        ...

    async def replace(self, ref: ObjectRef, body: Json, permit: "object") -> Json:
        """Put `body` (with its resourceVersion) in place; the way back of an undo."""
        ...

    async def create(self, ref: ObjectRef, body: Json, permit: "object") -> Json:
        """Create again what an action deleted."""
        ...

    async def delete(self, ref: ObjectRef, uid: str, permit: "object") -> None:
        """Delete what an action created, only if it still is that object."""
        ...

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        """One look at what must hold after a step."""
        ...

    async def measure(self, plan: Plan) -> Facts:
        """Measure the plan's facts again, now (D3)."""
        ...
