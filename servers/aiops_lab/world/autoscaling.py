"""HorizontalPodAutoscalers: replicas by cpu or memory utilisation against requests.

After `pkg/controller/podautoscaler`: every 15 s, ceil(current x ratio), a tolerance of 10 %, a scale-down
only to the highest recommendation of the last five minutes, a scale-up at most to the larger of double and
+4.
"""

import math
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.events import Said
from aiops_lab.world.kubelet import Kubelets
from aiops_lab.world.objects import Key, Obj, condition, is_ready, key_of, merge_conditions, meta, quantity

PERIOD_S, STABLE_S, TOLERANCE = 15.0, 300.0, 0.1
BY = "horizontal-pod-autoscaler"
_NONE = "unable to get metrics for resource {}: no metrics returned from resource metrics API"


_UNANSWERED = "unable to fetch metrics from {} metrics API: the server {} (get {})"
_UNABLE = "is currently unable to handle the request"
_UNKNOWN = "could not find the requested resource"


class NoMetricsError(Exception):
    """Why the utilisation cannot be known."""

    def __init__(self, words: str, reason: str = "FailedGetResourceMetric") -> None:
        super().__init__(words)
        self.reason = reason


class Autoscalers(Controller):
    """Looks at every HPA each 15 s while the world is live."""

    kind = "HorizontalPodAutoscaler"

    def __init__(self, cluster: Cluster, kubelets: Kubelets) -> None:
        super().__init__(cluster)
        self._kubelets = kubelets
        self._advice: defaultdict[Key, list[tuple[datetime, int]]] = defaultdict(list)

    def reset(self) -> None:
        """No advice yet."""
        super().reset()
        self._advice.clear()

    def reconcile(self, key: Key) -> None:
        """A new one is looked at once; the rest is by period."""
        found = self.cluster.cache.get(self.kind, *key)
        if found is not None and not found.get("status"):
            self._judge(found)

    def look(self) -> None:
        """All of them; then again."""
        for found in self.cluster.cache.all(self.kind):
            self._judge(found)
        self.cluster.clock.call_later(PERIOD_S, self.look)

    def _judge(self, found: Obj) -> None:
        ref, home = found["spec"]["scaleTargetRef"], meta(found)["namespace"]
        target = self.cluster.cache.get(ref["kind"], home, ref["name"])
        if target is None:
            words = f'{ref["kind"].lower()}s.apps "{ref["name"]}" not found'
            self._fail(found, "AbleToScale", "FailedGetScale", words)
            return
        rivals = [
            each for each in self.cluster.cache.all(self.kind, home) if _target_of(each) == _target_of(found)
        ]
        if len(rivals) > 1:
            self._ambiguous(found, target, rivals)
            return
        current = int(target["spec"].get("replicas", 1))
        if current == 0:
            words = "scaling is disabled since the replica count of the target is zero"
            self._write(found, 0, 0, [_condition("ScalingActive", False, "ScalingDisabled", words)], [])
            return
        try:
            ratios = [(metric, *self._ratio(metric, target)) for metric in found["spec"].get("metrics") or ()]
        except NoMetricsError as failure:
            self._fail(found, "ScalingActive", failure.reason, str(failure))
            return
        wanted = max((_proposal(current, ratio) for _, ratio, _, _ in ratios), default=current)
        self._scale(found, target, current, wanted, [_shown(each[0], each[2], each[3]) for each in ratios])

    def _ambiguous(self, found: Obj, target: Obj, rivals: list[Obj]) -> None:
        """Pods of two autoscalers are scaled by neither (validateAndParseSelector)."""
        labels = target["spec"]["selector"].get("matchLabels") or {}
        chosen = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        names = " ".join("/".join(key_of(each)) for each in rivals)
        words = f"pods by selector {chosen} are controlled by multiple HPAs: [{names}]"
        self.cluster.say(Said(found, "AmbiguousSelector", words, BY, warning=True))
        status = found.get("status") or {}
        current, size = (int(status.get(field) or 0) for field in ("currentReplicas", "desiredReplicas"))
        self._write(
            found, current, size, [_condition("ScalingActive", False, "AmbiguousSelector", words)], []
        )

    def _ratio(self, metric: Obj, target: Obj) -> tuple[float, int, float]:
        """(usage against target, utilisation in percent, average usage)."""
        self._require_served(metric, meta(target)["namespace"])
        name, aim = metric["resource"]["name"], metric["resource"]["target"]
        pods = [
            pod
            for pod in self.cluster.cache.selected(
                "Pod", meta(target)["namespace"], target["spec"]["selector"]
            )
            if is_ready(pod)
        ]
        used = [self._used(pod, name) for pod in pods]
        if not used:
            raise NoMetricsError(f"failed to get {name} utilization: {_NONE.format(name)}")
        if aim["type"] == "AverageValue":
            average = sum(used) / len(used)
            return average / quantity(aim["averageValue"]), 0, average
        asked = [_requests(pod, name) for pod in pods]
        percent = 100 * sum(used) / sum(asked)
        return percent / aim["averageUtilization"], int(percent), sum(used) / len(used)

    def _require_served(self, metric: Obj, home: str) -> None:
        """Raises NoMetricsError where no API serves such a metric, or the one that does is down."""
        if metric["type"] == "External":
            name = metric["external"]["metric"]["name"]
            why = _UNANSWERED.format("external", _UNKNOWN, f"{name}.external.metrics.k8s.io")
            failed = f"failed to get {name} external metric"
            words = f"{failed}: unable to get external metric {home}/{name}/nil: {why}"
            raise NoMetricsError(words, "FailedGetExternalMetric")
        if metric["type"] != "Resource":
            why = _UNANSWERED.format("custom", _UNKNOWN, "pods.custom.metrics.k8s.io")
            raise NoMetricsError(
                f"failed to get pods metric value: unable to get metric: {why}", "FailedGetPodsMetric"
            )
        api = self.cluster.cache.get("APIService", "", "v1beta1.metrics.k8s.io")
        held = condition(api, "Available") if api else None
        if held is not None and held["status"] != "True":
            name = metric["resource"]["name"]
            why = _UNANSWERED.format("resource", _UNABLE, "pods.metrics.k8s.io")
            raise NoMetricsError(
                f"failed to get {name} utilization: unable to get metrics for resource {name}: {why}"
            )

    def _used(self, pod: Obj, name: str) -> float:
        found = self._kubelets.pod(*key_of(pod)) or {}
        return sum(cpu / 1000 if name == "cpu" else float(memory) for cpu, memory in found.values())

    def _scale(self, found: Obj, target: Obj, current: int, wanted: int, shown: list[Obj]) -> None:
        key, now = key_of(found), self.cluster.clock.now()
        least, most = int(found["spec"].get("minReplicas") or 1), int(found["spec"]["maxReplicas"])
        advice = [each for each in self._advice[key] if each[0] > now - timedelta(seconds=STABLE_S)]
        self._advice[key] = [*advice, (now, wanted)]
        stable = max(wanted, min(current, max([each for _, each in advice], default=wanted)))
        if _never_shrinks(found):
            stable = max(stable, current)
        size = min(max(least, min(stable, max(2 * current, current + 4))), most)
        limited = size != stable
        reason = "TooManyReplicas" if stable > size else "TooFewReplicas"
        text = f"the desired count is {'within' if not limited else 'outside'} the acceptable range"
        conditions = [
            _condition("AbleToScale", True, "ReadyForNewScale", "recommended size matches current size"),
            _condition(
                "ScalingActive", True, "ValidMetricFound", "the HPA was able to compute a replica count"
            ),
            _condition("ScalingLimited", limited, reason if limited else "DesiredWithinRange", text),
        ]
        if size != current:
            conditions[0] = _condition(
                "AbleToScale",
                True,
                "SucceededRescale",
                f"the HPA controller was able to update the target scale to {size}",
            )
            self._resize(found, target, current, size)
        self._write(found, current, size, conditions, shown)

    def _resize(self, found: Obj, target: Obj, current: int, size: int) -> None:
        def change(fresh: Obj) -> None:
            fresh["spec"]["replicas"] = size

        self.cluster.edit(target, change, "kube-controller-manager")
        way = "above target" if size > current else "below target"
        what = "cpu resource utilization (percentage of request)" if size > current else "All metrics"
        self.cluster.say(Said(found, "SuccessfulRescale", f"New size: {size}; reason: {what} {way}", BY))

    def _fail(self, found: Obj, kind: str, reason: str, words: str) -> None:
        self.cluster.say(Said(found, reason, words, BY, warning=True))
        status = found.get("status") or {}
        made = [_condition(kind, False, reason, f"the HPA was unable to compute the replica count: {words}")]
        current = int(status.get("currentReplicas") or 0)
        self._write(found, current, int(status.get("desiredReplicas") or 0), made, [])

    def _write(self, found: Obj, current: int, size: int, conditions: list[Obj], shown: list[Obj]) -> None:
        old, now = found.get("status") or {}, self.cluster.clock.now()
        status: dict[str, Any] = {
            "observedGeneration": meta(found).get("generation", 1),
            "currentReplicas": current,
            "desiredReplicas": size,
            "currentMetrics": shown or None,
            "conditions": merge_conditions(old.get("conditions") or (), conditions, now),
        }
        if size != current:
            status["lastScaleTime"] = self.cluster.stamp()
        elif "lastScaleTime" in old:
            status["lastScaleTime"] = old["lastScaleTime"]
        self.cluster.write_status(found, status)


