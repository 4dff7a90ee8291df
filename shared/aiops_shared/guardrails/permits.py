"""Proof that the gate said yes: every writing method of an adapter takes one.

Only `gate.py` makes a Permit (a contract test looks for other makers), so a path to the API that forgot to
ask does not pass the type checker. An adapter calls `covers` before it writes.
"""

from dataclasses import dataclass

from aiops_shared.errors import ActionRefusedError
from aiops_shared.guardrails.models import ObjectRef


@dataclass(frozen=True, slots=True)
class Permit:
    """What may be written, for which action, by which holder of its lease.

    `fence` grows with every take-over of the action; the journal refuses an older one.
    """

    action_id: str
    plan_digest: str
    targets: frozenset[ObjectRef]
    fence: int

    def covers(self, ref: ObjectRef) -> None:
        """Raises ActionRefusedError unless `ref` is a declared target (invariant I7)."""
        if ref not in self.targets:
            raise ActionRefusedError(str(ref), f"action {self.action_id} does not cover it", "plan it")
