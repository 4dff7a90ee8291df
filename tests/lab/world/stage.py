"""A small world for the tests: how to make one, look into it and change it as a client would."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from aiops_lab.clock import VirtualClock
from aiops_lab.kube.store import BUILT_IN, LAB_CRDS, Store
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.programs import Program, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, template
from aiops_lab.world.objects import is_ready
from aiops_lab.world.world import World

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
SEEDS = (0, 1, 2, 3, 4)


def load(scenario: str = "healthy", seed: int = 0, *, furnished: bool = True) -> World:
    """A world at T0 of a scenario."""
    clock = VirtualClock(T0, running=False)
    world = World(Store(clock.now, [*BUILT_IN, *LAB_CRDS]), clock)
    world.load(scenario, seed, furnished=furnished)
    return world


@lru_cache(maxsize=12)
def seen(scenario: str, seed: int) -> World:
    """The same, shared by the tests that only look: whoever moves its clock or writes must `load`."""
    return load(scenario, seed)


def pods(world: World, app: str, home: str = "production") -> list[Obj]:
    """The pods of an app that are not on their way out."""
    found = world.store.list("Pod", home, labels=f"app={app}")
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def ready(world: World, app: str, home: str = "production") -> int:
    """How many of them are Ready."""
    return sum(is_ready(pod) for pod in pods(world, app, home))


def first(pod: Obj) -> Obj:
    """The status of the pod's first container."""
    status: Obj = pod["status"]["containerStatuses"][0]
    return status


def waiting(pod: Obj) -> str:
    """Why its first container waits, empty when it does not."""
    return str(first(pod)["state"].get("waiting", {}).get("reason", ""))


def texts(world: World, pod: Obj, *, previous: bool = False) -> list[str]:
    """The log of its first container."""
    name, home = pod["metadata"]["name"], pod["metadata"]["namespace"]
    lines = world.lines(home, name, first(pod)["name"], previous=previous) or []
    return [line for _, line in lines]


def events(world: World, name: str = "", reason: str = "", home: str | None = None) -> list[Obj]:
    """Events whose object's name begins with `name`."""
    found = world.store.list("Event", home)
    return [
        event
        for event in found
        if event["involvedObject"]["name"].startswith(name) and reason in (event["reason"], "")
    ]


def edit(world: World, kind: str, home: str, name: str, change: Callable[[Obj], None]) -> None:
    """Change an object as kubectl edit would."""
    found = world.store.get(kind, home, name)
    assert found is not None, f"{kind} {home}/{name} is not there"
    change(found)
    world.store.update(found)


def new_app(world: World, name: str, program: Program | None = None, replicas: int = 1, **main: Any) -> None:
    """A Deployment in production whose image runs `program`."""
    image = world.publish(f"repo/{name}:1.0.0", Image(program or serving(name)))
    one = container("app", image, **{"readinessProbe": http_probe(), **main})
    world.put(deployment("production", name, replicas, template({"app": name}, [one])))


def image_of(name: str, tag: str) -> Callable[[Obj], None]:
    """A change of a Deployment's image."""

    def change(obj: Obj) -> None:
        obj["spec"]["template"]["spec"]["containers"][0]["image"] = f"repo/{name}:{tag}"

    return change
