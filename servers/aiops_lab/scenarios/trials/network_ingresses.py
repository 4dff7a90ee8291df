"""Trials of Ingresses."""

from collections.abc import Callable
from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import secret, service
from aiops_lab.scenarios.trials.base import Trial
from aiops_lab.scenarios.trials.network_base import (
    DAY_S,
    HOME,
    HOUR_S,
    MIN_S,
    Tell,
    addressed,
    api,
    expects,
    ingress,
    ingress_class,
    played,
    put_api,
    since,
)

_WRONG_CLASSES = ("ngnix", "alb-internal", "traefik")
_CERT = {"tls.crt": "not-a-certificate", "tls.key": "not-a-key"}


def _host(names: Names) -> str:
    return f"{names.api}.example.com"


def _wrong_class(names: Names) -> str:
    return _WRONG_CLASSES[names.seed % len(_WRONG_CLASSES)]


def _served(stage: Stage, names: Names, rng: Random) -> None:
    """A class, and the api behind its Service."""
    stage.put_at(3 * DAY_S, ingress_class("nginx"))
    put_api(stage, names, rng.uniform(2, 4) * DAY_S, serving(names.api))


def _front(at: Callable[[Random], float], *, address: bool = True, **spec: Any) -> Tell:
    """An Ingress to the api; values may be functions of the cast."""

    def tell(stage: Stage, names: Names, rng: Random) -> None:
        said = {key: value(names) if callable(value) else value for key, value in spec.items()}
        to = said.pop("to", names.api)
        before_s = at(rng)
        stage.put_at(before_s, ingress(names.api, to, host=_host(names), **said))
        if address:
            stage.change_at(before_s - 30, "Ingress", HOME, names.api, addressed)

    return tell


def _late(rng: Random) -> float:
    return rng.uniform(45, 55) * MIN_S


def _edit(at_s: float, change: Callable[[Obj, Names], None]) -> Tell:
    def tell(stage: Stage, names: Names, rng: Random) -> None:
        del rng
        stage.change_at(at_s, "Ingress", HOME, names.api, lambda found: change(found, names))

    return tell


# class


def _right_class(found: Obj, names: Names) -> None:
    del names
    found["spec"]["ingressClassName"] = "nginx"
    addressed(found)


def _default_class(stage: Stage, names: Names, rng: Random) -> None:
    del names
    stage.put_at(rng.uniform(2, 4) * DAY_S, ingress_class("nginx", default=True))


def _api_only(stage: Stage, names: Names, rng: Random) -> None:
    put_api(stage, names, rng.uniform(2, 4) * DAY_S, serving(names.api))


# backends


def _no_such(names: Names) -> str:
    return (f"{names.api}-v2", f"{names.api}s", f"{names.api}-svc")[names.seed % 3]


def _lead_home(found: Obj, names: Names) -> None:
    path = found["spec"]["rules"][0]["http"]["paths"][0]
    path["backend"] = {"service": {"name": names.api, "port": {"number": 80}}}


