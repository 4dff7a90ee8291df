"""Trials of what the API server refuses: quotas, limits, Pod Security, priorities, accounts, webhooks.

The lab's admission judges as the plugins do and its controllers say what they were answered.
"""

from random import Random
from typing import Any

from aiops_lab.kube.admission.webhooks import WebhookAnswer
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import failing, logfmt, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.scenarios.trials.base import Trial, at, trial

SPACE = "dev"  # where the furniture makes no pods of its own
HOUR_S = 3600.0


def of(code: str, kind: str = "Deployment", name: str = "{api}") -> Expect:
    """The one finding, in the namespace of these trials."""
    return at(code, kind, name, SPACE)


def _now(rng: Random) -> float:
    return rng.uniform(14, 24) * 60


def asks(cpu: str, memory: str = "128Mi", *, most_cpu: str = "") -> Obj:
    """The resources of a container."""
    limits = {"memory": "512Mi"} | ({"cpu": most_cpu} if most_cpu else {})
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": limits}


def roll_out(
    stage: Stage, names: Names, since_s: float, replicas: int, *, main: Obj | None = None, **pod: Any
) -> None:
    """The workload of the story and its Service."""
    image = stage.publish(names.image(names.api, "2.0.1"), Image(serving(names.api)))
    made = template(
        {"app": names.api}, [container("app", image, readinessProbe=http_probe(), **(main or {}))], **pod
    )
    stage.put_at(since_s, deployment(SPACE, names.api, replicas, made), service(SPACE, names.api, names.api))


# ResourceQuota


def _quota(hard: dict[str, str]) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "compute", "namespace": SPACE},
        "spec": {"hard": hard},
    }


def _tight(rng: Random) -> tuple[dict[str, str], Obj]:
    """A quota, and what a container asks of it."""
    ways: tuple[tuple[dict[str, str], Obj], ...] = (
        ({"requests.cpu": "1"}, {"resources": asks("400m")}),
        ({"requests.memory": "1Gi"}, {"resources": asks("50m", "450Mi")}),
        ({"pods": "4"}, {}),
    )
    return ways[rng.randint(0, 2)]


def _used_up(stage: Stage, names: Names, rng: Random) -> None:
    hard, main = _tight(rng)
    stage.put_at(rng.uniform(30, 300) * HOUR_S, _quota(hard))
    roll_out(stage, names, _now(rng), rng.randint(5, 8), main=main)


def _enough(stage: Stage, names: Names, rng: Random) -> None:
    """Nearly used up, and every pod is there."""
    stage.put_at(rng.uniform(30, 300) * HOUR_S, _quota({"requests.cpu": "1200m", "pods": "8"}))
    roll_out(stage, names, _now(rng), 3, main={"resources": asks(f"{rng.randint(260, 300)}m")})


def _raised(stage: Stage, names: Names, rng: Random) -> None:
    hard, main = _tight(rng)
    stage.put_at(30 * HOUR_S, _quota(hard))
    since_s = rng.uniform(24, 28) * 60
    roll_out(stage, names, since_s, rng.randint(5, 6), main=main)

    def more(obj: Obj) -> None:
        obj["spec"]["hard"] = {name: "20" if name == "pods" else "16Gi" for name in hard}

    stage.change_at(since_s - rng.uniform(60, 180), "ResourceQuota", SPACE, "compute", more)


def _unsaid(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _quota({"limits.cpu": "20", "limits.memory": "40Gi"}))
    roll_out(stage, names, _now(rng), rng.randint(2, 4))


def _said(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _quota({"limits.cpu": "20", "limits.memory": "40Gi"}))
    roll_out(stage, names, _now(rng), rng.randint(2, 4), main={"resources": asks("50m", most_cpu="1")})


def _quota_gone(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _quota({"limits.cpu": "20"}))
    since_s = rng.uniform(24, 28) * 60
    roll_out(stage, names, since_s, rng.randint(2, 4))
    stage.delete_at(since_s - rng.uniform(60, 180), "ResourceQuota", SPACE, "compute", names.cleaner)


# LimitRange


def _range(**item: Any) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "bounds", "namespace": SPACE},
        "spec": {"limits": [{"type": "Container", **item}]},
    }


def _out_of_bounds(stage: Stage, names: Names, rng: Random) -> None:
    high = rng.random() < 0.5
    item: Obj = {"max": {"cpu": "500m"}} if high else {"min": {"memory": "256Mi"}}
    stage.put_at(30 * HOUR_S, _range(**item))
    main = {"resources": asks("100m", most_cpu="2") if high else asks("100m", "64Mi")}
    roll_out(stage, names, _now(rng), rng.randint(1, 4), main=main)


def _filled_in(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _range(default={"cpu": "500m"}, defaultRequest={"cpu": "50m"}))
    bare: Obj = {"resources": {}}
    roll_out(stage, names, _now(rng), rng.randint(1, 4), main=bare)


def _bounds_gone(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _range(max={"cpu": "500m"}))
    since_s = rng.uniform(24, 28) * 60
    roll_out(stage, names, since_s, rng.randint(1, 4), main={"resources": asks("100m", most_cpu="2")})
    stage.delete_at(since_s - rng.uniform(60, 180), "LimitRange", SPACE, "bounds", names.cleaner)


# Pod Security


def _label(mode: str, level: str) -> Any:
    def change(obj: Obj) -> None:
        labels = obj["metadata"].setdefault("labels", {})
        if level:
            labels[f"pod-security.kubernetes.io/{mode}"] = level
        else:
            labels.pop(f"pod-security.kubernetes.io/{mode}", None)

    return change


