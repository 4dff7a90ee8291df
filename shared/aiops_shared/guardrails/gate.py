"""The one place that says yes or no to a change, and the only maker of a Permit.

Asked twice (D3): at plan time its answer is advice; at execution the facts, limits and freezes are read
again, and deny always wins. Every refusal is audited once.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from aiops_shared.clock import Clock
from aiops_shared.errors import (
    ActionRefusedError,
    ApprovalPendingError,
    AuditDownError,
    FrozenError,
    RateLimitedError,
    ReadOnlyError,
    RepeatLimitError,
)
from aiops_shared.guardrails.behalves import of_its_run, planned_only, run_mode
from aiops_shared.guardrails.limits import Occurrence, count, reserve
from aiops_shared.guardrails.models import (
    Approver,
    Caller,
    Facts,
    Limits,
    Plan,
    Request,
    TargetChange,
    Verdict,
)
from aiops_shared.guardrails.modes import Modes
from aiops_shared.guardrails.permits import Permit
from aiops_shared.guardrails.plans import digest_of_plan, owner_of
from aiops_shared.guardrails.ports import Brake, Judge, Trail
from aiops_shared.state import StateStore

_STRICTNESS: dict[tuple[str, Approver], int] = {
    ("allow", ""): 0,
    ("needs_approval", "requester"): 1,
    ("needs_approval", "other"): 2,
}
_DENIED = 3
_ERRORS: dict[str, type[ActionRefusedError]] = {
    "freeze": FrozenError,
    "repeat-limit": RepeatLimitError,
    "rate-limit": RateLimitedError,
    "audit-down": AuditDownError,
    "read-only": ReadOnlyError,
}


def strictness(verdict: Verdict) -> int:
    """0 allow, 1 requester, 2 somebody else, 3 deny or anything not understood."""
    return _STRICTNESS.get((verdict.decision, verdict.approver), _DENIED)


@dataclass(frozen=True, slots=True)
class Cleared:
    """What the gate found at execution; made here only, turned into a Permit by `permit`."""

    plan: Plan
    plan_digest: str
    facts: Facts
    caller: Caller
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Asked:
    """What stands around one question: the repeat limit's owner, world time, the action left out of it."""

    owner: str
    world: datetime
    action_id: str = ""
    undo: bool = False


