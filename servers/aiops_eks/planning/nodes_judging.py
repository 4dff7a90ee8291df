"""From a draft over nodes to a judged plan: what the person sees and what the gate is asked. Pure."""

from datetime import timedelta

from aiops_eks.models import fields
from aiops_eks.planning.judging import MOST_TO_CONFIRM, Judged, Stamp
from aiops_eks.planning.nodes_budgets import budgets_of, says_of
from aiops_eks.planning.nodes_scene import Nodes, NodesDraft
from aiops_eks.planning.wording import one_line
from aiops_shared.guardrails.models import BlastRadius, Caller, Facts, FieldChange, Plan, Request


def request_of(draft: NodesDraft, facts: Facts, caller: Caller) -> Request:
    """The question to the policy, about the first node; the facts hold for all of them."""
    ref = draft.targets[0].ref
    return Request(
        action=draft.action,
        kind=ref.kind,
        group=ref.group,
        name=ref.name,
        cluster=ref.cluster,
        caller=caller,
        facts=facts,
    )


def blast_radius(draft: NodesDraft, nodes: Nodes) -> BlastRadius:
    """How many nodes and pods it touches, and what the budgets leave."""
    count = len(draft.targets)
    word = "1 node" if count == 1 else f"{count} nodes, one after the other"
    if draft.action != "drain":
        return BlastRadius(objects=count, says=f"{word}; running pods stay")
    planned = {target.ref for target in draft.targets}
    moving = [pod for spot in nodes.spots if spot.ref in planned for pod in spot.moving]
    names = {says_of(pdb) for pod in moving for pdb in budgets_of(pod, nodes.budgets)}
    pdb = "; ".join(sorted(names)[:4]) or "none"
    spaces = len({fields.namespace_of(pod) for pod in moving})
    return BlastRadius(
        objects=count,
        pods=len(moving),
        total_pods=len(moving),
        at_once=1 if moving else 0,
        pdb=pdb,
        says=f"{word}; {len(moving)} pods of {spaces} namespaces move, one of a workload at a time; {pdb}",
    )


def plan_of(draft: NodesDraft, nodes: Nodes, judged: Judged, stamp: Stamp) -> Plan:
    """The plan, ready to be stored. Its words are redacted and on one line each, whoever shows them."""
    not_measured = (f"not measured: {gap}" for gap in nodes.gaps)
    return Plan(
        plan_id=stamp.plan_id,
        action=draft.action,
        cluster=nodes.cluster,
        confirm=one_line(draft.confirm, MOST_TO_CONFIRM),
        targets=draft.targets,
        waves=draft.waves,
        diff=tuple(_shown(change) for change in draft.diff),
        requester=stamp.caller,
        created_at=stamp.at,
        expires_at=stamp.at + timedelta(seconds=stamp.ttl_s),
        validation=judged.dry.validation,
        reversible=draft.reversible,
        lost=tuple(one_line(each) for each in draft.lost),
        blast_radius=blast_radius(draft, nodes),
        facts=judged.facts,
        verdict=judged.verdict,
        policy_digest=judged.policy_digest,
        reason=one_line(stamp.reason),
        warnings=tuple(one_line(each) for each in (*draft.warnings, *judged.warnings, *not_measured)),
    )


def _shown(change: FieldChange) -> FieldChange:
    return FieldChange(path=change.path, before=one_line(change.before), after=one_line(change.after))
