"""What every desk does between a draft and a stored plan: ask the policy, and stamp who plans when.

Called by each `*_desk` and plan tool. What policy denies for good is refused here already, and audited; a
denial that passes with time (a freeze, a repeat limit) stands on the plan.
"""

from collections.abc import Callable
from typing import Protocol

from aiops_eks.planning.judging import Stamp
from aiops_shared.clock import Clock
from aiops_shared.guardrails import Verdict
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.models import Request

PASSING = frozenset({"freeze", "repeat-limit", "rate-limit", "read-only", "audit-down"})


class Desk(Protocol):
    """What a desk holds for it."""

    @property
    def guard(self) -> Guardrails:
        """The gate."""
        ...

    @property
    def clock(self) -> Clock:
        """For the time of the plan."""
        ...

    @property
    def plan_ttl_s(self) -> int:
        """How long a plan lives."""
        ...


async def verdict_on(
    guard: Guardrails, request: Request, owner: str, advised: Callable[[Verdict], Verdict] | None = None
) -> Verdict:
    """The policy's answer. Raises ActionRefusedError, audited, for a lasting no, with what `advised` adds."""
    verdict = await guard.judge(request, owner)
    if verdict.decision == "deny" and verdict.rule not in PASSING:
        raise await guard.refuse(request, advised(verdict) if advised else verdict)
    return verdict


def stamped(desk: Desk, reason: str, plan_id: str = "") -> Stamp:
    """Who plans when, why and for how long; a new id unless the draft already carries one."""
    return Stamp(
        plan_id=plan_id or new_id("pln_"),
        caller=desk.guard.caller,
        at=desk.clock.safe_now(),
        ttl_s=desk.plan_ttl_s,
        reason=reason,
    )
