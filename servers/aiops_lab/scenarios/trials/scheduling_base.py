"""What the trials of scheduling share: an app that asks for what no node gives, and nodes taken out of use.

`scheduling` and `scheduling_neighbours` build on it.
"""

from collections.abc import Callable
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.trials.pods_base import HOME, put_app, recent_s

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def asks(**amounts: str) -> Obj:
    """Requests of these amounts."""
    wanted = {name.replace("_", "-"): amount for name, amount in amounts.items()}
    return {"resources": {"requests": wanted}}


def app(
    main: Callable[[Random], Obj] | None = None,
    pod: Callable[[Names, Random], Obj] | None = None,
    *,
    replicas: int | None = None,
) -> Build:
    """The api with this container and this pod, rolled out a quarter of an hour ago."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        one, around = main(rng) if main else {}, pod(names, rng) if pod else {}
        put_app(stage, names, recent_s(rng), serving(names.api), replicas=replicas, pod=around, **one)

    return build


def corrected(
    main: Callable[[Random], Obj] | None = None, pod: Callable[[Names, Random], Obj] | None = None
) -> Build:
    """As app, three quarters of an hour ago, and corrected some minutes later."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        one, around = main(rng) if main else {}, pod(names, rng) if pod else {}
        began_s = rng.uniform(48, 56) * 60
        put_app(stage, names, began_s, serving(names.api), pod=around, **one)

        def correct(obj: Obj) -> None:
            spec = obj["spec"]["template"]["spec"]
            for name in around:
                spec.pop(name, None)
            if "resources" in one:
                spec["containers"][0]["resources"] = asks(cpu="50m", memory="64Mi")["resources"]

        stage.change_at(began_s - rng.uniform(120, 500), "Deployment", HOME, names.api, correct)

    return build


def cordon(obj: Obj) -> None:
    """What `kubectl cordon` makes of a node."""
    obj["spec"]["unschedulable"] = True


def uncordon(obj: Obj) -> None:
    """What `kubectl uncordon` makes of a node."""
    obj["spec"].pop("unschedulable", None)
