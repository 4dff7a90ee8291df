"""The nodes: six machines over three zones, their heartbeats, and what cordoning and failing does to them."""

from datetime import datetime

from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.events import Said
from aiops_lab.world.objects import Key, Obj, meta, stamp

HEARTBEAT_S = 300.0  # kubelet nodeStatusReportFrequency
BY = "node-controller"
SILENT_S = 40.0  # kube-controller-manager --node-monitor-grace-period
KUBELET = "v1.35.0-eks-3a10415"
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
# pkg/controller/nodelifecycle: nodeConditionToTaintKeyStatusMap; only readiness evicts.
_TAINTS = {
    ("Ready", "False", "not-ready"): ("NoSchedule", "NoExecute"),
    ("Ready", "Unknown", "unreachable"): ("NoSchedule", "NoExecute"),
    ("MemoryPressure", "True", "memory-pressure"): ("NoSchedule",),
    ("DiskPressure", "True", "disk-pressure"): ("NoSchedule",),
    ("PIDPressure", "True", "pid-pressure"): ("NoSchedule",),
    ("NetworkUnavailable", "True", "network-unavailable"): ("NoSchedule",),
}
_WORDS = {
    ("Ready", "True"): "NodeReady",
    ("Ready", "False"): "NodeNotReady",
    ("MemoryPressure", "True"): "NodeHasInsufficientMemory",
    ("MemoryPressure", "False"): "NodeHasSufficientMemory",
    ("DiskPressure", "True"): "NodeHasDiskPressure",
    ("DiskPressure", "False"): "NodeHasNoDiskPressure",
    ("PIDPressure", "True"): "NodeHasInsufficientPID",
    ("PIDPressure", "False"): "NodeHasSufficientPID",
}
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")


def node(place: int, octet: int, instance: str, now: datetime) -> Obj:
    """One m5.xlarge worker in the zone of its place; `instance` is its EC2 id."""
    zone = ZONES[place % 3]
    name = f"ip-10-0-{place % 3}-{octet}.ec2.internal"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "node.kubernetes.io/instance-type": "m5.xlarge",
                "topology.kubernetes.io/region": "us-east-1",
                "topology.kubernetes.io/zone": zone,
                "karpenter.sh/nodepool": "default",
                "karpenter.sh/capacity-type": "on-demand",
            },
        },
        "spec": {"providerID": f"aws:///{zone}/{instance}"},
        "status": {
            "capacity": _room("4", "15896992Ki", "83873772Ki"),
            "allocatable": _room("3920m", "14880672Ki", "76224326324"),
            "conditions": _conditions(now, now),
            "addresses": [
                {"type": "InternalIP", "address": f"10.0.{place % 3}.{octet}"},
                {"type": "InternalDNS", "address": name},
                {"type": "Hostname", "address": name},
            ],
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "osImage": "Amazon Linux 2023.9.20251105",
                "kernelVersion": "6.12.55-74.119.amzn2023.x86_64",
                "containerRuntimeVersion": "containerd://2.1.4",
                "kubeletVersion": KUBELET,
                "kubeProxyVersion": "",
                "machineID": instance.removeprefix("i-").ljust(32, "0"),
                "systemUUID": f"ec2{instance.removeprefix('i-')}",
                "bootID": f"b{instance.removeprefix('i-')}",
            },
        },
    }


def _room(cpu: str, memory: str, disk: str) -> Obj:
    return {"cpu": cpu, "memory": memory, "pods": "58", "ephemeral-storage": disk}


def _conditions(now: datetime, since: datetime) -> list[Obj]:
    return [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": stamp(now),
            "lastTransitionTime": stamp(since),
        }
        for kind, status, reason, message in _CONDITIONS
    ]


