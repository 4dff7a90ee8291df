"""Trials of pods that no node takes: each filter of the scheduler, priority, gates, and Karpenter.

The lab's scheduler speaks as kube-scheduler 1.33 does (`pkg/scheduler/framework`, FitError).
"""

from collections.abc import Callable
from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, template
from aiops_lab.scenarios.trials import scheduling_karpenter
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import DAY_S, HOME, a_node, named_pods, put_app, recent_s, wrong

NODES = tuple(f"ip-10-0-{place % 3}-{41 + place}.ec2.internal" for place in range(6))
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def _asks(**amounts: str) -> Obj:
    """Requests of these amounts."""
    wanted = {name.replace("_", "-"): amount for name, amount in amounts.items()}
    return {"resources": {"requests": wanted}}


def _app(
    main: Callable[[Random], Obj] | None = None,
    pod: Callable[[Names, Random], Obj] | None = None,
    *,
    replicas: int | None = None,
) -> Build:
    """The api with this container and this pod, rolled out a quarter of an hour ago."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        one, around = main(rng) if main else {}, pod(names, rng) if pod else {}
        put_app(stage, names, recent_s(rng), serving(names.api), replicas=replicas, pod=around, **one)

    return build


def _corrected(
    main: Callable[[Random], Obj] | None = None, pod: Callable[[Names, Random], Obj] | None = None
) -> Build:
    """As _app, three quarters of an hour ago, and corrected some minutes later."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        one, around = main(rng) if main else {}, pod(names, rng) if pod else {}
        began_s = rng.uniform(48, 56) * 60
        put_app(stage, names, began_s, serving(names.api), pod=around, **one)

        def correct(obj: Obj) -> None:
            spec = obj["spec"]["template"]["spec"]
            for name in around:
                spec.pop(name, None)
            if "resources" in one:
                spec["containers"][0]["resources"] = _asks(cpu="50m", memory="64Mi")["resources"]

        stage.change_at(began_s - rng.uniform(120, 500), "Deployment", HOME, names.api, correct)

    return build


def _much_cpu(rng: Random) -> Obj:
    return _asks(cpu=str(rng.randint(5, 30)), memory="128Mi")


def _much_memory(rng: Random) -> Obj:
    return _asks(cpu="50m", memory=f"{rng.randint(20, 90)}Gi")


def _much_storage(rng: Random) -> Obj:
    return _asks(cpu="50m", ephemeral_storage=f"{rng.randint(100, 900)}Gi")


def _a_gpu(rng: Random) -> Obj:
    amount = {"nvidia.com/gpu": str(rng.randint(1, 4))}
    return {"resources": {"requests": {"cpu": "1", **amount}, "limits": amount}}


def _no_such_label(names: Names, rng: Random) -> Obj:
    key, value = rng.choice((("disktype", "nvme"), ("pool", "gpu"), ("team", names.api)))
    term = {"key": key, "operator": "In", "values": [value]}
    affinity = {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [term]}]}}}
    return {"nodeSelector": {key: value}} if rng.random() < 0.5 else {"affinity": affinity}


def _own_node(names: Names, rng: Random) -> Obj:
    del rng
    return {"nodeSelector": {"kubernetes.io/hostname": a_node(names)}}


def _by_affinity(names: Names, rng: Random) -> Obj:
    """The same node, said by affinity."""
    del rng
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [a_node(names)]}
    return {"affinity": {"nodeAffinity": {_REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [term]}]}}}}


def _taint(key: str, value: str) -> Callable[[Obj], None]:
    def change(obj: Obj) -> None:
        obj["spec"].setdefault("taints", []).append({"key": key, "value": value, "effect": "NoSchedule"})

    return change


def _tainted(
    pod: Callable[[Names, Random], Obj], *, more: dict[str, Any] | None = None, ends: bool = False
) -> Build:
    """The node that the pod belongs to has a taint that it does not tolerate."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        key, value = rng.choice((("dedicated", "batch"), ("team", "platform"), ("reserved", "true")))
        stage.change_at(2 * DAY_S, "Node", "", a_node(names), _taint(key, value))
        began_s = rng.uniform(48, 56) * 60 if ends else recent_s(rng)
        put_app(stage, names, began_s, serving(names.api), replicas=2, pod=pod(names, rng), **(more or {}))
        if ends:
            stage.change_at(began_s - 300, "Node", "", a_node(names), _untaint)

    return build


def _untaint(obj: Obj) -> None:
    obj["spec"].pop("taints", None)


def _cordon(obj: Obj) -> None:
    obj["spec"]["unschedulable"] = True


def _uncordon(obj: Obj) -> None:
    obj["spec"].pop("unschedulable", None)


def _cordoned(*, ends: bool = False) -> Build:
    """The only node that the pod selects is cordoned."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = rng.uniform(48, 56) * 60 if ends else recent_s(rng)
        stage.change_at(began_s + rng.uniform(60, 900), "Node", "", a_node(names), _cordon)
        put_app(stage, names, began_s, serving(names.api), replicas=2, pod=_own_node(names, rng))
        if ends:
            stage.change_at(began_s - rng.uniform(120, 400), "Node", "", a_node(names), _uncordon)

    return build


