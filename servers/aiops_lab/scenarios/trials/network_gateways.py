"""Trials of the Gateway API."""

from collections.abc import Callable
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.trials.base import Trial
from aiops_lab.scenarios.trials.network_base import (
    DAY_S,
    GATEWAY,
    HOME,
    MIN_S,
    Tell,
    api,
    expects,
    played,
    put_api,
    since,
)


def _no_such(names: Names) -> str:
    return (f"{names.api}-v2", f"{names.api}s", f"{names.api}-svc")[names.seed % 3]


def _late(rng: Random) -> float:
    return rng.uniform(45, 55) * MIN_S


def _api_only(stage: Stage, names: Names, rng: Random) -> None:
    put_api(stage, names, rng.uniform(2, 4) * DAY_S, serving(names.api))


def _gateways(stage: Stage, names: Names, rng: Random) -> None:
    del names, rng
    made = {"spec": {"controllerName": "gateway.k8s.aws/alb"}, "metadata": {"name": "public"}}
    stage.put_at(4 * DAY_S, _gateway_object("GatewayClass", made))


def _gateway_object(kind: str, obj: Obj) -> Obj:
    return {"apiVersion": f"{GATEWAY}/v1", "kind": kind, **obj}


def _gateway_class(names: Names) -> str:
    return ("publc", "internal-alb", "istio")[names.seed % 3]


def _gateway(of: Callable[[Names], str], at: Callable[[Random], float]) -> Tell:
    def tell(stage: Stage, names: Names, rng: Random) -> None:
        listener = {"name": "http", "port": 80, "protocol": "HTTP"}
        spec = {"gatewayClassName": of(names), "listeners": [listener]}
        head = {"name": names.api, "namespace": HOME}
        stage.put_at(at(rng), _gateway_object("Gateway", {"metadata": head, "spec": spec}))

    return tell


def _public(names: Names) -> str:
    del names
    return "public"


def _route(resolved: str, at: Callable[[Random], float], mended_s: float = 0.0) -> Tell:
    """An HTTPRoute with what its Gateway says of its references."""

    def tell(stage: Stage, names: Names, rng: Random) -> None:
        to = names.api if resolved == "True" else _no_such(names)
        head = {"name": names.api, "namespace": HOME}
        rules = [{"backendRefs": [{"name": to, "port": 80}]}]
        spec: Obj = {"parentRefs": [{"name": names.api}], "rules": rules}
        before_s = at(rng)
        stage.put_at(before_s, _gateway_object("HTTPRoute", {"metadata": head, "spec": spec}))
        says: dict[str, tuple[str, str]] = {
            "True": ("ResolvedRefs", ""),
            "False": ("BackendNotFound", f"Service {to} not found"),
        }
        moment = f"2026-01-0{1 + names.seed % 8}T00:00:00Z"

        def condition(status: str) -> Callable[[Obj], None]:
            def change(found: Obj) -> None:
                reason, message = says[status]
                one: Obj = {"type": "ResolvedRefs", "status": status, "reason": reason, "message": message}
                one |= {"lastTransitionTime": moment, "observedGeneration": 1}
                parent = {
                    "parentRef": {"name": names.api},
                    "controllerName": "gateway.k8s.aws/alb",
                    "conditions": [one],
                }
                found["status"] = {"parents": [parent]}
                if status == "True":
                    found["spec"]["rules"] = [{"backendRefs": [{"name": names.api, "port": 80}]}]

            return change

        stage.change_at(before_s - 5, "HTTPRoute", HOME, names.api, condition(resolved))
        if mended_s:
            stage.change_at(mended_s, "HTTPRoute", HOME, names.api, condition("True"))

    return tell


_GATEWAY = expects("GATEWAY_CLASS_MISSING", "GatewayClass", _gateway_class)
_ROUTE = expects("ROUTE_REFS_UNRESOLVED", "HTTPRoute", api)

TRIALS: tuple[Trial, ...] = (
    played(
        "GATEWAY_CLASS_MISSING",
        "positive",
        "It names no class there is.",
        _gateways,
        _gateway(_gateway_class, since),
        expect=_GATEWAY,
    ),
    played("GATEWAY_CLASS_MISSING", "look_alike", "It is there.", _gateways, _gateway(_public, since)),
    played(
        "GATEWAY_CLASS_MISSING",
        "recovered",
        "It was made a moment ago.",
        _gateways,
        _gateway(_gateway_class, lambda rng: rng.uniform(10, 60)),
    ),
    played(
        "ROUTE_REFS_UNRESOLVED",
        "positive",
        "Its backend does not exist.",
        _gateways,
        _api_only,
        _gateway(_public, lambda rng: DAY_S),
        _route("False", since),
        expect=_ROUTE,
    ),
    played(
        "ROUTE_REFS_UNRESOLVED",
        "look_alike",
        "Its Gateway's class is missing.",
        _gateways,
        _api_only,
        _gateway(_gateway_class, since),
        _route("True", since),
        expect=_GATEWAY,
    ),
    played(
        "ROUTE_REFS_UNRESOLVED",
        "recovered",
        "It was corrected.",
        _gateways,
        _api_only,
        _gateway(_public, lambda rng: DAY_S),
        _route("False", _late, 25 * MIN_S),
    ),
)
