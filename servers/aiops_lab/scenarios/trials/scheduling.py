"""Trials of pods that no node takes: resources, labels, taints, slots, gates, priority.

Other pods that keep them off and Karpenter have their own modules and are told here with the rest.
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
from aiops_lab.scenarios.trials import scheduling_karpenter, scheduling_neighbours
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import DAY_S, HOME, a_node, named_pods, put_app, recent_s, wrong
from aiops_lab.scenarios.trials.scheduling_base import REQUIRED, app, asks, cordon, corrected, uncordon


def _much_cpu(rng: Random) -> Obj:
    return asks(cpu=str(rng.randint(5, 30)), memory="128Mi")


def _much_memory(rng: Random) -> Obj:
    return asks(cpu="50m", memory=f"{rng.randint(20, 90)}Gi")


def _much_storage(rng: Random) -> Obj:
    return asks(cpu="50m", ephemeral_storage=f"{rng.randint(100, 900)}Gi")


def _a_gpu(rng: Random) -> Obj:
    amount = {"nvidia.com/gpu": str(rng.randint(1, 4))}
    return {"resources": {"requests": {"cpu": "1", **amount}, "limits": amount}}


def _no_such_label(names: Names, rng: Random) -> Obj:
    key, value = rng.choice((("disktype", "nvme"), ("pool", "gpu"), ("team", names.api)))
    term = {"key": key, "operator": "In", "values": [value]}
    affinity = {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [term]}]}}}
    return {"nodeSelector": {key: value}} if rng.random() < 0.5 else {"affinity": affinity}


def _own_node(names: Names, rng: Random) -> Obj:
    del rng
    return {"nodeSelector": {"kubernetes.io/hostname": a_node(names)}}


def _by_affinity(names: Names, rng: Random) -> Obj:
    """The same node, said by affinity."""
    del rng
    term = {"key": "kubernetes.io/hostname", "operator": "In", "values": [a_node(names)]}
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [term]}]}}}}


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


def _cordoned(*, ends: bool = False) -> Build:
    """The only node that the pod selects is cordoned."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = rng.uniform(48, 56) * 60 if ends else recent_s(rng)
        stage.change_at(began_s + rng.uniform(60, 900), "Node", "", a_node(names), cordon)
        put_app(stage, names, began_s, serving(names.api), replicas=2, pod=_own_node(names, rng))
        if ends:
            stage.change_at(began_s - rng.uniform(120, 400), "Node", "", a_node(names), uncordon)

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
            trial(code, "positive", app(bad), wrong(code), says="It asks for more than any node has free."),
            trial(
                code, "look_alike", app(other), wrong(is_in_fact), says="Another resource is what is short."
            ),
            trial(code, "recovered", corrected(bad), says="It asked for less a few minutes later."),
        )
    return tuple(found)


_SELECTOR = wrong("NODE_SELECTOR_UNMATCHED")
_TAINTED = wrong("TAINT_NOT_TOLERATED")
_CPU = wrong("INSUFFICIENT_CPU")
TRIALS: tuple[Trial, ...] = (
    *_resource_trials(),
    trial("NODE_SELECTOR_UNMATCHED", "positive", app(pod=_no_such_label), _SELECTOR, says="No such node."),
    trial(
        "NODE_SELECTOR_UNMATCHED",
        "look_alike",
        _tainted(_own_node),
        _TAINTED,
        says="There is such a node, and its taint keeps the pod off.",
    ),
    trial("NODE_SELECTOR_UNMATCHED", "recovered", corrected(pod=_no_such_label), says="Corrected."),
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
        _tainted(lambda _names, _rng: {}, more=asks(cpu="9")),
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
    trial("TOO_MANY_PODS", "look_alike", app(_much_cpu), _CPU, says="There are slots, but no room."),
    trial("TOO_MANY_PODS", "recovered", _full(ends=True), says="The node may hold more now."),
    *scheduling_neighbours.TRIALS,
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
    trial("UNSCHEDULABLE", "recovered", corrected(pod=_no_such_label), says="Corrected."),
    trial(
        "SCHEDULING_GATED",
        "positive",
        _gated(before_min=(20, 60)),
        wrong("SCHEDULING_GATED"),
        says="A gate holds it back.",
    ),
    trial("SCHEDULING_GATED", "look_alike", app(pod=_no_such_label), _SELECTOR, says="No gate, no node."),
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
    trial("POD_PREEMPTED", "look_alike", app(_much_cpu), _CPU, says="It never had a place."),
    trial("POD_PREEMPTED", "recovered", _pushed_out(ends=True), says="The other one went; it is back."),
    *scheduling_karpenter.TRIALS,
)
