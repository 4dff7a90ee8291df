"""One broken container with everything that speaks about it.

`cases` decides who is broken *now*; recovered, old and in-progress things do not become cases, so no rule
has to think of them. Called by `judging.py` for the rules and by `clients/facts.py` to know whose logs and
references are worth a request.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import Container, Event, LogTail, Lookup, Need, Pod, Ref, Workload
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import quoted
from aiops_shared.results import Evidence

RECENT_S = 600.0  # the kubelet forgets its back-off after ten minutes of running (`pkg/kubelet/kuberuntime`)
EVENT_RECENT_S = 900.0
FAILED_RECENT_S = 3600.0
JOB_RECENT_S = 86_400.0
START_GRACE_S = 90.0  # how long a container may be creating before that is worth a question
FEW_RESTARTS = 3
SAME_DAY_S = 43_200.0  # a crash of the day before yesterday says nothing about now, however long it took
STARTING = frozenset({"", "ContainerCreating", "PodInitializing"})


def event_evidence(facts: Facts, event: Event) -> Evidence:
    """One event, counted, dated and quoted."""
    seen = f"{event.count}x, last {duration_text(facts.age_s(event.last_at))} ago: "
    query = f"events of {event.about}, reason {event.reason}"
    return Evidence(source="kubernetes", query=query, says=seen + quoted(event.message))


@dataclass(frozen=True, slots=True)
class Case:
    """A broken container, or a broken pod when `container` is None."""

    facts: Facts
    pod: Pod
    container: Container | None = None

    @property
    def subject(self) -> Ref:
        """What a person would change."""
        return self.pod.subject

    @property
    def events(self) -> tuple[Event, ...]:
        """Events of the pod that may be about this container, newest first."""
        found = self.facts.events_about(self.pod.ref, self.pod.uid)
        name = self.container.name if self.container else ""
        return tuple(e for e in found if not (name and e.container and e.container != name))

    def recent(self, *reasons: str, within_s: float = EVENT_RECENT_S) -> tuple[Event, ...]:
        """Events of these reasons that still happen, newest first."""
        return tuple(
            e for e in self.events if e.reason in reasons and self.facts.age_s(e.last_at) <= within_s
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """The last words of the run that ended: its log, else its termination message.

        Where it left none, or its log was not worth a request, a pod of the same ReplicaSet whose container
        ended the same way speaks for it: they run one template, and it is one cause.
        """
        own = self._own_tail
        if own is not None and own.lines:
            return own.lines
        death = self.container.death if self.container else None
        if death is not None and death.message.strip():
            return tuple(death.message.splitlines())
        return self._sibling_tail.lines if self._sibling_tail else ()

    @property
    def _own_tail(self) -> LogTail | None:
        return self.facts.log(self.pod.ref, self.container.name) if self.container else None

    @property
    def _sibling_tail(self) -> LogTail | None:
        container = self.container
        if container is None or container.death is None or self.pod.parent is None:
            return None
        tails = self.facts.logs_of(self.pod.parent, container.name)
        return next((t for t in tails if t.lines and self._died_alike(t)), None)

    def _died_alike(self, tail: LogTail) -> bool:
        pod, mine = self.facts.pod(tail.pod), self.container
        other = next((c for c in pod.containers if mine and c.name == mine.name), None) if pod else None
        if mine is None or other is None or mine.death is None or other.death is None:
            return False
        return (mine.death.exit_code, mine.death.reason) == (other.death.exit_code, other.death.reason)

    @property
    def needs(self) -> tuple[Need, ...]:
        """What this container refers to, its pod's volumes included."""
        name = self.container.name if self.container else ""
        return tuple(n for n in self.pod.needs if not (name and n.container and n.container != name))

    def absent(self) -> tuple[tuple[Need, Lookup], ...]:
        """References whose object was looked up and does not exist, one per object."""
        found: dict[Ref, tuple[Need, Lookup]] = {}
        for need in self.needs:
            lookup = self.facts.lookup(need.target)
            if lookup is not None and not lookup.exists:
                found.setdefault(need.target, (need, lookup))
        return tuple(found.values())

    # evidence

    def status_evidence(self) -> Evidence:
        """What the pod's status says of this container."""
        return Evidence(source="kubernetes", query=f"{self.pod.ref} status", says=self._status_words())

    def _status_words(self) -> str:
        if self.container is None:
            return f"phase {self.pod.phase}{', ' + self.pod.reason if self.pod.reason else ''}"
        c = self.container
        words = [f"container {c.name}", f"{c.restarts} restarts"] if c.restarts else [f"container {c.name}"]
        if c.waiting_reason:
            words.append(f"waiting {c.waiting_reason}")
        if c.death is not None:
            words.append(f"last exit code {c.death.exit_code} {c.death.reason}".rstrip())
            if c.death.lived_s is not None:
                words.append(f"after {duration_text(c.death.lived_s)}")
        return ", ".join(words)

    def event_evidence(self, event: Event) -> Evidence:
        """One event, quoted."""
        return event_evidence(self.facts, event)

    def log_evidence(self, line: str) -> Evidence:
        """One log line, quoted, with the pod that wrote it."""
        name = self.container.name if self.container else ""
        tail = next((t for t in (self._own_tail, self._sibling_tail) if t and line in t.lines), None)
        which = "termination message" if tail is None else "previous log" if tail.previous else "log"
        pod = self.pod.ref if tail is None else tail.pod
        return Evidence(source="pod log", query=f"{which} of {pod}, container {name}", says=quoted(line))

    def lookup_evidence(self, lookup: Lookup) -> Evidence:
        """The answer to a lookup of a referenced object."""
        says = "exists" if lookup.exists else "not found"
        if not lookup.exists and lookup.nearest:
            says += f"; exists: {', '.join(lookup.nearest)}"
        return Evidence(source="kubernetes", query=f"get {lookup.target}", says=says)


