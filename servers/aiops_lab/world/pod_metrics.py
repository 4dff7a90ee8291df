"""What the autoscaler can know of its pods, and in which words it cannot.

After `pkg/controller/podautoscaler/replica_calculator.go` and metrics/client.go: the resource metrics API is
served while its APIService is available; custom metrics are those that a story tells (`Telemetry.adapter`),
external ones have no adapter here.
"""

from collections.abc import Callable
from dataclasses import dataclass

from aiops_lab.resources import quantity
from aiops_lab.world.cache import Cache
from aiops_lab.world.kubelet import Kubelets
from aiops_lab.world.objects import Obj, being_deleted, condition, is_ready, key_of, meta

_UNANSWERED = "unable to fetch metrics from {} metrics API: the server {} (get {})"
_UNABLE = "is currently unable to handle the request"
_UNKNOWN = "could not find the requested resource"
_UNREADY = "did not receive metrics for targeted pods (pods might be unready)"
_UNREGISTERED = "no custom metrics API (custom.metrics.k8s.io) registered"


Served = Callable[[str, str], float | None]  # namespace and metric -> its sum over the pods now


class NoMetricsError(Exception):
    """Why a metric cannot be known; `reason` is that of the condition, `inner` the text of the event."""

    def __init__(self, words: str, reason: str = "FailedGetResourceMetric") -> None:
        super().__init__(words)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Measured:
    """How far from its target a metric is, and what the status shows of it."""

    metric: Obj
    ratio: float
    percent: int
    average: float
    label: str

    def proposal(self, current: int, tolerance: float) -> int:
        """The replicas that would meet the target."""
        exact = current * self.ratio
        return current if abs(self.ratio - 1) <= tolerance else -int(-exact // 1)

    def shown(self) -> Obj:
        """Its entry in status.currentMetrics."""
        if self.metric["type"] == "Pods":
            told = {"averageValue": f"{round(self.average * 1000)}m"}
            return {"type": "Pods", "pods": {"metric": self.metric["pods"]["metric"], "current": told}}
        name = self.metric["resource"]["name"]
        value = f"{round(self.average * 1000)}m" if name == "cpu" else str(round(self.average))
        current = {"averageValue": value} | ({"averageUtilization": self.percent} if self.percent else {})
        return {"type": "Resource", "resource": {"name": name, "current": current}}


class PodMetrics:
    """Measures the pods of a scale target."""

    def __init__(self, cache: Cache, kubelets: Kubelets, served: "Served | None" = None) -> None:
        self._cache, self._kubelets, self._served = cache, kubelets, served or (lambda home, name: None)

    def measure(self, metric: Obj, home: str, selector: Obj) -> Measured:
        """One metric of an autoscaler. Raises NoMetricsError."""
        if metric["type"] == "Pods":
            return self._custom(metric, home, selector)
        if metric["type"] != "Resource":
            raise _unserved(metric, home)
        name, aim = metric["resource"]["name"], metric["resource"]["target"]
        by_value = aim.get("averageValue") is not None
        try:
            pods = self._measured_pods(name, home, selector)
            used = [self._used(pod, name) for pod in pods if is_ready(pod)]
            _require(used)
            asked = [] if by_value else [_requests(pod, name) for pod in pods]
        except NoMetricsError as failure:
            words = f"failed to get {name} {'usage' if by_value else 'utilization'}: {failure}"
            raise NoMetricsError(words) from failure
        average = sum(used) / len(used)
        if by_value:
            return Measured(metric, average / quantity(aim["averageValue"]), 0, average, f"{name} resource")
        label = f"{name} resource utilization (percentage of request)"
        ready = [each for each, pod in zip(asked, pods, strict=True) if is_ready(pod)]
        percent = 100 * sum(used) / sum(ready)
        return Measured(metric, percent / aim["averageUtilization"], int(percent), average, label)

    def _custom(self, metric: Obj, home: str, selector: Obj) -> Measured:
        """A metric of pods that an adapter serves: its sum over those that are ready, divided by them."""
        name = metric["pods"]["metric"]["name"]
        total = self._served(home, name)
        if total is None:
            raise _unserved(metric, home)
        pods = [pod for pod in self._cache.selected("Pod", home, selector) if not being_deleted(pod)]
        ready = sum(1 for pod in pods if is_ready(pod))
        if not ready:
            raise NoMetricsError(_UNREADY, "FailedGetPodsMetric")
        average = total / ready
        aim = quantity(metric["pods"]["target"]["averageValue"])
        return Measured(metric, total / len(pods) / aim, 0, average, f"pods metric {name}")

    def _measured_pods(self, name: str, home: str, selector: Obj) -> list[Obj]:
        head = f"unable to get metrics for resource {name}: "
        if not self._api_answers():
            raise NoMetricsError(head + _UNANSWERED.format("resource", _UNABLE, "pods.metrics.k8s.io"))
        pods = [pod for pod in self._cache.selected("Pod", home, selector) if not being_deleted(pod)]
        pods = [pod for pod in pods if (pod.get("status") or {}).get("phase") != "Failed"]
        if not any(self._kubelets.pod(*key_of(pod)) for pod in pods):
            raise NoMetricsError(f"{head}no metrics returned from resource metrics API")
        return pods

    def _api_answers(self) -> bool:
        held = self._cache.get("APIService", "", "v1beta1.metrics.k8s.io")
        available = condition(held, "Available") if held else None
        if available is not None:
            return bool(available["status"] == "True")
        server = self._cache.get("Deployment", "kube-system", "metrics-server")
        return server is None or bool((server.get("status") or {}).get("readyReplicas"))

    def _used(self, pod: Obj, name: str) -> float:
        found = self._kubelets.pod(*key_of(pod)) or {}
        return sum(cpu / 1000 if name == "cpu" else float(memory) for cpu, memory in found.values())


def _require(used: list[float]) -> None:
    if not used:
        raise NoMetricsError(_UNREADY)


def _requests(pod: Obj, name: str) -> float:
    total = 0.0
    for container in pod["spec"]["containers"]:
        asked = ((container.get("resources") or {}).get("requests") or {}).get(name)
        if asked is None:
            where = f"container {container['name']} of Pod {meta(pod)['name']}"
            raise NoMetricsError(f"missing request for {name} in {where}")
        total += quantity(asked)
    return total


def _unserved(metric: Obj, home: str) -> NoMetricsError:
    """A metric of an API that nobody serves."""
    if metric["type"] == "External":
        name = metric["external"]["metric"]["name"]
        why = _UNANSWERED.format("external", _UNKNOWN, f"{name}.external.metrics.k8s.io")
        words = f"unable to get external metric {home}/{name}/nil: {why}"
        return NoMetricsError(words, "FailedGetExternalMetric")
    kind = "Object" if metric["type"] == "Object" else "Pods"
    name = ((metric.get(kind.lower()) or {}).get("metric") or {}).get("name", "")
    words = f"unable to get metric {name}: unable to fetch metrics from custom metrics API: {_UNREGISTERED}"
    return NoMetricsError(words, f"FailedGet{kind}Metric")
