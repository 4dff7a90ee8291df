"""F8's world: compute nodes full of memory whose cores idle, as objects, so that telemetry follows from them.

The ground's six nodes are replaced by one pool's a month before T0; the workloads of the pool hold its memory
and a quarter of its cores. Used by the stories of bills; `crowd(names)` says what a right answer reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.addresses import machine
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import (
    autoscaler,
    container,
    deployment,
    disruption_budget,
    http_probe,
    service,
    template,
)
from aiops_lab.telemetry.workloads import GI, MI, Profile

HOME = "production"
HOUR_S, DAY_S = 3600.0, 86_400.0
GROUND = tuple(f"ip-10-0-{place % 3}-{41 + place}.ec2.internal" for place in range(6))
PODS_A_NODE = 5
# What kubelet and system take of each node, and the furniture of all: `world.kubelet`, `world.furniture`.
NODE_CORES, NODE_MI = 0.14, 1150
FURNITURE_CORES, FURNITURE_MI = 1.0, 2900
FURNITURE_ROOM_MI = 1500  # left for it on every node


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance type: cores, GiB and what a kubelet leaves of them (EKS's AMI: 11 MiB a pod + 255 MiB)."""

    kind: str
    cores: int
    gib: int
    pods: int
    allocatable_mi: int


MACHINES: Mapping[str, Machine] = {
    one.kind: one
    for one in (
        Machine("c5.4xlarge", 16, 32, 234, 28_733),
        Machine("c6i.4xlarge", 16, 32, 234, 28_733),
        Machine("c5.2xlarge", 8, 16, 58, 14_836),
        Machine("c6i.2xlarge", 8, 16, 58, 14_836),
    )
}


@dataclass(frozen=True, slots=True)
class Crowd:
    """One pool: so many nodes of a kind, and how full they are, as shares of their capacity."""

    pool: str
    machine: Machine
    nodes: int
    cpu: float
    memory: float
    store: str  # a StatefulSet: the one that grows
    api: str  # a Deployment without a budget, scaled on CPU
    web: str  # stateless, replicated, with a budget: may run on Spot

    @property
    def pods(self) -> int:
        """Those that fill the nodes."""
        return PODS_A_NODE * self.nodes

    @property
    def replicas(self) -> tuple[int, int, int]:
        """Of store, api and web; an eighth may run on Spot."""
        web = max(2, round(self.pods / 8))
        api = round(self.pods * 0.375)
        return self.pods - api - web, api, web

    @property
    def request_mi(self) -> int:
        """Memory that each pod asks for: five fill a node but for the furniture."""
        return (self.machine.allocatable_mi - FURNITURE_ROOM_MI) // PODS_A_NODE

    @property
    def cores_each(self) -> float:
        """What a pod uses, so that the nodes together use `cpu`."""
        total = self.cpu * self.machine.cores * self.nodes
        return (total - NODE_CORES * self.nodes - FURNITURE_CORES) / self.pods

    @property
    def bytes_each(self) -> float:
        """What a pod uses, so that the nodes together use `memory`."""
        total = self.memory * self.machine.gib * GI * self.nodes
        return (total - (NODE_MI * self.nodes + FURNITURE_MI) * MI) / self.pods


def crowd(names: Names) -> Crowd:
    """The pool of one cast; seed 0 is the page's: 32 of 128 vCPU, 220 of 256 GiB."""
    apps = names.others[-3:]
    if names.seed == 0:
        return Crowd("compute", MACHINES["c5.4xlarge"], 8, 32 / 128, 220 / 256, *apps)
    rng = Random(f"crowd/{names.seed}")
    kind = MACHINES[rng.choice(sorted(MACHINES))]
    pool = rng.choice(("batch", "general", "web", "jobs"))
    return Crowd(pool, kind, rng.randint(6, 9), rng.uniform(0.2, 0.27), rng.uniform(0.8, 0.84), *apps)


def settle(stage: Stage, told: Crowd, rng: Random, launches: tuple[float, ...]) -> None:
    """Build it. `launches`: seconds before T0 at which the last nodes came, oldest first; what they hold was
    asked for at the same moments.
    """
    for name in GROUND:
        stage.delete_at(30 * DAY_S - 90, "Node", "", name, "karpenter")
    stage.put_at(30 * DAY_S - 80, _pool(told))
    octets = rng.sample(range(100, 240), told.nodes)
    for number, octet in enumerate(octets):
        late = number - (told.nodes - len(launches))
        came_s = launches[late] if late >= 0 else 30 * DAY_S - 70 + number
        _launch(stage, told, rng, (number % 3, octet), came_s)
    _apps(stage, told, rng, launches)


