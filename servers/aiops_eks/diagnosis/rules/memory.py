"""Killed for memory: a limit below what the program needs, a leak, or a node without memory.

The kernel kills in the same way in all three; they are told apart by how long each run lived, by the
usage history where somebody gave one, and by whether there was a limit at all.
Sources: `OOMKilled` is set by the runtime from the cgroup's oom_kill counter; system OOMs are the event
`SystemOOM` (`pkg/kubelet/oom/oom_watcher_linux.go`). Grades of a leak: decision D32.
"""

from collections.abc import Sequence
from datetime import datetime

from aiops_eks.diagnosis.blame import telling_line
from aiops_eks.diagnosis.case import FEW_RESTARTS, Case
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Container, Event, Ref, UsageHistory
from aiops_eks.diagnosis.quantities import duration_text, memory_text, raised_memory_bytes
from aiops_eks.diagnosis.thresholds import LEAK_S
from aiops_shared.results import Evidence

START_UP_S = 600.0  # a run that dies within this never had enough
CLOSE_TO_LIMIT = 0.85
GROWTH = 1.15  # the last third of a history against the middle one
SAME_SOP = "oom-raise-limits"

OOM_LIMIT_TOO_LOW = Cause(
    code="OOM_LIMIT_TOO_LOW",
    severity="high",
    means="The container needs more memory than its limit allows, soon after each start.",
    told_by="OOMKilled with a limit set, runs that end minutes after the start. A run of hours that ends the "
    "same way is MEMORY_LEAK; without a limit, or with SystemOOM on the node, NODE_OUT_OF_MEMORY.",
    source="kubelet container status OOMKilled; https://kubernetes.io/docs/tasks/configure-pod-container/"
    "assign-memory-resource/",
    next_step="plan_workload_change(action=resources) with 1.5 times the limit, then execute_plan",
    sop=SAME_SOP,
)
MEMORY_LEAK = Cause(
    code="MEMORY_LEAK",
    severity="high",
    means="Memory grows for hours without a plateau until the limit kills the container.",
    told_by="OOMKilled after runs of two hours and more, or a usage history that still grows in its last "
    "third. Death minutes after the start is OOM_LIMIT_TOO_LOW.",
    source="kubelet container status OOMKilled; decision D32 (suspected, confirmed)",
    next_step="get_pod_logs and a heap profile, then the change that introduced the growth; raising the "
    "limit "
    "delays, does not fix",
    sop="memory-leak",
)
NODE_OUT_OF_MEMORY = Cause(
    code="NODE_OUT_OF_MEMORY",
    severity="high",
    means="The node ran out of memory and the kernel killed the container although it was within its limit.",
    told_by="OOMKilled without a memory limit on the container, or a SystemOOM event on its node.",
    source="pkg/kubelet/oom/oom_watcher_linux.go",
    next_step="diagnose the node; give its pods memory requests and limits that fit the node",
)


def limit_too_low(case: Case) -> Told | None:
    """OOM_LIMIT_TOO_LOW: dies soon after each start."""
    if not _killed_at_limit(case) or grows(case) or case.container is None:
        return None
    container, lives = case.container, _lives(case)
    limit = container.memory_limit_bytes or 0
    longest = max(lives, default=0.0)
    undecided = longest > START_UP_S
    raised = memory_text(raised_memory_bytes(limit))
    how = f"{duration_text(longest)} after the start" if lives else "after the start"
    return Told(
        cause=OOM_LIMIT_TOO_LOW,
        at=case.subject,
        subject=case.subject,
        predicate=f"is OOMKilled: memory limit {memory_text(limit)} is too low",
        root_cause=f"Container {container.name} reaches its memory limit of {memory_text(limit)} {how} "
        f"and the "
        f"kernel kills it (exit code 137) each time, {container.restarts} restarts so far."
        + (" A load spike or a slow leak is not excluded: the runs last longer than a start-up." * undecided),
        hurts=(case.pod.ref,),
        evidence=_evidence(case),
        agree=_agreeing(case),
        doubt=2 if undecided else 0,
        ruled_out=_ruled_out(case),
        next_step=_raise_step(case, raised),
    )


def leak(case: Case) -> Told | None:
    """MEMORY_LEAK: hours of growth, then the limit."""
    if not _killed_at_limit(case) or not grows(case) or case.container is None:
        return None
    container, lives = case.container, _lives(case)
    limit, longest = memory_text(container.memory_limit_bytes or 0), max(lives, default=0.0)
    return Told(
        cause=MEMORY_LEAK,
        at=case.subject,
        subject=case.subject,
        predicate=f"leaks memory until its limit of {limit} kills it",
        root_cause=f"Container {container.name} lives {duration_text(longest)} and is then OOMKilled at "
        f"its limit "
        f"of {limit}: memory grows without a plateau. Raising the limit delays, does not fix.",
        hurts=(case.pod.ref,),
        evidence=_evidence(case),
        agree=_agreeing(case),
        ruled_out=(
            f"limit too low at start-up: the run lived {duration_text(longest)}",
            *_ruled_out(case)[1:],
        ),
        next_step="find what grows: compare revisions, take a heap profile; raising the limit delays, "
        "does not fix",
    )


