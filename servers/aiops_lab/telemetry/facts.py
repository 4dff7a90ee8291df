"""Who emits, and how much: the words of the kit with which stories emit metrics.

Used through `workloads.py`, which names them all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isinf

import numpy as np

from aiops_lab.telemetry.signals import Array, Signal, Values, noise

MI, GI = 2.0**20, 2.0**30
DAY_S = 86_400.0
SIGMA = 0.04
Quantity = float | Values


@dataclass(frozen=True, slots=True)
class PodFacts:
    """One container of one pod, as kube-state-metrics knows it; memory in bytes, cpu in cores."""

    namespace: str
    pod: str
    container: str = "app"
    node: str = ""
    owner_kind: str = "ReplicaSet"
    owner_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)  # of the pod: app, version, ...
    memory_limit_bytes: float | None = None
    memory_request_bytes: float | None = None
    cpu_limit_cores: float | None = None
    cpu_request_cores: float | None = None
    image: str = ""
    since_s: float = -np.inf
    until_s: float = np.inf

    @property
    def place(self) -> dict[str, str]:
        """The labels that all its series have."""
        found = {"namespace": self.namespace, "pod": self.pod, "container": self.container, "node": self.node}
        return {name: value for name, value in found.items() if value}

    def signal(self, metric: str, values: Quantity, kind: str = "gauge", **more: str) -> Signal:
        """One of its series."""
        return Signal(metric, self.place | more, function(values), kind, self.since_s, self.until_s)

    def pod_signal(self, metric: str, values: Quantity, **more: str) -> Signal:
        """One series of the pod as a whole."""
        labels = {name: value for name, value in self.place.items() if name != "container"}
        return Signal(metric, labels | more, function(values), "gauge", self.since_s, self.until_s)


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """Requests of one route of one service; counters count since `since_s` (Unix seconds, finite)."""

    service: str
    route: str
    namespace: str
    since_s: float
    until_s: float = np.inf
    labels: Mapping[str, str] = field(default_factory=dict)  # more of them: version, pod, zone

    @property
    def place(self) -> dict[str, str]:
        """The labels that all its series have."""
        return {"namespace": self.namespace, "service": self.service, "route": self.route, **self.labels}


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """One node; memory and disk in bytes. Its cpu counters count since `since_s`."""

    node: str
    zone: str
    since_s: float
    instance_type: str = "m5.xlarge"
    address: str = ""
    cores: int = 4
    memory_bytes: float = 15_896_992 * 1024.0
    disk_bytes: float = 83_873_772 * 1024.0
    labels: Mapping[str, str] = field(default_factory=dict)  # of the node object
    until_s: float = np.inf

    @property
    def place(self) -> dict[str, str]:
        """The labels that node exporter's series have."""
        return {"node": self.node, "instance": f"{self.address or self.node}:9100"}


@dataclass(frozen=True, slots=True)
class Profile:
    """What the pods of an app of the world use from the start, told instead of their program's curves.

    Functions of Unix seconds, memory in bytes, cpu in cores; each pod adds noise of its own. Kubernetes'
    metrics API reads it too: `stage.telemetry.profiles.append(Profile("production", "api", memory=...))`.
    """

    namespace: str
    app: str  # the pods' label `app`
    memory: Quantity | None = None
    cpu: Quantity | None = None
    container: str = ""  # empty: every container
    sigma: float = SIGMA

    def fits(self, namespace: str, app: str, container: str) -> bool:
        """Whether it tells of this container."""
        return (self.namespace, self.app) == (namespace, app) and self.container in ("", container)


def noisy(key: str, quantity: Quantity, sigma: float = SIGMA) -> Values:
    """A quantity with lognormal noise that hangs on `key`; a constant or function stays itself at sigma 0."""
    exact = function(quantity)
    if sigma <= 0:
        return exact
    return lambda times_s: exact(times_s) * np.exp(noise(key, times_s, sigma))


def stepped(steps: list[tuple[float, float]]) -> Values:
    """A quantity that changes at moments: [(since Unix second, value), ...] in order; nothing before."""

    def values(times_s: Array) -> Array:
        told = list(steps)  # may grow while the world runs
        moments = np.array([since for since, _ in told], dtype=np.float64)
        levels = np.array([np.nan, *(level for _, level in told)], dtype=np.float64)
        return np.asarray(levels[np.searchsorted(moments, times_s, side="right")])

    return values


def function(quantity: Quantity) -> Values:
    """A quantity as a function of moments."""
    if callable(quantity):
        return quantity
    constant = float(quantity)
    return lambda times_s: np.full(np.shape(times_s), constant)


def counts_since(since_s: float) -> float:
    """Since when a counter counts, for a pod that was always there."""
    if not isinf(since_s):
        return since_s
    return _ALWAYS_S


_ALWAYS_S = 1_700_006_400.0  # a Wednesday at midnight in 2023: before any story


def label_of(name: str) -> str:
    """A Kubernetes label as kube-state-metrics writes it."""
    return "".join(each if each.isalnum() else "_" for each in name)


def bound_of(bound_s: float) -> str:
    """A bucket's bound as its label has it."""
    return f"{bound_s:g}"
