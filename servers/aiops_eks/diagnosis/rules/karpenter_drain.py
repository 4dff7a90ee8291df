"""Nodes that are taken away: by a spot interruption, or by Karpenter, which then cannot.

A node that is being replaced in order is no finding, and that a node may not be consolidated now and then
neither: only what stays blocked while the node should go, and an interruption while it happens.
Sources: karpenter-provider-aws pkg/controllers/interruption, sigs.k8s.io/karpenter
pkg/controllers/node/termination and pkg/controllers/disruption.
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.case import EVENT_RECENT_S, event_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Event, Node, Ref

INTERRUPTED_S = 600.0  # the notice is two minutes ahead
REPEATED = 3
DISRUPTED = "karpenter.sh/disrupted"
_BLOCKED = re.compile(r"pdb|PodDisruptionBudget|do-not-disrupt", re.IGNORECASE)
SPOT_INTERRUPTED = Cause(
    code="SPOT_INTERRUPTED",
    severity="medium",
    means="A spot instance is being taken back; its pods have two minutes to go.",
    told_by="Event SpotInterrupted of a node that is still there, not older than ten minutes. A rebalance "
    "recommendation is only a hint, and an interruption whose node is gone is over.",
    source="karpenter-provider-aws pkg/controllers/interruption",
    next_step="nothing, if replacements come up; else run enough replicas over several zones and instance "
    "types, or on "
    "on-demand nodes",
)
DRAIN_BLOCKED = Cause(
    code="KARPENTER_DRAIN_BLOCKED",
    severity="high",
    means="Karpenter is removing a node and cannot drain it.",
    told_by="Event FailedDraining again and again within the last quarter of an hour on a node that is "
    "marked "
    "karpenter.sh/disrupted or is being deleted. A drain that goes on in order says so once or twice.",
    source="sigs.k8s.io/karpenter pkg/controllers/node/termination",
    next_step="find what holds the pods: a PodDisruptionBudget without headroom, a finalizer, a long grace "
    "period",
    sop="drain-node",
)
DISRUPTION_BLOCKED = Cause(
    code="KARPENTER_DISRUPTION_BLOCKED",
    severity="info",
    means="Karpenter would replace or consolidate a node and a budget or an annotation forbids it for long.",
    told_by="Event DisruptionBlocked that names a PodDisruptionBudget or karpenter.sh/do-not-disrupt, three "
    "times and "
    "more, still within the last quarter of an hour and first seen more than half an hour ago.",
    source="sigs.k8s.io/karpenter pkg/controllers/disruption; pkg/controllers/state/statenode.go",
    next_step="give the budget headroom or take the annotation off when the work is done; the node stays "
    "until then",
)


def interrupted(facts: Facts) -> Iterator[Told]:
    """SPOT_INTERRUPTED."""
    for node, event in _nodes_with(facts, "SpotInterrupted", INTERRUPTED_S):
        pods = tuple(
            p.ref for p in facts.pods_on(node.name) if p.parent is None or p.parent.kind != "DaemonSet"
        )
        words = "is taken back by the cloud: spot interruption"
        text = f"The spot instance of node {node.name} is being taken back; {len(pods)} pods have to go."
        yield _told(facts, SPOT_INTERRUPTED, node, event, words, text, pods)


def drain_blocked(facts: Facts) -> Iterator[Told]:
    """KARPENTER_DRAIN_BLOCKED."""
    for node, event in _nodes_with(facts, "FailedDraining", EVENT_RECENT_S):
        leaving = node.deleted_at is not None or any(t.startswith(DISRUPTED) for t in node.taints)
        if not leaving or event.count < REPEATED:
            continue
        text = f"Karpenter removes node {node.name} and cannot drain it; its words are quoted."
        yield _told(facts, DRAIN_BLOCKED, node, event, "cannot be drained", text, ())


def disruption_blocked(facts: Facts) -> Iterator[Told]:
    """KARPENTER_DISRUPTION_BLOCKED."""
    for node, event in _nodes_with(facts, "DisruptionBlocked", EVENT_RECENT_S):
        long = event.count >= REPEATED and facts.age_s(event.first_at) >= 2 * EVENT_RECENT_S
        if not long or event.first_at is None or not _BLOCKED.search(event.message):
            continue
        text = f"Karpenter would take node {node.name} away and may not; its words are quoted."
        yield _told(facts, DISRUPTION_BLOCKED, node, event, "may not be replaced or consolidated", text, ())


def _nodes_with(facts: Facts, reason: str, within_s: float) -> Iterator[tuple[Node, Event]]:
    """Nodes that are there, with their newest event of this reason."""
    for node in facts.nodes:
        events = [e for e in facts.events_about(node.ref) if e.reason == reason]
        if events and facts.age_s(events[0].last_at) <= within_s:
            yield node, events[0]


def _told(
    facts: Facts, cause: Cause, node: Node, event: Event, predicate: str, text: str, hurts: tuple[Ref, ...]
) -> Told:
    return Told(
        cause=cause,
        at=node.ref,
        subject=node.ref,
        predicate=predicate,
        root_cause=text,
        hurts=hurts or (node.ref,),
        evidence=(event_evidence(facts, event),),
        agree=3,
        explained_by=(node.ref,) if cause is DISRUPTION_BLOCKED else (),
        since=event.first_at or event.last_at,
    )


RULES = (
    WorldRule((SPOT_INTERRUPTED,), interrupted),
    WorldRule((DRAIN_BLOCKED,), drain_blocked),
    WorldRule((DISRUPTION_BLOCKED,), disruption_blocked),
)
