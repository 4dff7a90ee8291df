"""Trials of namespaces that do not go away, of aggregated APIs and of custom kinds.

What a controller outside of the lab writes into a status is written by the story, with that controller's
words.
"""

from datetime import datetime, timedelta
from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import failing, logfmt
from aiops_lab.scenarios.shapes import (
    config_map,
    container,
    deployment,
    http_probe,
    namespace,
    service,
    template,
)
from aiops_lab.scenarios.trials.autoscaling import app
from aiops_lab.scenarios.trials.base import HOME, Trial, at, trial

HOUR_S, DAY_S = 3600.0, 86_400.0
REFUSED = logfmt("fatal", "cannot reach backend: dial tcp 10.3.0.9:5432: connect: connection refused")


def written(obj: Obj, after_s: float) -> str:
    """A moment so long after the object was created."""
    moment = datetime.fromisoformat(obj["metadata"]["creationTimestamp"]) + timedelta(seconds=after_s)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(kind: str, holds: bool, reason: str, message: str, since: str) -> Obj:
    """One condition of a status."""
    status = "True" if holds else "False"
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
    }


# Namespaces


def _leaving(names: Names) -> str:
    return f"{names.api}-preview"


def _held(stage: Stage, names: Names, rng: Random, since_s: float) -> None:
    home = _leaving(names)
    finalizer = rng.choice(
        ("example.com/cleanup", "databases.example.com/release", "backup.example.com/keep")
    )
    keep = config_map(home, "state", {"phase": "bound"}, finalizers=[finalizer])
    stage.put_at(20 * DAY_S, namespace(home, env="dev"))
    stage.put_at(20 * DAY_S - 60, keep, config_map(home, "settings", {"log": "info"}))
    stage.delete_at(since_s, "Namespace", "", home, names.cleaner)


def _stuck(stage: Stage, names: Names, rng: Random) -> None:
    _held(stage, names, rng, rng.uniform(0.5, 40) * HOUR_S)


def _going(stage: Stage, names: Names, rng: Random) -> None:
    _held(stage, names, rng, rng.uniform(60, 600))


def _let_go(stage: Stage, names: Names, rng: Random) -> None:
    _held(stage, names, rng, rng.uniform(3, 40) * HOUR_S)

    def release(obj: Obj) -> None:
        obj["metadata"].pop("finalizers", None)

    stage.change_at(rng.uniform(600, 3000), "ConfigMap", _leaving(names), "state", release)


def _waits_for_api(stage: Stage, names: Names, rng: Random) -> None:
    """Held by an aggregated API that does not answer: that one is the finding."""
    _gone(stage, names, rng)
    _held(stage, names, rng, rng.uniform(2, 5) * HOUR_S)


# APIServices


def _api_service(group: str, home: str, name: str) -> Obj:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1beta1.{group}"},
        "spec": {
            "group": group,
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": home, "name": name, "port": 443},
        },
    }


def _availability(holds: bool, reason: str, message: str, after_s: float) -> Any:
    def change(obj: Obj) -> None:
        since = written(obj, after_s)
        obj["status"] = {"conditions": [condition("Available", holds, reason, message, since)]}

    return change


def _gone(stage: Stage, names: Names, rng: Random) -> None:
    # kube-aggregator/pkg/controllers/status/remote/remote_available_controller.go
    adapter = f"{names.api}-adapter"
    made_s, since_s = 20 * DAY_S, rng.uniform(6, 50) * HOUR_S
    words = f'service/{adapter} in "staging" is not present'
    stage.put_at(made_s, _api_service("custom.metrics.k8s.io", "staging", adapter))
    broken = _availability(False, "ServiceNotFound", words, made_s - since_s)
    stage.change_at(since_s, "APIService", "", "v1beta1.custom.metrics.k8s.io", broken)


def _no_metrics(stage: Stage, names: Names, rng: Random) -> None:
    """The metrics API is down, so no autoscaler scales: one finding."""
    made_s, since_s = 20 * DAY_S, rng.uniform(30, 300) * 60
    stage.put_at(made_s, _api_service("metrics.k8s.io", "kube-system", "metrics-server"))

    def sleep(obj: Obj) -> None:
        obj["spec"]["replicas"] = 0

    stage.change_at(since_s, "Deployment", "kube-system", "metrics-server", sleep)
    words = 'endpoints for service/metrics-server in "kube-system" have no addresses with port name "http"'
    broken = _availability(False, "MissingEndpoints", words, made_s - since_s)
    stage.change_at(since_s, "APIService", "", "v1beta1.metrics.k8s.io", broken)


