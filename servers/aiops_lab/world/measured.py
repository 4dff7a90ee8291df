"""What exporters would have recorded of this world: the past of its pods, nodes and autoscalers.

A listener on the Store, as kube-state-metrics is one: it keeps steps (moment, value) of what changed and, of
each container, the runs whose behaviour cAdvisor would have measured. `MeasuredSignals` (measured_signals.py)
turns that into series when somebody asks; until then a change costs a comparison. Lists here only grow, so
that the threads of AWS may read them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from aiops_lab.world.cluster import Cluster
from aiops_lab.world.cni import Cni
from aiops_lab.world.container_run import Record
from aiops_lab.world.disks import Disks
from aiops_lab.world.kubelet import Kubelets
from aiops_lab.world.objects import Key, Obj, controller_of, key_of, labels_of, meta
from aiops_lab.world.steps import Steps

MOST_PODS = 5000  # of pods that are gone, the oldest are forgotten
UNKNOWN = -1.0  # of a condition that is neither


@dataclass(slots=True)
class ContainerPast:
    """One container of one pod; `runs` are what really ran."""

    spec: Obj
    runs: list[Record] = field(default_factory=list)
    restarts: Steps[int] = field(default_factory=Steps)
    waiting: Steps[str] = field(default_factory=Steps)
    terminated: Steps[str] = field(default_factory=Steps)  # the reason of the last end
    ready: Steps[bool] = field(default_factory=Steps)


@dataclass(slots=True)
class PodPast:
    """One pod; `obj` as it was last seen."""

    obj: Obj
    since_s: float
    until_s: float = float("inf")
    phase: Steps[str] = field(default_factory=Steps)
    ready: Steps[str] = field(default_factory=Steps)
    containers: dict[str, ContainerPast] = field(default_factory=dict)

    @property
    def node(self) -> str:
        """Where it runs; empty before it was placed."""
        return self.obj["spec"].get("nodeName") or ""


@dataclass(slots=True)
class ObjectPast:
    """Anything else that is measured: named numbers that changed."""

    obj: Obj
    since_s: float
    until_s: float = float("inf")
    numbers: dict[str, Steps[float]] = field(default_factory=dict)

    def say(self, at_s: float, name: str, value: float) -> None:
        """Note a number."""
        self.numbers.setdefault(name, Steps()).say(at_s, value)


class Measured:
    """The listener; `World` tells it of every change."""

    def __init__(self, cluster: Cluster, kubelets: Kubelets, cni: Cni, disks: Disks) -> None:
        self.cluster, self.kubelets, self.cni, self.disks = cluster, kubelets, cni, disks
        self.pods: dict[str, PodPast] = {}
        self.objects: dict[str, dict[str, ObjectPast]] = {}  # by kind and uid
        self.addresses: dict[str, Steps[tuple[int, int, int]]] = {}  # by node: assigned, held, interfaces
        self._kinds: dict[str, Callable[[ObjectPast, float], None]] = {
            "Node": _node_numbers,
            "Deployment": _deployment_numbers,
            "ReplicaSet": lambda past, at_s: None,
            "HorizontalPodAutoscaler": _autoscaler_numbers,
        }

    def reset(self) -> None:
        """A new world has no past."""
        self.pods = {}
        self.objects = {}
        self.addresses = {}

    def now_s(self) -> float:
        """World time."""
        return self.cluster.clock.now().timestamp()

    def hear(self, change: str, obj: Obj) -> None:
        """Note what this change says."""
        if obj["kind"] == "Pod":
            self._pod(change, obj)
        elif (numbers := self._kinds.get(obj["kind"])) is not None:
            self._object(change, obj, numbers)

    def _object(self, change: str, obj: Obj, numbers: Callable[[ObjectPast, float], None]) -> None:
        at_s, uid = self.now_s(), meta(obj)["uid"]
        known = self.objects.setdefault(obj["kind"], {})
        past = known.get(uid)
        if past is None:
            past = known[uid] = ObjectPast(obj, at_s)
        past.obj = obj
        if change == "DELETED":
            past.until_s = at_s
        else:
            numbers(past, at_s)

    def _pod(self, change: str, pod: Obj) -> None:
        at_s, uid = self.now_s(), meta(pod)["uid"]
        past = self.pods.get(uid)
        if past is None:
            past = self.pods[uid] = PodPast(pod, at_s)
            self._forget()
        past.obj = pod
        self._states(past, at_s)
        self.note_addresses(past.node, at_s)
        if change == "DELETED":
            past.until_s = at_s

    def _forget(self) -> None:
        if len(self.pods) > 2 * MOST_PODS:
            gone = [uid for uid, past in self.pods.items() if past.until_s < float("inf")]
            for uid in gone[:-MOST_PODS]:
                del self.pods[uid]

    def _states(self, past: PodPast, at_s: float) -> None:
        status = past.obj.get("status") or {}
        past.phase.say(at_s, status.get("phase") or "Pending")
        for one in status.get("conditions") or ():
            if one["type"] == "Ready":
                past.ready.say(at_s, one["status"].lower())
        specs = {one["name"]: one for one in past.obj["spec"]["containers"]}
        for one in status.get("containerStatuses") or ():
            if one["name"] in specs:
                container = past.containers.setdefault(one["name"], ContainerPast(specs[one["name"]]))
                _container_states(container, one, at_s)
        self._runs(past)

    def _runs(self, past: PodPast) -> None:
        run = self.kubelets.runs.get(key_of(past.obj))
        if run is None or run.uid != meta(past.obj)["uid"]:
            return
        for each in run.mains:
            if each.current is not None:
                container = past.containers.setdefault(each.name, ContainerPast(each.spec))
                if not container.runs or container.runs[-1] is not each.current:
                    container.runs.append(each.current)

    def note_addresses(self, node: str, at_s: float) -> None:
        """What the CNI of a node holds now; what it gives back later is noted with the next question."""
        there = self.cni.nodes.get(node)
        if there is not None:
            found = len(there.held), there.total, len(there.interfaces)
            self.addresses.setdefault(node, Steps()).say(at_s, found)

    def on(self, node: str) -> list[tuple[PodPast, str]]:
        """The containers that ever ran on a node."""
        pods = [past for past in list(self.pods.values()) if past.node == node]
        return [(past, name) for past in pods for name in list(past.containers)]

    def failures(self, node: str) -> list[float]:
        """When the ipamd of a node failed at something."""
        there = self.cni.nodes.get(node)
        said = list(there.said) if there is not None else []
        return [when.timestamp() for when, line in said if '"level":"error"' in line]

    def owner(self, pod: Obj) -> Key:
        """(kind, name) of a pod's controller, as kube-state-metrics names it."""
        found = controller_of(pod)
        return (found["kind"], found["name"]) if found else ("<none>", "<none>")


