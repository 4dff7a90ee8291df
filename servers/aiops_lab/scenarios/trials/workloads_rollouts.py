"""Trials of Deployments and StatefulSets whose rollout does not get on, is paused, or lacks its Service."""

from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Program, failing, logfmt, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.scenarios.trials.autoscaling import app
from aiops_lab.scenarios.trials.base import HOME, Trial, at, trial

HOUR_S, DAY_S = 3600.0, 86_400.0
REFUSED = logfmt("fatal", "cannot reach backend: dial tcp 10.3.0.9:5432: connect: connection refused")


def _image_of(obj: Obj, image: str) -> None:
    obj["spec"]["template"]["spec"]["containers"][0]["image"] = image


# ROLLOUT_STUCK


def _slow(stage: Stage, names: Names, rng: Random, since_s: float) -> None:
    """Nobody asks its pods whether they are ready before the rollout's deadline is over."""
    image = stage.publish(names.image(names.api, "2.0.1"), Image(serving(names.api)))
    main = container("app", image, readinessProbe=http_probe(delay_s=rng.randint(1400, 1500)))
    more = {"progressDeadlineSeconds": rng.choice((300, 480, 600))}
    made = deployment(HOME, names.api, rng.randint(1, 4), template({"app": names.api}, [main]), **more)
    stage.put_at(since_s, made, service(HOME, names.api, names.api))


def _too_late(stage: Stage, names: Names, rng: Random) -> None:
    _slow(stage, names, rng, rng.uniform(12, 20) * 60)


def _late_but_there(stage: Stage, names: Names, rng: Random) -> None:
    _slow(stage, names, rng, rng.uniform(30, 60) * 60)


def _bad_revision(stage: Stage, names: Names, rng: Random) -> None:
    """The old revision serves; the new one cannot be pulled."""
    name = app(stage, names, since_s=rng.uniform(2, 9) * DAY_S, replicas=rng.randint(2, 4))
    missing = names.image(name, "3.2.0-rc1")
    stage.change_at(rng.uniform(15, 40) * 60, "Deployment", HOME, name, lambda obj: _image_of(obj, missing))


def _going_on(stage: Stage, names: Names, rng: Random) -> None:
    """Within its deadline."""
    _slow(stage, names, rng, rng.uniform(20, 250))


def _asleep(stage: Stage, names: Names, rng: Random) -> None:
    app(stage, names, since_s=rng.uniform(2, 9) * DAY_S, replicas=0)


# ROLLOUT_PAUSED


def _pause(stage: Stage, names: Names, since_s: float, *, change: bool) -> None:
    name = app(stage, names, since_s=9 * DAY_S, replicas=3)
    newer = stage.publish(names.image(name, "3.2.0"), Image(serving(name)))

    def pause(obj: Obj) -> None:
        obj["spec"]["paused"] = True
        if change:
            _image_of(obj, newer)

    stage.change_at(since_s, "Deployment", HOME, name, pause)


def _forgotten(stage: Stage, names: Names, rng: Random) -> None:
    _pause(stage, names, rng.uniform(1.2, 7) * DAY_S, change=True)


def _for_a_canary(stage: Stage, names: Names, rng: Random) -> None:
    _pause(stage, names, rng.uniform(1, 8) * HOUR_S, change=True)


def _nothing_waits(stage: Stage, names: Names, rng: Random) -> None:
    _pause(stage, names, rng.uniform(1.2, 7) * DAY_S, change=False)


def _resumed(stage: Stage, names: Names, rng: Random) -> None:
    _forgotten(stage, names, rng)

    def resume(obj: Obj) -> None:
        obj["spec"]["paused"] = False

    stage.change_at(rng.uniform(300, 3000), "Deployment", HOME, names.api, resume)


# StatefulSets


def _stateful(stage: Stage, names: Names, program: Program, replicas: int, **main: Any) -> Obj:
    image = stage.publish(names.image(names.api, "2.0.1"), Image(program))
    labels = {"app": names.api}
    one = container("db", image, readinessProbe=http_probe(), **main)
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": names.api, "namespace": HOME, "labels": labels},
        "spec": {
            "replicas": replicas,
            "serviceName": f"{names.api}-headless",
            "selector": {"matchLabels": labels},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
            "template": template(labels, [one]),
        },
    }


def _governing(names: Names) -> Obj:
    return service(HOME, f"{names.api}-headless", names.api, clusterIP="None")


def _first_crashes(stage: Stage, names: Names, rng: Random) -> None:
    """The others are not even created: one finding, of the first pod's cause."""
    since_s = rng.uniform(15, 28) * 60
    made = _stateful(stage, names, failing(REFUSED, after_s=rng.uniform(2, 8)), rng.randint(2, 5))
    stage.put_at(since_s, made, _governing(names))


def _ungoverned(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(rng.uniform(1, 50) * HOUR_S, _stateful(stage, names, serving(names.api), rng.randint(1, 3)))


def _governed(stage: Stage, names: Names, rng: Random) -> None:
    made = _stateful(stage, names, serving(names.api), rng.randint(1, 3))
    stage.put_at(rng.uniform(1, 50) * HOUR_S, made, _governing(names))


def _governed_late(stage: Stage, names: Names, rng: Random) -> None:
    _ungoverned(stage, names, rng)
    stage.put_at(rng.uniform(60, 1800), _governing(names))


TRIALS: tuple[Trial, ...] = (
    trial(
        "ROLLOUT_STUCK",
        "positive",
        _too_late,
        at("ROLLOUT_STUCK", "Deployment", "{api}"),
        says="Past its deadline, and nothing says why.",
    ),
    trial(
        "ROLLOUT_STUCK",
        "look_alike",
        _bad_revision,
        at("IMAGE_NOT_FOUND", "Deployment", "{api}"),
        says="The new revision cannot be pulled, the old one serves.",
    ),
    trial(
        "ROLLOUT_STUCK",
        "look_alike",
        _first_crashes,
        at("DEPENDENCY_UNREACHABLE", "StatefulSet", "{api}"),
        says="An ordered start waits for a pod that crashes.",
        variant="ordered",
    ),
    trial("ROLLOUT_STUCK", "look_alike", _asleep, says="Scaled to zero.", variant="asleep"),
    trial("ROLLOUT_STUCK", "recovered", _late_but_there, says="It was late, and is up."),
    trial("ROLLOUT_STUCK", "recovered", _going_on, says="Within its deadline.", variant="young"),
    trial(
        "ROLLOUT_PAUSED",
        "positive",
        _forgotten,
        at("ROLLOUT_PAUSED", "Deployment", "{api}"),
        says="Paused days ago, a change waits.",
    ),
    trial("ROLLOUT_PAUSED", "look_alike", _for_a_canary, says="Paused some hours ago."),
    trial("ROLLOUT_PAUSED", "look_alike", _nothing_waits, says="Nothing waits.", variant="idle"),
    trial("ROLLOUT_PAUSED", "recovered", _resumed, says="It was resumed."),
    trial(
        "STATEFULSET_SERVICE_MISSING",
        "positive",
        _ungoverned,
        at("STATEFULSET_SERVICE_MISSING", "Service", "{api}-headless", hurts_kind="StatefulSet"),
        says="Its governing Service was never made.",
    ),
    trial("STATEFULSET_SERVICE_MISSING", "look_alike", _governed, says="The Service is there."),
    trial("STATEFULSET_SERVICE_MISSING", "recovered", _governed_late, says="It was made later."),
)