@dataclass(frozen=True, slots=True)
class _Look:
    """One judgement of a whole plan."""

    plan: Plan
    facts: Facts
    caller: Caller
    world: datetime
    action_id: str = ""
    undo: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """Settings switch, policy, modes, limits and freezes behind one answer."""

    modes: Modes
    policy: Judge
    brake: Brake
    trail: Trail
    store: StateStore
    clock: Clock

    async def judge(self, request: Request, owner: str = "") -> Verdict:
        """Advice at plan time, with the limits and freezes as they are now. Refuses nothing."""
        world = await self.clock.now()
        here = f"{request.namespace}/{request.name}" if request.namespace else request.name
        asked = Asked(owner or f"{request.kind.lower()} {here}", world)
        return await self.store.read(lambda conn: self._verdict(conn, request, asked))

    async def clear(self, plan: Plan, facts: Facts, caller: Caller) -> Cleared:
        """Policy again with fresh facts. Raises the refusal, audited; needs_approval is not a refusal."""
        return await self._cleared(plan, facts, caller, undo=False)

    async def clear_undo(self, plan: Plan, caller: Caller) -> Cleared:
        """The way back of an action: read-only, freezes and denials still hold, limits of repetition do not.

        An approval of the action covers its undo, so needs_approval lets it pass.
        """
        facts = plan.facts
        back = facts.model_copy(
            update={"replicas_before": facts.replicas_after, "replicas_after": facts.replicas_before}
        )
        return await self._cleared(plan, back, caller, undo=True)

    async def _cleared(self, plan: Plan, facts: Facts, caller: Caller, *, undo: bool) -> Cleared:
        if not self.modes.write:
            advice = "start the server with AIOPS_WRITE=true, or hand the plan to GitOps"
            raise await self.refused(plan, caller, Verdict(decision="deny", rule="read-only", advice=advice))
        if planned_only():
            advice = "start the run again in mode supervised or auto, or execute the plan yourself"
            raise await self.refused(plan, caller, Verdict(decision="deny", rule="run-mode", advice=advice))
        world = await self.clock.now()
        look = _Look(plan, facts, caller, world, undo=undo)
        verdict = await self.store.read(lambda conn: self._strictest(conn, look))
        if strictness(verdict) == _DENIED:
            raise await self.refused(plan, caller, verdict)
        return Cleared(plan, digest_of_plan(plan), facts, caller, verdict)

    def reserve_in(
        self, conn: Connection, cleared: Cleared, action_id: str, world: datetime, approved_by: str
    ) -> None:
        """Count the action, then judge it again under that lock. Raises the refusal, not yet audited.

        Two processes that were both cleared for the last free place of a limit meet here.
        """
        plan = cleared.plan
        owners = tuple(owner_of(target) for target in plan.targets)
        reserve(conn, Occurrence(plan.action, plan.cluster, owners, cleared.caller.name, action_id), world)
        look = _Look(plan, cleared.facts, cleared.caller, world, action_id=action_id)
        verdict = self._strictest(conn, look, approved_by, cleared.verdict.approver)
        if strictness(verdict) == _DENIED:
            raise refusal(plan, verdict)
        if strictness(verdict) > strictness(cleared.verdict):
            raise ApprovalPendingError(
                f"plan {plan.plan_id}", "the verdict changed meanwhile", "execute it again"
            )

    def permit(self, cleared: Cleared, action_id: str, fence: int) -> Permit:
        """The proof that a run hands to the adapter."""
        targets = frozenset(target.ref for target in cleared.plan.targets)
        return Permit(action_id, cleared.plan_digest, targets, fence)

    def permit_again(self, plan: Plan, action_id: str, fence: int) -> Permit:
        """The permit of an action that another process started: judged then, braked before every step now."""
        return Permit(
            action_id, digest_of_plan(plan), frozenset(target.ref for target in plan.targets), fence
        )

    async def refused(self, plan: Plan, caller: Caller, verdict: Verdict) -> ActionRefusedError:
        """The error of a refusal, audited once."""
        return await self.noted(plan, caller, refusal(plan, verdict))

    async def refuse(self, request: Request, verdict: Verdict) -> ActionRefusedError:
        """The error of a denied request for which there is no plan yet, audited once."""
        where = f"{request.namespace}/{request.name}" if request.namespace else request.name
        error = _error(f"{request.action} {request.kind.lower()} {where}", verdict)
        await self._note(request.caller, "", request.action, error)
        return error

    async def noted(self, plan: Plan, caller: Caller, error: ActionRefusedError) -> ActionRefusedError:
        """Audit a refusal that was found inside a transaction, which took its audit with it."""
        await self._note(caller, plan.plan_id, plan.action, error)
        return error

    async def _note(self, caller: Caller, about: str, action: str, error: ActionRefusedError) -> None:
        says = {"action": action, "code": error.code, "says": str(error)[:300]}
        await self.store.run(lambda conn: self.trail.note_in(conn, caller, about, "refusal", says))

    def _strictest(
        self, conn: Connection, look: "_Look", approved_by: str = "", approval_needs: Approver = ""
    ) -> Verdict:
        presented = {"approved_by": approved_by, "approval_needs": approval_needs if approved_by else ""}
        found = []
        for target in look.plan.targets:
            request = _request(look.plan, target, look.facts, look.caller).model_copy(update=presented)
            asked = Asked(owner_of(target), look.world, look.action_id, look.undo)
            found.append(self._verdict(conn, request, asked))
        return max(found, key=strictness)

    def _verdict(self, conn: Connection, request: Request, asked: Asked) -> Verdict:
        # A frozen key forbids the action again, not its undo.
        keys = frozenset() if asked.undo else frozenset({(str(request.action), asked.owner)})
        frozen = self.brake.reason_in(conn, request.cluster, keys, asked.world, False)
        who, owners = request.caller.name, (asked.owner,)
        happened = Occurrence(request.action, request.cluster, owners, who, asked.action_id)
        limits = count(conn, happened, asked.world)
        if asked.undo:  # an undo is no repetition of the action, but it is a call of this caller
            limits = Limits(caller_1m=limits.caller_1m, caller_1h=limits.caller_1h)
        now = {"limits": limits, "frozen": bool(frozen), "at": asked.world}
        known = of_its_run(request.model_copy(update=now))
        verdict = self.modes.capped(self.policy.decide(known), known, run_mode(known.facts.env))
        if frozen and verdict.rule == "freeze":
            return verdict.model_copy(update={"advice": f"{frozen}. {verdict.advice}"})
        return verdict


def refusal(plan: Plan, verdict: Verdict) -> ActionRefusedError:
    """The error that fits the rule."""
    where = str(plan.targets[0].ref) if len(plan.targets) == 1 else f"{len(plan.targets)} targets"
    return _error(f"{plan.action} {where}", verdict)


def _error(thing: str, verdict: Verdict) -> ActionRefusedError:
    kind = _ERRORS.get(verdict.rule, ActionRefusedError)
    return kind(thing, f"refused by rule {verdict.rule}", verdict.advice)


def _request(plan: Plan, target: TargetChange, facts: Facts, caller: Caller) -> Request:
    ref = target.about or target.ref
    return Request(
        action=plan.action,
        kind=ref.kind,
        group=ref.group,
        namespace=ref.namespace,
        name=ref.name,
        cluster=plan.cluster,
        caller=caller,
        facts=facts,
        limits=Limits(),
    )
