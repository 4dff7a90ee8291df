"""Trials of what the API server refuses: quotas, limits, Pod Security, priorities, accounts, webhooks.

The lab's admission judges as the plugins do and its controllers say what they were answered. Webhooks have
their own module and are told here with the rest.
"""

from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.trials import policy_webhooks
from aiops_lab.scenarios.trials.base import Trial, at, trial
from aiops_lab.scenarios.trials.policy_admission_base import HOUR_S, SPACE, asks, now, of, roll_out

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
    roll_out(stage, names, now(rng), rng.randint(5, 8), main=main)


def _enough(stage: Stage, names: Names, rng: Random) -> None:
    """Nearly used up, and every pod is there."""
    stage.put_at(rng.uniform(30, 300) * HOUR_S, _quota({"requests.cpu": "1200m", "pods": "8"}))
    roll_out(stage, names, now(rng), 3, main={"resources": asks(f"{rng.randint(260, 300)}m")})


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
    roll_out(stage, names, now(rng), rng.randint(2, 4))


def _said(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _quota({"limits.cpu": "20", "limits.memory": "40Gi"}))
    roll_out(stage, names, now(rng), rng.randint(2, 4), main={"resources": asks("50m", most_cpu="1")})


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
    roll_out(stage, names, now(rng), rng.randint(1, 4), main=main)


def _filled_in(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _range(default={"cpu": "500m"}, defaultRequest={"cpu": "50m"}))
    bare: Obj = {"resources": {}}
    roll_out(stage, names, now(rng), rng.randint(1, 4), main=bare)


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
        roll_out(stage, names, now(rng), rng.randint(1, 4), hostNetwork=True)

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
    roll_out(stage, names, now(rng), rng.randint(1, 4), priorityClassName=f"{names.api}-high")


def _has_class(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _priority(f"{names.api}-high"))
    roll_out(stage, names, now(rng), rng.randint(1, 4), priorityClassName=f"{names.api}-high")


def _late_class(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(24, 28) * 60
    roll_out(stage, names, since_s, rng.randint(1, 4), priorityClassName=f"{names.api}-high")
    stage.put_at(since_s - rng.uniform(60, 180), _priority(f"{names.api}-high"))


def _account(name: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": SPACE}}


def _no_account(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _account(names.api))
    roll_out(stage, names, now(rng), rng.randint(1, 4), serviceAccountName=f"{names.api}-sa")


def _has_account(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(30 * HOUR_S, _account(f"{names.api}-sa"))
    roll_out(stage, names, now(rng), rng.randint(1, 4), serviceAccountName=f"{names.api}-sa")


def _late_account(stage: Stage, names: Names, rng: Random) -> None:
    since_s = rng.uniform(24, 28) * 60
    roll_out(stage, names, since_s, rng.randint(1, 4), serviceAccountName=f"{names.api}-sa")
    stage.put_at(since_s - rng.uniform(60, 180), _account(f"{names.api}-sa"))


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
    *policy_webhooks.TRIALS,
)
