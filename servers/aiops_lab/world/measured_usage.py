"""What containers and nodes of the world use over time: the numbers behind cAdvisor's and node exporter's.

They are those of metrics.k8s.io at the same moment (`kubelet.usage`): the behaviour of the container's run
with the meter's wobble, or the story's `Profile` where there is one, with its noise. A node uses what its
pods use and its own share.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from aiops_lab.resources import quantity
from aiops_lab.scenarios.programs import Curve
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.signals import Array, Values
from aiops_lab.telemetry.workloads import Profile, Quantity, noisy
from aiops_lab.world.container_run import Record
from aiops_lab.world.kubelet import NODE_CPU_M, NODE_MEMORY_BYTES
from aiops_lab.world.measured import Measured, PodPast, app_of
from aiops_lab.world.objects import Obj, meta


class Usage:
    """Asked by `MeasuredSignals`, and by the world for metrics.k8s.io where a story tells a profile."""

    def __init__(self, measured: Measured, telemetry: Callable[[], Telemetry]) -> None:
        self._past, self._telemetry = measured, telemetry

    def memory(self, past: PodPast, name: str) -> Values:
        """Working set of a container over time, NaN while it does not run."""
        container, told = past.containers[name], self._profile(past, name)
        use = _using("memory", told.memory if told else None, told, _key(past, name, "memory"))
        limit = sizes(container.spec)["memory_limit_bytes"]

        def values(times_s: Array) -> Array:
            found = np.full(times_s.shape, np.nan)
            for run in list(container.runs):
                here = during(run, times_s)
                if here.any():
                    found[here] = use(run, times_s[here])
            return found if limit is None else np.minimum(found, limit)

        return values

    def cpu(self, past: PodPast, name: str, place: int) -> Values:
        """Cores that one run of a container uses."""
        run, told = past.containers[name].runs[place], self._profile(past, name)
        use = _using("cpu_m", told.cpu if told else None, told, _key(past, name, "cpu"))
        return lambda times_s: use(run, times_s)

    def _profile(self, past: PodPast, name: str) -> Profile | None:
        space, app = meta(past.obj)["namespace"], app_of(past.obj)
        return next((one for one in self._telemetry().profiles if one.fits(space, app, name)), None)

    def node(self, node: str) -> tuple[Values, Values]:
        """Cores and bytes: the system's share, and what its pods use."""

        def cores(times_s: Array) -> Array:
            found = np.full(times_s.shape, NODE_CPU_M / 1000)
            for past, name in self._past.on(node):
                for place, run in enumerate(list(past.containers[name].runs)):
                    here = during(run, times_s) & (times_s <= past.until_s)
                    if here.any():
                        found[here] += self.cpu(past, name, place)(times_s[here])
            return found

        def memory(times_s: Array) -> Array:
            found = np.full(times_s.shape, float(NODE_MEMORY_BYTES))
            for past, name in self._past.on(node):
                alive = times_s <= past.until_s
                found += np.where(alive, np.nan_to_num(self.memory(past, name)(times_s)), 0.0)
            return found

        return cores, memory

    def told(self, pod: Obj, measured: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
        """What a pod uses now, (millicores, bytes) by container, where a story's profile says otherwise."""
        past = self._past.pods.get(meta(pod)["uid"])
        if past is None or not self._telemetry().profiles:
            return measured
        return {name: self._now(past, name, used) for name, used in measured.items()}

    def told_node(self, name: str, measured: tuple[int, int]) -> tuple[int, int]:
        """What a node uses now, (millicores, bytes), where stories tell of its pods."""
        if not self._telemetry().profiles:
            return measured
        moment = np.array([self._past.now_s()])
        cores, used = self.node(name)
        return round(1000 * float(cores(moment)[0])), round(float(used(moment)[0]))

    def _now(self, past: PodPast, name: str, used: tuple[int, int]) -> tuple[int, int]:
        container = past.containers.get(name)
        if container is None or not container.runs or self._profile(past, name) is None:
            return used
        moment = np.array([self._past.now_s()])
        cores = self.cpu(past, name, len(container.runs) - 1)(moment)[0]
        return round(1000 * float(cores)), round(float(self.memory(past, name)(moment)[0]))


def sizes(container: Obj) -> dict[str, Any]:
    """Requests and limits of a container, in bytes and cores."""
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return {
        "memory_limit_bytes": _size(limits, "memory"),
        "memory_request_bytes": _size(requests, "memory"),
        "cpu_limit_cores": _size(limits, "cpu"),
        "cpu_request_cores": _size(requests, "cpu"),
    }


def _size(sizes: Mapping[str, Any], name: str) -> float | None:
    return quantity(sizes[name]) if name in sizes else None


def _key(past: PodPast, name: str, what: str) -> str:
    return f"{what}/{meta(past.obj)['namespace']}/{meta(past.obj)['name']}/{name}"


def during(run: Record, times_s: Array) -> npt.NDArray[np.bool_]:
    """Which moments a run covers."""
    ended = np.inf if run.ended_at is None else run.ended_at.timestamp()
    return (times_s >= run.started_at.timestamp()) & (times_s <= ended)


def _using(
    what: str, exact: Quantity | None, told: Profile | None, key: str
) -> Callable[[Record, Array], Array]:
    """How a run's usage is read: from the story, or from what its program does."""
    if exact is None or told is None:
        return lambda run, times_s: _used(run, what, times_s)
    values = noisy(key, exact, told.sigma)
    return lambda run, times_s: values(times_s)


def wobbles(t: Array) -> Array:
    """The wobble of `kubelet.usage`: metrics-server sees a new value every 15 s."""
    return np.asarray(1 + 0.01 * (((t // 15).astype(np.int64) * 7919) % 5 - 2))


def _used(run: Record, what: str, times_s: Array) -> Array:
    """What a run's program uses, with the meter's wobble."""
    t = times_s - run.started_at.timestamp()
    curve: Curve = getattr(run.behaviour, what)
    return along(curve, t) * wobbles(t) / (1000.0 if what == "cpu_m" else 1.0)


def along(curve: Curve, t: Array) -> Array:
    """A curve at many moments; one of a story's own kind is asked one by one."""
    if type(curve) is not Curve:
        return np.array([curve.at(float(each)) for each in t], dtype=np.float64)
    seconds, levels = (np.array(each, dtype=np.float64) for each in zip(*curve.points, strict=True))
    beyond = np.maximum(t - seconds[-1], 0.0) * curve.slope
    return np.asarray(np.interp(t, seconds, levels) + beyond)
