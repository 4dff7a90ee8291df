"""Trials of a refusal that no rule knows: the image policy of an admission plugin that the lab does not play.

The refusal is told by the story (`plugin/pkg/admission/imagepolicy/admission.go`), about a Job that is held,
so that the lab's own controller makes no pod of it.
"""

from random import Random

from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import logfmt, working
from aiops_lab.scenarios.shapes import job
from aiops_lab.scenarios.trials.base import HOME, Trial, at, trial


def _refused(stage: Stage, names: Names, rng: Random, said_s: float, *, held: bool = True) -> None:
    name = f"{names.api}-batch"
    image = stage.publish(names.image(name, "5.0.1"), Image(working(logfmt("info", "done"), takes_s=20)))
    made = job(HOME, name, image)
    made["spec"]["suspend"] = held
    stage.put_at(said_s + rng.uniform(60, 600), made)
    why = rng.choice(("image is not signed", "critical vulnerabilities found", "unknown publisher"))
    denied = f"image policy webhook backend denied one or more images: {why}"
    words = f'Error creating: pods "{name}-" is forbidden: {denied}'
    stage.say_at(said_s, "Job", HOME, name, "FailedCreate", words)


def _now(stage: Stage, names: Names, rng: Random) -> None:
    _refused(stage, names, rng, rng.uniform(60, 900))


def _ran_since(stage: Stage, names: Names, rng: Random) -> None:
    _refused(stage, names, rng, rng.uniform(60, 900), held=False)


def _long_ago(stage: Stage, names: Names, rng: Random) -> None:
    _refused(stage, names, rng, rng.uniform(2000, 3300))


TRIALS: tuple[Trial, ...] = (
    trial(
        "POD_CREATION_REFUSED",
        "positive",
        _now,
        at("POD_CREATION_REFUSED", "Job", "{api}-batch"),
        says="A refusal that no other code knows.",
    ),
    trial("POD_CREATION_REFUSED", "look_alike", _ran_since, says="It got its pod all the same."),
    trial("POD_CREATION_REFUSED", "recovered", _long_ago, says="Said an hour ago for the last time."),
)