def _launch(stage: Stage, told: Crowd, rng: Random, place: tuple[int, int], came_s: float) -> None:
    zone, octet = place
    name = f"ip-10-0-{zone}-{octet}.ec2.internal"
    labels = {"karpenter.sh/nodepool": told.pool, "karpenter.sh/capacity-type": "on-demand"}
    labels |= {"kubernetes.io/arch": "amd64", "karpenter.k8s.aws/instance-category": "c"}
    made = machine(name, "us-east-1" + "abc"[zone], rng.getrandbits(64), told.machine.kind, **labels)
    made["status"]["capacity"] = _room(told, f"{told.machine.cores}", f"{told.machine.gib * 1024 * 1024}Ki")
    cpu = f"{told.machine.cores * 1000 - 110}m"
    made["status"]["allocatable"] = _room(told, cpu, f"{told.machine.allocatable_mi * 1024}Ki")
    claim = f"{told.pool}-{''.join(rng.choices('bcdfghjklmnpqrstvwxz2456789', k=5))}"
    stage.put_at(came_s + 60, _claim(told, claim, name, made, labels), by="karpenter")
    stage.put_at(came_s, made, by="kubelet")


def _room(told: Crowd, cpu: str, memory: str) -> Obj:
    return {"cpu": cpu, "memory": memory, "pods": str(told.machine.pods), "ephemeral-storage": "83873772Ki"}


_CLASS = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
_ONLY = [
    {"key": "karpenter.k8s.aws/instance-category", "operator": "In", "values": ["c"]},
    {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
    {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]},
]


def _pool(told: Crowd) -> Obj:
    """Compute instances only, and no room for more of them."""
    cores = told.nodes * told.machine.cores
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": told.pool},
        "spec": {
            "limits": {"cpu": str(cores)},
            "template": {
                "metadata": {"labels": {}},
                "spec": {"nodeClassRef": _CLASS, "requirements": _ONLY},
            },
            "disruption": {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "1m"},
        },
        "status": {"resources": {"cpu": str(cores), "nodes": str(told.nodes)}},
    }


def _claim(told: Crowd, name: str, node: str, made: Obj, labels: Mapping[str, str]) -> Obj:
    kind = {"node.kubernetes.io/instance-type": told.machine.kind}
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {"name": name, "labels": {**labels, **kind}},
        "spec": {
            "nodeClassRef": _CLASS,
            "requirements": _ONLY,
            "resources": {"requests": {"cpu": "1", "memory": f"{told.request_mi}Mi"}},
        },
        "status": {
            "nodeName": node,
            "providerID": made["spec"]["providerID"],
            "capacity": made["status"]["capacity"],
        },
    }


def _apps(stage: Stage, told: Crowd, rng: Random, launches: tuple[float, ...]) -> None:
    store, api, web = told.replicas
    since_s = 29 * DAY_S
    for name in (told.store, told.api, told.web):
        stage.telemetry.profiles.append(
            Profile(HOME, name, memory=told.bytes_each, cpu=told.cores_each, sigma=0.0)
        )
    stage.put_at(since_s, _stateful(stage, told, rng, store - PODS_A_NODE * len(launches)))
    stage.put_at(since_s, service(HOME, told.store, told.store, clusterIP="None"))
    for name, replicas, first_s in ((told.api, api, 0.0), (told.web, web, 300.0)):
        pod = template({"app": name}, [_main(stage, told, rng, name)])
        stage.put_at(since_s + first_s, deployment(HOME, name, replicas, pod), service(HOME, name, name))
    stage.put_at(since_s, autoscaler(HOME, told.api, api, 3 * api))
    stage.put_at(since_s, disruption_budget(HOME, told.web, told.web, maxUnavailable=1))
    for place, came_s in enumerate(launches):
        missing = PODS_A_NODE * (len(launches) - 1 - place)
        _scale(stage, told, came_s + 150, store - missing)
    waits_s = rng.uniform(900, 2400)
    _scale(stage, told, waits_s, store + 1)
    words = (
        "Failed to schedule pod, all available instance types exceed limits for nodepool "
        f"(NodePool={told.pool})"
    )
    for again in range(4):  # Karpenter says so with every batch
        before_s = waits_s - 12 - 190 * again
        stage.say_at(before_s, "Pod", HOME, f"{told.store}-{store}", "FailedScheduling", words)


def _scale(stage: Stage, told: Crowd, before_s: float, replicas: int) -> None:
    def grow(obj: Obj) -> None:
        obj["spec"]["replicas"] = replicas

    stage.change_at(before_s, "StatefulSet", HOME, told.store, grow)


def _main(stage: Stage, told: Crowd, rng: Random, name: str) -> Obj:
    image = f"{name}:{rng.randint(1, 9)}.{rng.randint(0, 20)}.0"
    used = serving(name, memory_mi=told.bytes_each / MI, cpu_m=1000 * told.cores_each)
    stage.publish(image, Image(used))
    cpu = f"{round(1000 * told.cores_each / 0.6)}m"  # so that 70 % of it is never reached
    asked = {"cpu": cpu, "memory": f"{told.request_mi}Mi"}
    limits = {"memory": f"{round(told.request_mi * 1.15)}Mi"}
    return container("app", image, readinessProbe=http_probe("/ready")) | {
        "resources": {"requests": asked, "limits": limits}
    }


def _stateful(stage: Stage, told: Crowd, rng: Random, replicas: int) -> Obj:
    labels = {"app": told.store}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": told.store, "namespace": HOME, "labels": labels},
        "spec": {
            "replicas": replicas,
            "serviceName": told.store,
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "template": template(labels, [_main(stage, told, rng, told.store)]),
        },
    }