def _slots(count: int) -> Callable[[Obj], None]:
    def change(obj: Obj) -> None:
        obj["status"]["allocatable"]["pods"] = obj["status"]["capacity"]["pods"] = str(count)

    return change


def _full(*, ends: bool = False) -> Build:
    """A small node: it holds as many pods as its interfaces have addresses."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = rng.uniform(48, 56) * 60 if ends else recent_s(rng)
        stage.change_at(began_s + 30, "Node", "", a_node(names), _slots(4))
        put_app(stage, names, began_s, serving(names.api), replicas=3, pod=_own_node(names, rng))
        if ends:
            stage.change_at(began_s - rng.uniform(120, 400), "Node", "", a_node(names), _slots(58))

    return build


def _near(kind: str, app: str, *, key: str = "kubernetes.io/hostname") -> Obj:
    """A required affinity (or anti-affinity) to the pods of an app."""
    rule = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}
    return {"affinity": {kind: {_REQUIRED: [rule]}}}


def _to_nobody(names: Names, rng: Random) -> Obj:
    return _near("podAffinity", f"{names.api}-{rng.choice(('cache', 'agent', 'db'))}")


def _one_per_node(names: Names, rng: Random) -> Obj:
    del rng
    return _near("podAntiAffinity", names.api)


def _preferably_one_per_node(names: Names, rng: Random) -> Obj:
    del rng
    rule = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": names.api}}}
    wish = {"weight": 100, "podAffinityTerm": rule}
    return {"affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [wish]}}}


def _spread(names: Names, *, when: str = "DoNotSchedule") -> Obj:
    rule = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": when,
        "labelSelector": {"matchLabels": {"app": names.api}},
    }
    return {"topologySpreadConstraints": [rule]}


def _zone_without_room(*, when: str = "DoNotSchedule", ends: bool = False) -> Build:
    """Both nodes of a zone are cordoned for maintenance; the others may not take more than their share."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        zone = names.seed % 3
        gone = (NODES[zone], NODES[zone + 3])
        began_s = rng.uniform(48, 56) * 60 if ends else recent_s(rng)
        for node in gone:
            stage.change_at(began_s + rng.uniform(30, 900), "Node", "", node, _cordon)
        put_app(stage, names, began_s, serving(names.api), replicas=6, pod=_spread(names, when=when))
        for node in gone if ends else ():
            stage.change_at(began_s - rng.uniform(120, 400), "Node", "", node, _uncordon)

    return build


def _host_port(rng: Random) -> Obj:
    port = rng.choice((9100, 8443, 6060))
    return {"ports": [{"name": "http", "containerPort": 8080, "hostPort": port, "protocol": "TCP"}]}


def _host_port_corrected(stage: Stage, names: Names, rng: Random) -> None:
    began_s = rng.uniform(48, 56) * 60
    put_app(stage, names, began_s, serving(names.api), replicas=8, **_host_port(rng))

    def fewer(obj: Obj) -> None:
        obj["spec"]["replicas"] = 6

    stage.change_at(began_s - rng.uniform(120, 400), "Deployment", HOME, names.api, fewer)


def _fewer_later(stage: Stage, names: Names, rng: Random) -> None:
    """Eight that want a node each, and six nodes; scaled to six some minutes later."""
    began_s = rng.uniform(48, 56) * 60
    put_app(stage, names, began_s, serving(names.api), replicas=8, pod=_one_per_node(names, rng))

    def fewer(obj: Obj) -> None:
        obj["spec"]["replicas"] = 6

    stage.change_at(began_s - rng.uniform(120, 400), "Deployment", HOME, names.api, fewer)


