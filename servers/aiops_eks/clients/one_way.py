"""The part of an `Effects` adapter that has no way back: replacing, creating and deleting are refused.

Base of the adapters of a node's disk, of profiles, and of commits, which alone do replace: they revert.
"""

from typing import ClassVar

from aiops_shared.errors import ActionRefusedError
from aiops_shared.guardrails.models import Json, ObjectRef
from aiops_shared.guardrails.permits import Permit


class OneWay:
    """`never` says why not and what next. Every method raises ActionRefusedError."""

    never: ClassVar[tuple[str, str]]

    async def replace(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """There is no way back."""
        raise self._refused(ref)

    async def create(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """No plan makes such a target."""
        raise self._refused(ref)

    async def delete(self, ref: ObjectRef, uid: str, permit: Permit) -> None:
        """No plan deletes such a target."""
        raise self._refused(ref)

    def _refused(self, ref: ObjectRef) -> ActionRefusedError:
        return ActionRefusedError(str(ref), *self.never)
