"""Nodes that were left behind: cordoned and forgotten, too old for the control plane, with a wrong clock.

None of these shows at once; each breaks something later. A node that is on its way out is none of them.
Sources: `pkg/scheduler/framework/plugins/nodeunschedulable`, https://kubernetes.io/releases/version-skew-policy/,
`pkg/kubelet/nodestatus/setters.go` (heartbeats bear the node's own time).
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from aiops_eks.diagnosis.evidence import stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Node, Ref
from aiops_eks.diagnosis.quantities import duration_text

FORGOTTEN_S = 86_400.0
AHEAD_S, BEHIND_S = 60.0, 1200.0  # the kubelet reports at least every five minutes
MOST_BEHIND = 3  # minor versions that a kubelet may be older than the API server
LEAVING = ("karpenter.sh/disrupted", "ToBeDeletedByClusterAutoscaler", "aws-node-termination-handler")
_MINOR = re.compile(r"^v?1\.(\d{1,3})\b")
NODE_CORDON_FORGOTTEN = Cause(
    code="NODE_CORDON_FORGOTTEN",
    severity="info",
    means="A node has been cordoned for more than a day: it costs money and takes no pods.",
    told_by="spec.unschedulable with a taint older than a day, and nobody is removing the node. Pods that "
    "wait for it "
    "are NODES_CORDONED, and this is then its symptom.",
    source="pkg/scheduler/framework/plugins/nodeunschedulable; node.kubernetes.io/unschedulable",
    next_step="uncordon the node, or drain and remove it",
    sop="drain-node",
)
NODE_VERSION_SKEW = Cause(
    code="NODE_VERSION_SKEW",
    severity="medium",
    means="A node's kubelet is older than the control plane supports.",
    told_by="Its kubelet is more than three minor versions older than the newest kubelet of the cluster, "
    "which is "
    "itself no newer than the API server. Up to three is allowed.",
    source="https://kubernetes.io/releases/version-skew-policy/",
    next_step="replace the node by one of the present version (update the node group or let Karpenter drift "
    "it)",
)
NODE_CLOCK_SKEW = Cause(
    code="NODE_CLOCK_SKEW",
    severity="high",
    means="A node's clock is wrong: certificates, tokens and logs of its pods are off by as much.",
    told_by="The heartbeats that its kubelet stamps lie more than a minute in the future, or twenty minutes "
    "in the past "
    "while the node is Ready. A node that stopped reporting is NODE_KUBELET_SILENT.",
    source="pkg/kubelet/nodestatus/setters.go",
    next_step="check the time service (chrony) of the node, or replace it",
    sop="node-degraded",
)


def forgotten(facts: Facts) -> Iterator[Told]:
    """NODE_CORDON_FORGOTTEN."""
    for node in facts.nodes:
        age_s = facts.age_s(node.cordoned_at) if node.cordoned_at else 0.0
        if not node.cordoned or age_s < FORGOTTEN_S or is_leaving(node):
            continue
        pods = [p for p in facts.pods_on(node.name) if p.parent is None or p.parent.kind != "DaemonSet"]
        for_s = duration_text(age_s)
        waiting = tuple(p.ref for p in facts.pods if not p.node and p.phase == "Pending")
        yield Told(
            cause=NODE_CORDON_FORGOTTEN,
            at=node.ref,
            subject=node.ref,
            predicate=f"has been cordoned for {for_s}",
            root_cause=f"Node {node.name} was cordoned {for_s} ago and {len(pods)} pods still run on it; "
            "nobody drains it.",
            hurts=(node.ref,),
            evidence=(stated(node.ref, "spec", f"unschedulable, taint set {for_s} ago"),),
            agree=3,
            explained_by=_who_waits(facts, waiting),
        )


def _who_waits(facts: Facts, waiting: Sequence[Ref]) -> tuple[Ref, ...]:
    """Pods that the scheduler refuses because of a cordon."""
    return tuple(
        ref
        for ref in waiting
        if any(
            "were unschedulable" in e.message
            for e in facts.events_about(ref)
            if e.reason == "FailedScheduling"
        )
    )


def is_leaving(node: Node) -> bool:
    """Whether somebody is removing the node."""
    return node.deleted_at is not None or any(t.startswith(LEAVING) for t in node.taints)


def too_old(facts: Facts) -> Iterator[Told]:
    """NODE_VERSION_SKEW."""
    minors = {node.name: minor for node in facts.nodes if (minor := _minor(node)) is not None}
    newest = max(minors.values(), default=0)
    for node in facts.nodes:
        minor = minors.get(node.name)
        if minor is None or newest - minor <= MOST_BEHIND or is_leaving(node):
            continue
        yield Told(
            cause=NODE_VERSION_SKEW,
            at=node.ref,
            subject=node.ref,
            predicate=f"runs a kubelet that is {newest - minor} minor versions behind",
            root_cause=f"Node {node.name} runs kubelet 1.{minor} while others run 1.{newest}: more than the "
            "supported "
            f"{MOST_BEHIND} minor versions.",
            hurts=(node.ref,),
            evidence=(
                stated(node.ref, "status.nodeInfo", f"kubelet 1.{minor}; newest in the cluster 1.{newest}"),
            ),
            agree=3,
        )


def _minor(node: Node) -> int | None:
    found = _MINOR.match(node.kubelet_version)
    return int(found[1]) if found else None


def wrong_clock(facts: Facts) -> Iterator[Told]:
    """NODE_CLOCK_SKEW."""
    for node in facts.nodes:
        ready = node.condition("Ready")
        beat = _newest_beat(node)
        if ready is None or ready.status != "True" or beat is None or facts.age_s(node.created_at) < BEHIND_S:
            continue
        off_s = -facts.age_s(beat)
        if -BEHIND_S <= off_s <= AHEAD_S:
            continue
        way = "ahead of" if off_s > 0 else "behind"
        words = f"{duration_text(abs(off_s))} {way}"
        yield Told(
            cause=NODE_CLOCK_SKEW,
            at=node.ref,
            subject=node.ref,
            predicate=f"has a clock that is {words} the API server's",
            root_cause=f"The newest heartbeat of node {node.name}, which is Ready, is {words} the present: "
            "its clock is "
            "wrong.",
            hurts=(node.ref,),
            evidence=(
                stated(node.ref, "status.conditions", f"lastHeartbeatTime {beat.isoformat()}, Ready True"),
            ),
            agree=3 if off_s > 0 else 2,
        )


def _newest_beat(node: Node) -> datetime | None:
    """The kubelet stamps its own conditions all at once; other agents have other habits."""
    own = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}
    return max((c.heartbeat_at for c in node.conditions if c.type in own and c.heartbeat_at), default=None)


RULES = (
    WorldRule((NODE_CORDON_FORGOTTEN,), forgotten),
    WorldRule((NODE_VERSION_SKEW,), too_old),
    WorldRule((NODE_CLOCK_SKEW,), wrong_clock),
)
