"""What `kubectl get` prints, kind by kind."""

from typing import Any

import pytest

from aiops_lab.kube.columns.custom import json_path
from aiops_lab.kube.columns.pods import summary
from aiops_lab.kube.columns.printer import spoken
from aiops_lab.kube.columns.printers import printer_for
from aiops_lab.kube.store import BUILT_IN, LAB_CRDS, Store
from tests.lab.kube.fakes import T0, FrozenClock
from tests.lab.kube.objects import RUNNING, Obj, deployment, pod

RESOURCES = {resource.kind: resource for resource in reversed(BUILT_IN + LAB_CRDS)}


def printed(obj: Obj) -> dict[str, Any]:
    printer = printer_for(RESOURCES[obj["kind"]])
    return dict(zip([c.name for c in printer.columns], printer.cells(obj, T0), strict=True))


@pytest.mark.parametrize(
    ("elapsed_s", "said"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600 + 60, "3h1m"),
        (8 * 3600 + 60, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (8 * 86400, "8d"),
        (2 * 365 * 86400, "2y"),
        (3 * 365 * 86400 + 86400, "3y1d"),
        (8 * 365 * 86400 + 86400, "8y"),
    ],
)
def test_ages_are_said_as_kubectl_says_them(elapsed_s: float, said: str) -> None:
    assert spoken(elapsed_s) == said


def container(state: Obj, *, ready: bool = False, restarts: int = 0, **more: Any) -> Obj:
    return {"name": "app", "ready": ready, "restartCount": restarts, "state": state, **more}


def with_status(*containers: Obj, **status: Any) -> Obj:
    return {**pod("a"), "status": {"phase": "Running", "containerStatuses": list(containers), **status}}


UP: Obj = {"running": {}}
CRASHING: Obj = {"waiting": {"reason": "CrashLoopBackOff"}}


@pytest.mark.parametrize(
    ("obj", "said"),
    [
        (with_status(container(UP, ready=True)), ("Running", 1)),
        (with_status(container(CRASHING, restarts=4)), ("CrashLoopBackOff", 0)),
        (with_status(container({"terminated": {"reason": "OOMKilled", "exitCode": 137}})), ("OOMKilled", 0)),
        (with_status(container({"terminated": {"exitCode": 3}})), ("ExitCode:3", 0)),
        (with_status(container({"terminated": {"exitCode": 0, "signal": 9}})), ("Signal:9", 0)),
        (
            with_status(container({"waiting": {"reason": "ImagePullBackOff"}}), phase="Pending"),
            ("ImagePullBackOff", 0),
        ),
        (with_status(phase="Pending"), ("Pending", 0)),
        (with_status(phase="Failed", reason="Evicted"), ("Evicted", 0)),
        (
            with_status(container({"terminated": {"reason": "Completed", "exitCode": 0}}), phase="Succeeded"),
            ("Completed", 0),
        ),
        (
            with_status(
                container({"terminated": {"reason": "Completed", "exitCode": 0}}), container(UP, ready=True)
            ),
            ("NotReady", 1),
        ),
    ],
)
def test_a_pods_status_is_derived_from_its_containers(obj: Obj, said: tuple[str, int]) -> None:
    tally = summary(obj)
    assert (tally.reason, tally.ready) == said


@pytest.mark.parametrize(
    ("init", "said"),
    [
        (container(UP), "Init:0/2"),
        (container(CRASHING), "Init:CrashLoopBackOff"),
        (container({"terminated": {"reason": "Error", "exitCode": 1}}), "Init:Error"),
        (container({"terminated": {"exitCode": 2}}), "Init:ExitCode:2"),
        (container({"waiting": {"reason": "PodInitializing"}}), "Init:0/2"),
    ],
)
def test_an_unfinished_init_container_gives_the_status(init: Obj, said: str) -> None:
    obj = with_status(container({"waiting": {"reason": "PodInitializing"}}), phase="Pending")
    obj["status"]["initContainerStatuses"] = [init]
    obj["spec"]["initContainers"] = [{"name": "app"}, {"name": "b"}]
    assert summary(obj).reason == said


def test_a_deleted_pod_is_terminating_and_restarts_say_when() -> None:
    ended = {"terminated": {"finishedAt": "2026-11-22T11:58:00Z"}}
    obj = with_status(container(UP, ready=True, restarts=3, lastState=ended))
    obj["metadata"]["creationTimestamp"] = "2026-11-22T11:00:00Z"
    assert printed(obj)["Restarts"] == "3 (2m ago)"
    obj["metadata"]["deletionTimestamp"] = "2026-11-22T12:00:30Z"
    assert printed(obj)["Status"] == "Terminating"


