"""Nodes that do not work, or run low.

Only conditions that hold now count; pods on such a node are its symptoms.
Sources: `pkg/kubelet/nodestatus/setters.go`, `pkg/controller/nodelifecycle`.
"""

import re
from collections.abc import Iterator
from dataclasses import replace

from aiops_eks.diagnosis.case import event_evidence
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.objects import Condition, Node, Pod
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import quoted
from aiops_eks.diagnosis.rules.node_disks import with_the_disk_users
from aiops_shared.results import Evidence

BOOT_S = 300.0
_SOURCE = "pkg/controller/nodelifecycle; pkg/kubelet/nodestatus/setters.go"
_NETWORK = re.compile(r"network not ready|NetworkReady=false|NetworkPluginNotReady|cni ", re.IGNORECASE)
_RUNTIME = re.compile(
    r"container runtime (?:is down|not ready|status)|PLEG is not healthy|RuntimeReady=false|containerd",
    re.IGNORECASE,
)


def _not_ready(code: str, means: str, told_by: str, next_step: str) -> Cause:
    return Cause(code, "critical", means, told_by, _SOURCE, next_step, "node-notready")


NODE_KUBELET_SILENT = _not_ready(
    "NODE_KUBELET_SILENT",
    "A node's kubelet stopped reporting: the kubelet, the machine or its way to the API server is down.",
    "Condition Ready is Unknown. When the kubelet still reports and says why it is not ready, it is one of "
    "the other "
    "codes. A node younger than five minutes is still starting.",
    "describe_cluster(include=nodes): does the instance run? Drain or replace the node when it does not "
    "come back",
)
NODE_NETWORK_NOT_READY = _not_ready(
    "NODE_NETWORK_NOT_READY",
    "A node's network plugin is not ready, so it takes no pods.",
    "Condition Ready is False and the kubelet's words are of the network (NetworkReady=false, cni plugin not "
    "initialized).",
    "look at the aws-node (VPC CNI) pod of that node: its logs and its rights",
)
NODE_RUNTIME_DOWN = _not_ready(
    "NODE_RUNTIME_DOWN",
    "A node's container runtime is down or stuck.",
    "Condition Ready is False and the kubelet's words are of the runtime (container runtime is down, PLEG "
    "is not "
    "healthy).",
    "drain and replace the node; before that look for what overloads its disk or runtime",
)
NODE_NOT_READY = _not_ready(
    "NODE_NOT_READY",
    "A node reports that it cannot run pods, for another reason than network or runtime.",
    "Condition Ready is False and the kubelet's words, which are quoted, are of something else. A node "
    "younger than "
    "five minutes is still starting.",
    "read the quote; drain or replace the node when it does not come back",
)
NOT_READY = (NODE_KUBELET_SILENT, NODE_NETWORK_NOT_READY, NODE_RUNTIME_DOWN, NODE_NOT_READY)
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
        told_by=f"Condition {condition} is True now. What it evicted are its symptoms."
        + (" Pods without memory requests on it are named." if condition == "MemoryPressure" else ""),
        source="pkg/kubelet/eviction",
        next_step=f"find what uses the node's {what}; list_resources kind=Pod of that node",
        sop=sop,
    )
    for condition, (code, what, sop) in _PRESSURES.items()
}


def not_ready(facts: Facts) -> Iterator[Told]:
    """NODE_KUBELET_SILENT, NODE_NETWORK_NOT_READY, NODE_RUNTIME_DOWN, NODE_NOT_READY."""
    for node in facts.nodes:
        ready = node.condition("Ready")
        if ready is None or ready.status == "True" or facts.age_s(node.created_at) < BOOT_S:
            continue
        cause = _why(ready)
        yield _told(facts, node, cause, ready, _STATES[cause.code])


_STATES = {
    "NODE_KUBELET_SILENT": "stopped reporting",
    "NODE_NETWORK_NOT_READY": "is not ready: its network is down",
    "NODE_RUNTIME_DOWN": "is not ready: its container runtime is down",
    "NODE_NOT_READY": "is not ready",
}


def _why(ready: Condition) -> Cause:
    if ready.status == "Unknown":
        return NODE_KUBELET_SILENT
    if _NETWORK.search(ready.message):
        return NODE_NETWORK_NOT_READY
    return NODE_RUNTIME_DOWN if _RUNTIME.search(ready.message) else NODE_NOT_READY


def pressure(facts: Facts) -> Iterator[Told]:
    """NODE_MEMORY_PRESSURE, NODE_DISK_PRESSURE, NODE_PID_PRESSURE."""
    for node in facts.nodes:
        for name, cause in PRESSURES.items():
            found = node.condition(name)
            if found is not None and found.status == "True":
                told = _told(facts, node, cause, found, f"is low on {_PRESSURES[name][1]}")
                if name == "MemoryPressure":
                    told = _with_the_boundless(facts, node, told)
                elif name == "DiskPressure":
                    told = with_the_disk_users(facts, node, told)
                yield told


def _with_the_boundless(facts: Facts, node: Node, told: Told) -> Told:
    """Who lives on the node without having asked for memory: the scheduler counted them as nothing.

    Requirement B11: the kubelet evicts first what uses most above its request (`rankMemoryPressure`).
    """
    running = [p for p in facts.pods_on(node.name) if p.phase == "Running" and p.containers]
    boundless = [
        p for p in running if any(not c.memory_request_bytes for c in p.containers if c.role == "app")
    ]
    boundless = [p for p in boundless if p.parent is None or p.parent.kind != "DaemonSet"]
    if not boundless:
        return told
    names = ", ".join(sorted({p.subject.name for p in boundless})[:4])
    says = f"{len(boundless)} of {len(running)} running pods have no memory request: {names}"
    evidence = Evidence(source="kubernetes", query=f"pods on {node.ref}", says=says)
    return replace(
        told,
        root_cause=f"{told.root_cause} {len(boundless)} of its {len(running)} running pods have no memory "
        "request "
        f"({names}), so the scheduler put more on it than it holds.",
        evidence=(*told.evidence[:1], evidence, *told.evidence[1:]),
        agree=told.agree + 1,
        next_step=f"give {names} a memory request for what they use (plan_workload_change(action=resources))",
    )


def _suffers(pod: Pod, cause: Cause) -> bool:
    """On a dead node every pod that is not ready; under pressure those that were evicted."""
    if cause in NOT_READY:
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
    WorldRule(NOT_READY, not_ready),
    WorldRule(tuple(PRESSURES.values()), pressure),
)
