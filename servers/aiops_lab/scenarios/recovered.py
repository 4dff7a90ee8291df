"""What is over: worlds that had the trouble and have it no more. A finding here is a false alarm."""

from random import Random

from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import MI, Behaviour, Curve, Run, logfmt, needing, serving
from aiops_lab.scenarios.shapes import config_map, container, deployment, http_probe, service, template

HOME, DAY_S = "production", 86_400.0


def _config_restored(stage: Stage, names: Names, rng: Random) -> None:
    """F1 half an hour later: the ConfigMap is back, the pods have been Ready for a while."""
    words = f'level=fatal msg="required setting {names.setting} is empty"'
    stage.publish(names.api_image, Image(needing(names.setting, serving(names.api), words)))
    ref = {"configMapRef": {"name": names.config, "optional": True}}
    main = container("app", names.api_image, readinessProbe=http_probe(), envFrom=[ref])
    since_s = rng.uniform(3, 8) * DAY_S
    settings = config_map(HOME, names.config, {names.setting: "db-1.internal"})
    pod = template({"app": names.api}, [main])
    stage.put_at(since_s, settings, deployment(HOME, names.api, names.api_replicas, pod))
    stage.put_at(since_s, service(HOME, names.api, names.api))
    stage.delete_at(55 * 60, "ConfigMap", HOME, names.config, names.cleaner)
    stage.replace_pods_at(53 * 60, HOME, names.api)
    stage.put_at(rng.uniform(38, 45) * 60, settings)


def _killed_once(stage: Stage, names: Names, rng: Random) -> None:
    """One OOM kill days ago, in one import; calm before and since."""
    struck: set[str] = set()
    after_s = rng.uniform(0.5, 2) * DAY_S

    def run(start: Run) -> Behaviour:
        calm = serving(names.worker, memory_mi=120)(start)
        if start.restart or (struck and start.pod not in struck):
            return calm
        struck.add(start.pod)
        burst = Curve(((0.0, 80 * MI), (60.0, 120 * MI), (after_s, 120 * MI), (after_s + 30, 900 * MI)))
        big = (after_s + 5, logfmt("info", "one-off import started", rows=4_100_000))
        return Behaviour(lines=(*calm.lines, big), memory=burst)

    stage.publish(names.worker_image, Image(run))
    pod = template(
        {"app": names.worker}, [container("worker", names.worker_image, readinessProbe=http_probe())]
    )
    stage.put_at(rng.uniform(5, 8) * DAY_S, deployment(HOME, names.worker, names.worker_replicas, pod))


SCENARIOS = (
    Scenario(
        "pod-crashloop-recovered",
        "Was a crash loop: the ConfigMap is back",
        "Restarts and BackOff events of an hour ago are still to be seen; the pods have been Ready since.",
        "F1-recovered",
        _config_restored,
        lead_s=3600.0,
    ),
    Scenario(
        "oom-once",
        "Was killed once, days ago",
        "A single OOMKilled of a one-off import, nothing since: no limit is too low, nothing leaks.",
        "F2-once",
        _killed_once,
    ),
)