def _secured(mode: str) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        level = rng.choice(("restricted", "baseline"))
        stage.change_at(30 * HOUR_S, "Namespace", "", SPACE, _label(mode, level))
        roll_out(stage, names, _now(rng), rng.randint(1, 4), hostNetwork=True)

    return build


def _unsecured(stage: Stage, names: Names, rng: Random) -> None:
    stage.change_at(30 * HOUR_S, "Namespace", "", SPACE, _label("enforce", "restricted"))
    since_s = rng.uniform(24, 28) * 60
    roll_out(stage, names, since_s, rng.randint(1, 4))
    end_s = since_s - rng.uniform(60, 180)
    stage.change_at(end_s, "Namespace", "", SPACE, _label("enforce", ""))


# PriorityClass and ServiceAccount


def _priority(name: str) -> Obj:
    return {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": name},
        "value": 1000,
    }


def _no_class(stage: Stage, names: Names, rng: Random) -> None:
    roll_out(stage, names, _now(rng), rng.randint(1, 4), priorityClassName=f"{names.api}-high")


def _has_class(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _priority(f"{names.api}-high"))
    roll_out(stage, names, _now(rng), rng.randint(1, 4), priorityClassName=f"{names.api}-high")


def _late_class(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(24, 28) * 60
    roll_out(stage, names, since_s, rng.randint(1, 4), priorityClassName=f"{names.api}-high")
    stage.put_at(since_s - rng.uniform(60, 180), _priority(f"{names.api}-high"))


def _account(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": SPACE}}


def _no_account(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _account(names.api))
    roll_out(stage, names, _now(rng), rng.randint(1, 4), serviceAccountName=f"{names.api}-sa")


def _has_account(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _account(f"{names.api}-sa"))
    roll_out(stage, names, _now(rng), rng.randint(1, 4), serviceAccountName=f"{names.api}-sa")


def _late_account(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(24, 28) * 60
    roll_out(stage, names, since_s, rng.randint(1, 4), serviceAccountName=f"{names.api}-sa")
    stage.put_at(since_s - rng.uniform(60, 180), _account(f"{names.api}-sa"))


# webhooks


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
    roll_out(stage, names, _now(rng), rng.randint(1, 4))


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
    roll_out(stage, names, _now(rng), rng.randint(1, 4))


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
    roll_out(stage, names, _now(rng), rng.randint(1, 4))


def _allowed(stage: Stage, names: Names, rng: Random) -> None:
    _judge(stage, names, 40 * HOUR_S)
    stage.put_at(30 * HOUR_S, _hooks(names))
    roll_out(stage, names, _now(rng), rng.randint(1, 4))


def _denied_before(stage: Stage, names: Names, rng: Random) -> None:
    _judge(stage, names, 40 * HOUR_S)
    stage.answer_webhooks("staging", f"{names.api}-webhook", WebhookAnswer(denied="no team label"))
    _configuration_gone(stage, names, rng)


TRIALS: tuple[Trial, ...] = (
    trial(
        "QUOTA_EXCEEDED",
        "positive",
        _used_up,
        of("QUOTA_EXCEEDED", "ResourceQuota", "compute"),
        says="More replicas than the quota has room for.",
    ),
    trial("QUOTA_EXCEEDED", "look_alike", _enough, says="Nearly used up; every pod is there."),
    trial("QUOTA_EXCEEDED", "recovered", _raised, says="The quota was raised."),
    trial(
        "QUOTA_NEEDS_REQUESTS",
        "positive",
        _unsaid,
        of("QUOTA_NEEDS_REQUESTS"),
        says="The quota counts limits, the container has none.",
    ),
    trial("QUOTA_NEEDS_REQUESTS", "look_alike", _said, says="The container says its limits."),
    trial("QUOTA_NEEDS_REQUESTS", "recovered", _quota_gone, says="The quota was taken away."),
    trial(
        "LIMIT_RANGE_REFUSED",
        "positive",
        _out_of_bounds,
        of("LIMIT_RANGE_REFUSED"),
        says="A container outside of the LimitRange.",
    ),
    trial("LIMIT_RANGE_REFUSED", "look_alike", _filled_in, says="The LimitRange only gives defaults."),
    trial("LIMIT_RANGE_REFUSED", "recovered", _bounds_gone, says="The LimitRange was taken away."),
    trial(
        "POD_SECURITY_REFUSED",
        "positive",
        _secured("enforce"),
        of("POD_SECURITY_REFUSED"),
        says="The namespace enforces what the pods violate.",
    ),
    trial("POD_SECURITY_REFUSED", "look_alike", _secured("warn"), says="The namespace only warns."),
    trial("POD_SECURITY_REFUSED", "recovered", _unsecured, says="It is enforced no more."),
    trial(
        "PRIORITY_CLASS_MISSING",
        "positive",
        _no_class,
        at("PRIORITY_CLASS_MISSING", "PriorityClass", "{api}-high", ""),
        says="A priority class that nobody made.",
    ),
    trial("PRIORITY_CLASS_MISSING", "look_alike", _has_class, says="The class is there."),
    trial("PRIORITY_CLASS_MISSING", "recovered", _late_class, says="The class was made later."),
    trial(
        "SERVICE_ACCOUNT_MISSING",
        "positive",
        _no_account,
        at("SERVICE_ACCOUNT_MISSING", "ServiceAccount", "{api}-sa", SPACE, hurts_kind="Deployment"),
        says="A ServiceAccount that nobody made.",
    ),
    trial("SERVICE_ACCOUNT_MISSING", "look_alike", _has_account, says="The account is there."),
    trial("SERVICE_ACCOUNT_MISSING", "recovered", _late_account, says="The account was made later."),
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