def _late_service(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(rng.uniform(20, 40) * MIN_S, service(HOME, _no_such(names), names.api))


def _action(names: Names) -> dict[str, str]:
    del names
    body = '{"type":"redirect","redirectConfig":{"protocol":"HTTPS","port":"443","statusCode":"HTTP_301"}}'
    return {"alb.ingress.kubernetes.io/actions.ssl-redirect": body}


def _alb(stage: Stage, names: Names, rng: Random) -> None:
    del names
    stage.put_at(rng.uniform(2, 4) * DAY_S, ingress_class("alb", "ingress.k8s.aws/alb"))


# certificates


def _tls_name(names: Names) -> str:
    return f"{names.api}-tls"


def _tls(names: Names) -> list[Obj]:
    return [{"hosts": [_host(names)], "secretName": _tls_name(names)}]


def _secret(at: Callable[[Random], float], kind: str = "kubernetes.io/tls", *keys: str) -> Tell:
    def tell(stage: Stage, names: Names, rng: Random) -> None:
        held = dict.fromkeys(keys, "not-a-secret") or _CERT
        stage.put_at(at(rng), secret(HOME, _tls_name(names), held, kind))

    return tell


def _wrong_secret(stage: Stage, names: Names, rng: Random) -> None:
    ways = (("Opaque", "tls.crt"), ("kubernetes.io/basic-auth", "username", "password"), ("Opaque", "ca.crt"))
    _secret(lambda rng: 2 * HOUR_S, *ways[names.seed % len(ways)])(stage, names, rng)


def _no_secret(stage: Stage, names: Names, rng: Random) -> None:
    del rng
    stage.delete_at(20 * MIN_S, "Secret", HOME, _tls_name(names), names.cleaner)


# two of one path


def _second(stage: Stage, names: Names, rng: Random, **spec: Any) -> None:
    other = f"{names.api}-next"
    stage.put_at(DAY_S, service(HOME, other, names.api))
    stage.put_at(since(rng), ingress(other, other, host=_host(names), **spec))
    stage.change_at(10 * MIN_S, "Ingress", HOME, other, addressed)


def _canary(stage: Stage, names: Names, rng: Random) -> None:
    notes = {"nginx.ingress.kubernetes.io/canary": "true", "nginx.ingress.kubernetes.io/canary-weight": "10"}
    _second(stage, names, rng, notes=notes)


def _other_path(stage: Stage, names: Names, rng: Random) -> None:
    _second(stage, names, rng, path="/next")


def _withdrawn(stage: Stage, names: Names, rng: Random) -> None:
    other = f"{names.api}-next"
    stage.put_at(DAY_S, service(HOME, other, names.api))
    stage.put_at(50 * MIN_S, ingress(other, other, host=_host(names)))
    stage.delete_at(rng.uniform(10, 30) * MIN_S, "Ingress", HOME, other, names.cleaner)


_CLASS = expects("INGRESS_CLASS_MISSING", "IngressClass", _wrong_class)
_UNSET = expects("INGRESS_CLASS_UNSET", "Ingress", api)
_BACKEND = expects("INGRESS_BACKEND_MISSING", "Service", _no_such)
_PORT = expects("INGRESS_BACKEND_MISSING", "Ingress", api)
_NO_CERT = expects("INGRESS_TLS_SECRET_MISSING", "Secret", _tls_name)
_BAD_CERT = expects("INGRESS_TLS_SECRET_INVALID", "Secret", _tls_name)
_TWICE = expects("INGRESS_PATH_CONFLICT", "Ingress", lambda names: f"{names.api}-next")


def _odd_port(stage: Stage, names: Names, rng: Random) -> None:
    ports: tuple[Obj, ...] = ({"number": 8080}, {"name": "web"}, {"number": 443})
    _front(since, port=ports[names.seed % 3])(stage, names, rng)


def _redirect(stage: Stage, names: Names, rng: Random) -> None:
    more: dict[str, Any] = {
        "of": "alb",
        "notes": _action(names),
        "port": {"name": "use-annotation"},
        "tls": _tls(names),
    }
    _front(since, to=lambda names: "ssl-redirect", **more)(stage, names, rng)


def _issued(stage: Stage, names: Names, rng: Random) -> None:
    notes = {"cert-manager.io/cluster-issuer": "letsencrypt"}
    _front(lambda rng: rng.uniform(100, 300), tls=_tls, notes=notes)(stage, names, rng)


TRIALS: tuple[Trial, ...] = (
    played(
        "INGRESS_CLASS_MISSING",
        "positive",
        "It names no class there is.",
        _served,
        _front(since, address=False, of=_wrong_class),
        expect=_CLASS,
    ),
    played(
        "INGRESS_CLASS_MISSING",
        "look_alike",
        "No address yet, and its class is there.",
        _served,
        _front(since, address=False),
    ),
    played(
        "INGRESS_CLASS_MISSING",
        "recovered",
        "The class was corrected.",
        _served,
        _front(_late, address=False, of=_wrong_class),
        _edit(30 * MIN_S, _right_class),
    ),
    played(
        "INGRESS_CLASS_UNSET",
        "positive",
        "It names none, and none is default.",
        _served,
        _front(since, address=False, of=None),
        expect=_UNSET,
    ),
    played(
        "INGRESS_CLASS_UNSET",
        "look_alike",
        "It names none, and one is default.",
        _default_class,
        _api_only,
        _front(since, address=False, of=None),
    ),
    played(
        "INGRESS_CLASS_UNSET",
        "recovered",
        "It was made a minute ago.",
        _served,
        _front(lambda rng: rng.uniform(100, 250), address=False, of=None),
    ),
    played(
        "INGRESS_BACKEND_MISSING",
        "positive",
        "No Service of that name.",
        _served,
        _front(since, to=_no_such),
        expect=_BACKEND,
    ),
    played(
        "INGRESS_BACKEND_MISSING",
        "positive",
        "No port.",
        _served,
        _odd_port,
        expect=_PORT,
        variant="port",
    ),
    played("INGRESS_BACKEND_MISSING", "look_alike", "An action.", _alb, _api_only, _redirect),
    played(
        "INGRESS_BACKEND_MISSING",
        "recovered",
        "The Service came later.",
        _served,
        _front(_late, to=_no_such),
        _late_service,
    ),
    played(
        "INGRESS_TLS_SECRET_MISSING",
        "positive",
        "Somebody deleted the certificate.",
        _served,
        _secret(lambda rng: 2 * HOUR_S),
        _front(lambda rng: HOUR_S, tls=_tls),
        _no_secret,
        expect=_NO_CERT,
    ),
    played(
        "INGRESS_TLS_SECRET_MISSING",
        "look_alike",
        "A Secret is there that holds no certificate.",
        _served,
        _wrong_secret,
        _front(since, tls=_tls),
        expect=_BAD_CERT,
    ),
    played("INGRESS_TLS_SECRET_MISSING", "recovered", "It is being issued.", _served, _issued),
    played(
        "INGRESS_TLS_SECRET_INVALID",
        "positive",
        "Of another type, or without its keys.",
        _served,
        _wrong_secret,
        _front(since, tls=_tls),
        expect=_BAD_CERT,
    ),
    played(
        "INGRESS_TLS_SECRET_INVALID",
        "look_alike",
        "Opaque, with the two keys.",
        _served,
        _secret(lambda rng: 2 * HOUR_S, "Opaque", "tls.crt", "tls.key"),
        _front(since, tls=_tls),
    ),
    played(
        "INGRESS_TLS_SECRET_INVALID",
        "recovered",
        "It was made anew.",
        _served,
        _secret(lambda rng: 3 * HOUR_S, "Opaque", "ca.crt"),
        _front(lambda rng: 2 * HOUR_S, tls=_tls),
        _no_secret,
        _secret(lambda rng: 15 * MIN_S),
    ),
    played(
        "INGRESS_PATH_CONFLICT",
        "positive",
        "Two claim the same path.",
        _served,
        _front(lambda rng: DAY_S),
        _second,
        expect=_TWICE,
    ),
    played("INGRESS_PATH_CONFLICT", "look_alike", "A canary.", _served, _front(lambda rng: DAY_S), _canary),
    played(
        "INGRESS_PATH_CONFLICT",
        "look_alike",
        "The same host, another path.",
        _served,
        _front(lambda rng: DAY_S),
        _other_path,
        variant="path",
    ),
    played(
        "INGRESS_PATH_CONFLICT",
        "recovered",
        "One is gone.",
        _served,
        _front(lambda rng: DAY_S),
        _withdrawn,
    ),
)
