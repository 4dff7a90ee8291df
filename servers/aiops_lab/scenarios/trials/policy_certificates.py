"""Trials of cert-manager's Certificates: expired, never issued, and the pods that wait for them."""

from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, template
from aiops_lab.scenarios.trials.autoscaling import app
from aiops_lab.scenarios.trials.base import HOME, Trial, at, trial
from aiops_lab.scenarios.trials.policy_apis import condition, written

HOUR_S, DAY_S = 3600.0, 86_400.0


def _certificate(names: Names) -> Obj:
    return {
        "apiVersion": "cert-manager.io/v1",
        "kind": "Certificate",
        "metadata": {"name": f"{names.api}-tls", "namespace": HOME},
        "spec": {
            "secretName": f"{names.api}-tls",
            "dnsNames": [f"{names.api}.example.com"],
            "issuerRef": {"kind": "ClusterIssuer", "name": "letsencrypt"},
        },
    }


def _issuance(ready: bool, after_s: float, *, ends_s: float = 0, issuing: bool = False) -> Any:
    """What cert-manager writes; both times count from the Certificate's creation."""

    # cert-manager: internal/controller/certificates/policies, pkg/controller/certificates/readiness
    def change(obj: Obj) -> None:
        since = written(obj, after_s)
        ok = "Certificate is up to date and has not expired"
        missing = "Issuing certificate as Secret does not exist"
        over = f"Certificate expired on {written(obj, ends_s)}"
        reason, words = ("Ready", ok) if ready else ("Expired", over) if ends_s else ("DoesNotExist", missing)
        found = [condition("Ready", ready, reason, words, since)]
        if issuing:
            found.append(condition("Issuing", True, reason, words, since))
        obj["status"] = {"conditions": found} | ({"notAfter": written(obj, ends_s)} if ends_s else {})

    return change


def _issue(stage: Stage, names: Names, made_s: float, since_s: float, change: Any) -> None:
    stage.put_at(made_s, _certificate(names))
    stage.change_at(since_s, "Certificate", HOME, f"{names.api}-tls", change)


def _expired(stage: Stage, names: Names, rng: Random) -> None:
    app(stage, names, since_s=25 * DAY_S, replicas=2)
    over_s = rng.uniform(0.5, 60) * HOUR_S
    change = _issuance(False, 25 * DAY_S - over_s, ends_s=25 * DAY_S - over_s, issuing=True)
    _issue(stage, names, 25 * DAY_S, over_s, change)


def _ends_soon(stage: Stage, names: Names, rng: Random) -> None:
    """It is being renewed in time."""
    app(stage, names, since_s=25 * DAY_S, replicas=2)
    change = _issuance(True, 60, ends_s=25 * DAY_S + rng.uniform(8, 90) * HOUR_S, issuing=True)
    _issue(stage, names, 25 * DAY_S, 600, change)


def _renewed(stage: Stage, names: Names, rng: Random) -> None:
    _expired(stage, names, rng)
    since_s = rng.uniform(60, 1700)
    change = _issuance(True, 25 * DAY_S - since_s, ends_s=115 * DAY_S)
    stage.change_at(since_s, "Certificate", HOME, f"{names.api}-tls", change)


def _mounting(stage: Stage, names: Names, rng: Random, since_s: float) -> None:
    image = stage.publish(names.image(names.api, "3.1.0"), Image(serving(names.api)))
    volume = {"name": "tls", "secret": {"secretName": f"{names.api}-tls"}}
    main = container(
        "app", image, readinessProbe=http_probe(), volumeMounts=[{"name": "tls", "mountPath": "/tls"}]
    )
    pod = template({"app": names.api}, [main], volumes=[volume])
    stage.put_at(since_s, deployment(HOME, names.api, rng.randint(1, 3), pod))


def _not_issued(mounted: bool) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        since_s = rng.uniform(20, 28) * 60
        if mounted:
            _mounting(stage, names, rng, since_s)
        else:
            app(stage, names, since_s=since_s, replicas=2)
        _issue(stage, names, since_s + 30, since_s + 25, _issuance(False, 5, issuing=True))

    return build


def _being_issued(stage: Stage, names: Names, rng: Random) -> None:
    app(stage, names, since_s=25 * DAY_S, replicas=2)
    made_s = rng.uniform(60, 700)
    _issue(stage, names, made_s, made_s - 2, _issuance(False, 2, issuing=True))


def _secret_of_nobody(stage: Stage, names: Names, rng: Random) -> None:
    """A Secret is missing, and no Certificate should fill it."""
    _mounting(stage, names, rng, rng.uniform(20, 28) * 60)


def _issued_late(stage: Stage, names: Names, rng: Random) -> None:
    _not_issued(mounted=False)(stage, names, rng)
    change = _issuance(True, 900, ends_s=90 * DAY_S)
    stage.change_at(rng.uniform(60, 400), "Certificate", HOME, f"{names.api}-tls", change)


TRIALS: tuple[Trial, ...] = (
    trial(
        "CERTIFICATE_EXPIRED",
        "positive",
        _expired,
        at("CERTIFICATE_EXPIRED", "Certificate", "{api}-tls"),
        says="It was not renewed.",
    ),
    trial("CERTIFICATE_EXPIRED", "look_alike", _ends_soon, says="It is being renewed in time."),
    trial("CERTIFICATE_EXPIRED", "recovered", _renewed, says="It was renewed."),
    trial(
        "CERTIFICATE_NOT_ISSUED",
        "positive",
        _not_issued(mounted=False),
        at("CERTIFICATE_NOT_ISSUED", "Certificate", "{api}-tls"),
        says="The issuer does not issue it.",
    ),
    trial(
        "CERTIFICATE_NOT_ISSUED",
        "positive",
        _not_issued(mounted=True),
        at("CERTIFICATE_NOT_ISSUED", "Certificate", "{api}-tls"),
        says="Pods wait for the Secret it should fill.",
        variant="mounted",
    ),
    trial(
        "CERTIFICATE_NOT_ISSUED",
        "look_alike",
        _secret_of_nobody,
        at("SECRET_MISSING", "Secret", "{api}-tls", hurts_kind="Deployment"),
        says="No Certificate should fill the Secret.",
    ),
    trial("CERTIFICATE_NOT_ISSUED", "look_alike", _being_issued, says="Some minutes old.", variant="young"),
    trial("CERTIFICATE_NOT_ISSUED", "recovered", _issued_late, says="It was issued late."),
)
