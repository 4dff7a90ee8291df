"""Trials of manifests that name an API version which is gone."""

import json
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Expected, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.shapes import autoscaler, disruption_budget
from aiops_lab.scenarios.trials.autoscaling import app
from aiops_lab.scenarios.trials.base import HOME, Trial, trial

NOTE = "kubectl.kubernetes.io/last-applied-configuration"
DAY_S = 86_400.0
_OLD = (
    ("HorizontalPodAutoscaler", "autoscaling/v2beta2"),
    ("PodDisruptionBudget", "policy/v1beta1"),
    ("HorizontalPodAutoscaler", "autoscaling/v2beta1"),
)


def _made(names: Names) -> tuple[Obj, str]:
    kind, version = _OLD[names.seed % len(_OLD)]
    if kind == "HorizontalPodAutoscaler":
        return autoscaler(HOME, names.api, 2, 6), version
    return disruption_budget(HOME, names.api, names.api, maxUnavailable=1), version


def _applied(obj: Obj, version: str) -> None:
    spec = {"apiVersion": version, "kind": obj["kind"], "metadata": {"name": obj["metadata"]["name"]}}
    obj["metadata"].setdefault("annotations", {})[NOTE] = json.dumps(spec)


def _put(stage: Stage, names: Names, rng: Random, version: str) -> None:
    app(stage, names, since_s=rng.uniform(2, 25) * DAY_S, replicas=2)
    made, _ = _made(names)
    _applied(made, version or made["apiVersion"])
    stage.put_at(rng.uniform(1, 2) * DAY_S, made)


def _old(stage: Stage, names: Names, rng: Random) -> None:
    _put(stage, names, rng, _made(names)[1])


def _expect(names: Names) -> tuple[Expected, ...]:
    kind = _made(names)[0]["kind"]
    return (Expected("DEPRECATED_API", kind, HOME, names.api, kind, names.api),)


def _current(stage: Stage, names: Names, rng: Random) -> None:
    _put(stage, names, rng, "")


def _corrected(stage: Stage, names: Names, rng: Random) -> None:
    _old(stage, names, rng)
    made, _ = _made(names)

    def correct(obj: Obj) -> None:
        _applied(obj, made["apiVersion"])

    stage.change_at(rng.uniform(300, 3000), made["kind"], HOME, names.api, correct)


TRIALS: tuple[Trial, ...] = (
    trial("DEPRECATED_API", "positive", _old, _expect, says="Applied from a manifest of an old version."),
    trial("DEPRECATED_API", "look_alike", _current, says="Applied from a manifest of today."),
    trial("DEPRECATED_API", "recovered", _corrected, says="The manifest was corrected."),
)
