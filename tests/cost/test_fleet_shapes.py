"""Pods and nodes as costs read them: what the scheduler counts, whose a pod is, how long it lived."""

from datetime import UTC, datetime
from typing import Any

import pytest

from aiops_cost.analysis.fleet import FARGATE, ON_DEMAND, SPOT, Budget
from aiops_cost.clients.fleet_shapes import Span, budget_of, node_of, owner_of, pod_of, requests_of

END = datetime(2026, 11, 22, tzinfo=UTC)
DAY = Span(END.timestamp() - 86_400, END.timestamp())


def asks(cpu: str, memory: str = "0", **more: Any) -> dict[str, Any]:
    return {"name": "x", "resources": {"requests": {"cpu": cpu, "memory": memory}}} | more


@pytest.mark.parametrize(
    ("spec", "cores"),
    [
        ({"containers": [asks("1"), asks("500m")]}, 1.5),
        ({"containers": [asks("1")], "initContainers": [asks("3")]}, 3.0),
        ({"containers": [asks("1")], "initContainers": [asks("500m", restartPolicy="Always")]}, 1.5),
        ({"containers": [asks("1")], "initContainers": [asks("1", restartPolicy="Always"), asks("2")]}, 3.0),
        ({"containers": [asks("1")], "initContainers": [asks("2"), asks("1", restartPolicy="Always")]}, 2.0),
        ({"containers": [asks("1")], "resources": {"requests": {"cpu": "4"}}}, 4.0),
        ({"containers": [asks("1")], "overhead": {"cpu": "250m"}}, 1.25),
        ({"containers": [{"name": "bare"}]}, 0.0),
        ({"containers": "misshapen"}, 0.0),
    ],
)
def test_requests_are_what_the_scheduler_counts(spec: dict[str, Any], cores: float) -> None:
    assert requests_of(spec).cores == cores


@pytest.mark.parametrize(
    ("owner", "labels", "expected"),
    [
        (("ReplicaSet", "web-7d4b9"), {"pod-template-hash": "7d4b9"}, ("Deployment", "web")),
        (("ReplicaSet", "web-7d4b9"), {}, ("ReplicaSet", "web-7d4b9")),
        (("ReplicaSet", "web-7d4b9"), {"rollouts-pod-template-hash": "7d4b9"}, ("Rollout", "web")),
        (("Job", "nightly-29384720"), {}, ("CronJob", "nightly")),
        (("Job", "migrate-2"), {}, ("Job", "migrate-2")),
        (("StatefulSet", "db"), {}, ("StatefulSet", "db")),
        (("", ""), {}, ("Pod", "alone")),
    ],
)
def test_the_owner_is_what_people_call_the_workload(
    owner: tuple[str, str], labels: dict[str, str], expected: tuple[str, str]
) -> None:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner[0] else []
    assert owner_of({"name": "alone", "ownerReferences": owners}, labels) == expected


def test_a_pod_counts_for_the_hours_it_lived_inside_the_window() -> None:
    def lived(start: str, **status: Any) -> float:
        made = {"metadata": {"name": "p"}, "spec": {}, "status": {"startTime": start, **status}}
        return pod_of(made, DAY).hours

    ended = [{"state": {"terminated": {"finishedAt": "2026-11-21T06:00:00Z"}}}]
    assert lived("2026-11-01T00:00:00Z") == 24
    assert lived("2026-11-21T18:00:00Z") == 6
    assert lived("2026-11-21T03:00:00Z", phase="Succeeded", containerStatuses=ended) == 3
    assert lived("2026-11-19T03:00:00Z", phase="Failed") == 0


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"karpenter.sh/capacity-type": "spot"}, SPOT),
        ({"eks.amazonaws.com/capacityType": "SPOT"}, SPOT),
        ({"eks.amazonaws.com/capacityType": "ON_DEMAND"}, ON_DEMAND),
        ({"eks.amazonaws.com/compute-type": "fargate"}, FARGATE),
        ({}, ON_DEMAND),
    ],
)
def test_a_node_says_how_it_is_paid(labels: dict[str, str], expected: str) -> None:
    assert node_of({"metadata": {"name": "n", "labels": labels}}, DAY).capacity_type == expected


def test_a_pod_is_bound_to_zones_by_affinity_and_kept_by_annotations() -> None:
    term = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["b", "a"]}
    affinity = {"nodeSelectorTerms": [{"matchExpressions": [term]}]}
    made = pod_of(
        {
            "metadata": {"name": "p", "annotations": {"karpenter.sh/do-not-disrupt": "true"}},
            "spec": {
                "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": affinity}},
                "volumes": [{"persistentVolumeClaim": {"claimName": "data"}}],
            },
        },
        DAY,
    )
    assert made.wants_zones == ("a", "b")
    assert made.claims == ("data",)
    assert not made.evictable


def test_a_budget_covers_by_labels_and_expressions() -> None:
    selector = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["canary"]}],
    }
    made: Budget = budget_of(
        {"metadata": {"namespace": "shop", "name": "b"}, "spec": {"selector": selector}, "status": {}}
    )

    def covered(**labels: str) -> bool:
        return made.covers(pod_of({"metadata": {"namespace": "shop", "name": "p", "labels": labels}}, DAY))

    assert covered(app="web")
    assert not covered(app="web", tier="canary")
    assert not covered(tier="x")
