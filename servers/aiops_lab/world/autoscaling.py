"""HorizontalPodAutoscalers: replicas by cpu or memory utilisation against requests.

After `pkg/controller/podautoscaler/horizontal.go`: every 15 s, ceil(current x ratio), a tolerance of 10 %, a
scale-down only to the highest recommendation of the last five minutes, a scale-up at most to the larger of
double and 4. `behavior` is not played but for a disabled scale-down.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from aiops_lab.kube.errors import ApiError, not_found
from aiops_lab.telemetry import Telemetry
from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.events import Said
from aiops_lab.world.kubelet import Kubelets
from aiops_lab.world.objects import Key, Obj, key_of, merge_conditions, meta
from aiops_lab.world.pod_metrics import Measured, NoMetricsError, PodMetrics

PERIOD_S, STABLE_S, TOLERANCE = 15.0, 300.0, 0.1
BY = "horizontal-pod-autoscaler"
_UNKNOWN_SCALE = "the HPA controller was unable to get the target's current scale"
_FIRST_SCALE = ("AbleToScale", True, "SucceededGetScale")
_STABILIZED = (
    "recent recommendations were higher than current one, applying the highest recent recommendation"
)
_LIMITS = {
    "TooManyReplicas": "the desired replica count is more than the maximum replica count",
    "TooFewReplicas": "the desired replica count is less than the minimum replica count",
    "ScaleUpLimit": "the desired replica count is increasing faster than the maximum scale rate",
    "DesiredWithinRange": "the desired count is within the acceptable range",
}


class Autoscalers(Controller):
    """Looks at every HPA each 15 s while the world is live."""

    kind = "HorizontalPodAutoscaler"

    def __init__(self, cluster: Cluster, kubelets: Kubelets, telemetry: Callable[[], Telemetry]) -> None:
        super().__init__(cluster)
        self._telemetry = telemetry
        self._metrics = PodMetrics(cluster.cache, kubelets, self._served)
        self._advice: defaultdict[Key, list[tuple[datetime, int]]] = defaultdict(list)

    def reset(self) -> None:
        """No advice yet."""
        super().reset()
        self._advice.clear()

    def reconcile(self, key: Key) -> None:
        """A new one is looked at once; the rest is by period."""
        found = self.cluster.cache.get(self.kind, *key)
        if found is not None and not (found.get("status") or {}).get("conditions"):
            self._judge(found)

    def glance(self) -> None:
        """All of them, once: for what a story lets happen before they wake."""
        for found in self.cluster.cache.all(self.kind):
            self._judge(found)

    def look(self) -> None:
        """All of them; then again."""
        self.glance()
        self.cluster.clock.call_later(PERIOD_S, self.look)

    def _served(self, home: str, name: str) -> float | None:
        """What the custom metrics API serves of a namespace now."""
        told = self._telemetry().adapter.get((home, name))
        return float(told(np.array([self.cluster.clock.now().timestamp()]))[0]) if told else None

    def _warn(self, found: Obj, reason: str, words: str) -> None:
        self.cluster.say(Said(found, reason, words, BY, warning=True))

    def _judge(self, found: Obj) -> None:
        try:
            target = self._target(found)
        except ApiError as refusal:
            self._warn(found, "FailedGetScale", str(refusal))
            words = f"{_UNKNOWN_SCALE}: {refusal}"
            self._keep(found, [_condition("AbleToScale", False, "FailedGetScale", words)])
            return
        scaled = _condition(*_FIRST_SCALE, "the HPA controller was able to get the target's current scale")
        current = int(target["spec"].get("replicas", 1))
        least, most = _bounds(found)
        if current == 0 and least:
            words = "scaling is disabled since the replica count of the target is zero"
            self._write(
                found, 0, 0, [scaled, _condition("ScalingActive", False, "ScalingDisabled", words)], []
            )
        elif not least <= current <= most:
            way = "above Spec.MaxReplicas" if current > most else "below Spec.MinReplicas"
            words = f"Current number of replicas {way}"
            self._rescale(found, target, current, min(max(least, current), most), words, [scaled], [])
        else:
            self._by_metrics(found, target, current, scaled)

    def _target(self, found: Obj) -> Obj:
        """What is to be scaled. Raises ApiError 404."""
        ref, home = found["spec"]["scaleTargetRef"], meta(found)["namespace"]
        group = (ref.get("apiVersion") or "").rpartition("/")[0]
        try:
            resource = self.cluster.store.resource(f"{ref['kind']}.{group}")
        except ApiError as unknown:
            words = f'no matches for kind "{ref["kind"]}" in group "{group}"'
            raise ApiError(404, "NotFound", words) from unknown
        target = self.cluster.cache.get(resource.kind, home, ref["name"])
        if target is None:
            raise not_found(resource, ref["name"])
        return target

    def _by_metrics(self, found: Obj, target: Obj, current: int, scaled: Obj) -> None:
        home, rivals = meta(found)["namespace"], self._rivals(found)
        if len(rivals) > 1:
            self._ambiguous(found, target, rivals, scaled)
            return
        measured: list[Measured] = []
        failures: list[NoMetricsError] = []
        metrics = found["spec"].get("metrics") or ()
        for metric in metrics:
            try:
                measured.append(self._metrics.measure(metric, home, target["spec"]["selector"]))
            except NoMetricsError as failure:
                self._warn(found, failure.reason, str(failure))
                failures.append(failure)
        proposals = {each.label: each.proposal(current, TOLERANCE) for each in measured}
        label = max(proposals, key=lambda each: proposals[each], default="")
        if failures and (not measured or proposals[label] < current):
            self._say_invalid(found, failures, len(metrics), scaled)
            return
        words = f"the HPA was able to successfully calculate a replica count from {label}"
        active = _condition("ScalingActive", True, "ValidMetricFound", words)
        self._scale(found, target, current, proposals.get(label, current), (label, [active], measured))

    def _say_invalid(self, found: Obj, failures: list[NoMetricsError], metrics: int, scaled: Obj) -> None:
        first = failures[0]
        inner = _inner(first)
        words = f"invalid metrics ({len(failures)} invalid out of {metrics}), first error is: {inner}"
        self._warn(found, "FailedComputeMetricsReplicas", words)
        said = f"the HPA was unable to compute the replica count: {first}"
        self._keep(found, [scaled, _condition("ScalingActive", False, first.reason, said)])

    def _rivals(self, found: Obj) -> list[Obj]:
        others = self.cluster.cache.all(self.kind, meta(found)["namespace"])
        return [each for each in others if _target_of(each) == _target_of(found)]

    def _ambiguous(self, found: Obj, target: Obj, rivals: list[Obj], scaled: Obj) -> None:
        """Pods of two autoscalers are scaled by neither (validateAndParseSelector)."""
        labels = target["spec"]["selector"].get("matchLabels") or {}
        chosen = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
        names = " ".join("/".join(key_of(each)) for each in rivals)
        words = f"pods by selector {chosen} are controlled by multiple HPAs: [{names}]"
        self._warn(found, "AmbiguousSelector", words)
        self._warn(found, "FailedComputeMetricsReplicas", words)
        self._keep(found, [scaled, _condition("ScalingActive", False, "AmbiguousSelector", words)])

    def _scale(
        self, found: Obj, target: Obj, current: int, wanted: int, basis: tuple[str, list[Obj], list[Measured]]
    ) -> None:
        label, active, measured = basis
        stable = self._stabilized(found, current, wanted)
        words = "recommended size matches current size"
        able = _condition("AbleToScale", True, "ReadyForNewScale", words)
        if stable != wanted:
            able = _condition("AbleToScale", True, "ScaleDownStabilized", _STABILIZED)
        size, reason = _within(stable, current, *_bounds(found))
        limited = _condition("ScalingLimited", size != stable, reason, _LIMITS[reason])
        shown = [each.shown() for each in measured]
        if size == current:
            self._write(found, current, size, [able, *active, limited], shown)
            return
        why = f"{label} above target" if size > current else "All metrics below target"
        self._rescale(found, target, current, size, why, [able, *active, limited], shown)

    def _stabilized(self, found: Obj, current: int, wanted: int) -> int:
        key, now = key_of(found), self.cluster.clock.now()
        advice = [each for each in self._advice[key] if each[0] > now - timedelta(seconds=STABLE_S)]
        self._advice[key] = [*advice, (now, wanted)]
        stable = max(wanted, min(current, max([each for _, each in advice], default=wanted)))
        return max(stable, current) if _never_shrinks(found) else stable

    def _rescale(
        self,
        found: Obj,
        target: Obj,
        current: int,
        size: int,
        why: str,
        conditions: list[Obj],
        shown: list[Obj],
    ) -> None:
        def change(fresh: Obj) -> None:
            fresh["spec"]["replicas"] = size

        self.cluster.edit(target, change, "kube-controller-manager")
        self.cluster.say(Said(found, "SuccessfulRescale", f"New size: {size}; reason: {why}", BY))
        words = f"the HPA controller was able to update the target scale to {size}"
        done = _condition("AbleToScale", True, "SucceededRescale", words)
        self._write(
            found,
            current,
            size,
            [done, *(each for each in conditions if each["type"] != done["type"])],
            shown,
        )

    def _keep(self, found: Obj, conditions: list[Obj]) -> None:
        """Conditions alone; the numbers stay what they were."""
        status = found.get("status") or {}
        current, size = (int(status.get(field) or 0) for field in ("currentReplicas", "desiredReplicas"))
        self._write(found, current, size, conditions, [])

    def _write(self, found: Obj, current: int, size: int, conditions: list[Obj], shown: list[Obj]) -> None:
        old, now = found.get("status") or {}, self.cluster.clock.now()
        new = {each["type"] for each in conditions}
        kept = [each for each in old.get("conditions") or () if each["type"] not in new]
        status: dict[str, Any] = {
            "observedGeneration": meta(found).get("generation", 1),
            "currentReplicas": current,
            "desiredReplicas": size,
            "currentMetrics": shown or None,
            "conditions": merge_conditions(old.get("conditions") or (), [*conditions, *kept], now),
        }
        if size != current:
            status["lastScaleTime"] = self.cluster.stamp()
        elif "lastScaleTime" in old:
            status["lastScaleTime"] = old["lastScaleTime"]
        self.cluster.write_status(found, status)


def _inner(failure: NoMetricsError) -> str:
    """How the sum of failures quotes one: the resource calculator puts its own words in front."""
    if failure.reason != "FailedGetResourceMetric":
        return str(failure)
    name = str(failure).split(" ")[3]
    return f"failed to get {name} resource metric value: {failure}"


def _bounds(found: Obj) -> tuple[int, int]:
    return int(found["spec"].get("minReplicas") or 1), int(found["spec"]["maxReplicas"])


def _within(wanted: int, current: int, least: int, most: int) -> tuple[int, str]:
    """The size the rules allow, and which of them held it back (convertDesiredReplicasWithRules)."""
    fastest = max(2 * current, 4)
    if wanted < least:
        return least, "TooFewReplicas"
    if wanted > min(most, fastest):
        return min(most, fastest), "ScaleUpLimit" if most > fastest else "TooManyReplicas"
    return wanted, "DesiredWithinRange"


def _never_shrinks(found: Obj) -> bool:
    down = (found["spec"].get("behavior") or {}).get("scaleDown") or {}
    return down.get("selectPolicy") == "Disabled"


def _target_of(found: Obj) -> tuple[str, str]:
    ref = found["spec"]["scaleTargetRef"]
    return ref["kind"], ref["name"]


def _condition(kind: str, holds: bool, reason: str, message: str) -> Obj:
    return {"type": kind, "status": "True" if holds else "False", "reason": reason, "message": message}


class AutoscaleStories:
    """What a story may ask of autoscalers; a part of the world."""

    autoscalers: Autoscalers

    def at(self, before_s: float, act: Callable[[], None]) -> None:
        """Do something at that moment; the world's."""
        raise NotImplementedError

    def autoscale_at(self, before_s: float) -> None:
        """Autoscalers look once at that moment; by themselves they wake a quarter of an hour before T0."""
        self.at(before_s, self.autoscalers.glance)
