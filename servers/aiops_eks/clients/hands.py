"""Chooses the hand that carries a step out, by the API group of its target: Kubernetes, or one of the others.

The executor knows one `Effects` per cluster. An add-on (`eks.amazonaws.com/v1/Addon`), a node's disk or a
commit in a repository is a target like a Deployment; each has an adapter of its own here, loaded on first
use. Groups that nobody claims belong to the Kubernetes API.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiops_shared.errors import ActionRefusedError
from aiops_shared.guardrails.models import (
    Facts,
    GateCheck,
    GateResult,
    Json,
    ObjectRef,
    Part,
    Plan,
    Round,
    Step,
)
from aiops_shared.guardrails.permits import Permit
from aiops_shared.guardrails.ports import Effects, Leaver, Sweeper


@dataclass(frozen=True)
class Hands:
    """Fulfils `Effects` and `Sweeper` by handing on.

    `others`: an API group, or `group/version/Kind` of one kind (`v1/Node`), -> the adapter that carries it.
    """

    kubernetes: Effects
    others: Mapping[str, Callable[[], Effects]]

    def of(self, ref: ObjectRef) -> Effects:
        """The adapter of a target."""
        made = self.others.get(f"{ref.api_version}/{ref.kind}") or self.others.get(ref.group)
        return made() if made else self.kubernetes

    async def parts(self, ref: ObjectRef, step: Step) -> Round:
        """What is left of a target's parts. Raises ActionRefusedError when its adapter knows none."""
        return await self._sweeper(ref).parts(ref, step)

    async def carry_part(self, ref: ObjectRef, step: Step, part: Part, permit: Permit) -> str:
        """Take one part away; why not yet, or nothing."""
        return await self._sweeper(ref).carry_part(ref, step, part, permit)

    async def leave(self, ref: ObjectRef, steps: tuple[Step, ...], permit: Permit) -> str:
        """Take away what these steps left behind, where the adapter leaves anything."""
        found = self.of(ref)
        return await found.leave(ref, steps, permit) if isinstance(found, Leaver) else ""

    def _sweeper(self, ref: ObjectRef) -> Sweeper:
        found = self.of(ref)
        if not isinstance(found, Sweeper):
            raise ActionRefusedError(str(ref), "has no parts that could be taken away", "plan again")
        return found

    async def read(self, ref: ObjectRef) -> Json | None:
        """The object now, or None when it is gone."""
        return await self.of(ref).read(ref)

    async def apply_step(
        self, ref: ObjectRef, step: Step, current: Json | None, permit: Permit
    ) -> Json | None:
        """One effect."""
        return await self.of(ref).apply_step(ref, step, current, permit)

    async def replace(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """The way back of an undo."""
        return await self.of(ref).replace(ref, body, permit)

    async def create(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """Create again what was deleted."""
        return await self.of(ref).create(ref, body, permit)

    async def delete(self, ref: ObjectRef, uid: str, permit: Permit) -> None:
        """Delete what was created."""
        await self.of(ref).delete(ref, uid, permit)

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        """One look at what must hold."""
        return await self.of(ref).look(ref, check)

    async def measure(self, plan: Plan) -> Facts:
        """The plan's facts, measured again by the hand of its first target."""
        return await self.of(plan.targets[0].ref).measure(plan)
