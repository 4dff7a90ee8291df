"""Trials of containers beside a pod's own: an init container that waits, a sidecar that outlives its Job.

`pods_starting` tells both among the trials of pods that do not get on or away.
"""

from collections.abc import Callable
from random import Random

from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Behaviour, Chatter, Program, Run, failing, serving, working
from aiops_lab.scenarios.shapes import container, job
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import HOME, put_app, wrong

# init containers


def _init(
    name: str, program: Callable[[Names, Random], Program], *, before_min: tuple[float, float]
) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        image = stage.publish(f"{names.api_image}-{name}", Image(program(names, rng)))
        first = container(name, image)
        del first["ports"]
        pod = {"initContainers": [first]}
        put_app(stage, names, rng.uniform(*before_min) * 60, serving(names.api), pod=pod)

    return build


def _waits_for_ever(names: Names, rng: Random) -> Program:
    host = f"{rng.choice(('postgres', 'vault', 'kafka'))}.{rng.choice(('data', 'infra'))}.svc"
    lines = (f"waiting for {host}...", f"nslookup: can't resolve '{host}'", "retry in 5 s")

    def run(start: Run) -> Behaviour:
        calm = serving(names.api)(start)
        return Behaviour(lines=((0.2, lines[0]),), chatter=Chatter(5.0, lines), memory=calm.memory)

    return run


def _gives_up(names: Names, rng: Random) -> Program:
    del names
    return failing(
        "waiting for db...",
        f"error: dial tcp 10.0.3.{rng.randint(2, 250)}:5432: connect: connection refused",
        code=1,
    )


def _takes_a_while(names: Names, rng: Random) -> Program:
    del names
    return working("migrating", "done", takes_s=rng.uniform(300, 500))


# a Job that is done


def _job_with(helper: str, *, helper_takes_s: float | None, before_min: tuple[float, float]) -> Build:
    """A Job whose work takes a minute, with a second container."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        work = stage.publish(
            names.api_image, Image(working("exporting", "done", takes_s=rng.uniform(30, 90)))
        )
        second = serving(helper) if helper_takes_s is None else working("up", takes_s=helper_takes_s)
        image = stage.publish(f"{names.api_image}-{helper}", Image(second))
        made = job(HOME, f"{names.api}-export", work)
        beside = container(helper, image)
        del beside["ports"]
        made["spec"]["template"]["spec"]["containers"].append(beside)
        stage.put_at(rng.uniform(*before_min) * 60, made)

    return build


_JOB = wrong("SIDECAR_BLOCKS_JOB", "Job", "{api}-export")
INIT_CONTAINERS: tuple[Trial, ...] = (
    trial(
        "INIT_CONTAINER_WAITS",
        "positive",
        _init("wait-for", _waits_for_ever, before_min=(14, 25)),
        wrong("INIT_CONTAINER_WAITS", headline="wait-for"),
        says="Its init container waits for something that never comes.",
    ),
    trial(
        "INIT_CONTAINER_WAITS",
        "look_alike",
        _init("wait-for", _gives_up, before_min=(14, 25)),
        wrong("DEPENDENCY_UNREACHABLE"),
        says="It waits too, and gives up with an error each time.",
    ),
    trial(
        "INIT_CONTAINER_WAITS",
        "recovered",
        _init("migrate", _takes_a_while, before_min=(40, 50)),
        says="It took some minutes and is done.",
    ),
    trial(
        "INIT_CONTAINER_WAITS",
        "recovered",
        _init("migrate", _takes_a_while, before_min=(2, 4)),
        says="It is at work, within its time.",
        variant="working",
    ),
)
SIDECARS: tuple[Trial, ...] = (
    trial(
        "SIDECAR_BLOCKS_JOB",
        "positive",
        _job_with("istio-proxy", helper_takes_s=None, before_min=(20, 50)),
        _JOB,
        says="The work is done, the proxy runs on.",
    ),
    trial(
        "SIDECAR_BLOCKS_JOB",
        "positive",
        _job_with("second", helper_takes_s=None, before_min=(200, 500)),
        _JOB,
        says="The work is done, another container runs on for hours.",
        variant="unknown",
    ),
    trial(
        "SIDECAR_BLOCKS_JOB",
        "look_alike",
        _job_with("upload", helper_takes_s=5400, before_min=(30, 60)),
        says="Two containers with work of their own; the second is not done yet.",
    ),
    trial(
        "SIDECAR_BLOCKS_JOB",
        "recovered",
        _job_with("istio-proxy", helper_takes_s=900, before_min=(20, 50)),
        says="The proxy ended some minutes later.",
    ),
)
