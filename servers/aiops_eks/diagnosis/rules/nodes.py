"""Nodes that do not work, or run low.

Only conditions that hold now count; pods on such a node are its symptoms.
Sources: `pkg/kubelet/nodestatus/setters.go`, `pkg/controller/nodelifecycle`.
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.case import event_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Condition, Node, Pod
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import quoted
from aiops_shared.results import Evidence

BOOT_S = 300.0
NODE_NOT_READY = Cause(
    code="NODE_NOT_READY",
    severity="critical",
    means="A node does not report, or reports that it cannot run pods.",
    told_by="Condition Ready is False (the kubelet says why) or Unknown (it stopped reporting). A node "
    "younger than "
    "five minutes is still starting.",
    source="pkg/controller/nodelifecycle; pkg/kubelet/nodestatus/setters.go",
    next_step="describe_cluster(include=nodes); drain or replace the node when it does not come back",
    sop="node-notready",
)
_PRESSURES = {
    "MemoryPressure": ("NODE_MEMORY_PRESSURE", "memory", "node-degraded"),
    "DiskPressure": ("NODE_DISK_PRESSURE", "disk", "disk-pressure"),
    "PIDPressure": ("NODE_PID_PRESSURE", "process ids", "node-degraded"),
}
PRESSURES = {
    condition: Cause(
        code=code,
        severity="high",
        means=f"A node runs low on {what} and evicts pods.",
        told_by=f"Condition {condition} is True now.",
        source="pkg/kubelet/eviction",
        next_step=f"find what uses the node's {what}; list_resources kind=Pod of that node",
        sop=sop,
    )
    for condition, (code, what, sop) in _PRESSURES.items()
}


def not_ready(facts: Facts) -> Iterator[Told]:
    """NODE_NOT_READY."""
    for node in facts.nodes:
        ready = node.condition("Ready")
        if ready is None or ready.status == "True" or facts.age_s(node.created_at) < BOOT_S:
            continue
        state = "stopped reporting" if ready.status == "Unknown" else "is not ready"
        yield _told(facts, node, NODE_NOT_READY, ready, state)


def pressure(facts: Facts) -> Iterator[Told]:
    """NODE_MEMORY_PRESSURE, NODE_DISK_PRESSURE, NODE_PID_PRESSURE."""
    for node in facts.nodes:
        for name, cause in PRESSURES.items():
            found = node.condition(name)
            if found is not None and found.status == "True":
                yield _told(facts, node, cause, found, f"is low on {_PRESSURES[name][1]}")


def _suffers(pod: Pod, cause: Cause) -> bool:
    """On a dead node every pod that is not ready; under pressure those that were evicted."""
    if cause is NODE_NOT_READY:
        return not pod.ready and pod.phase != "Succeeded"
    return pod.phase == "Failed" and pod.reason == "Evicted"


def _told(facts: Facts, node: Node, cause: Cause, condition: Condition, words: str) -> Told:
    says = f"{condition.status} {condition.reason} for {duration_text(facts.age_s(condition.since))}: "
    query = f"{node.ref} condition {condition.type}"
    events = [e for e in facts.events_about(node.ref) if e.reason.startswith("Node") and e.warning][:1]
    hurt = tuple(p.ref for p in facts.pods_on(node.name) if _suffers(p, cause))
    return Told(
        cause=cause,
        at=node.ref,
        subject=node.ref,
        predicate=words,
        root_cause=f"Node {node.name} {words} ({condition.reason}).",
        hurts=hurt,
        evidence=(
            Evidence(source="kubernetes", query=query, says=says + quoted(condition.message)),
            *(event_evidence(facts, e) for e in events),
        ),
        agree=2 + bool(events) + bool(hurt),
    )


RULES = (
    WorldRule((NODE_NOT_READY,), not_ready),
    WorldRule(tuple(PRESSURES.values()), pressure),
)
