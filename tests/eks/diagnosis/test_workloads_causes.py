"""Rollouts, autoscalers, budgets, Jobs and CronJobs: what is found, and what must not be."""

from typing import Any

import pytest

from aiops_eks.diagnosis.facts import Facts
from tests.eks.diagnosis.further_worlds import condition, further_world, head
from tests.eks.diagnosis.worlds import Obj, ago, codes, deployment, happened, only, pod


def autoscaler(*conditions: Obj, name: str = "cart", target: str = "cart", **spec: Any) -> Obj:
    """A HorizontalPodAutoscaler at 2 of 2 to 5 replicas."""
    aim = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 70}}}
    wanted = {"scaleTargetRef": {"kind": "Deployment", "name": target}, "metrics": [aim]}
    bounds = {"minReplicas": 2, "maxReplicas": 5}
    status = {"currentReplicas": spec.pop("current", 2), "conditions": list(conditions)}
    if (now := spec.pop("now", None)) is not None:
        seen = {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": now}}}
        status["currentMetrics"] = [seen]
    return {
        **head("HorizontalPodAutoscaler", name),
        "spec": {**wanted, **bounds, **spec},
        "status": status,
    }


def healthy(*more: Obj) -> Facts:
    return further_world(deployment(ready=2, replicas=2), pod(ready=True), *more)


def at_max(**more: Any) -> Obj:
    limited = condition("ScalingLimited", "True", "TooManyReplicas", since_s=more.pop("since_s", 3600))
    return autoscaler(limited, **{"current": 5, "now": 160, **more})


def test_an_autoscaler_at_its_maximum_and_hot_is_a_finding() -> None:
    found = only(healthy(at_max()))
    assert (found.code, found.kind) == ("HPA_AT_MAX", "HorizontalPodAutoscaler")
    assert "160 %" in found.title


@pytest.mark.parametrize("more", [{"now": 72}, {"since_s": 120}, {"current": 4}, {"now": None}])
def test_at_the_maximum_alone_is_none(more: dict[str, Any]) -> None:
    assert codes(healthy(at_max(**more))) == []


def test_an_autoscaler_that_is_off_for_a_minute_is_none() -> None:
    words = "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned"
    young = condition("ScalingActive", "False", "FailedGetResourceMetric", words, since_s=60)
    assert codes(healthy(autoscaler(young))) == []


def test_many_autoscalers_without_a_metrics_api_are_one_finding() -> None:
    words = (
        "unable to fetch metrics from resource metrics API: the server could not find the requested resource"
    )
    failed = condition("ScalingActive", "False", "FailedGetResourceMetric", words)
    found = only(healthy(autoscaler(failed), autoscaler(failed, name="pay", target="pay")))
    assert (found.code, found.kind, found.name) == ("HPA_NO_METRICS", "APIService", "v1beta1.metrics.k8s.io")
    assert "and 1 more" in found.title


def test_an_unavailable_metrics_api_explains_its_autoscalers() -> None:
    words = "unable to fetch metrics from resource metrics API: the server is currently unable to handle it"
    failed = condition("ScalingActive", "False", "FailedGetResourceMetric", words)
    api = {
        **head("APIService", "v1beta1.metrics.k8s.io", ""),
        "spec": {"service": {"namespace": "kube-system", "name": "metrics-server"}},
        "status": {"conditions": [condition("Available", "False", "ServiceNotFound", "not present")]},
    }
    found = only(healthy(autoscaler(failed), api))
    assert found.code == "APISERVICE_UNAVAILABLE"
    assert "APIService v1beta1.metrics.k8s.io" in found.symptoms or found.symptoms
    assert any("HorizontalPodAutoscaler" in one for one in found.symptoms)


def budget(name: str = "cart", labels: dict[str, str] | None = None, **numbers: Any) -> Obj:
    """A PodDisruptionBudget over the cart."""
    selector = {"app": "cart"} if labels is None else labels
    status = {"expectedPods": 1, "currentHealthy": 1, "desiredHealthy": 1, "disruptionsAllowed": 0}
    return {
        **head("PodDisruptionBudget", name, age_s=numbers.pop("age_s", 90_000)),
        "spec": {"maxUnavailable": 0, "selector": {"matchLabels": selector}},
        "status": {**status, **numbers},
    }


def test_a_budget_that_lets_nothing_go_is_a_finding_of_its_own() -> None:
    found = only(healthy(budget()))
    assert (found.code, found.severity) == ("PDB_BLOCKS_EVICTION", "medium")


def test_it_weighs_more_when_a_node_waits_to_be_emptied() -> None:
    drained = {"kind": "Node", "metadata": {"name": "node-a"}, "spec": {"unschedulable": True}}
    found = next(f for f in _findings(healthy(budget(), drained)) if f.code == "PDB_BLOCKS_EVICTION")
    assert found.severity == "high"


def _findings(facts: Facts) -> Any:
    from tests.eks.diagnosis.worlds import diagnosed

    return diagnosed(facts).findings


@pytest.mark.parametrize(
    "one",
    [
        budget(disruptionsAllowed=1),
        budget(age_s=60),
        budget(currentHealthy=0, desiredHealthy=0),
        budget("archive", labels={"app": "archive"}, expectedPods=0),
    ],
)
def test_other_budgets_are_none(one: Obj) -> None:
    assert codes(healthy(one)) == []


def test_two_budgets_of_one_pod_are_one_finding() -> None:
    found = only(healthy(budget(disruptionsAllowed=1), budget("cart-2", disruptionsAllowed=1, age_s=7200)))
    assert (found.code, found.name) == ("PDB_OVERLAP", "cart-2")


def cron(schedule: str = "*/5 * * * *", *, last_s: float | None = 120, **spec: Any) -> Obj:
    """A CronJob."""
    status = {} if last_s is None else {"lastScheduleTime": ago(last_s)}
    notes = spec.pop("annotations", {})
    made = head("CronJob", "nightly", age_s=90 * 86_400, annotations=notes)
    return {**made, "spec": {"schedule": schedule, **spec}, "status": status}


@pytest.mark.parametrize(
    "one",
    [
        cron(),
        cron(last_s=700),  # one start is late
        cron("0 2 * * *", last_s=3600),
        cron(last_s=40_000, suspend=True),
        cron("@every 5m", last_s=90_000),
        cron(last_s=None, timeZone="Not/Ours"),
        cron(last_s=30 * 86_400, suspend=True, annotations={"owner": "disabled for the freeze"}),
    ],
)
def test_a_cron_job_at_its_work_or_at_rest_is_none(one: Obj) -> None:
    assert codes(healthy(one)) == []


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (cron(last_s=4000), "CRONJOB_MISSED_STARTS"),
        (cron("99 * * * *"), "CRONJOB_SCHEDULE_INVALID"),
        (cron("0 0 30 2 *", last_s=None), "CRONJOB_SCHEDULE_INVALID"),
        (cron(last_s=30 * 86_400, suspend=True), "CRONJOB_SUSPENDED"),
    ],
)
def test_a_cron_job_that_does_not_start_is_told(one: Obj, code: str) -> None:
    assert only(healthy(one)).code == code


def test_an_unknown_time_zone_is_told_by_the_controller_until_it_is_corrected() -> None:
    one = cron(last_s=None, timeZone="Not/Ours")
    said = happened("UnknownTimeZone", 'invalid timeZone: "Not/Ours": unknown time zone', about=one)
    assert only(healthy(one, said)).code == "CRONJOB_SCHEDULE_INVALID"
    one["metadata"]["managedFields"] = [{"time": ago(5), "manager": "kubectl"}]
    late = happened("UnknownTimeZone", "invalid timeZone", about=one, ago_s=600)
    assert codes(healthy(one, late)) == []


def test_a_paused_deployment_is_told_only_when_a_change_waits_for_days() -> None:
    for updated, since_s, expected in ((0, 200_000, ["ROLLOUT_PAUSED"]), (2, 200_000, []), (0, 7200, [])):
        held = condition(
            "Progressing", "Unknown", "DeploymentPaused", "Deployment is paused", since_s=since_s
        )
        made = deployment(ready=2, replicas=2, updatedReplicas=updated, conditions=[held])
        made["spec"]["paused"] = True
        assert codes(further_world(made, pod(ready=True))) == expected