class Nodes(Controller):
    """Heartbeats, the cordon's taint, and nodes that fell silent."""

    kind = "Node"

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._silent: set[str] = set()
        self._seen_from = cluster.clock.now()

    def reset(self) -> None:
        """All nodes talk."""
        super().reset()
        self._silent.clear()
        self._seen_from = self.cluster.clock.now()

    def unseen_until(self, moment: datetime) -> None:
        """Nobody can look before then: reports that the next one writes over are not written at all."""
        self._seen_from = moment

    def beat(self) -> None:
        """Every node that talks reports; then again in five minutes."""
        if self.cluster.clock.now() >= self._seen_from:
            for found in self.cluster.cache.all("Node"):
                if meta(found)["name"] not in self._silent:
                    self._report(found)
        self.cluster.clock.call_later(HEARTBEAT_S, self.beat)

    def _report(self, found: Obj) -> None:
        now = self.cluster.stamp()
        conditions = [{**each, "lastHeartbeatTime": now} for each in found["status"]["conditions"]]
        self.cluster.write_status(found, {**found["status"], "conditions": conditions})

    def fall_silent(self, name: str) -> None:
        """The kubelet of a node stops reporting; after 40 s the node is Unknown."""
        self._silent.add(name)
        self.cluster.clock.call_later(SILENT_S, lambda: self._lose(name))

    def talk_again(self, name: str) -> None:
        """The kubelet of a node is back, and well."""
        self._silent.discard(name)
        found = self.cluster.cache.get("Node", "", name)
        if found is not None:
            now = self.cluster.clock.now()
            self._write(found, _conditions(now, now))
            self._say(found, "NodeReady", "kubelet")

    def set_condition(self, name: str, kind: str, status: str, reason: str, message: str) -> None:
        """What the kubelet reports from now on, with the event that goes with it.

        For example `("Ready", "False", "KubeletNotReady", "container runtime network not ready: ...")` or
        `("DiskPressure", "True", "KubeletHasDiskPressure", "kubelet has disk pressure")`.
        """
        found = self.cluster.cache.get("Node", "", name)
        if found is None:
            return
        now = self.cluster.stamp()
        made = {"type": kind, "status": status, "reason": reason, "message": message}
        made |= {"lastHeartbeatTime": now, "lastTransitionTime": now}
        before = found["status"]["conditions"]
        conditions = [made if each["type"] == kind else each for each in before]
        self._write(found, conditions if made in conditions else [*conditions, made])
        if (word := _WORDS.get((kind, status))) is not None:
            self._say(found, word, "kubelet" if kind != "Ready" or status == "True" else BY)

    def _lose(self, name: str) -> None:
        found = self.cluster.cache.get("Node", "", name)
        if found is None or name not in self._silent:
            return
        now = self.cluster.clock.now()
        lost = {"status": "Unknown", "reason": "NodeStatusUnknown"}
        words = "Kubelet stopped posting node status."
        self._write(found, [{**each, **lost, "message": words} for each in _conditions(now, now)])
        self._say(found, "NodeNotReady", BY)

    def _write(self, found: Obj, conditions: list[Obj]) -> None:
        self.cluster.write_status(found, {**found["status"], "conditions": conditions})

    def _say(self, found: Obj, word: str, by: str) -> None:
        host = meta(found)["name"] if by == "kubelet" else ""
        self.cluster.say(
            Said(found, word, f"Node {meta(found)['name']} status is now: {word}", by, host=host)
        )

    def reconcile(self, key: Key) -> None:
        """The taints follow cordoning and conditions."""
        found = self.cluster.cache.get("Node", *key)
        if found is None:
            return
        states = {each["type"]: each["status"] for each in found["status"].get("conditions") or ()}
        wanted = {
            (f"node.kubernetes.io/{word}", effect): states.get(kind) == status
            for (kind, status, word), effects in _TAINTS.items()
            for effect in effects
        }
        wanted["node.kubernetes.io/unschedulable", "NoSchedule"] = bool(found["spec"].get("unschedulable"))
        taints = found["spec"].get("taints") or []
        kept = [each for each in taints if wanted.get((each["key"], each["effect"]), True)]
        there = {(each["key"], each["effect"]) for each in kept}
        missing = [pair for pair, holds in wanted.items() if holds and pair not in there]
        if len(kept) != len(taints) or missing:
            now = self.cluster.stamp()
            made = [{"key": key, "effect": effect, "timeAdded": now} for key, effect in missing]

            def change(fresh: Obj) -> None:
                fresh["spec"]["taints"] = [*kept, *made]
                if not fresh["spec"]["taints"]:
                    del fresh["spec"]["taints"]

            self.cluster.edit(found, change, "kube-controller-manager")