def _adapter_crashes(stage: Stage, names: Names, rng: Random) -> None:
    adapter, since_s = f"{names.api}-adapter", rng.uniform(20, 28) * 60
    image = stage.publish(names.image(adapter, "0.9.2"), Image(failing(REFUSED, after_s=rng.uniform(2, 6))))
    pod = template({"app": adapter}, [container("adapter", image, readinessProbe=http_probe())])
    front = service("staging", adapter, adapter)
    front["spec"]["ports"] = [{"name": "https", "port": 443, "targetPort": "http"}]
    stage.put_at(since_s, deployment("staging", adapter, 2, pod), front)
    stage.put_at(since_s, _api_service("custom.metrics.k8s.io", "staging", adapter))
    words = f'endpoints for service/{adapter} in "staging" have no addresses with port name "https"'
    broken = _availability(False, "MissingEndpoints", words, 5)
    stage.change_at(since_s - 10, "APIService", "", "v1beta1.custom.metrics.k8s.io", broken)


def _answers_again(stage: Stage, names: Names, rng: Random) -> None:
    _gone(stage, names, rng)
    since_s = rng.uniform(200, 3000)
    mended = _availability(True, "Passed", "all checks passed", 20 * DAY_S - since_s)
    stage.change_at(since_s, "APIService", "", "v1beta1.custom.metrics.k8s.io", mended)


# custom kinds

GROUP = "storage.example.com"


def _definition(plural: str, kind: str, **more: Any) -> Obj:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": plural, "kind": kind, "listKind": f"{kind}List"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                    },
                }
            ],
            **more,
        },
    }


def _named(accepted: bool, kind: str, after_s: float) -> Any:
    # apiextensions-apiserver/pkg/controller/status/naming_controller.go
    def change(obj: Obj) -> None:
        since = written(obj, after_s)
        if accepted:
            found = [
                condition("NamesAccepted", True, "NoConflicts", "no conflicts found", since),
                condition(
                    "Established", True, "InitialNamesAccepted", "the initial names have been accepted", since
                ),
            ]
        else:
            found = [
                condition("NamesAccepted", False, "KindConflict", f'"{kind}" is already in use', since),
                condition("Established", False, "NotAccepted", "not all names are accepted", since),
            ]
        spec = obj["spec"]["names"]
        names = spec if accepted else {**spec, "kind": "", "listKind": ""}
        obj["status"] = {"conditions": found, "acceptedNames": names, "storedVersions": ["v1"]}

    return change


def _operator(stage: Stage, names: Names, rng: Random, words: str) -> None:
    """A controller of ours that says what the API server answered it."""
    app(stage, names, since_s=rng.uniform(30, 60) * HOUR_S, replicas=1)
    for place in range(rng.randint(2, 4)):
        stage.say_at(200.0 + 180 * place, "Deployment", HOME, names.api, "ReconcileError", words)


def _collides(stage: Stage, names: Names, rng: Random) -> None:
    kind = rng.choice(("Backup", "Snapshot", "Archive"))
    stage.put_at(20 * DAY_S, _definition(f"{kind.lower()}s", kind))
    stage.change_at(
        20 * DAY_S - 5, "CustomResourceDefinition", "", f"{kind.lower()}s.{GROUP}", _named(True, kind, 5)
    )
    second = f"{names.api}jobs"
    stage.put_at(3 * DAY_S, _definition(second, kind))
    stage.change_at(
        3 * DAY_S - 5, "CustomResourceDefinition", "", f"{second}.{GROUP}", _named(False, kind, 5)
    )
    _operator(stage, names, rng, f'no matches for kind "{kind}Job" in version "{GROUP}/v1"')


def _never_installed(stage: Stage, names: Names, rng: Random) -> None:
    """A kind that nobody defined; those that are defined are served."""
    stage.put_at(20 * DAY_S, _definition("backups", "Backup"))
    name = f"backups.{GROUP}"
    stage.change_at(20 * DAY_S - 5, "CustomResourceDefinition", "", name, _named(True, "Backup", 5))
    _operator(stage, names, rng, f'no matches for kind "Restore" in version "{GROUP}/v1"')


def _renamed(stage: Stage, names: Names, rng: Random) -> None:
    _collides(stage, names, rng)
    second = f"{names.api}jobs.{GROUP}"
    stage.change_at(
        rng.uniform(100, 900), "CustomResourceDefinition", "", second, _named(True, "", 2 * DAY_S)
    )


def _converted(names: Names) -> Obj:
    client = {"service": {"namespace": "staging", "name": f"{names.api}-converter", "path": "/convert"}}
    webhook = {"conversionReviewVersions": ["v1"], "clientConfig": client}
    return _definition("backups", "Backup", conversion={"strategy": "Webhook", "webhook": webhook})


