"""Pods for which Karpenter makes no node, and why it says so.

Asked before the scheduler's reasons: "Insufficient cpu" is true of every pod that waits for a node, and
what keeps the node from coming is the cause. Karpenter tells it in events on the pod and on the NodeClaim.
Sources: sigs.k8s.io/karpenter pkg/controllers/provisioning/scheduling (scheduler.go, nodeclaim.go, events.go)
and pkg/controllers/nodeclaim/lifecycle.
"""

import re
from collections.abc import Iterable

from aiops_eks.diagnosis.case import EVENT_RECENT_S, Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.further.nodes import NO_CAPACITY, SAYS, NodePool
from aiops_eks.diagnosis.objects import Event, Ref
from aiops_eks.diagnosis.quoting import plain_name
from aiops_shared.results import Evidence

GRACE_S = 120.0  # a node takes a minute or two to come
_LIMITS = re.compile(
    r"exceed limits for nodepool|limits have been exhausted for nodepool|exceed limits", re.IGNORECASE
)
_POOL = re.compile(
    r"nodepool[\"':= {(]{1,6}(?:NodePool[\"':= ]{1,4}|name[\"':= ]{1,4})?([a-z0-9][a-z0-9.-]{0,62})",
    re.IGNORECASE,
)
_MISFIT = re.compile(
    r"incompatible (?:requirements|with nodepool|volume requirements)|no instance type|did not tolerate taint"
    r"|requirements filtered out|no nodepools",
    re.IGNORECASE,
)
_SOURCE = "sigs.k8s.io/karpenter pkg/controllers/provisioning/scheduling"
LIMIT_REACHED = Cause(
    code="KARPENTER_LIMIT_REACHED",
    severity="high",
    means="A NodePool may not grow any further: its limits are reached.",
    told_by="Karpenter's FailedScheduling event on the pod says `exceed limits for nodepool`; the NodePool's "
    "status.resources stand close to spec.limits. When no pool fits at all it is KARPENTER_NO_NODEPOOL_FITS.",
    source=_SOURCE,
    next_step="raise spec.limits of the NodePool if the cost is wanted (plan_manifest(action=apply)), or "
    "free room",
)
NO_POOL_FITS = Cause(
    code="KARPENTER_NO_NODEPOOL_FITS",
    severity="high",
    means="No NodePool can make a node that the pod would accept.",
    told_by="Karpenter's FailedScheduling event on the pod says `incompatible requirements`, `no instance "
    "type …` or "
    "`did not tolerate taint`. A pool that fits and may not grow is KARPENTER_LIMIT_REACHED; one that fits "
    "and gets "
    "no machine is KARPENTER_NO_CAPACITY.",
    source=_SOURCE,
    next_step="compare the pod's requests, selectors and tolerations with the NodePools' requirements and "
    "taints",
)
NO_MACHINES = Cause(
    code="KARPENTER_NO_CAPACITY",
    severity="high",
    means="Karpenter asks for a node, and the cloud has no such machine at the moment.",
    told_by="Event InsufficientCapacityError of a NodeClaim within the last quarter of an hour, while pods "
    "cannot be "
    "scheduled.",
    source="sigs.k8s.io/karpenter pkg/controllers/nodeclaim/lifecycle",
    next_step="allow more instance types, zones or on-demand capacity in the NodePool's requirements",
)


def no_node_comes(case: Case) -> Told | None:
    """KARPENTER_LIMIT_REACHED, KARPENTER_NO_NODEPOOL_FITS or KARPENTER_NO_CAPACITY."""
    pod = case.pod
    if case.container is not None or pod.node or pod.deleted_at is not None or pod.gates:
        return None
    if case.facts.age_s(pod.created_at) < GRACE_S:
        return None
    said = [e for e in case.recent("FailedScheduling", within_s=1800.0) if e.message.startswith(SAYS)]
    if said and _LIMITS.search(said[0].message):
        return _limit(case, said[0])
    if said and _MISFIT.search(said[0].message):
        text = f"No NodePool can make a node for {pod.ref}; Karpenter's words are quoted."
        return _told(
            case, NO_POOL_FITS, "waits for a node that no NodePool can make", text, said[0], case.subject
        )
    failed = _failed_launches(case)
    return (
        _no_machine(case, failed[0]) if failed and case.recent("FailedScheduling", within_s=1800.0) else None
    )


def _limit(case: Case, event: Event) -> Told:
    pools = {pool.ref.name: pool for pool in case.facts.all(NodePool)}
    named = [name for name in _POOL.findall(event.message) if not pools or name in pools]
    name = plain_name(named[0]) if named else ""
    pool = pools.get(name)
    at = Ref("NodePool", "", name) if name else case.subject
    says = () if pool is None else (Evidence(source="kubernetes", query=f"{at} limits", says=_usage(pool)),)
    which = f"NodePool {name}" if name else "every NodePool that fits"
    text = f"{which} has reached its limits, so Karpenter makes no node for {case.pod.ref}."
    return _told(case, LIMIT_REACHED, f"waits for a node: {which} may not grow", text, event, at, *says)


def _usage(pool: NodePool) -> str:
    words = [
        f"{key} {pool.in_use.get(key, 'unknown')} of {limit}" for key, limit in sorted(pool.limits.items())
    ]
    return plain_words(words)


def plain_words(words: Iterable[str]) -> str:
    """Quantities of an object as one line; anything that no quantity may hold is dropped."""
    return ", ".join(" ".join(plain_name(part) for part in word.split()) for word in words)[:200]


def _failed_launches(case: Case) -> list[Event]:
    found = [e for e in case.facts.events if e.reason == NO_CAPACITY and e.about.kind == "NodeClaim"]
    recent = [e for e in found if case.facts.age_s(e.last_at) <= EVENT_RECENT_S]
    return sorted(recent, key=lambda e: case.facts.age_s(e.last_at))


def _no_machine(case: Case, event: Event) -> Told:
    name = event.about.name.rpartition("-")[0]
    known = {pool.ref.name for pool in case.facts.all(NodePool)}
    at = Ref("NodePool", "", name) if name in known else event.about
    text = (
        f"Karpenter asked for a node for {case.pod.ref}, and the cloud had none of that kind; its words "
        "are quoted."
    )
    return _told(case, NO_MACHINES, "waits for a node: there are no such machines now", text, event, at)


def _told(
    case: Case, cause: Cause, predicate: str, text: str, event: Event, at: Ref, *more: Evidence
) -> Told:
    own = [e for e in case.recent("FailedScheduling", within_s=1800.0) if not e.message.startswith(SAYS)]
    return Told(
        cause=cause,
        at=at,
        subject=case.subject,
        predicate=predicate,
        root_cause=text,
        hurts=(case.pod.ref,),
        evidence=(case.event_evidence(event), *more, *(case.event_evidence(e) for e in own[:1])),
        agree=2 + bool(more) + bool(own),
        ruled_out=("the nodes that are there: the scheduler refused them all",),
    )


RULES = (CaseRule((LIMIT_REACHED, NO_POOL_FITS, NO_MACHINES), no_node_comes),)
