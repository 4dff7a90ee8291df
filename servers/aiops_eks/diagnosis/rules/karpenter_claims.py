"""Nodes that Karpenter asked for and that do not come: not launched by AWS, or launched and never joined.

A NodeClaim that gets on is in progress; one without capacity has a finding of its own (`karpenter.py`).
Sources: sigs.k8s.io/karpenter pkg/controllers/nodeclaim/lifecycle (launch.go, registration.go, liveness.go: a
claim that is not registered after fifteen minutes is deleted and tried again).
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.evidence import condition_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.nodes import NO_CAPACITY, NodeClaim
from aiops_eks.diagnosis.objects import Condition
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import plain_name

LAUNCH_S, REGISTER_S = 180.0, 420.0  # a machine boots and joins within two to five minutes
NOT_LAUNCHED = Cause(
    code="KARPENTER_NODE_NOT_LAUNCHED",
    severity="high",
    means="Karpenter asks for a node and AWS does not launch it.",
    told_by="Condition Launched of the NodeClaim is not True for three minutes; its message says why. "
    "No machine of "
    "that kind being there is KARPENTER_NO_CAPACITY; launched and not joined is "
    "KARPENTER_NODE_NOT_REGISTERED.",
    source="sigs.k8s.io/karpenter pkg/controllers/nodeclaim/lifecycle/launch.go",
    next_step="read the message (role, subnet or security group selectors, quota, image); get_resource "
    "of the "
    "NodePool's EC2NodeClass",
)
NOT_REGISTERED = Cause(
    code="KARPENTER_NODE_NOT_REGISTERED",
    severity="high",
    means="An instance was launched and never joined the cluster.",
    told_by="Launched is True and Registered is not, seven minutes after the NodeClaim was made. Within "
    "that time it "
    "boots. Karpenter deletes and repeats it after fifteen.",
    source="sigs.k8s.io/karpenter pkg/controllers/nodeclaim/lifecycle/registration.go, liveness.go",
    next_step="check the node role's access entry (describe_cluster(include=access)), the subnets' "
    "route to the API "
    "endpoint and the user data of the EC2NodeClass",
)


def stuck(facts: Facts) -> Iterator[Told]:
    """KARPENTER_NODE_NOT_LAUNCHED or KARPENTER_NODE_NOT_REGISTERED."""
    for claim in facts.all(NodeClaim):
        if claim.deleted_at is not None:
            continue
        found = _how_far(facts, claim)
        if found is not None:
            yield _told(facts, claim, *found)


def _how_far(facts: Facts, claim: NodeClaim) -> tuple[Cause, Condition] | None:
    age_s = facts.age_s(claim.created_at)
    launched, registered = claim.condition("Launched"), claim.condition("Registered")
    if launched is not None and launched.status != "True":
        full = NO_CAPACITY in (launched.reason, *(e.reason for e in facts.events_about(claim.ref)))
        return (NOT_LAUNCHED, launched) if age_s >= LAUNCH_S and not full else None
    if (
        launched is not None
        and registered is not None
        and registered.status != "True"
        and age_s >= REGISTER_S
    ):
        return NOT_REGISTERED, registered
    return None


def _told(facts: Facts, claim: NodeClaim, cause: Cause, said: Condition) -> Told:
    for_s = duration_text(facts.age_s(claim.created_at))
    words = "is not launched" if cause is NOT_LAUNCHED else "was launched and has not joined"
    waiting = tuple(pod.ref for pod in facts.pods if not pod.node and pod.phase == "Pending")
    pool = f" of NodePool {plain_name(claim.pool)}" if claim.pool else ""
    return Told(
        cause=cause,
        at=claim.ref,
        subject=claim.ref,
        predicate=f"{words} after {for_s}: {plain_name(said.reason) or 'no reason given'}",
        root_cause=f"{claim.ref}{pool} {words} after {for_s}; {len(waiting)} pods wait for a node.",
        hurts=(claim.ref,),
        evidence=tuple(condition_evidence(claim.ref, c) for c in claim.conditions if c.type == said.type),
        agree=3,
    )


def refs(facts: Facts) -> tuple[NodeClaim, ...]:
    """The NodeClaims that do not get on: what waits for a node waits for them."""
    claims = facts.all(NodeClaim)
    return tuple(c for c in claims if c.deleted_at is None and _how_far(facts, c) is not None)


RULES = (WorldRule((NOT_LAUNCHED, NOT_REGISTERED), stuck),)
