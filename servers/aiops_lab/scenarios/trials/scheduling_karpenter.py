"""Trials of Karpenter: why no node comes, and why one does not go.

Texts as Karpenter publishes them: provisioning/scheduling, nodeclaim/lifecycle, node/termination and state
of sigs.k8s.io/karpenter, and pkg/controllers/interruption of its AWS provider.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Expected, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import (
    DAY_S,
    HOME,
    a_node,
    at_node,
    named_pods,
    put_app,
    recent_s,
    wrong,
)

_SAYS = "Failed to schedule pod, "
_LIMIT = (
    'all available instance types exceed limits for nodepool: "{pool}"',
    "all available instance types exceed limits for nodepool (NodePool={pool})",
    "node limits have been exhausted for nodepool (NodePool={pool})",
)
_MISFIT = (
    (
        'incompatible with nodepool "{pool}", daemonset overhead={{"cpu":"150m"}}, incompatible requirements,'
        " key node.kubernetes.io/instance-type, node.kubernetes.io/instance-type In [p5.48xlarge] not in "
        "node.kubernetes.io/instance-type In [m5.large m5.xlarge]"
    ),
    (
        "no instance type has enough resources, requirements=karpenter.sh/capacity-type In [on-demand], "
        "karpenter.sh/nodepool In [{pool}], resources={{cpu: 96, memory: 900Gi}}"
    ),
    "did not tolerate taint (taint=dedicated=batch:NoSchedule)",
)
_NO_MACHINES = (
    (
        "NodeClaim {claim} event: creating instance, insufficient capacity, with fleet error(s), "
        "UnfulfillableCapacity: Unable to fulfill capacity due to your request configuration. Please adjust "
        "your request"
    ),
    (
        "NodeClaim {claim} event: creating instance, insufficient capacity, all requested instance types "
        "were "
        "unavailable during launch"
    ),
)
_HUGE: dict[str, Any] = {"resources": {"requests": {"cpu": "9", "memory": "1Gi"}}}


def _pool(names: Names, rng: Random) -> str:
    del rng
    return ("default", "general", "batch")[names.seed % 3]


def node_pool(name: str, cpu: int) -> Obj:
    """A NodePool that may grow to `cpu`."""
    made = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
    wants = {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand", "spot"]}
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": name},
        "spec": {
            "limits": {"cpu": str(cpu), "memory": f"{4 * cpu}Gi"},
            "template": {"spec": {"nodeClassRef": made, "requirements": [wants]}},
            "disruption": {"consolidationPolicy": "WhenEmptyOrUnderutilized", "consolidateAfter": "1m"},
        },
    }


def _put_pool(stage: Stage, name: str, cpu: int, used: int) -> None:
    def count(obj: Obj) -> None:
        obj["status"] = {"resources": {"cpu": str(used), "memory": f"{4 * used}Gi", "nodes": str(used // 4)}}

    stage.put_at(20 * DAY_S, node_pool(name, cpu))
    stage.change_at(20 * DAY_S - 60, "NodePool", "", name, count)


def _claim(name: str, pool: str) -> Obj:
    made = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodeClaim",
        "metadata": {"name": name, "labels": {"karpenter.sh/nodepool": pool}},
        "spec": {"nodeClassRef": made, "requirements": []},
    }


def _waits(*lines: str, used: float = 1.0) -> Build:
    """The api waits for a node, and Karpenter says on its pods why none comes."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        pool, limit = _pool(names, rng), rng.choice((24, 48, 100))
        _put_pool(stage, pool, limit, int(limit * used))
        began_s = recent_s(rng)
        pods = named_pods(stage, names, 2)
        put_app(stage, names, began_s, serving(names.api), replicas=2, **_HUGE)
        words = _SAYS + lines[names.seed % len(lines)].format(pool=pool)
        for pod in pods:
            for again in range(4):
                stage.say_at(began_s - 12 - 190 * again, "Pod", HOME, pod, "FailedScheduling", words)

    return build


def _came_later(*lines: str) -> Build:
    """It said so an hour ago; the request was lowered since."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = rng.uniform(48, 56) * 60
        pods = named_pods(stage, names, 2)
        _put_pool(stage, _pool(names, rng), 24, 24)
        put_app(stage, names, began_s, serving(names.api), replicas=2, **_HUGE)
        words = _SAYS + lines[names.seed % len(lines)].format(pool=_pool(names, rng))
        for pod in pods:
            stage.say_at(began_s - 12, "Pod", HOME, pod, "FailedScheduling", words)

        def less(obj: Obj) -> None:
            obj["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "50m"}}

        stage.change_at(began_s - rng.uniform(200, 500), "Deployment", HOME, names.api, less)

    return build


def _no_machines(*, ago_s: float | None = None) -> Build:
    """NodeClaims are made and given up again, since there are no such machines."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        pool = _pool(names, rng)
        _put_pool(stage, pool, 200, 24)
        began_s = ago_s or recent_s(rng)
        if ago_s is None:
            put_app(stage, names, began_s, serving(names.api), replicas=2, **_HUGE)
        every_s = 180 if ago_s else (began_s - 60) / 5
        for again, letter in enumerate("xkzqw"):
            claim, moment_s = f"{pool}-{letter}{rng.randint(1000, 9999)}", began_s - 15 - every_s * again
            words = _NO_MACHINES[names.seed % 2].format(claim=claim)
            stage.put_at(moment_s, _claim(claim, pool), by="karpenter")
            stage.say_at(moment_s - 2, "NodeClaim", "", claim, "InsufficientCapacityError", words)
            stage.delete_at(moment_s - 3, "NodeClaim", "", claim, "karpenter")

    return build


