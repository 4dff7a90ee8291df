"""What a rule may know about a cluster: frozen, without any client's types.

`clients/facts.py` gathers them, `reading.py` makes them from Kubernetes objects, the rules read them.
Times are UTC. A fact that could not be asked for is absent, and `Facts.gaps` says so.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Literal, TypeVar

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
Role = Literal["app", "init", "sidecar"]


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """One object, by identity."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.kind} {place}"


@dataclass(frozen=True, slots=True)
class Need:
    """An object that a container or volume of a pod refers to."""

    target: Ref
    via: str  # envFrom | env NAME | volume NAME
    optional: bool = False
    key: str = ""  # the one key needed; empty: the whole object
    container: str = ""  # empty: the whole pod


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe as it is declared; the times are seconds."""

    how: str  # "HTTP GET :8080/healthz", "TCP :5432", "exec pg_isready"
    port: str = ""
    initial_delay_s: int = 0
    period_s: int = 10
    timeout_s: int = 1
    failures: int = 3

    @property
    def patience_s(self) -> int:
        """How long after a start the probe lets a container live that never answers."""
        return self.initial_delay_s + self.period_s * self.failures


@dataclass(frozen=True, slots=True)
class Termination:
    """How one run of a container ended."""

    reason: str = ""
    exit_code: int = 0
    signal: int = 0
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def lived_s(self) -> float | None:
        """How long the run lasted."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a pod: what was asked and how it is."""

    name: str
    role: Role = "app"
    image: str = ""
    command: tuple[str, ...] = ()
    ready: bool = False
    restarts: int = 0
    waiting_reason: str = ""
    waiting_message: str = ""
    running_since: datetime | None = None
    ended: Termination | None = None  # the state is terminated
    last: Termination | None = None  # the run before the present state
    memory_limit_bytes: int | None = None
    memory_request_bytes: int | None = None
    cpu_limit_m: int | None = None
    cpu_request_m: int | None = None
    literal_env: tuple[str, ...] = ()  # names of the variables set by a literal value
    ports: tuple[tuple[str, int], ...] = ()  # (name, number)
    liveness: Probe | None = None
    readiness: Probe | None = None
    startup: Probe | None = None

    @property
    def death(self) -> Termination | None:
        """The newest end of a run, if any."""
        return self.ended or self.last


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of an object's status."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod."""

    namespace: str
    name: str
    uid: str = ""
    phase: str = "Running"
    reason: str = ""
    message: str = ""
    created_at: datetime | None = None
    deleted_at: datetime | None = None
    node: str = ""
    parent: Ref | None = None  # its direct controller
    owner: Ref | None = None  # the top of the chain; None: a bare pod
    labels: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    containers: tuple[Container, ...] = ()
    needs: tuple[Need, ...] = ()
    claims: tuple[str, ...] = ()  # names of its PersistentVolumeClaims
    pull_secrets: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    finalizers: tuple[str, ...] = ()
    restart_policy: str = "Always"
    node_selector: Mapping[str, str] = field(default_factory=dict)

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return Ref("Pod", self.namespace, self.name)

    @property
    def subject(self) -> Ref:
        """What a person would change: the top owner, or the pod itself."""
        return self.owner or self.ref

    @property
    def ready(self) -> bool:
        """Whether it serves."""
        return any(c.type == "Ready" and c.status == "True" for c in self.conditions)

    def condition(self, name: str) -> Condition | None:
        """One condition by type."""
        return next((c for c in self.conditions if c.type == name), None)


@dataclass(frozen=True, slots=True)
class Event:
    """One event, counted by the API server or its sender."""

    about: Ref
    reason: str
    message: str = ""
    warning: bool = False
    count: int = 1
    first_at: datetime | None = None
    last_at: datetime | None = None
    container: str = ""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class LogTail:
    """The last lines of one run of a container, oldest first, already redacted."""

    pod: Ref
    container: str
    previous: bool
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """Whether an object that something refers to exists."""

    target: Ref
    exists: bool
    keys: tuple[str, ...] | None = None  # None: not asked
    nearest: tuple[str, ...] = ()  # existing objects of similar name


@dataclass(frozen=True, slots=True)
class Workload:
    """A controller of pods."""

    ref: Ref
    desired: int = 1
    ready: int = 0
    updated: int = 0
    available: int = 0
    paused: bool = False
    suspended: bool = False
    settled: bool = True  # the controller has seen the newest spec
    selector: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    images: tuple[str, ...] = ()
    revision: str = ""
    created_at: datetime | None = None
    parent: Ref | None = None
    template_pull_secrets: tuple[str, ...] = ()
    service: str = ""  # a StatefulSet's governing Service
    failed: int = 0
    finished: bool = False

    def condition(self, name: str) -> Condition | None:
        """One condition by type."""
        return next((c for c in self.conditions if c.type == name), None)


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service."""

    name: str
    port: int
    target: str  # a number or a container port's name


@dataclass(frozen=True, slots=True)
class Service:
    """A Service with what its EndpointSlices hold."""

    ref: Ref
    selector: Mapping[str, str] = field(default_factory=dict)
    type: str = "ClusterIP"
    headless: bool = False
    ports: tuple[ServicePort, ...] = ()
    ready_addresses: int | None = None  # None: EndpointSlices were not readable
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One node."""

    name: str
    conditions: tuple[Condition, ...] = ()
    cordoned: bool = False
    taints: tuple[str, ...] = ()  # key[=value]:effect
    labels: Mapping[str, str] = field(default_factory=dict)
    allocatable_memory_bytes: int | None = None
    created_at: datetime | None = None

    @property
    def ref(self) -> Ref:
        """Its identity."""
        return Ref("Node", "", self.name)

    def condition(self, name: str) -> Condition | None:
        """One condition by type."""
        return next((c for c in self.conditions if c.type == name), None)


