"""What the trials of pods have in common: one workload that goes wrong, and how a recovered one went.

Called by the other `pods_*`, `scheduling*` and `nodes*` modules of this folder.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Expected, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Program, Run, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template

HOME, DAY_S, HOUR_S = "production", 86_400.0, 3600.0
CRASHES = 4  # how often a recovered program failed before it served
HASH = "6d8f9c7b54"
SUFFIXES = ("k7x2p", "q9w4z", "m3n8v", "t5r6j", "h2d7c", "w8b4n")


def app_pod(names: Names, image: str, *, pod: Obj | None = None, **main: Any) -> Obj:
    """The template of the api's pods; keywords go into its container, `pod` into the pod."""
    one = container("app", image, **{"readinessProbe": http_probe(), **main})
    return template({"app": names.api}, [one], **(pod or {}))


def put_app(
    stage: Stage,
    names: Names,
    before_s: float,
    program: Program | None = None,
    *,
    replicas: int | None = None,
    pod: Obj | None = None,
    **main: Any,
) -> None:
    """The api with its Service, rolled out at that moment; without a program its image is not published."""
    if program is not None:
        stage.publish(names.api_image, Image(program))
    made = app_pod(names, names.api_image, pod=pod, **main)
    count = names.api_replicas if replicas is None else replicas
    front = service(HOME, names.api, names.api)
    stage.put_at(before_s, deployment(HOME, names.api, count, made), front)


def named_pods(stage: Stage, names: Names, count: int) -> tuple[str, ...]:
    """The names that the first pods of the api will have."""
    stage.call_pods(HOME, names.api, HASH, *SUFFIXES[:count])
    return tuple(f"{names.api}-{HASH}-{suffix}" for suffix in SUFFIXES[:count])


def wrong(code: str, kind: str = "Deployment", name: str = "{api}", *, headline: str = "") -> Expect:
    """One finding at the api, or at an object named after the cast."""

    def expect(names: Names) -> tuple[Expected, ...]:
        target = name.format(api=names.api, config=names.config, worker=names.worker)
        home = "" if kind == "Node" else HOME
        return (Expected(code, kind, home, target, hurts_name=names.api, headline=headline),)

    return expect


_NODES = ("ip-10-0-0-41.ec2.internal", "ip-10-0-1-42.ec2.internal", "ip-10-0-2-43.ec2.internal")


def a_node(names: Names) -> str:
    """The node on which the story of this seed plays."""
    return _NODES[names.seed % len(_NODES)]


def at_node(code: str, *, headline: str = "") -> Expect:
    """One finding at that node."""

    def expect(names: Names) -> tuple[Expected, ...]:
        return (Expected(code, "Node", "", a_node(names), hurts_name=names.api, headline=headline),)

    return expect


def in_the_end(bad: Program, names: Names) -> Program:
    """Fails with its first starts and then serves."""

    def run(start: Run) -> Any:
        return bad(start) if start.restart < CRASHES else serving(names.api)(start)

    return run


def crashed_and_recovered(make: Callable[[Names, Random], Program], **main: Any) -> Build:
    """Four crashes three quarters of an hour ago, calm since."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        put_app(stage, names, rng.uniform(2500, 2900), in_the_end(make(names, rng), names), **main)

    return build


def recent_s(rng: Random) -> float:
    """When the trouble of most trials began."""
    return rng.uniform(14, 25) * 60


def waits(reason: str, message: str = "") -> Obj:
    """A container's state: waiting."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def held(
    stage: Stage,
    names: Names,
    before_s: float,
    state: Obj,
    *,
    sandboxed: bool = True,
    count: int = 2,
    pod: Obj | None = None,
    **main: Any,
) -> tuple[str, ...]:
    """The api, whose pods stand still in a state that the lab's kubelet does not play; their names.

    Their image may not be pulled, so the kubelet leaves them alone, and the status is told over it.
    """
    pods = named_pods(stage, names, count)
    put_app(stage, names, before_s, replicas=count, pod=pod, imagePullPolicy="Never", **main)

    def told(obj: Obj) -> None:
        for each in obj["status"]["containerStatuses"]:
            each["state"] = state
        if not sandboxed:
            obj["status"].pop("podIP", None)
            obj["status"].pop("podIPs", None)
            _unready_sandbox(obj)

    for name in pods:
        stage.change_at(before_s - 20, "Pod", HOME, name, told)
    return pods


def _unready_sandbox(obj: Obj) -> None:
    for each in obj["status"]["conditions"]:
        if each["type"] == "PodReadyToStartContainers":
            each["status"] = "False"


def said_and_recovered(reason: str, *lines: str) -> Build:
    """Events of the first minute of pods that have run for three quarters of an hour since."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = rng.uniform(46, 55) * 60
        pods = named_pods(stage, names, 2)
        put_app(stage, names, began_s, serving(names.api), replicas=2)
        for pod in pods:
            for again in range(3):
                line = lines[(names.seed + again) % len(lines)]
                stage.say_at(began_s - 8 - 15 * again, "Pod", HOME, pod, reason, line)

    return build
