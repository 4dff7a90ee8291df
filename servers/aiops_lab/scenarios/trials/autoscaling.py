"""Trials of HorizontalPodAutoscalers.

The lab's controller looks at them from a quarter of an hour before T0; its words are those of
`pkg/controller/podautoscaler/horizontal.go` and `replica_calculator.go`.
"""

from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Expected, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import failing, logfmt, serving
from aiops_lab.scenarios.shapes import autoscaler, container, deployment, http_probe, service, template
from aiops_lab.scenarios.trials.base import HOME, Trial, at, trial

HOUR_S = 3600.0
KIND = "HorizontalPodAutoscaler"
MEASURED_IN_PERCENT = {"type": "Utilization", "averageUtilization": 70}


def of(code: str) -> Expect:
    """The one finding, at the autoscaler."""
    return at(code, KIND, "{api}")


def app(
    stage: Stage,
    names: Names,
    *,
    since_s: float,
    replicas: int,
    cpu_m: float = 30,
    name: str = "",
    **main: Any,
) -> str:
    """A workload with its Service; returns its name."""
    name = name or names.api
    image = stage.publish(names.image(name, "3.1.0"), Image(serving(name, cpu_m=cpu_m)))
    pod = template({"app": name}, [container("app", image, readinessProbe=http_probe(), **main)])
    stage.put_at(since_s, deployment(HOME, name, replicas, pod), service(HOME, name, name))
    return name


def renamed(found: Obj, name: str, target: str, kind: str = "Deployment") -> Obj:
    """An autoscaler that is called otherwise than its target."""
    found["metadata"]["name"] = name
    found["spec"]["scaleTargetRef"] |= {"name": target, "kind": kind}
    return found


# HPA_TARGET_MISSING