def _other_scheduler(*words: str) -> Build:
    """A scheduler of its own refuses, in words that nobody knows."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = recent_s(rng)
        pods = named_pods(stage, names, 2)
        put_app(
            stage, names, began_s, serving(names.api), replicas=2, pod={"schedulerName": "gang-scheduler"}
        )
        for pod in pods:
            for again in range(5):
                line = words[names.seed % len(words)]
                stage.say_at(began_s - 10 - 150 * again, "Pod", HOME, pod, "FailedScheduling", line)

    return build


def _gated(*, before_min: tuple[float, float], ends: bool = False) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        gate = rng.choice(("example.com/quota-approved", "capacity.example.com/reserved"))
        began_s = rng.uniform(*before_min) * 60
        pods = named_pods(stage, names, 2)
        put_app(
            stage, names, began_s, serving(names.api), replicas=2, pod={"schedulingGates": [{"name": gate}]}
        )
        for pod in pods if ends else ():
            stage.change_at(began_s - rng.uniform(700, 900), "Pod", HOME, pod, _open)

    return build


def _open(obj: Obj) -> None:
    obj["spec"]["schedulingGates"] = []


# priority


def _important(value: int) -> Obj:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "front-office"},
        "value": value,
        "globalDefault": False,
        "description": "serves people directly",
    }


def _pushed_out(*, elsewhere: bool = False, ends: bool = False) -> Build:
    """The api fills a node; a worker of higher priority arrives that belongs there."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        stage.put_at(3 * DAY_S, _important(rng.randint(1000, 9000)))
        here = {} if elsewhere else _own_node(names, rng)
        cpu = f"{rng.randint(20, 24)}00m"
        one: dict[str, Any] = {"resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}
        put_app(stage, names, 2 * DAY_S, serving(names.api), replicas=1, pod=here, **one)
        image = stage.publish(names.worker_image, Image(serving(names.worker)))
        main = container("worker", image, readinessProbe=http_probe(), **one)
        urgent = {**_own_node(names, rng), "priorityClassName": "front-office"}
        began_s = rng.uniform(46, 56) * 60 if ends else recent_s(rng)
        made = deployment(HOME, names.worker, 1, template({"app": names.worker}, [main], **urgent))
        stage.put_at(began_s, made)
        if ends:
            stage.delete_at(began_s - 400, "Deployment", HOME, names.worker, "release-bot")

    return build


_RESOURCES = (
    ("INSUFFICIENT_CPU", _much_cpu, _much_memory, "INSUFFICIENT_MEMORY"),
    ("INSUFFICIENT_MEMORY", _much_memory, _much_cpu, "INSUFFICIENT_CPU"),
    ("INSUFFICIENT_EPHEMERAL_STORAGE", _much_storage, _much_memory, "INSUFFICIENT_MEMORY"),
    ("INSUFFICIENT_GPU", _a_gpu, _much_cpu, "INSUFFICIENT_CPU"),
)


def _resource_trials() -> tuple[Trial, ...]:
    found: list[Trial] = []
    for code, bad, other, is_in_fact in _RESOURCES:
        found += (
            trial(code, "positive", _app(bad), wrong(code), says="It asks for more than any node has free."),
            trial(
                code, "look_alike", _app(other), wrong(is_in_fact), says="Another resource is what is short."
            ),
            trial(code, "recovered", _corrected(bad), says="It asked for less a few minutes later."),
        )
    return tuple(found)


_SELECTOR = wrong("NODE_SELECTOR_UNMATCHED")
_TAINTED = wrong("TAINT_NOT_TOLERATED")
_CPU = wrong("INSUFFICIENT_CPU")
TRIALS: tuple[Trial, ...] = (
    *_resource_trials(),
    trial("NODE_SELECTOR_UNMATCHED", "positive", _app(pod=_no_such_label), _SELECTOR, says="No such node."),
    trial(
        "NODE_SELECTOR_UNMATCHED",
        "look_alike",
        _tainted(_own_node),
        _TAINTED,
        says="There is such a node, and its taint keeps the pod off.",
    ),
    trial("NODE_SELECTOR_UNMATCHED", "recovered", _corrected(pod=_no_such_label), says="Corrected."),
    trial("TAINT_NOT_TOLERATED", "positive", _tainted(_own_node), _TAINTED, says="Its node is tainted."),
    trial(
        "TAINT_NOT_TOLERATED",
        "positive",
        _tainted(_by_affinity),
        _TAINTED,
        says="The only node that it may use is tainted.",
        variant="own-node",
    ),
    trial(
        "TAINT_NOT_TOLERATED",
        "look_alike",
        _tainted(lambda _names, _rng: {}, more=_asks(cpu="9")),
        _CPU,
        says="One node is tainted; the others are too small.",
    ),
    trial("TAINT_NOT_TOLERATED", "recovered", _tainted(_own_node, ends=True), says="The taint is gone."),
    trial("NODES_CORDONED", "positive", _cordoned(), wrong("NODES_CORDONED"), says="Its node is cordoned."),
    trial(
        "NODES_CORDONED", "look_alike", _tainted(_own_node), _TAINTED, says="Its node is tainted otherwise."
    ),
    trial("NODES_CORDONED", "recovered", _cordoned(ends=True), says="The node was uncordoned."),
    trial("TOO_MANY_PODS", "positive", _full(), wrong("TOO_MANY_PODS"), says="Its node holds all it may."),
    trial("TOO_MANY_PODS", "look_alike", _app(_much_cpu), _CPU, says="There are slots, but no room."),
    trial("TOO_MANY_PODS", "recovered", _full(ends=True), says="The node may hold more now."),
    trial(
        "POD_AFFINITY_UNMATCHED",
        "positive",
        _app(pod=_to_nobody),
        wrong("POD_AFFINITY_UNMATCHED"),
        says="It wants to be near pods that do not exist.",
    ),
    trial(
        "POD_AFFINITY_UNMATCHED",
        "look_alike",
        _app(pod=_one_per_node, replicas=8),
        wrong("ANTI_AFFINITY_CONFLICT"),
        says="Affinity too, but it is its own pods that it keeps off.",
    ),
    trial("POD_AFFINITY_UNMATCHED", "recovered", _corrected(pod=_to_nobody), says="Corrected."),
    trial(
        "ANTI_AFFINITY_CONFLICT",
        "positive",
        _app(pod=_one_per_node, replicas=8),
        wrong("ANTI_AFFINITY_CONFLICT"),
        says="More replicas than nodes, and one per node.",
    ),
    trial(
        "ANTI_AFFINITY_CONFLICT",
        "look_alike",
        _app(pod=_preferably_one_per_node, replicas=8),
        says="It only wishes to.",
    ),
    trial("ANTI_AFFINITY_CONFLICT", "recovered", _fewer_later, says="Scaled down to what fits."),
    trial(
        "TOPOLOGY_SPREAD_CONFLICT",
        "positive",
        _zone_without_room(),
        wrong("TOPOLOGY_SPREAD_CONFLICT"),
        says="A zone takes no pods, and the others have their share.",
    ),
    trial(
        "TOPOLOGY_SPREAD_CONFLICT",
        "look_alike",
        _zone_without_room(when="ScheduleAnyway"),
        says="It may be uneven.",
    ),
    trial("TOPOLOGY_SPREAD_CONFLICT", "recovered", _zone_without_room(ends=True), says="The zone is back."),
    trial(
        "HOST_PORT_TAKEN",
        "positive",
        _app(_host_port, replicas=8),
        wrong("HOST_PORT_TAKEN"),
        says="More replicas than nodes, and each wants the same port of its node.",
    ),
    trial(
        "HOST_PORT_TAKEN",
        "look_alike",
        _app(pod=_one_per_node, replicas=8),
        wrong("ANTI_AFFINITY_CONFLICT"),
        says="One per node for another reason.",
    ),
    trial("HOST_PORT_TAKEN", "recovered", _host_port_corrected, says="Scaled down to what fits."),
    trial(
        "UNSCHEDULABLE",
        "positive",
        _other_scheduler(
            "pod group cart has less than 4 members, waiting for the rest",
            "0/6 nodes are available: 6 node(s) didn't satisfy plugin(s) [Coscheduling].",
        ),
        wrong("UNSCHEDULABLE"),
        says="A scheduler of its own refuses it.",
    ),
    trial(
        "UNSCHEDULABLE",
        "look_alike",
        _other_scheduler("0/6 nodes are available: 6 Insufficient cpu."),
        _CPU,
        says="A scheduler of its own, in words that are known.",
    ),
    trial("UNSCHEDULABLE", "recovered", _corrected(pod=_no_such_label), says="Corrected."),
    trial(
        "SCHEDULING_GATED",
        "positive",
        _gated(before_min=(20, 60)),
        wrong("SCHEDULING_GATED"),
        says="A gate holds it back.",
    ),
    trial("SCHEDULING_GATED", "look_alike", _app(pod=_no_such_label), _SELECTOR, says="No gate, no node."),
    trial(
        "SCHEDULING_GATED", "recovered", _gated(before_min=(40, 60), ends=True), says="The gate was opened."
    ),
    trial(
        "SCHEDULING_GATED", "recovered", _gated(before_min=(3, 6)), says="Within its time.", variant="young"
    ),
    trial(
        "POD_PREEMPTED",
        "positive",
        _pushed_out(),
        wrong("POD_PREEMPTED"),
        says="It lost its place to another.",
    ),
    trial("POD_PREEMPTED", "look_alike", _app(_much_cpu), _CPU, says="It never had a place."),
    trial("POD_PREEMPTED", "recovered", _pushed_out(ends=True), says="The other one went; it is back."),
    *scheduling_karpenter.TRIALS,
)