def _target_of(found: Obj) -> tuple[str, str]:
    ref = found["spec"]["scaleTargetRef"]
    return ref["kind"], ref["name"]


def _never_shrinks(found: Obj) -> bool:
    down = (found["spec"].get("behavior") or {}).get("scaleDown") or {}
    return down.get("selectPolicy") == "Disabled"


def _proposal(current: int, ratio: float) -> int:
    return current if abs(ratio - 1) <= TOLERANCE else math.ceil(current * ratio)


def _requests(pod: Obj, name: str) -> float:
    total = 0.0
    for container in pod["spec"]["containers"]:
        asked = ((container.get("resources") or {}).get("requests") or {}).get(name)
        if asked is None:
            where = f"container {container['name']} of Pod {meta(pod)['name']}"
            raise NoMetricsError(f"failed to get {name} utilization: missing request for {name} in {where}")
        total += quantity(asked)
    return total


def _shown(metric: Obj, percent: int, average: float) -> Obj:
    name = metric["resource"]["name"]
    value = f"{round(average * 1000)}m" if name == "cpu" else str(round(average))
    current = {"averageValue": value} | ({"averageUtilization": percent} if percent else {})
    return {"type": "Resource", "resource": {"name": name, "current": current}}


def _condition(kind: str, holds: bool, reason: str, message: str) -> Obj:
    return {"type": kind, "status": "True" if holds else "False", "reason": reason, "message": message}
