"""Trials of pods that no node takes for the sake of other pods: affinity, spread, a port of the node.

The lab's scheduler speaks as kube-scheduler 1.33 does (`pkg/scheduler/framework`, FitError).
"""

from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import HOME, put_app, recent_s, wrong
from aiops_lab.scenarios.trials.scheduling_base import REQUIRED, app, cordon, corrected, uncordon

NODES = tuple(f"ip-10-0-{place % 3}-{41 + place}.ec2.internal" for place in range(6))


def _near(kind: str, label: str, *, key: str = "kubernetes.io/hostname") -> Obj:
    """A required affinity (or anti-affinity) to the pods of an app."""
    rule = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": label}}}
    return {"affinity": {kind: {REQUIRED: [rule]}}}


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
            stage.change_at(began_s + rng.uniform(30, 900), "Node", "", node, cordon)
        put_app(stage, names, began_s, serving(names.api), replicas=6, pod=_spread(names, when=when))
        for node in gone if ends else ():
            stage.change_at(began_s - rng.uniform(120, 400), "Node", "", node, uncordon)

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


TRIALS: tuple[Trial, ...] = (
    trial(
        "POD_AFFINITY_UNMATCHED",
        "positive",
        app(pod=_to_nobody),
        wrong("POD_AFFINITY_UNMATCHED"),
        says="It wants to be near pods that do not exist.",
    ),
    trial(
        "POD_AFFINITY_UNMATCHED",
        "look_alike",
        app(pod=_one_per_node, replicas=8),
        wrong("ANTI_AFFINITY_CONFLICT"),
        says="Affinity too, but it is its own pods that it keeps off.",
    ),
    trial("POD_AFFINITY_UNMATCHED", "recovered", corrected(pod=_to_nobody), says="Corrected."),
    trial(
        "ANTI_AFFINITY_CONFLICT",
        "positive",
        app(pod=_one_per_node, replicas=8),
        wrong("ANTI_AFFINITY_CONFLICT"),
        says="More replicas than nodes, and one per node.",
    ),
    trial(
        "ANTI_AFFINITY_CONFLICT",
        "look_alike",
        app(pod=_preferably_one_per_node, replicas=8),
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
        app(_host_port, replicas=8),
        wrong("HOST_PORT_TAKEN"),
        says="More replicas than nodes, and each wants the same port of its node.",
    ),
    trial(
        "HOST_PORT_TAKEN",
        "look_alike",
        app(pod=_one_per_node, replicas=8),
        wrong("ANTI_AFFINITY_CONFLICT"),
        says="One per node for another reason.",
    ),
    trial("HOST_PORT_TAKEN", "recovered", _host_port_corrected, says="Scaled down to what fits."),
)
