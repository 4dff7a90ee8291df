"""Trials of memory: a limit too low, a leak, a node that is out of it."""

from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.images import Image, split
from aiops_lab.scenarios.memory import leaking, loading_cache
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import MI, Behaviour, Curve, Exit, Program, Run, serving
from aiops_lab.scenarios.pulls import set_image
from aiops_lab.scenarios.shapes import container, deployment, http_probe, template
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.pods_base import HOME, HOUR_S, a_node, at_node, recent_s, wrong


def _worker(
    names: Names, *, limit: str = "256Mi", replicas: int | None = None, pod: Obj | None = None
) -> Obj:
    one = container("worker", names.worker_image, limit=limit, readinessProbe=http_probe())
    if not limit:
        del one["resources"]["limits"]
    count = names.worker_replicas if replicas is None else replicas
    return deployment(HOME, names.worker, count, template({"app": names.worker}, [one], **(pod or {})))


def _leaks(stage: Stage, names: Names, rng: Random) -> None:
    """Reaches its limit every few hours; the last time some minutes ago."""
    over_s = rng.uniform(3, 7) * HOUR_S
    stage.publish(names.worker_image, Image(leaking(from_mi=90, to_mi=256, over_s=over_s)))
    stage.put_at(3 * (over_s + 12) + rng.uniform(120, 500), _worker(names))


def _too_low(stage: Stage, names: Names, rng: Random) -> None:
    """Needs more than its limit within a minute or two of each start."""
    limit = f"{round(256 * names.worker_scale)}Mi"
    stage.publish(names.worker_image, Image(loading_cache(names, rng.uniform(40, 110))))
    stage.put_at(recent_s(rng), _worker(names, limit=limit))


def _leak_fixed(stage: Stage, names: Names, rng: Random) -> None:
    """It leaked for days; a new revision of three quarters of an hour ago does not."""
    over_s = rng.uniform(3, 5) * HOUR_S
    stage.publish(names.worker_image, Image(leaking(from_mi=90, to_mi=256, over_s=over_s)))
    stage.put_at(3 * over_s + HOUR_S, _worker(names))
    fixed = stage.publish(
        f"{split(names.worker_image)[0]}:fixed", Image(serving(names.worker, memory_mi=120))
    )
    stage.change_at(rng.uniform(40, 50) * 60, "Deployment", HOME, names.worker, set_image(fixed))


def _limit_raised(stage: Stage, names: Names, rng: Random) -> None:
    """Its limit was too low until three quarters of an hour ago."""
    stage.publish(names.worker_image, Image(loading_cache(names, rng.uniform(40, 90))))
    stage.put_at(rng.uniform(54, 60) * 60, _worker(names, limit=f"{round(256 * names.worker_scale)}Mi"))

    def raise_limit(obj: Obj) -> None:
        limits = obj["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
        limits["memory"] = f"{round(512 * names.worker_scale)}Mi"

    stage.change_at(rng.uniform(40, 46) * 60, "Deployment", HOME, names.worker, raise_limit)


def _killed_on_its_node(times: int = 10_000) -> Program:
    """The kernel picks it, although no limit of its own is reached."""

    def run(start: Run) -> Behaviour:
        calm = serving(start.container)(start)
        after_s = start.rng().uniform(60, 140)
        end = Exit(after_s, 137, "OOMKilled") if start.restart < times else None
        return Behaviour(calm.lines, calm.chatter, exit=end, memory=Curve(((0.0, 90 * MI), (60.0, 700 * MI))))

    return run


def _node_full(*, times: int = 10_000, before_min: tuple[int, int] = (14, 25)) -> Build:
    """No limit of its own, and the node says that the kernel struck."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        node, began_s = a_node(names), rng.uniform(*before_min) * 60
        stage.publish(names.worker_image, Image(_killed_on_its_node(times)))
        here = {"nodeSelector": {"kubernetes.io/hostname": node}}
        stage.put_at(began_s, _worker(names, limit="", replicas=1, pod=here))
        for again in range(3):  # pkg/kubelet/oom/oom_watcher_linux.go
            words = f"System OOM encountered, victim process: worker, pid: {rng.randint(4000, 90000)}"
            stage.say_at(began_s - 90 - again * 200, "Node", "", node, "SystemOOM", words)

    return build


_TOO_LOW = wrong("OOM_LIMIT_TOO_LOW", name="{worker}")
TRIALS: tuple[Trial, ...] = (
    trial(
        "OOM_LIMIT_TOO_LOW",
        "look_alike",
        _leaks,
        wrong("MEMORY_LEAK", name="{worker}"),
        says="The same kill, after hours of growth.",
    ),
    trial("OOM_LIMIT_TOO_LOW", "recovered", _limit_raised, says="The limit was raised.", variant="raised"),
    trial("MEMORY_LEAK", "look_alike", _too_low, _TOO_LOW, says="The same kill, soon after each start."),
    trial("MEMORY_LEAK", "recovered", _leak_fixed, says="A new revision does not leak."),
    trial(
        "NODE_OUT_OF_MEMORY",
        "positive",
        _node_full(),
        at_node("NODE_OUT_OF_MEMORY"),
        says="It has no limit, and the node is out of memory.",
    ),
    trial("NODE_OUT_OF_MEMORY", "look_alike", _too_low, _TOO_LOW, says="It reaches its own limit."),
    trial(
        "NODE_OUT_OF_MEMORY",
        "recovered",
        _node_full(times=2, before_min=(54, 58)),
        says="The node was out of memory an hour ago.",
    ),
)
