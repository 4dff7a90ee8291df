"""Stores a plan together with what it saw, and shows what waits for a person."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiops_shared.errors import AiopsError
from aiops_shared.guardrails.approvals import Approvals
from aiops_shared.guardrails.bindings import stale
from aiops_shared.guardrails.models import Approval, PendingApproval, Plan, TargetChange
from aiops_shared.guardrails.plans import PlanStore, check_plan, digest_of_plan
from aiops_shared.guardrails.ports import Effects
from aiops_shared.guardrails.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Keeper:
    """Plans with their snapshots."""

    plans: PlanStore
    snapshots: Snapshots
    approvals: Approvals
    effects_for: Callable[[str], Awaitable[Effects]]

    async def save(self, plan: Plan) -> Plan:
        """Snapshot every target, then store the plan. Raises PlanStaleError, InvalidInputError."""
        check_plan(plan)
        effects = await self.effects_for(plan.cluster)
        kept = [await self._seen(target, plan.plan_id, effects) for target in plan.targets]
        return await self.plans.save(plan.model_copy(update={"targets": tuple(kept)}))

    async def _seen(self, target: TargetChange, plan_id: str, effects: Effects) -> TargetChange:
        now = await effects.read(target.ref)
        if problem := stale(target, now, None):
            raise problem
        if now is None or target.ref.kind == "Secret":
            return target
        return target.model_copy(update={"snapshot_id": await self.snapshots.take(target.ref, now, plan_id)})

    async def shown(self, approval: Approval) -> PendingApproval | None:
        """A pending approval with its plan; None when the plan can no longer be executed."""
        try:
            plan = await self.plans.load_any(approval.plan_id)
        except AiopsError:
            return None
        return PendingApproval(
            approval_id=approval.approval_id,
            plan_id=plan.plan_id,
            plan_digest=digest_of_plan(plan),
            requester=plan.requester.name,
            needs=approval.approver_class,
            requester_may=approval.approver_class == "requester" and plan.requester.kind == "human",
            confirm=plan.confirm,
            diff=plan.diff,
            blast_radius=plan.blast_radius.says,
            reversible=plan.reversible,
            lost=plan.lost,
            rule=plan.verdict.rule,
            why=plan.verdict.advice,
            reason=plan.reason,
            cluster=plan.cluster,
            action=plan.action,
            targets=tuple(str(target.ref) for target in plan.targets),
            waves=plan.waves,
            warnings=plan.warnings,
            created_at=approval.created_at,
            expires_at=approval.expires_at,
        )
