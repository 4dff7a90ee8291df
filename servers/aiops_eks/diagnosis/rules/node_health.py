"""What the EKS node monitoring agent says of a node: one condition each for network, storage, kernel, runtime
and accelerators.

The node is mostly still Ready; what the agent calls fatal is repaired by replacing or rebooting the node.
Source: https://docs.aws.amazon.com/eks/latest/userguide/node-health.html
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.case import event_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Condition, Node
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import plain_name, quoted
from aiops_shared.results import Evidence

SETTLED_S = 120.0  # a condition that has just turned may turn back
_SYSTEMS = {
    "NetworkingReady": ("NODE_NETWORKING_UNHEALTHY", "networking", "interfaces, IPAMD, routes"),
    "StorageReady": ("NODE_STORAGE_UNHEALTHY", "storage", "volumes, file systems, I/O delays"),
    "KernelReady": ("NODE_KERNEL_UNHEALTHY", "kernel", "process ids, lock-ups, kernel bugs"),
    "ContainerRuntimeReady": (
        "NODE_RUNTIME_UNHEALTHY",
        "container runtime",
        "containerd, stuck terminations",
    ),
    "AcceleratedHardwareReady": (
        "NODE_ACCELERATOR_UNHEALTHY",
        "accelerated hardware",
        "GPU or Neuron errors (XID, double bit, DMA)",
    ),
}
CAUSES = {
    condition: Cause(
        code=code,
        severity="high",
        means=f"The node monitoring agent finds the node's {what} broken ({examples}).",
        told_by=f"Condition {condition} is False for two minutes; its reason names what. While the node is "
        "not Ready "
        "either, it is a symptom of that.",
        source="https://docs.aws.amazon.com/eks/latest/userguide/node-health.html",
        next_step="drain and replace the node (or let node auto repair do it); the reason says what to look "
        "for first",
        sop="node-degraded",
    )
    for condition, (code, what, examples) in _SYSTEMS.items()
}


def unhealthy(facts: Facts) -> Iterator[Told]:
    """One finding per system that the agent calls broken."""
    for node in facts.nodes:
        for name, cause in CAUSES.items():
            found = node.condition(name)
            if found is not None and found.status == "False" and facts.age_s(found.since) >= SETTLED_S:
                yield _told(facts, node, cause, found)


def _told(facts: Facts, node: Node, cause: Cause, found: Condition) -> Told:
    what, reason = _SYSTEMS[found.type][1], plain_name(found.reason)
    says = f"False {reason} for {duration_text(facts.age_s(found.since))}: {quoted(found.message)}"
    events = [e for e in facts.events_about(node.ref) if e.reason == found.reason][:1]
    ready = node.condition("Ready")
    return Told(
        cause=cause,
        at=node.ref,
        subject=node.ref,
        predicate=f"has broken {what} ({reason})",
        root_cause=f"The monitoring agent of node {node.name} reports its {what} as broken: {reason}.",
        hurts=tuple(
            p.ref for p in facts.pods_on(node.name) if not p.ready and p.phase in {"Pending", "Running"}
        ),
        evidence=(
            Evidence(source="kubernetes", query=f"{node.ref} condition {found.type}", says=says),
            *(event_evidence(facts, e) for e in events),
        ),
        agree=3 + bool(events),
        explained_by=(node.ref,) if ready is not None and ready.status != "True" else (),
        since=found.since,
    )


RULES = (WorldRule(tuple(CAUSES.values()), unhealthy),)
