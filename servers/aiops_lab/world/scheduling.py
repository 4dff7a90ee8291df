"""The scheduler: which node a pod goes to, and in which words it says that none fits.

Filters in the order of kube-scheduler's default plugins; the FailedScheduling text is that of
`pkg/scheduler/framework/types.go` (FitError) with its preemption part.
"""

from collections import Counter

from aiops_lab.world.cluster import Controller
from aiops_lab.world.events import Said
from aiops_lab.world.objects import (
    Key,
    Obj,
    being_deleted,
    controller_of,
    key_of,
    labels_of,
    merge_conditions,
    meta,
    quantity,
    requested,
    selects,
)

BY = "default-scheduler"
RETRY_S = 60.0
_RESOURCES = ("cpu", "memory", "ephemeral-storage")
_HOPELESS = ("taint", "unschedulable", "affinity")  # preemption cannot help there


def tolerates(pod: Obj, taint: Obj) -> bool:
    """Whether one of the pod's tolerations covers this taint."""
    for each in pod["spec"].get("tolerations") or ():
        if each.get("effect") not in (None, "", taint["effect"]):
            continue
        if each.get("operator") == "Exists":
            if each.get("key") in (None, "", taint["key"]):
                return True
        elif (each.get("key"), each.get("value", "")) == (taint["key"], taint.get("value", "")):
            return True
    return False


def matches_node(pod: Obj, node: Obj) -> bool:
    """nodeSelector and required node affinity."""
    labels = labels_of(node)
    wanted = pod["spec"].get("nodeSelector") or {}
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    affinity = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if affinity is None:
        return True
    return any(_term_holds(term, labels) for term in affinity.get("nodeSelectorTerms") or ())


def _term_holds(term: Obj, labels: dict[str, str]) -> bool:
    return selects({"matchExpressions": term.get("matchExpressions") or ()}, labels)


class Scheduler(Controller):
    """Binds pods without a node."""

    kind = "Pod"
    watches = ("Node",)

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """A node that came or changed may fit pods that wait."""
        del change, obj
        return [key_of(pod) for pod in self.cluster.cache.all("Pod") if not pod["spec"].get("nodeName")]

    def hear(self, change: str, obj: Obj) -> None:
        """A pod that went makes room for those that wait."""
        if obj["kind"] == "Pod" and change == "DELETED":
            for key in self.keys_for(change, obj):
                self.wake(key)
        elif obj["kind"] != "Pod" or not obj["spec"].get("nodeName"):
            super().hear(change, obj)

    def reconcile(self, key: Key) -> None:
        """Bind one pod, or say why not and try again."""
        pod = self.cluster.cache.get("Pod", *key)
        if (
            pod is None
            or pod["spec"].get("nodeName")
            or being_deleted(pod)
            or pod["spec"].get("schedulingGates")
        ):
            return
        nodes = self.cluster.cache.all("Node")
        refusals = {meta(node)["name"]: self._refusals(pod, node) for node in nodes}
        fitting = [node for node in nodes if not refusals[meta(node)["name"]]]
        if fitting:
            self._bind(pod, min(fitting, key=lambda node: self._load(pod, node)))
        else:
            self._refuse(pod, refusals)

    def _pods_on(self, node: Obj) -> list[Obj]:
        name = meta(node)["name"]
        pods = self.cluster.cache.all("Pod")
        return [
            pod
            for pod in pods
            if pod["spec"].get("nodeName") == name
            and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        ]

    def _refusals(self, pod: Obj, node: Obj) -> list[str]:
        if node["spec"].get("unschedulable"):
            cordon = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
            if not tolerates(pod, cordon):
                return ["node(s) were unschedulable"]
        for taint in node["spec"].get("taints") or ():
            if taint["effect"] != "PreferNoSchedule" and not tolerates(pod, taint):
                return [f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"]
        if not matches_node(pod, node):
            return ["node(s) didn't match Pod's node affinity/selector"]
        return self._short_of(pod, node)

    def _short_of(self, pod: Obj, node: Obj) -> list[str]:
        room, there = node["status"]["allocatable"], self._pods_on(node)
        short = ["Too many pods"] if len(there) + 1 > int(room["pods"]) else []
        for resource in _RESOURCES:
            wanted = requested(pod["spec"], resource)
            used = sum(requested(each["spec"], resource) for each in there)
            if wanted and used + wanted > quantity(room.get(resource, 0)):
                short.append(f"Insufficient {resource}")
        return short

    def _load(self, pod: Obj, node: Obj) -> tuple[int, int, float, str]:
        owner, there = controller_of(pod), self._pods_on(node)
        zone = labels_of(node).get("topology.kubernetes.io/zone")
        same = [each for each in self.cluster.cache.all("Pod", meta(pod)["namespace"]) if _same(each, owner)]
        here = sum(each["spec"].get("nodeName") == meta(node)["name"] for each in same)
        zones = {
            meta(each)["name"]: labels_of(each).get("topology.kubernetes.io/zone")
            for each in self.cluster.cache.all("Node")
        }
        near = sum(zones.get(each["spec"].get("nodeName", "")) == zone for each in same)
        return near, here, sum(requested(each["spec"], "cpu") for each in there), meta(node)["name"]

    def _bind(self, pod: Obj, node: Obj) -> None:
        name = meta(node)["name"]

        def bind(fresh: Obj) -> None:
            fresh["spec"]["nodeName"] = name

        self.cluster.edit(pod, bind, "kube-scheduler")
        full = f"{meta(pod)['namespace']}/{meta(pod)['name']}"
        self.cluster.say(Said(pod, "Scheduled", f"Successfully assigned {full} to {name}", BY))

    def _refuse(self, pod: Obj, refusals: dict[str, list[str]]) -> None:
        words = fit_error(refusals)
        old = pod.get("status") or {}
        made = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": words}
        conditions = merge_conditions(old.get("conditions") or (), [made], self.cluster.clock.now())
        if [each.get("message") for each in old.get("conditions") or ()] != [words]:
            self.cluster.write_status(
                pod,
                {"phase": "Pending", "conditions": conditions, "qosClass": old.get("qosClass", "Burstable")},
            )
        self.cluster.say(Said(pod, "FailedScheduling", words, BY, warning=True))
        self.wake(key_of(pod), after_s=RETRY_S)


def _same(pod: Obj, owner: Obj | None) -> bool:
    found = controller_of(pod)
    return owner is not None and found is not None and found["uid"] == owner["uid"]


def fit_error(refusals: dict[str, list[str]]) -> str:
    """`0/6 nodes are available: ...` as FitError writes it."""
    total = len(refusals)
    if not total:
        return "no nodes available to schedule pods"
    counts = Counter(reason for reasons in refusals.values() for reason in reasons)
    said = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))
    hopeless = sum(
        any(word in each for word in _HOPELESS for each in reasons) for reasons in refusals.values()
    )
    tail = []
    if total - hopeless:
        tail.append(f"{total - hopeless} No preemption victims found for incoming pod")
    if hopeless:
        tail.append(f"{hopeless} Preemption is not helpful for scheduling")
    preemption = f"preemption: 0/{total} nodes are available: {', '.join(tail)}."
    return f"0/{total} nodes are available: {said}. {preemption}"