def node_out_of_memory(case: Case) -> Told | None:
    """NODE_OUT_OF_MEMORY: killed without having reached a limit of its own."""
    container = case.container
    if container is None or not _oom_killed(container):
        return None
    system = _system_ooms(case)
    if container.memory_limit_bytes is not None and not system:
        return None
    why = "a SystemOOM event on the node" if system else "the container has no memory limit"
    return Told(
        cause=NODE_OUT_OF_MEMORY,
        at=_node_or_subject(case),
        subject=case.subject,
        predicate=f"is OOMKilled because node {case.pod.node} ran out of memory",
        root_cause=f"The kernel killed container {container.name} for memory ({why}): the node was out "
        f"of it.",
        hurts=(case.pod.ref,),
        evidence=(case.status_evidence(), *(case.event_evidence(e) for e in system[:1])),
        agree=1 + bool(system) + (container.memory_limit_bytes is None),
        ruled_out=("the container's own limit: " + ("not reached alone" if system else "none is set"),),
    )


def _node_or_subject(case: Case) -> Ref:
    found = case.facts.node(case.pod.node)
    return found.ref if found else case.subject


def _system_ooms(case: Case) -> list[Event]:
    about = case.facts.events_about(Ref("Node", "", case.pod.node))
    return [event for event in about if event.reason == "SystemOOM"]


def _oom_killed(container: Container) -> bool:
    return container.death is not None and container.death.reason == "OOMKilled"


def _killed_at_limit(case: Case) -> bool:
    container = case.container
    return container is not None and _oom_killed(container) and container.memory_limit_bytes is not None


def grows(case: Case) -> bool:
    """Whether memory was still growing: by history where there is one, else by how long the runs lived."""
    history = _history(case)
    if history is not None:
        return still_growing(history.points)
    lives = _lives(case)
    return bool(lives) and max(lives) >= LEAK_S


def still_growing(points: Sequence[tuple[datetime, int]]) -> bool:
    """At least two hours long and clearly higher in its last third than in its middle one."""
    if len(points) < 6 or (points[-1][0] - points[0][0]).total_seconds() < LEAK_S:
        return False
    third = len(points) // 3
    middle, end = points[third : 2 * third], points[2 * third :]
    return _mean(end) >= GROWTH * _mean(middle)


def _mean(points: Sequence[tuple[datetime, int]]) -> float:
    return sum(size for _, size in points) / len(points)


def _history(case: Case) -> UsageHistory | None:
    name = case.container.name if case.container else ""
    own = (h for h in case.facts.history if h.container == name and h.pod == case.pod.ref)
    return next(own, None)


def _lives(case: Case) -> list[float]:
    """Seconds that each recorded OOM-killed run of this container lived, over all pods of the owner."""
    name = case.container.name if case.container else ""
    peers = list(case.facts.pods_of(case.pod.owner)) if case.pod.owner else [case.pod]
    deaths = (d for pod in peers for c in pod.containers if c.name == name for d in (c.ended, c.last))
    return [d.lived_s for d in deaths if d and d.reason == "OOMKilled" and d.lived_s is not None]


def _evidence(case: Case) -> tuple[Evidence, ...]:
    container = case.container
    if container is None:
        return ()
    limit, request = container.memory_limit_bytes or 0, container.memory_request_bytes
    asked = f"memory limit {memory_text(limit)}" + (f", request {memory_text(request)}" if request else "")
    found = [case.status_evidence(), Evidence(source="kubernetes", query=f"{case.pod.ref} spec", says=asked)]
    if (use := _usage(case.facts, case)) is not None:
        query = f"pod metrics of {case.pod.ref}"
        says = f"working set {memory_text(use)} of {memory_text(limit)}"
        found.append(Evidence(source="metrics.k8s.io", query=query, says=says))
    if case.lines and not telling_line(case.lines):
        found.append(case.log_evidence(case.lines[-1]))
    return tuple(found)


def _usage(facts: Facts, case: Case) -> int | None:
    name = case.container.name if case.container else ""
    return next((u.memory_bytes for u in facts.usage if u.pod == case.pod.ref and u.container == name), None)


def _agreeing(case: Case) -> int:
    """Status with limit, lifetimes, a log without an error, usage near the limit, history, repetition."""
    limit = case.container.memory_limit_bytes if case.container else None
    use = _usage(case.facts, case)
    quiet = bool(case.lines) and not telling_line(case.lines)
    near = bool(use and limit and use >= CLOSE_TO_LIMIT * limit)
    again = case.container is not None and case.container.restarts >= FEW_RESTARTS
    return 1 + bool(_lives(case)) + quiet + near + (_history(case) is not None) + again


def _ruled_out(case: Case) -> tuple[str, ...]:
    lives = max(_lives(case), default=0.0)
    found = [f"memory leak: each run dies within {duration_text(lives)} of its start"] if lives else []
    if case.lines and not telling_line(case.lines):
        found.append("application error: the log ends without one")
    if not _system_ooms(case):
        found.append("node out of memory: no SystemOOM event, and the container has its own limit")
    return tuple(found)


def _raise_step(case: Case, raised: str) -> str:
    owner, container = case.subject, case.container
    name = container.name if container else ""
    return (
        f"plan_workload_change(action=resources, kind={owner.kind}, namespace={owner.namespace}, "
        f"name={owner.name}, container={name}, memory_limit={raised}), then execute_plan"
    )


RULES = (
    CaseRule((NODE_OUT_OF_MEMORY,), node_out_of_memory),
    CaseRule((MEMORY_LEAK,), leak),
    CaseRule((OOM_LIMIT_TOO_LOW,), limit_too_low),
)
