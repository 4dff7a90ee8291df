"""From a draft to a judged plan: what the person sees and what the gate is asked. Pure."""

from datetime import datetime, timedelta

from aiops_eks.planning.drafts import Around, Draft, DryRun, at, name_of
from aiops_eks.planning.facts import budgets_for, owner_key
from aiops_eks.planning.wording import one_line
from aiops_shared.guardrails.models import (
    BlastRadius,
    Caller,
    Facts,
    Plan,
    Request,
    TargetChange,
    Verdict,
)
from aiops_shared.guardrails.paths import digest_of, uid_of
from aiops_shared.results import Frozen

MOST_TO_CONFIRM = 900  # execute_plan takes 1,000 characters


def request_of(draft: Draft, facts: Facts, caller: Caller) -> Request:
    """The question to the policy."""
    ref = draft.ref
    return Request(
        action=draft.action,
        kind=ref.kind,
        group=ref.group,
        namespace=ref.namespace,
        name=ref.name,
        cluster=ref.cluster,
        caller=caller,
        facts=facts,
    )


def blast_radius(draft: Draft, around: Around, facts: Facts) -> BlastRadius:
    """How much it touches, and what the PodDisruptionBudgets leave."""
    budgets = [
        f"{name_of(pdb)}: {int(at(pdb, 'status', 'disruptionsAllowed') or 0)} may be disrupted"
        for pdb in budgets_for(around)
    ]
    total = facts.total_pods
    removed = facts.replicas_before - facts.replicas_after if draft.action == "scale" else 0
    scaled = f"; removes {removed} of {facts.replicas_before} replicas" if removed > 0 else ""
    pdb = "; ".join(budgets) or ("not measured" if around.pdbs is None else "none")
    share = f" ({round(100 * draft.at_once / total)} %)" if total else ""
    return BlastRadius(
        pods=total,
        total_pods=total,
        at_once=draft.at_once,
        pdb=pdb,
        says=f"1 object; {draft.at_once} of {total} pods at once{share}{scaled}; PodDisruptionBudget: {pdb}",
    )


def target_of(draft: Draft, around: Around) -> TargetChange:
    """What the plan is bound to (D2)."""
    return TargetChange(
        ref=draft.ref,
        uid=uid_of(around.obj),
        paths=draft.paths,
        reads=draft.reads,
        digest=digest_of(around.obj, (*draft.paths, *draft.reads)),
        steps=draft.steps,
        owner=owner_key(around),
    )


class Judged(Frozen):
    """What the API server and the policy said of a draft."""

    dry: DryRun
    facts: Facts
    verdict: Verdict
    policy_digest: str
    warnings: tuple[str, ...] = ()


class Stamp(Frozen):
    """Who plans, when (safety time), for how long, and why."""

    plan_id: str
    caller: Caller
    at: datetime
    ttl_s: int
    reason: str


def plan_of(draft: Draft, around: Around, judged: Judged, stamp: Stamp) -> Plan:
    """The plan, ready to be stored. Its words are redacted and on one line each, whoever shows them."""
    not_measured = (f"not measured: {gap}" for gap in around.gaps)
    return Plan(
        plan_id=stamp.plan_id,
        action=draft.action,
        cluster=draft.ref.cluster,
        confirm=one_line(draft.confirm, MOST_TO_CONFIRM),
        targets=(target_of(draft, around),),
        diff=draft.diff,
        requester=stamp.caller,
        created_at=stamp.at,
        expires_at=stamp.at + timedelta(seconds=stamp.ttl_s),
        validation=judged.dry.validation,
        reversible=draft.reversible,
        lost=tuple(one_line(each) for each in draft.lost),
        blast_radius=blast_radius(draft, around, judged.facts),
        facts=judged.facts,
        verdict=judged.verdict,
        policy_digest=judged.policy_digest,
        reason=one_line(stamp.reason),
        warnings=tuple(one_line(each) for each in (*draft.warnings, *judged.warnings, *not_measured)),
    )
