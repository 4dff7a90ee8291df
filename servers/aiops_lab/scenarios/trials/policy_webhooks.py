"""Trials of admission webhooks: one that cannot be called, and one that says no.

The lab's admission calls them as the API server does and its controllers say what they were answered.
"""

from random import Random
from typing import Any

from aiops_lab.kube.admission.webhooks import WebhookAnswer
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import failing, logfmt, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.scenarios.trials.base import Trial, at, trial
from aiops_lab.scenarios.trials.policy_admission_base import HOUR_S, now, of, roll_out


def _hooks(names: Names, kind: str = "Validating", policy: str = "Fail") -> Obj:
    """A configuration that judges the pods of the story alone."""
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": f"{names.api}-policy"},
        "webhooks": [
            {
                "name": f"pods.{names.api}.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": policy,
                "clientConfig": {
                    "service": {"namespace": "staging", "name": f"{names.api}-webhook", "path": "/validate"}
                },
                "objectSelector": {"matchLabels": {"app": names.api}},
                "rules": [
                    {
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "operations": ["CREATE"],
                        "resources": ["pods"],
                    }
                ],
            }
        ],
    }


def _judge(stage: Stage, names: Names, since_s: float, replicas: int = 2, *, crash: str = "") -> None:
    """What stands behind the webhook."""
    name = f"{names.api}-webhook"
    program = failing(crash, after_s=3) if crash else serving(name)
    image = stage.publish(names.image(name, "1.4.0"), Image(program))
    pod = template({"app": name}, [container("webhook", image, readinessProbe=http_probe())])
    front = service("staging", name, name)
    front["spec"]["ports"] = [{"name": "https", "port": 443, "targetPort": "http"}]
    stage.put_at(since_s, deployment("staging", name, replicas, pod), front)


def _cannot_call(stage: Stage, names: Names, rng: Random) -> None:
    way = names.seed % 3
    kind = rng.choice(("Validating", "Mutating"))
    if way:
        _judge(stage, names, 40 * HOUR_S, replicas=0 if way == 1 else 2)
    if way == 2:
        failure = rng.choice(
            (
                "context deadline exceeded",
                "tls: failed to verify certificate: x509: certificate signed by unknown authority",
                "tls: failed to verify certificate: x509: certificate has expired or is not yet valid",
            )
        )
        stage.answer_webhooks("staging", f"{names.api}-webhook", WebhookAnswer(failure=failure))
    stage.put_at(30 * HOUR_S, _hooks(names, kind))
    roll_out(stage, names, now(rng), rng.randint(1, 4))


def _expect_hooks(names: Names) -> Any:
    rng = Random(f"webhook-failing-positive/{names.seed}")
    kind = rng.choice(("Validating", "Mutating"))
    return at("WEBHOOK_FAILING", f"{kind}WebhookConfiguration", "{api}-policy", "")(names)


def _judge_crashes(stage: Stage, names: Names, rng: Random) -> None:
    words = logfmt("fatal", "cannot reach backend: dial tcp 10.3.0.9:5432: connect: connection refused")
    since_s = rng.uniform(24, 28) * 60
    _judge(stage, names, since_s, crash=words)
    stage.put_at(since_s, _hooks(names))
    roll_out(stage, names, since_s - rng.uniform(60, 300), rng.randint(1, 4))


def _ignored(stage: Stage, names: Names, rng: Random) -> None:
    """Points at nothing, and may."""
    stage.put_at(30 * HOUR_S, _hooks(names, policy="Ignore"))
    roll_out(stage, names, now(rng), rng.randint(1, 4))


def _configuration_gone(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _hooks(names))
    since_s = rng.uniform(24, 28) * 60
    roll_out(stage, names, since_s, rng.randint(1, 4))
    kind, name = "ValidatingWebhookConfiguration", f"{names.api}-policy"
    stage.delete_at(since_s - rng.uniform(60, 180), kind, "", name, names.cleaner)


def _denied(stage: Stage, names: Names, rng: Random) -> None:
    _judge(stage, names, 40 * HOUR_S)
    reason = rng.choice(
        (
            "[require-team-label] you must provide labels: {team}",
            "validation error: An image tag is required. rule require-image-tag failed at path /spec",
            "image registry is not in the allowed list",
        )
    )
    stage.answer_webhooks("staging", f"{names.api}-webhook", WebhookAnswer(denied=reason))
    stage.put_at(30 * HOUR_S, _hooks(names))
    roll_out(stage, names, now(rng), rng.randint(1, 4))


def _allowed(stage: Stage, names: Names, rng: Random) -> None:
    _judge(stage, names, 40 * HOUR_S)
    stage.put_at(30 * HOUR_S, _hooks(names))
    roll_out(stage, names, now(rng), rng.randint(1, 4))


def _denied_before(stage: Stage, names: Names, rng: Random) -> None:
    _judge(stage, names, 40 * HOUR_S)
    stage.answer_webhooks("staging", f"{names.api}-webhook", WebhookAnswer(denied="no team label"))
    _configuration_gone(stage, names, rng)


TRIALS: tuple[Trial, ...] = (
    trial(
        "WEBHOOK_FAILING", "positive", _cannot_call, _expect_hooks, says="A webhook that cannot be called."
    ),
    trial(
        "WEBHOOK_FAILING",
        "look_alike",
        _judge_crashes,
        at("DEPENDENCY_UNREACHABLE", "Deployment", "{api}-webhook", "staging"),
        says="The program behind the webhook crashes.",
    ),
    trial("WEBHOOK_FAILING", "look_alike", _ignored, says="It may fail.", variant="ignored"),
    trial("WEBHOOK_FAILING", "recovered", _configuration_gone, says="The configuration was taken away."),
    trial("WEBHOOK_REFUSED", "positive", _denied, of("WEBHOOK_REFUSED"), says="A webhook says no."),
    trial("WEBHOOK_REFUSED", "look_alike", _allowed, says="A webhook says yes."),
    trial("WEBHOOK_REFUSED", "recovered", _denied_before, says="It is asked no more."),
)