def _container_states(container: ContainerPast, status: Obj, at_s: float) -> None:
    container.restarts.say(at_s, int(status["restartCount"]))
    container.ready.say(at_s, bool(status["ready"]))
    container.waiting.say(at_s, ((status.get("state") or {}).get("waiting") or {}).get("reason", ""))
    last = ((status.get("lastState") or {}).get("terminated") or {}).get("reason", "")
    container.terminated.say(at_s, last)


_CONDITION = {"True": 1.0, "False": 0.0}


def _node_numbers(past: ObjectPast, at_s: float) -> None:
    for one in (past.obj.get("status") or {}).get("conditions") or ():
        past.say(at_s, f"condition/{one['type']}", _CONDITION.get(one["status"], UNKNOWN))
    past.say(at_s, "unschedulable", float(bool(past.obj["spec"].get("unschedulable"))))


def _deployment_numbers(past: ObjectPast, at_s: float) -> None:
    past.say(at_s, "replicas", float(past.obj["spec"].get("replicas", 1)))
    past.say(at_s, "available", float((past.obj.get("status") or {}).get("availableReplicas") or 0))


def _autoscaler_numbers(past: ObjectPast, at_s: float) -> None:
    spec, status = past.obj["spec"], past.obj.get("status") or {}
    past.say(at_s, "spec_min_replicas", float(spec.get("minReplicas") or 1))
    past.say(at_s, "spec_max_replicas", float(spec["maxReplicas"]))
    past.say(at_s, "status_current_replicas", float(status.get("currentReplicas") or 0))
    past.say(at_s, "status_desired_replicas", float(status.get("desiredReplicas") or 0))


def app_of(pod: Obj) -> str:
    """The label by which stories name a workload."""
    return labels_of(pod).get("app", "")
