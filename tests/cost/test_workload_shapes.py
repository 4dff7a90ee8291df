"""Workloads and autoscalers read from objects, misshapen ones too."""

from typing import Any

import pytest

from aiops_cost.clients.workload_shapes import (
    autoscaler_of,
    containers_of,
    heap_of,
    labels_selected,
    oom_kills,
    replicas_of,
    vertical_target,
)

Obj = dict[str, Any]


def workload(*containers: Obj, **spec: Any) -> Obj:
    """A Deployment with these containers."""
    return {"spec": {"replicas": 3, "template": {"spec": {"containers": list(containers), **spec}}}}


def test_a_limit_without_a_request_is_the_request_and_sidecars_count() -> None:
    app = {"name": "app", "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}
    side = {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "0.1"}}}
    first, second = containers_of(workload(app, initContainers=[side, {"name": "once"}]))
    assert (first.cpu, first.memory, first.cpu_limit, first.memory_limit) == (0.5, 2**30, 0.5, 2**30)
    assert (second.name, second.cpu, second.memory) == ("proxy", 0.1, 0)
    assert replicas_of(workload()) == 3
    assert replicas_of({"status": {"desiredNumberScheduled": 7}}) == 7


@pytest.mark.parametrize(
    ("container", "share", "size"),
    [
        ({"env": [{"name": "JAVA_TOOL_OPTIONS", "value": "-XX:MaxRAMPercentage=75.0"}]}, True, 0),
        ({"args": ["java", "-Xmx2g", "-jar", "app.jar"]}, False, 2 * 2**30),
        ({"command": ["/usr/bin/java"], "args": ["-jar", "app.jar"]}, True, 0),
        ({"env": [{"name": "NODE_OPTIONS", "value": "--max-old-space-size=512"}]}, False, 512 * 2**20),
        ({"command": ["/javascript"], "args": ["-x"]}, False, 0),
    ],
)
def test_heaps_are_read_from_options(container: Obj, share: bool, size: float) -> None:
    found = heap_of(container)
    assert (found.share, found.bytes) == (share, size)


def test_an_autoscaler_says_its_targets_and_who_keeps_it() -> None:
    aim = {"type": "Utilization", "averageUtilization": 70}
    pods = {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "1500m"}}
    found = autoscaler_of(
        {
            "metadata": {
                "name": "web",
                "namespace": "shop",
                "labels": {"app.kubernetes.io/managed-by": "keda-operator"},
            },
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                "maxReplicas": 9,
                "metrics": [
                    {"type": "Resource", "resource": {"name": "cpu", "target": aim}},
                    {"type": "Pods", "pods": pods},
                ],
            },
        }
    )
    assert (found.least, found.most, found.cpu_target, found.memory_target) == (1, 9, 0.7, 0.0)
    assert (found.metrics[1].name, found.metrics[1].target, found.owner) == ("rps", 1.5, "keda-operator")
    assert not found.cpu_alone


def test_a_vertical_autoscaler_names_its_workload_and_mode() -> None:
    vpa = {
        "metadata": {"namespace": "shop"},
        "spec": {"targetRef": {"kind": "Deployment", "name": "web"}, "updatePolicy": {"updateMode": "Off"}},
    }
    assert vertical_target(vpa) == ("shop", "Deployment", "web", "Off")


def test_what_has_no_form_counts_as_nothing() -> None:
    oddities: tuple[Obj, ...] = ({}, {"spec": []}, {"spec": {"template": {"spec": {"containers": "x"}}}})
    for odd in oddities:
        assert containers_of(odd) == ()
        assert labels_selected(odd) == {}
    assert autoscaler_of({"spec": {"metrics": [{"type": 3}], "maxReplicas": True}}).most == 1
    ended = {"lastState": {"terminated": {"reason": "OOMKilled"}}}
    assert oom_kills([{"status": {"containerStatuses": [ended, {"state": None}, 3]}}, {"status": None}]) == 1