def test_workloads_print_their_counts(store: Store) -> None:
    obj = store.create(deployment())
    obj["status"] = {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}
    row = printed(obj)
    assert (row["Ready"], row["Up-to-date"], row["Available"]) == ("1/2", 2, 1)
    assert (row["Containers"], row["Selector"]) == ("app,sidecar", "app=web")


@pytest.mark.parametrize(
    ("metric", "current", "said"),
    [
        (
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}},
            {"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 55}}},
            "cpu: 55%/80%",
        ),
        (
            {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 80}}},
            {},
            "cpu: <unknown>/80%",
        ),
        (
            {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"averageValue": "10"}}},
            {"type": "Pods", "pods": {"current": {"averageValue": "12"}}},
            "12/10 (avg)",
        ),
    ],
)
def test_an_autoscaler_prints_current_beside_target(metric: Obj, current: Obj, said: str) -> None:
    obj = {
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h"},
        "spec": {"metrics": [metric], "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
        "status": {"currentMetrics": [current] if current else None},
    }
    assert printed(obj)["Targets"] == said


def test_nodes_services_and_volumes_print_what_kubectl_prints() -> None:
    node = {
        "kind": "Node",
        "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/worker": ""}},
        "spec": {"unschedulable": True},
        "status": {
            "conditions": [{"type": "Ready", "status": "Unknown"}],
            "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}],
            "nodeInfo": {"kubeletVersion": "v1.33.5-eks"},
        },
    }
    row = printed(node)
    assert (row["Status"], row["Roles"], row["Internal-IP"]) == (
        "NotReady,SchedulingDisabled",
        "worker",
        "10.0.0.1",
    )
    service = {
        "kind": "Service",
        "metadata": {"name": "s"},
        "spec": {"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30080, "protocol": "TCP"}]},
    }
    row = printed(service)
    assert (row["External-IP"], row["Port(s)"]) == ("<pending>", "80:30080/TCP")
    claim = {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c"},
        "spec": {"volumeName": "v", "accessModes": ["ReadWriteOnce"]},
        "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]},
    }
    row = printed(claim)
    assert (row["Capacity"], row["Access Modes"]) == ("1Gi", "RWO")


def test_an_event_prints_when_it_was_last_seen() -> None:
    event = {
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "a"},
        "lastTimestamp": "2026-11-22T11:59:00Z",
        "firstTimestamp": "2026-11-22T11:50:00Z",
        "count": 7,
        "reason": "BackOff",
        "message": "Back-off restarting failed container \n",
        "source": {"component": "kubelet", "host": "n1"},
    }
    row = printed(event)
    assert (row["Last Seen"], row["Object"], row["Count"]) == ("60s", "pod/a", 7)
    assert (row["Message"], row["Source"]) == ("Back-off restarting failed container", "kubelet, n1")


def test_a_custom_resource_prints_its_declared_columns() -> None:
    pool = {
        "kind": "NodePool",
        "metadata": {"name": "p", "creationTimestamp": "2026-11-22T11:00:00Z"},
        "spec": {"weight": 5, "template": {"spec": {"nodeClassRef": {"name": "default"}}}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    row = printed(pool)
    assert (row["NodeClass"], row["Ready"], row["Weight"], row["Age"]) == ("default", "True", 5, "60m")
    assert row["Nodes"] is None


def test_a_path_reads_escaped_names_and_positions() -> None:
    obj = {"metadata": {"labels": {"a.b/c": "x"}}, "l": [{"k": 1}]}
    assert json_path(obj, r".metadata.labels.a\.b/c") == "x"
    assert json_path(obj, ".metadata.labels['a.b/c']") == "x"
    assert json_path(obj, ".l[0].k") == 1
    assert json_path(obj, ".l[3].k") is None
    assert json_path(obj, ".metadata[0]") is None


@pytest.mark.parametrize("resource", BUILT_IN + LAB_CRDS, ids=lambda r: f"{r.kind}.{r.group}")
def test_an_object_that_says_nothing_can_be_printed(resource: Any) -> None:
    bare = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "x"}}
    printer = printer_for(resource)
    assert len(printer.cells(bare, FrozenClock()())) == len(printer.columns)


def test_a_running_pod_prints_ready() -> None:
    assert printed({**pod("a"), "status": RUNNING})["Ready"] == "1/1"
