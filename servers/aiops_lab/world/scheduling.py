"""The scheduler: which node a pod goes to, and in which words it says that none fits.

Filters in the order of kube-scheduler's default plugins; the FailedScheduling text is that of
`pkg/scheduler/framework/types.go` (FitError) with its preemption part (`preemption.go`). Scores are not
played but for spreading a workload's pods over zones and nodes.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timedelta

import orjson

from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.events import Said
from aiops_lab.world.node_fit import (
    Refusal,
    asked_of,
    refused_by_node,
    refused_by_ports,
    refused_by_room,
)
from aiops_lab.world.objects import (
    Key,
    Obj,
    annotations_of,
    being_deleted,
    condition,
    controller_of,
    key_of,
    labels_of,
    merge_conditions,
    meta,
    moment_of,
    selects,
)
from aiops_lab.world.preempting import Preemption, priority_of
from aiops_lab.world.topology import CompanyRules, SpreadRules, Surroundings
from aiops_lab.world.volumes import SELECTED_NODE, ZONE, VolumeRules

BY = "default-scheduler"
RETRY_S = 60.0
BIND_TIMEOUT_S = 600.0  # VolumeBindingArgs.bindTimeoutSeconds
_ENDED = ("Succeeded", "Failed")
_CHANGES_FIT = ("PersistentVolumeClaim", "PersistentVolume", "StorageClass", "Namespace")
_NO_HELP = "Preemption is not helpful for scheduling"


class Occupancy:
    """What is asked of every node by the pods on it; kept with each change, not counted anew."""

    def __init__(self) -> None:
        self._placed: dict[str, tuple[str, dict[str, int]]] = {}
        self.used: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.pods: Counter[str] = Counter()

    def clear(self) -> None:
        """Empty nodes."""
        self._placed.clear()
        self.used.clear()
        self.pods.clear()

    def take(self, change: str, pod: Obj) -> bool:
        """Follow a pod; whether it made room by going or ending."""
        uid, node = meta(pod)["uid"], pod["spec"].get("nodeName")
        over = change == "DELETED" or (pod.get("status") or {}).get("phase") in _ENDED
        if over and uid in self._placed:
            name, asked = self._placed.pop(uid)
            self.used[name].subtract(asked)
            self.pods[name] -= 1
            return True
        if node and not over and uid not in self._placed:
            self._placed[uid] = (node, asked_of(pod))
            self.used[node].update(self._placed[uid][1])
            self.pods[node] += 1
        return False


class Attempt:
    """One look at all nodes for one pod; `without` are pods that are thought away."""

    def __init__(
        self, pod: Obj, cluster: Cluster, occupancy: Occupancy, without: tuple[Obj, ...] = ()
    ) -> None:
        self.pod, self._cluster, self._occupancy = pod, cluster, occupancy
        self._gone = {meta(each)["uid"]: each for each in without}
        self.asked = asked_of(pod)
        self.volumes = VolumeRules(pod, cluster.cache)
        around = Surroundings(
            cluster.cache.all("Node"),
            self.pods_on,
            [each for each in cluster.cache.keeping_off() if self._counts(each)],
            self._namespaces,
        )
        self._spread, self._company = SpreadRules(pod, around), CompanyRules(pod, around)
        self._nominated = [
            each
            for each in cluster.cache.on_node("")
            if (each.get("status") or {}).get("nominatedNodeName")
            and priority_of(each) >= priority_of(pod)
            and meta(each)["uid"] != meta(pod)["uid"]
        ]

    def _counts(self, pod: Obj) -> bool:
        ended = (pod.get("status") or {}).get("phase") in _ENDED
        return bool(pod["spec"].get("nodeName")) and not ended and meta(pod)["uid"] not in self._gone

    def pods_on(self, node: str) -> list[Obj]:
        """Who runs there."""
        return [each for each in self._cluster.cache.on_node(node) if self._counts(each)]

    def _namespaces(self, selector: Obj | None) -> set[str]:
        found = self._cluster.cache.all("Namespace")
        return {meta(each)["name"] for each in found if selects(selector, labels_of(each))}

    def refuse(self, node: Obj) -> Refusal | None:
        """The first filter that says no."""
        name = meta(node)["name"]
        return (
            refused_by_node(self.pod, node)
            or refused_by_ports(self.pod, self.pods_on(name))
            or self._refused_by_room(node, name)
            or self.volumes.refuse(node)
            or self._spread.refuse(node)
            or self._company.refuse(node)
        )

    def _refused_by_room(self, node: Obj, name: str) -> Refusal | None:
        used, pods = Counter(self._occupancy.used[name]), self._occupancy.pods[name]
        coming = [each for each in self._nominated if each["status"]["nominatedNodeName"] == name]
        going = [each for each in self._gone.values() if each["spec"].get("nodeName") == name]
        for each in coming:
            used.update(asked_of(each))
        for each in going:
            used.subtract(asked_of(each))
        return refused_by_room(self.asked, used, pods + len(coming) - len(going), node)


class Scheduler(Controller):
    """Binds pods without a node."""

    kind = "Pod"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.occupancy = Occupancy()
        self._seen: dict[str, bytes] = {}

    def reset(self) -> None:
        """All nodes empty."""
        super().reset()
        self.occupancy.clear()
        self._seen.clear()

    def hears(self, kind: str) -> bool:
        """Pods, and what may make room for one."""
        return kind in ("Pod", "Node") or kind in _CHANGES_FIT

    def hear(self, change: str, obj: Obj) -> None:
        """A pod that went makes room for those that wait; so may a node, a volume or a class that changed."""
        kind = obj["kind"]
        if kind == "Pod":
            if self.occupancy.take(change, obj):
                self._wake_waiting()
            if change != "DELETED" and not obj["spec"].get("nodeName"):
                self.wake(key_of(obj))
        elif kind in _CHANGES_FIT or (kind == "Node" and self._changed(change, obj)):
            self._wake_waiting()

    def _changed(self, change: str, node: Obj) -> bool:
        """A heartbeat changes nothing that the scheduler looks at."""
        name = meta(node)["name"]
        state = [node["spec"], labels_of(node), node["status"].get("allocatable"), change == "DELETED"]
        text = orjson.dumps(state, option=orjson.OPT_SORT_KEYS)
        before, self._seen[name] = self._seen.get(name), text
        return before != text

    def _wake_waiting(self) -> None:
        for pod in self.cluster.cache.on_node(""):
            self.wake(key_of(pod))

    def reconcile(self, key: Key) -> None:
        """Bind one pod, or say why not and try again."""
        pod = self.cluster.cache.get("Pod", *key)
        if pod is None or pod["spec"].get("nodeName") or being_deleted(pod):
            return
        if pod["spec"].get("schedulerName", BY) != BY:
            return
        if pod["spec"].get("schedulingGates"):
            self._gate(pod)
            return
        attempt = Attempt(pod, self.cluster, self.occupancy)
        nodes = self.cluster.cache.all("Node")
        if attempt.volumes.problem:
            self._refuse(pod, stopped(attempt.volumes.problem, len(nodes)))
            return
        refusals = {meta(node)["name"]: attempt.refuse(node) for node in nodes}
        fitting = [node for node in nodes if refusals[meta(node)["name"]] is None]
        if fitting:
            self._place(attempt, fitting)
        else:
            self._make_room(pod, {name: each for name, each in refusals.items() if each is not None})

    def _gate(self, pod: Obj) -> None:
        """As the API server writes it into a new pod (registry/core/pod/strategy.go)."""
        words = "Scheduling is blocked due to non-empty scheduling gates"
        self._write(pod, "SchedulingGated", words, "")

    # a node that fits

    def _place(self, attempt: Attempt, fitting: list[Obj]) -> None:
        pod = attempt.pod
        nominated = (pod.get("status") or {}).get("nominatedNodeName")
        chosen = {annotations_of(each).get(SELECTED_NODE) for each in attempt.volumes.waiting}
        liked = [each for each in fitting if meta(each)["name"] in {nominated, *chosen}]
        node = min(liked or fitting, key=lambda each: self._load(pod, each))
        if attempt.volumes.waiting:
            self._ask_for_volumes(pod, attempt.volumes.waiting, node)
        else:
            self._bind(pod, node)

    def _load(self, pod: Obj, node: Obj) -> tuple[int, int, int, str]:
        owner, name = controller_of(pod), meta(node)["name"]
        same = [] if owner is None else self.cluster.cache.owned({"metadata": owner}, "Pod")
        here = sum(each["spec"].get("nodeName") == name for each in same)
        zone, near = labels_of(node).get(ZONE), 0
        for each in same:
            other = self.cluster.cache.get("Node", "", each["spec"].get("nodeName") or "")
            near += (labels_of(other).get(ZONE) if other else None) == zone
        return near, here, self.occupancy.used[name]["cpu"], name

    def _ask_for_volumes(self, pod: Obj, claims: list[Obj], node: Obj) -> None:
        """PreBind of volume binding: name the node to the claims and wait until they are bound."""
        name = meta(node)["name"]
        for claim in claims:
            if annotations_of(claim).get(SELECTED_NODE) != name:
                self.cluster.edit(
                    claim, lambda fresh: _annotate(fresh, SELECTED_NODE, name), "kube-scheduler"
                )
        since = moment_of(meta(pod)["creationTimestamp"])
        overdue = self.cluster.clock.now() >= since + timedelta(seconds=BIND_TIMEOUT_S)
        if overdue:
            words = 'running PreBind plugin "VolumeBinding": binding volumes: context deadline exceeded'
            self._write(pod, "SchedulerError", words, "")
            self.cluster.say(Said(pod, "FailedScheduling", words, BY, warning=True))
        self.wake(key_of(pod), after_s=BIND_TIMEOUT_S)

    def _bind(self, pod: Obj, node: Obj) -> None:
        name = meta(node)["name"]

        def bind(fresh: Obj) -> None:
            fresh["spec"]["nodeName"] = name

        self.cluster.edit(pod, bind, "kube-scheduler")
        full = f"{meta(pod)['namespace']}/{meta(pod)['name']}"
        self.cluster.say(Said(pod, "Scheduled", f"Successfully assigned {full} to {name}", BY))

    # no node that fits

    def _make_room(self, pod: Obj, refusals: dict[str, Refusal]) -> None:
        said = counted(each.reasons for each in refusals.values())
        head = f"0/{len(refusals)} nodes are available: {said}." if refusals else ""
        if not refusals:
            self._refuse(pod, "no nodes available to schedule pods")
            return
        preemption = Preemption(
            pod, self.cluster, lambda without: Attempt(pod, self.cluster, self.occupancy, without)
        )
        words = preemption.look(refusals)
        if preemption.chosen is None:
            self._refuse(pod, f"{head} preemption: {words}", self._nominated(pod) if preemption.waits else "")
            return
        node, victims = preemption.chosen
        self._refuse(pod, head, node)
        for victim in victims:
            self._preempt(pod, victim, node)

    def _preempt(self, pod: Obj, victim: Obj, node: str) -> None:
        words = f"{BY}: preempting to accommodate a higher priority pod"
        made = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": words,
        }
        old = victim.get("status") or {}
        kept = [each for each in old.get("conditions") or () if each["type"] != "DisruptionTarget"]
        target = {**made, "lastProbeTime": None, "lastTransitionTime": self.cluster.stamp()}
        self.cluster.write_status(victim, {**old, "conditions": [*kept, target]})
        self.cluster.remove(victim)
        self.cluster.say(Said(victim, "Preempted", f"Preempted by pod {meta(pod)['uid']} on node {node}", BY))

    @staticmethod
    def _nominated(pod: Obj) -> str:
        return (pod.get("status") or {}).get("nominatedNodeName") or ""

    def _refuse(self, pod: Obj, words: str, nominated: str = "") -> None:
        self._write(pod, "Unschedulable", words, nominated)
        self.cluster.say(Said(pod, "FailedScheduling", words, BY, warning=True))
        self.wake(key_of(pod), after_s=RETRY_S)

    def _write(self, pod: Obj, reason: str, words: str, nominated: str) -> None:
        old = pod.get("status") or {}
        before = condition(pod, "PodScheduled") or {}
        if (before.get("reason"), before.get("message")) == (reason, words) and self._nominated(
            pod
        ) == nominated:
            return
        made: Obj = {"type": "PodScheduled", "status": "False", "reason": reason, "message": words}
        made["lastProbeTime"] = None
        others = [each for each in old.get("conditions") or () if each["type"] != "PodScheduled"]
        conditions = [
            *others,
            *merge_conditions(old.get("conditions") or (), [made], self.cluster.clock.now()),
        ]
        status = {"phase": "Pending", "conditions": conditions, "qosClass": old.get("qosClass", "Burstable")}
        self.cluster.write_status(pod, status | ({"nominatedNodeName": nominated} if nominated else {}))


def _annotate(obj: Obj, name: str, value: str) -> None:
    meta(obj)["annotations"] = {**annotations_of(obj), name: value}


def counted(reasons: Iterable[Iterable[str]]) -> str:
    """`2 Insufficient cpu, 3 node(s) ...`: how often each reason, sorted as text."""
    counts = Counter(reason for each in reasons for reason in each)
    return ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))


def stopped(problem: str, nodes: int) -> str:
    """What a PreFilter that refuses the pod on every node makes of the message."""
    tail = f"preemption: 0/{nodes} nodes are available: {nodes} {_NO_HELP}."
    return f"0/{nodes} nodes are available: {problem}. {tail}"
