"""Kubernetes objects as the rules see them: frozen, without any client's types.

`reading.py` makes them from what an API server sent, `facts.py` holds them together. Times are UTC; None
is what could not be known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

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
    mounts: tuple[tuple[str, str], ...] = ()  # (volume's name, path)
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
    heartbeat_at: datetime | None = None  # of a node's condition, by the node's own clock


@dataclass(frozen=True, slots=True)
class LabelRule:
    """One expression about labels: key, operator, values."""

    key: str
    operator: str  # In | NotIn | Exists | DoesNotExist | Gt | Lt
    values: tuple[str, ...] = ()


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
    claim_of: Mapping[str, str] = field(default_factory=dict)  # by the volume's name
    host_network: bool = False
    pull_secrets: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    finalizers: tuple[str, ...] = ()
    restart_policy: str = "Always"
    node_selector: Mapping[str, str] = field(default_factory=dict)
    node_affinity: tuple[tuple[LabelRule, ...], ...] = ()  # required terms; one of them must hold
    service_account: str = ""
    whole: bool = True  # False: well by its Table row, so only that and its metadata were read

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
class Sick:
    """A pod that is not well: its state, and the cause as far as the pod itself tells one."""

    pod: Ref
    state: str
    cause: str = ""
    told: bool = True  # whether the pod itself says enough; otherwise only its events do


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
    template_labels: Mapping[str, str] = field(default_factory=dict)
    conditions: tuple[Condition, ...] = ()
    images: tuple[str, ...] = ()
    revision: str = ""
    created_at: datetime | None = None
    parent: Ref | None = None
    template_pull_secrets: tuple[str, ...] = ()
    service: str = ""  # a StatefulSet's governing Service
    failed: int = 0
    finished: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    def condition(self, name: str) -> Condition | None:
        """One condition by type."""
        return next((c for c in self.conditions if c.type == name), None)


@dataclass(frozen=True, slots=True)
class Revision:
    """One ReplicaSet of a Deployment: its number, its age and what its template says."""

    ref: Ref
    owner: Ref
    number: int
    created_at: datetime | None
    template: Mapping[str, str] = field(default_factory=dict)  # "app image" -> "shop/web:1.8.2"


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
    cluster_ip: str = ""
    has_address: bool = False  # its load balancer has one
    load_balancer_class: str = ""


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
    cordoned_at: datetime | None = None  # when the taint of the cordon was set
    kubelet_version: str = ""
    deleted_at: datetime | None = None

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
    volume: str = ""
    access_modes: tuple[str, ...] = ()
    requested_bytes: int | None = None
    capacity_bytes: int | None = None
    conditions: tuple[Condition, ...] = ()

    def condition(self, name: str) -> Condition | None:
        """One condition by type."""
        return next((c for c in self.conditions if c.type == name), None)


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


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether an equality selector takes an object; an empty one takes nothing (as for Services)."""
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())