def _gone(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(2, 30) * HOUR_S
    name = app(stage, names, since_s=since_s, replicas=rng.randint(2, 4))
    wrong = ((f"{name}-v1", "Deployment"), (f"{name}s", "Deployment"), (name, "StatefulSet"))
    target, kind = wrong[names.seed % len(wrong)]
    stage.put_at(since_s - 60, renamed(autoscaler(HOME, name, 2, rng.randint(5, 9)), name, target, kind))


def _asleep(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(2, 30) * HOUR_S
    name = app(stage, names, since_s=since_s, replicas=0)
    stage.put_at(since_s - 60, autoscaler(HOME, name, rng.randint(1, 2), rng.randint(5, 9)))


def _came_later(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(rng.uniform(1, 5) * HOUR_S, autoscaler(HOME, names.api, 2, rng.randint(5, 9)))
    app(stage, names, since_s=rng.uniform(420, 720), replicas=2)


# HPA_REQUESTS_MISSING


def _unrequested(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(2, 30) * HOUR_S
    only_memory = {"requests": {"memory": "128Mi"}, "limits": {"memory": "256Mi"}}
    nothing_asked: Obj = {}
    asked = (only_memory, nothing_asked)[rng.randint(0, 1)]
    name = app(stage, names, since_s=since_s, replicas=rng.randint(2, 4), resources=asked)
    stage.put_at(since_s - 60, autoscaler(HOME, name, 2, rng.randint(5, 9)))


def _by_value(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(2, 30) * HOUR_S
    name = app(stage, names, since_s=since_s, replicas=2, resources={"limits": {"memory": "256Mi"}})
    aim = {"type": "AverageValue", "averageValue": f"{rng.randint(150, 400)}m"}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": aim}}
    stage.put_at(since_s - 60, autoscaler(HOME, name, 2, rng.randint(5, 9), metrics=[metric]))


def _requested_again(stage: Stage, names: Names, rng: Random) -> None:
    _unrequested(stage, names, rng)

    def mend(obj: Obj) -> None:
        asked = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
        obj["spec"]["template"]["spec"]["containers"][0]["resources"] = asked

    stage.change_at(rng.uniform(500, 800), "Deployment", HOME, names.api, mend)


# HPA_NO_METRICS


def _outside(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(2, 30) * HOUR_S
    name = app(stage, names, since_s=since_s, replicas=rng.randint(2, 4))
    queue = rng.choice(("queue_depth", "consumer_lag", "requests_in_flight"))
    aim = {"type": "AverageValue", "averageValue": str(rng.randint(10, 90))}
    metric = {"type": "External", "external": {"metric": {"name": queue}, "target": aim}}
    stage.put_at(since_s - 60, autoscaler(HOME, name, 2, rng.randint(5, 9), metrics=[metric]))


def _unready(stage: Stage, names: Names, rng: Random) -> None:
    """The pods crash, so there is nothing to measure: the crash is the finding."""
    words = logfmt("fatal", "cannot reach backend: dial tcp 10.3.0.9:5432: connect: connection refused")
    image = stage.publish(names.image(names.api, "3.2.0"), Image(failing(words, after_s=rng.uniform(2, 6))))
    pod = template({"app": names.api}, [container("app", image, readinessProbe=http_probe())])
    stage.put_at(rng.uniform(20, 28) * 60, deployment(HOME, names.api, 2, pod))
    stage.put_at(rng.uniform(15, 18) * 60, autoscaler(HOME, names.api, 2, rng.randint(5, 9)))


def _just_made(stage: Stage, names: Names, rng: Random) -> None:
    """A minute after its start a workload has no metrics yet."""
    since_s = rng.uniform(60, 200)
    name = app(stage, names, since_s=since_s, replicas=2)
    metric = {
        "type": "External",
        "external": {"metric": {"name": "queue_depth"}, "target": {"type": "Value", "value": "30"}},
    }
    stage.put_at(since_s - 5, autoscaler(HOME, name, 2, rng.randint(5, 9), metrics=[metric]))


# HPA_AT_MAX


def _hot(stage: Stage, names: Names, rng: Random) -> None:
    since_s, least = rng.uniform(2, 30) * HOUR_S, rng.randint(1, 3)
    name = app(stage, names, since_s=since_s, replicas=least, cpu_m=rng.uniform(105, 240))
    stage.put_at(since_s - 60, autoscaler(HOME, name, least, least + rng.randint(1, 3)))


def _full_but_cool(stage: Stage, names: Names, rng: Random) -> None:
    """At the maximum, and that is enough."""
    since_s, most = rng.uniform(2, 30) * HOUR_S, rng.randint(2, 4)
    name = app(stage, names, since_s=since_s, replicas=most, cpu_m=rng.uniform(64, 74))
    stage.put_at(since_s - 60, autoscaler(HOME, name, most - 1, most))


def _cooled(stage: Stage, names: Names, rng: Random) -> None:
    _hot(stage, names, rng)
    lighter = stage.publish(names.image(names.api, "3.1.1"), Image(serving(names.api, cpu_m=25)))

    def mend(obj: Obj) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = lighter

    stage.change_at(rng.uniform(400, 600), "Deployment", HOME, names.api, mend)


# HPA_CONFLICT


def _second(names: Names, rng: Random) -> Obj:
    ways = (f"{names.api}-memory", f"keda-hpa-{names.api}", f"{names.api}-night")
    return renamed(autoscaler(HOME, names.api, 1, rng.randint(3, 12)), ways[names.seed % 3], names.api)


def _two(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(30, 60) * HOUR_S
    name = app(stage, names, since_s=since_s, replicas=2)
    stage.put_at(since_s - 60, autoscaler(HOME, name, 2, rng.randint(5, 9)))
    stage.put_at(rng.uniform(1, 20) * HOUR_S, _second(names, rng))


def _expect_second(names: Names) -> tuple[Expected, ...]:
    name = _second(names, Random(0))["metadata"]["name"]
    return (Expected("HPA_CONFLICT", KIND, HOME, name, KIND, name),)


def _vertical(names: Names, mode: str) -> Obj:
    return {
        "apiVersion": "autoscaling.k8s.io/v1",
        "kind": "VerticalPodAutoscaler",
        "metadata": {"name": f"{names.api}-vpa", "namespace": HOME},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": names.api},
            "updatePolicy": {"updateMode": mode},
        },
    }


def _resized(mode: str) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        since_s = rng.uniform(30, 60) * HOUR_S
        name = app(stage, names, since_s=since_s, replicas=2)
        stage.put_at(since_s - 60, autoscaler(HOME, name, 2, rng.randint(5, 9)))
        stage.put_at(rng.uniform(2, 20) * HOUR_S, _vertical(names, mode))
        # vertical-pod-autoscaler/pkg/updater/eviction: said about the pod, here about its workload
        words = "Pod was evicted by VPA Updater to apply resource recommendation."
        stage.say_at(rng.uniform(300, 1500), "Deployment", HOME, name, "EvictedByVPA", words)

    return build


def _one_again(stage: Stage, names: Names, rng: Random) -> None:
    _two(stage, names, rng)
    second = _second(names, Random(0))["metadata"]["name"]
    stage.delete_at(rng.uniform(500, 700), KIND, HOME, second, names.cleaner)


def _side_by_side(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(30, 60) * HOUR_S
    for name in (names.api, f"{names.api}-canary"):
        app(stage, names, since_s=since_s, replicas=2, name=name)
        stage.put_at(since_s - 60, autoscaler(HOME, name, 2, rng.randint(5, 9)))


TRIALS: tuple[Trial, ...] = (
    trial(
        "HPA_TARGET_MISSING", "positive", _gone, of("HPA_TARGET_MISSING"), says="An autoscaler of nothing."
    ),
    trial("HPA_TARGET_MISSING", "look_alike", _asleep, says="Its target is scaled to zero."),
    trial("HPA_TARGET_MISSING", "recovered", _came_later, says="The target was created ten minutes ago."),
    trial(
        "HPA_REQUESTS_MISSING", "positive", _unrequested, of("HPA_REQUESTS_MISSING"), says="No cpu request."
    ),
    trial("HPA_REQUESTS_MISSING", "look_alike", _by_value, says="No cpu request, and none is needed."),
    trial("HPA_REQUESTS_MISSING", "recovered", _requested_again, says="The request was added."),
    trial(
        "HPA_NO_METRICS",
        "positive",
        _outside,
        at("HPA_NO_METRICS", "APIService", "v1beta1.external.metrics.k8s.io", ""),
        says="It scales by a queue, and nothing serves external metrics.",
    ),
    trial(
        "HPA_NO_METRICS",
        "look_alike",
        _unready,
        at("DEPENDENCY_UNREACHABLE", "Deployment", "{api}"),
        says="No metrics because the pods crash.",
    ),
    trial("HPA_NO_METRICS", "recovered", _just_made, says="Two minutes old."),
    trial("HPA_AT_MAX", "positive", _hot, of("HPA_AT_MAX"), says="At its maximum and hot."),
    trial("HPA_AT_MAX", "look_alike", _full_but_cool, says="At its maximum, within its target."),
    trial("HPA_AT_MAX", "recovered", _cooled, says="A lighter version was rolled out."),
    trial("HPA_CONFLICT", "positive", _two, _expect_second, says="Two autoscalers of one Deployment."),
    trial(
        "HPA_CONFLICT",
        "positive",
        _resized("Auto"),
        at("HPA_CONFLICT", "VerticalPodAutoscaler", "{api}-vpa"),
        says="A vertical and a horizontal autoscaler of one Deployment.",
        variant="vertical",
    ),
    trial("HPA_CONFLICT", "look_alike", _resized("Off"), says="The vertical one only recommends."),
    trial("HPA_CONFLICT", "look_alike", _side_by_side, says="Two Deployments.", variant="two"),
    trial("HPA_CONFLICT", "recovered", _one_again, says="The second one was deleted."),
)
