"""Pods that a node threw out: for what, and who used it.

An eviction that is over (the pod was replaced, its node has room again) is history, unless it happens again
and again. Source: `pkg/kubelet/eviction/helpers.go` (messages), `eviction_manager.go` (local storage).
"""

import re
from datetime import datetime

from aiops_eks.diagnosis.case import EVENT_RECENT_S, Case
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Pod, Ref
from aiops_eks.diagnosis.quoting import plain_name, quoted
from aiops_shared.results import Evidence

HOUR_S = 3600.0
AGAIN = 2  # evicted pods of one owner within the hour
_LOW = re.compile(r"low on resource: ([a-z-]{1,40})")
_USED = re.compile(
    r"Container ([a-z0-9-]{1,63}) was using ([0-9a-zA-Z.]{1,30}), request is ([0-9a-zA-Z.]{1,30})"
)
_OWN_LIMIT = re.compile(
    r"exceeded its local ephemeral storage limit|ephemeral local storage usage exceeds the total limit"
    r"|Usage of EmptyDir volume"
)
_CONDITIONS = {
    "memory": "MemoryPressure",
    "ephemeral-storage": "DiskPressure",
    "inodes": "DiskPressure",
    "pids": "PIDPressure",
}
POD_EVICTED = Cause(
    code="POD_EVICTED",
    severity="medium",
    means="A node evicts the workload's pods because it ran low on something that they use more of than they "
    "request.",
    told_by="Phase Failed with reason Evicted; the message names the resource, and the container with what "
    "it "
    "used and requested. Only within the last quarter of an hour, or when two pods of one owner were evicted "
    "within the hour, or while the owner lacks replicas. While the node is still under pressure it is a "
    "symptom "
    "of that; a limit of the pod's own is EPHEMERAL_STORAGE_EXCEEDED.",
    source="pkg/kubelet/eviction/helpers.go",
    next_step="give the pod a request for what it used (plan_workload_change(action=resources)), and "
    "diagnose the "
    "node for what else runs there",
    sop="disk-pressure",
)
EPHEMERAL_STORAGE_EXCEEDED = Cause(
    code="EPHEMERAL_STORAGE_EXCEEDED",
    severity="high",
    means="The pod writes more to the node's disk than its own limit or its emptyDir's size allows, and is "
    "evicted.",
    told_by="Evicted with `exceeded its local ephemeral storage limit`, `exceeds the total limit of "
    "containers` or "
    "`Usage of EmptyDir volume … exceeds the limit`. `The node was low on resource` is the node's trouble: "
    "POD_EVICTED.",
    source="pkg/kubelet/eviction/eviction_manager.go (localStorageEviction)",
    next_step="find what writes there (logs, caches, temporary files); raise the limit or sizeLimit, or "
    "mount a "
    "volume",
    sop="disk-pressure",
)


def evicted(case: Case) -> Told | None:
    """POD_EVICTED or EPHEMERAL_STORAGE_EXCEEDED."""
    pod = case.pod
    if case.container is not None or pod.phase != "Failed" or pod.reason != "Evicted" or not _matters(case):
        return None
    says = Evidence(source="kubernetes", query=f"{pod.ref} status.message", says=quoted(pod.message))
    own = bool(_OWN_LIMIT.search(pod.message))
    low, used = _LOW.search(pod.message), _USED.search(pod.message)
    resource = low[1] if low else "something"
    node = _under_pressure(case, resource)
    who = (
        f" Container {plain_name(used[1])} was using {plain_name(used[2])} and requests "
        f"{plain_name(used[3])}."
        if used
        else ""
    )
    why = "its own limit of local storage" if own else f"node {pod.node} was low on {resource}"
    return Told(
        cause=EPHEMERAL_STORAGE_EXCEEDED if own else POD_EVICTED,
        at=case.subject,
        subject=case.subject,
        predicate=f"is evicted: {why}",
        root_cause=f"{pod.ref} was evicted: {why}.{who}",
        hurts=(pod.ref,),
        evidence=(case.status_evidence(), says),
        agree=2 + bool(used or own) + (_evicted_of(case.facts, pod) >= AGAIN),
        explained_by=(node,) if node and not own else (),
    )


def _under_pressure(case: Case, resource: str) -> Ref | None:
    """The pod's node, if it is short of that now."""
    node = case.facts.node(case.pod.node)
    if node is None:
        return None
    wanted = {_CONDITIONS[resource]} if resource in _CONDITIONS else set(_CONDITIONS.values())
    low = [c for c in node.conditions if c.type in wanted and c.status == "True"]
    return node.ref if low else None


def _matters(case: Case) -> bool:
    """Whether it is no history: just now, again and again, or nothing took the pod's place."""
    facts, pod = case.facts, case.pod
    if facts.age_s(_ended(pod)) <= EVENT_RECENT_S or _evicted_of(facts, pod) >= AGAIN:
        return True
    owner = facts.workload(pod.owner)
    return owner is not None and owner.ready < owner.desired


def _ended(pod: Pod) -> datetime | None:
    """When the pod was evicted, as nearly as its status tells: its conditions and containers changed then."""
    ends = [c.ended.finished_at for c in pod.containers if c.ended and c.ended.finished_at]
    return max((*ends, *(c.since for c in pod.conditions if c.since)), default=pod.created_at)


def _evicted_of(facts: Facts, pod: Pod) -> int:
    """How many pods of the owner were evicted within the hour."""
    if pod.owner is None:
        return 1
    found = (p for p in facts.pods_of(pod.owner) if p.phase == "Failed" and p.reason == "Evicted")
    return sum(facts.age_s(_ended(p)) <= HOUR_S for p in found)


RULES = (CaseRule((POD_EVICTED, EPHEMERAL_STORAGE_EXCEEDED), evicted),)