@dataclass(frozen=True, slots=True)
class Claim:
    """A PersistentVolumeClaim."""

    ref: Ref
    phase: str
    storage_class: str | None = None
    class_exists: bool | None = None  # None: classes were not readable
    waits_for_consumer: bool = False
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What one container uses now, by metrics.k8s.io."""

    pod: Ref
    container: str
    memory_bytes: int
    cpu_m: int = 0


@dataclass(frozen=True, slots=True)
class UsageHistory:
    """Memory of one container over time, oldest first; given by whoever has metrics."""

    pod: Ref
    container: str
    points: tuple[tuple[datetime, int], ...]


@dataclass(frozen=True)
class Facts:
    """Everything a diagnosis may know; the rules see nothing else."""

    cluster: str
    now: datetime
    namespace: str = ""  # empty: all
    pods: tuple[Pod, ...] = ()
    events: tuple[Event, ...] = ()
    logs: tuple[LogTail, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    workloads: tuple[Workload, ...] = ()
    services: tuple[Service, ...] = ()
    nodes: tuple[Node, ...] = ()
    claims: tuple[Claim, ...] = ()
    usage: tuple[Usage, ...] = ()
    history: tuple[UsageHistory, ...] = ()
    gaps: tuple[str, ...] = ()
    logs_allowed: bool = True
    # Indexes, each made once: every rule asks by object, and a cluster has 10,000 of them.

    @cached_property
    def _events(self) -> dict[Ref, list[Event]]:
        return _grouped(self.events, lambda event: event.about)

    @cached_property
    def _logs(self) -> dict[tuple[Ref, str], list[LogTail]]:
        return _grouped(self.logs, lambda tail: (tail.pod, tail.container))

    @cached_property
    def _lookups(self) -> dict[Ref, Lookup]:
        return {found.target: found for found in self.lookups}

    @cached_property
    def _workloads(self) -> dict[Ref, Workload]:
        return {found.ref: found for found in self.workloads}

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        return {found.name: found for found in self.nodes}

    @cached_property
    def _by_owner(self) -> dict[Ref | None, list[Pod]]:
        return _grouped(self.pods, lambda pod: pod.owner)

    @cached_property
    def _by_node(self) -> dict[str, list[Pod]]:
        return _grouped(self.pods, lambda pod: pod.node)

    @cached_property
    def _by_label(self) -> dict[tuple[str, str, str], list[Pod]]:
        found: dict[tuple[str, str, str], list[Pod]] = {}
        for pod in self.pods:
            for key, value in pod.labels.items():
                found.setdefault((pod.namespace, key, value), []).append(pod)
        return found

    @cached_property
    def _values(self) -> dict[tuple[str, str], frozenset[str]]:
        found: dict[tuple[str, str], set[str]] = {}
        for namespace, key, value in self._by_label:
            found.setdefault((namespace, key), set()).add(value)
        return {place: frozenset(values) for place, values in found.items()}

    @cached_property
    def _by_name(self) -> dict[Ref, Pod]:
        return {pod.ref: pod for pod in self.pods}

    def events_about(self, target: Ref, uid: str = "") -> tuple[Event, ...]:
        """Events of one object, newest first; those of an earlier object of the same name are left out."""
        found = [e for e in self._events.get(target, ()) if not (uid and e.uid and e.uid != uid)]
        return tuple(sorted(found, key=lambda e: e.last_at or self.now, reverse=True))

    def age_s(self, moment: datetime | None) -> float:
        """Seconds since a moment; an unknown one is infinitely long ago."""
        return float("inf") if moment is None else (self.now - moment).total_seconds()

    def lookup(self, target: Ref) -> Lookup | None:
        """What is known about a referenced object."""
        return self._lookups.get(target)

    def log(self, pod: Ref, container: str) -> LogTail | None:
        """The log that tells of a container's death: the previous run's before the current one's."""
        return min(self._logs.get((pod, container), []), key=lambda tail: not tail.previous, default=None)

    def workload(self, ref: Ref | None) -> Workload | None:
        """One workload by identity."""
        return self._workloads.get(ref) if ref else None

    def node(self, name: str) -> Node | None:
        """One node by name."""
        return self._nodes.get(name)

    def pod(self, ref: Ref) -> Pod | None:
        """One pod by identity."""
        return self._by_name.get(ref)

    def pods_of(self, owner: Ref) -> Sequence[Pod]:
        """The pods whose top owner it is."""
        return self._by_owner.get(owner, [])

    def pods_on(self, node: str) -> Sequence[Pod]:
        """The pods of a node."""
        return self._by_node.get(node, [])

    def selected(self, namespace: str, selector: Mapping[str, str]) -> Sequence[Pod]:
        """The pods that an equality selector takes."""
        found = [self._by_label.get((namespace, key, value), []) for key, value in selector.items()]
        return [pod for pod in min(found, key=len, default=[]) if selects(selector, pod.labels)]

    def label_values(self, namespace: str, key: str) -> frozenset[str]:
        """All values that one label has."""
        return self._values.get((namespace, key), frozenset())


def _grouped(found: Iterable[T], by: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for one in found:
        groups.setdefault(by(one), []).append(one)
    return groups


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether an equality selector takes an object; an empty one takes nothing (as for Services)."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