_UNCONVERTED = (
    "failed to list *unstructured.Unstructured: "
    "conversion webhook for storage.example.com/v1, Kind=Backup failed: "
    'Post "https://{}-converter.staging.svc:443/convert?timeout=30s": service "{}-converter" not found'
)


def _no_converter(stage: Stage, names: Names, rng: Random) -> None:
    # apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go
    stage.put_at(20 * DAY_S, _converted(names))
    name = f"backups.{GROUP}"
    stage.change_at(20 * DAY_S - 5, "CustomResourceDefinition", "", name, _named(True, "Backup", 5))
    _operator(stage, names, rng, _UNCONVERTED.format(names.api, names.api))


def _converter_crashes(stage: Stage, names: Names, rng: Random) -> None:
    _no_converter(stage, names, rng)
    name, since_s = f"{names.api}-converter", rng.uniform(20, 28) * 60
    image = stage.publish(names.image(name, "0.9.2"), Image(failing(REFUSED, after_s=rng.uniform(2, 6))))
    pod = template({"app": name}, [container("converter", image, readinessProbe=http_probe())])
    stage.put_at(since_s, deployment("staging", name, 2, pod), service("staging", name, name))


def _converts_again(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(20 * DAY_S, _converted(names))
    name = f"backups.{GROUP}"
    stage.change_at(20 * DAY_S - 5, "CustomResourceDefinition", "", name, _named(True, "Backup", 5))
    app(stage, names, since_s=30 * HOUR_S, replicas=1)
    words = _UNCONVERTED.format(names.api, names.api)
    stage.say_at(rng.uniform(1500, 3000), "Deployment", HOME, names.api, "ReconcileError", words)


CRASH = at("DEPENDENCY_UNREACHABLE", "Deployment", "{api}-adapter", "staging")
TRIALS: tuple[Trial, ...] = (
    trial(
        "NAMESPACE_STUCK",
        "positive",
        _stuck,
        at("NAMESPACE_STUCK", "Namespace", "{api}-preview", ""),
        says="A finalizer whose controller is gone.",
    ),
    trial("NAMESPACE_STUCK", "look_alike", _going, says="Deleted some minutes ago."),
    trial(
        "NAMESPACE_STUCK",
        "look_alike",
        _waits_for_api,
        at("APISERVICE_UNAVAILABLE", "APIService", "v1beta1.custom.metrics.k8s.io", ""),
        says="Held by an API that does not answer.",
        variant="api",
    ),
    trial("NAMESPACE_STUCK", "recovered", _let_go, says="The finalizer was taken away."),
    trial(
        "APISERVICE_UNAVAILABLE",
        "positive",
        _gone,
        at("APISERVICE_UNAVAILABLE", "APIService", "v1beta1.custom.metrics.k8s.io", ""),
        says="Its Service was deleted.",
    ),
    trial(
        "APISERVICE_UNAVAILABLE",
        "positive",
        _no_metrics,
        at("APISERVICE_UNAVAILABLE", "APIService", "v1beta1.metrics.k8s.io", ""),
        says="The metrics API is down, and autoscalers say so.",
        variant="metrics",
    ),
    trial("APISERVICE_UNAVAILABLE", "look_alike", _adapter_crashes, CRASH, says="What serves it crashes."),
    trial("APISERVICE_UNAVAILABLE", "recovered", _answers_again, says="It answers again."),
    trial(
        "CRD_NOT_ESTABLISHED",
        "positive",
        _collides,
        at("CRD_NOT_ESTABLISHED", "CustomResourceDefinition", "{api}jobs.storage.example.com", ""),
        says="Two definitions of one kind.",
    ),
    trial("CRD_NOT_ESTABLISHED", "look_alike", _never_installed, says="Nobody defined it."),
    trial("CRD_NOT_ESTABLISHED", "recovered", _renamed, says="Its names were accepted later."),
    trial(
        "CRD_CONVERSION_FAILING",
        "positive",
        _no_converter,
        at("CRD_CONVERSION_FAILING", "CustomResourceDefinition", "backups.storage.example.com", ""),
        says="The Service of the conversion webhook is gone.",
    ),
    trial(
        "CRD_CONVERSION_FAILING",
        "look_alike",
        _converter_crashes,
        at("DEPENDENCY_UNREACHABLE", "Deployment", "{api}-converter", "staging"),
        says="The program that converts crashes.",
    ),
    trial(
        "CRD_CONVERSION_FAILING",
        "recovered",
        _converts_again,
        says="Said half an hour ago for the last time.",
    ),
)