def cases(facts: Facts) -> Iterator[Case]:
    """Everything broken at `facts.now`, the worst containers first."""
    yield from broken_containers(facts, facts.pods)
    for pod in facts.pods:
        if is_stuck(facts, pod):
            yield Case(facts, pod)


def broken_containers(facts: Facts, pods: Iterable[Pod]) -> list[Case]:
    """Containers that fail now, most restarts first."""
    found = [Case(facts, pod, c) for pod in pods for c in pod.containers if _is_broken(facts, pod, c)]
    return sorted(found, key=lambda case: -(case.container.restarts if case.container else 0))


def is_stuck(facts: Facts, pod: Pod) -> bool:
    """Whether a pod as a whole does not get on: unscheduled, unmounted, evicted, not going away."""
    if pod.phase == "Succeeded":
        return False
    if pod.deleted_at is not None:
        return facts.age_s(pod.deleted_at) > 0  # the timestamp already holds the grace period
    if pod.phase == "Failed":
        return bool(pod.reason) and _failed_for_good(facts, pod)
    told = any(c.waiting_reason not in STARTING or _init_hangs(facts, pod, c) for c in pod.containers)
    waits = pod.phase == "Pending" and not told
    return waits and facts.age_s(pod.created_at) > START_GRACE_S


def _is_broken(facts: Facts, pod: Pod, container: Container) -> bool:
    if pod.phase == "Succeeded" or pod.deleted_at is not None:
        return False
    if pod.phase == "Failed" and (pod.reason == "Evicted" or not _failed_for_good(facts, pod)):
        return False
    if container.waiting_reason not in STARTING:
        return True
    if container.ended is not None:
        return _ended_badly(facts, pod, container)
    if _restarts_again_and_again(facts, container) or _init_hangs(facts, pod, container):
        return True
    return _never_ready(facts, pod, container)


def given_up(facts: Facts, job: Workload) -> bool:
    """Whether a Job failed within the last day and no later run of the same owner succeeded."""
    failed = job.condition("Failed")
    if failed is None or failed.status != "True" or facts.age_s(failed.since) > JOB_RECENT_S:
        return False
    later = (w for w in facts.workloads if w.ref.kind == "Job" and w.parent == job.parent and w.finished)
    return job.parent is None or all(facts.age_s(w.created_at) >= facts.age_s(job.created_at) for w in later)


def _failed_for_good(facts: Facts, pod: Pod) -> bool:
    """Whether a pod in phase Failed matters: its Job gave up or keeps failing, or it ended just now."""
    job = facts.workload(pod.parent) if pod.parent and pod.parent.kind == "Job" else None
    if job is None:
        ends = [c.ended.finished_at for c in pod.containers if c.ended and c.ended.finished_at]
        last = max((*ends, *(c.since for c in pod.conditions if c.since)), default=pod.created_at)
        return facts.age_s(last) <= FAILED_RECENT_S
    running = not job.finished and job.condition("Failed") is None
    return given_up(facts, job) or (running and job.failed >= FEW_RESTARTS)


def _ended_badly(facts: Facts, pod: Pod, container: Container) -> bool:
    """A container between two restarts, or failed for good; one that was meant to end is fine."""
    ended = container.ended
    if ended is None or (
        ended.exit_code == 0 and (container.role == "init" or pod.restart_policy != "Always")
    ):
        return False
    recent = facts.age_s(ended.finished_at) <= EVENT_RECENT_S
    return container.restarts > 0 or recent or pod.phase == "Failed"


def _restarts_again_and_again(facts: Facts, container: Container) -> bool:
    """Runs at the moment, but the last run ended not long ago by the measure of how long it lived.

    One restart is an incident that is over, unless memory ended a long run: what leaks will be back.
    """
    last = container.last
    if last is None or container.restarts == 0:
        return False
    lived_s = last.lived_s or 0.0
    if facts.age_s(last.finished_at) > max(RECENT_S, min(2 * lived_s, SAME_DAY_S)):
        return False
    leaks = last.reason == "OOMKilled" and lived_s >= RECENT_S
    return container.restarts >= FEW_RESTARTS or not container.ready or leaks


def _init_hangs(facts: Facts, pod: Pod, container: Container) -> bool:
    """An init container that runs and does not come to an end."""
    runs = container.role == "init" and pod.phase == "Pending" and container.running_since is not None
    return runs and facts.age_s(container.running_since) >= RECENT_S


def _never_ready(facts: Facts, pod: Pod, container: Container) -> bool:
    """Runs without restarts and its readiness or startup probe still fails after a fair time."""
    probe = container.startup or container.readiness
    if container.ready or container.role == "init" or probe is None or container.running_since is None:
        return False
    if facts.age_s(container.running_since) < START_GRACE_S + probe.patience_s:
        return False
    return any(
        e.reason == "Unhealthy" and facts.age_s(e.last_at) <= EVENT_RECENT_S
        for e in facts.events_about(pod.ref, pod.uid)
    )