def _at_pool(code: str) -> Expect:
    def expect(names: Names) -> tuple[Expected, ...]:
        return (Expected(code, "NodePool", "", _pool(names, Random(0)), hurts_name=names.api),)

    return expect


# nodes that go, or should


def _disrupt(obj: Obj) -> None:
    obj["spec"].setdefault("taints", []).append({"key": "karpenter.sh/disrupted", "effect": "NoSchedule"})


def _on_node(
    reason: str, *lines: str, ages_s: tuple[float, ...], mark: Callable[[Obj], None] | None = None
) -> Build:
    """A node of which Karpenter says this at these times."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        words = lines[names.seed % len(lines)].format(api=names.api, home=HOME)
        shift_s = rng.uniform(0, 20)
        if mark is not None:
            stage.change_at(max(ages_s) + shift_s + 30, "Node", "", a_node(names), mark)
        for age_s in ages_s:
            stage.say_at(age_s + shift_s, "Node", "", a_node(names), reason, words)

    return build


_BLOCKED = (
    "Pdb prevents pod evictions (PodDisruptionBudget=[{home}/{api}])",
    'Pod has "karpenter.sh/do-not-disrupt" annotation (Pod={home}/{api}-0)',
)
_DRAIN = (
    "Failed to drain node, 3 pods are waiting to be evicted",
    ("Failed to drain node, 1 pods are waiting to be evicted"),
)
_SPOT = "Spot interruption warning was triggered"
_FITS = wrong("KARPENTER_NO_NODEPOOL_FITS")
TRIALS: tuple[Trial, ...] = (
    trial(
        "KARPENTER_LIMIT_REACHED",
        "positive",
        _waits(*_LIMIT),
        _at_pool("KARPENTER_LIMIT_REACHED"),
        says="Its NodePool may not grow.",
    ),
    trial(
        "KARPENTER_LIMIT_REACHED",
        "look_alike",
        _waits(*_MISFIT, used=0.9),
        _FITS,
        says="The pool does not fit.",
    ),
    trial("KARPENTER_LIMIT_REACHED", "recovered", _came_later(*_LIMIT), says="It asked for less since."),
    trial("KARPENTER_NO_NODEPOOL_FITS", "positive", _waits(*_MISFIT, used=0.3), _FITS, says="No pool can."),
    trial(
        "KARPENTER_NO_NODEPOOL_FITS",
        "look_alike",
        _waits(*_LIMIT),
        _at_pool("KARPENTER_LIMIT_REACHED"),
        says="A pool could, and may not.",
    ),
    trial("KARPENTER_NO_NODEPOOL_FITS", "recovered", _came_later(*_MISFIT), says="It asked for less since."),
    trial(
        "KARPENTER_NO_CAPACITY",
        "positive",
        _no_machines(),
        _at_pool("KARPENTER_NO_CAPACITY"),
        says="There are no such machines.",
    ),
    trial(
        "KARPENTER_NO_CAPACITY",
        "look_alike",
        _waits(*_LIMIT),
        _at_pool("KARPENTER_LIMIT_REACHED"),
        says="There are machines, and the pool may not have them.",
    ),
    trial("KARPENTER_NO_CAPACITY", "recovered", _no_machines(ago_s=3000), says="An hour ago; nobody waits."),
    trial(
        "SPOT_INTERRUPTED",
        "positive",
        _on_node("SpotInterrupted", _SPOT, ages_s=(40.0,)),
        at_node("SPOT_INTERRUPTED"),
        says="Its instance is being taken back.",
    ),
    trial(
        "SPOT_INTERRUPTED",
        "look_alike",
        _on_node(
            "SpotRebalanceRecommendation", "Spot rebalance recommendation was triggered", ages_s=(40.0,)
        ),
        says="Only a hint.",
    ),
    trial(
        "SPOT_INTERRUPTED",
        "recovered",
        _on_node("SpotInterrupted", _SPOT, ages_s=(2400.0,)),
        says="An hour ago.",
    ),
    trial(
        "KARPENTER_DRAIN_BLOCKED",
        "positive",
        _on_node("FailedDraining", *_DRAIN, ages_s=(1500, 1200, 900, 600, 300, 60), mark=_disrupt),
        at_node("KARPENTER_DRAIN_BLOCKED"),
        says="It cannot be drained.",
    ),
    trial(
        "KARPENTER_DRAIN_BLOCKED",
        "look_alike",
        _on_node("FailedDraining", *_DRAIN, ages_s=(90, 30), mark=_disrupt),
        says="It is being drained, in order.",
    ),
    trial(
        "KARPENTER_DRAIN_BLOCKED",
        "recovered",
        _on_node("FailedDraining", *_DRAIN, ages_s=(3000, 2800, 2600, 2400)),
        says="It was kept after all.",
    ),
    trial(
        "KARPENTER_DISRUPTION_BLOCKED",
        "positive",
        _on_node("DisruptionBlocked", *_BLOCKED, ages_s=tuple(range(3400, 30, -240))),
        at_node("KARPENTER_DISRUPTION_BLOCKED"),
        says="A budget or an annotation keeps it.",
    ),
    trial(
        "KARPENTER_DISRUPTION_BLOCKED",
        "look_alike",
        _on_node(
            "DisruptionBlocked", "Node is nominated for a pending pod", ages_s=tuple(range(3400, 30, -240))
        ),
        says="It is about to take a pod.",
    ),
    trial(
        "KARPENTER_DISRUPTION_BLOCKED",
        "recovered",
        _on_node("DisruptionBlocked", *_BLOCKED, ages_s=(3600, 3300, 3000, 2700)),
        says="Not any more.",
    ),
)
