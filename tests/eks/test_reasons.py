"""Why a pod is unwell, in a few words: from the pod, and from its events where the pod does not tell."""

from typing import Any

import pytest

from aiops_eks.models.reasons import Reasons, tells_enough
from tests.fakes.kube import Obj, before, crashing, made, pod

REASONS = Reasons(str)


def waiting(reason: str, message: str = "", **more: Any) -> Obj:
    return pod("web", ready=False, state={"waiting": {"reason": reason, "message": message}}, **more)


def pulling(answer: str) -> Obj:
    image = "registry.example.com/shop/web:9"
    return waiting(
        "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {answer}', image=image
    )


def died(code: int, reason: str = "Error", message: str = "") -> Obj:
    found = crashing("web", reason=reason)
    ended = found["status"]["containerStatuses"][0]["lastState"]["terminated"]
    ended |= {"exitCode": code, "message": message}
    return found


def pending(message: str) -> Obj:
    found = pod("web")
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    found["status"] = {"phase": "Pending", "conditions": [condition]}
    return found


def failed_init(message: str) -> Obj:
    found = waiting("PodInitializing")
    last = {"terminated": {"exitCode": 1, "reason": "Error", "message": message}}
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    found["status"]["initContainerStatuses"] = [
        {"name": "migrate", "ready": False, "restartCount": 4, "state": state, "lastState": last}
    ]
    return found


def unready(**probes: Obj) -> Obj:
    found = pod("web", ready=False, started=True)
    found["spec"]["containers"][0] |= probes
    return found


RUNC = (
    "failed to create containerd task: OCI runtime create failed: unable to start container process: "
    'exec: "/app/serve": stat /app/serve: no such file or directory: unknown'
)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (died(1, message="starting\nFATAL: DATABASE_URL is not set\n\n"), "FATAL: DATABASE_URL is not set"),
        (died(128, "StartError", RUNC), 'exec: "/app/serve": stat /app/serve: no such file or directory'),
        (died(1), ""),
        (pulling("rpc error: code = NotFound desc = failed to resolve: x: not found"), "web:9: not found"),
        (
            pulling("unexpected status from HEAD request to https://r/v2: 403 Forbidden"),
            "web:9: 403 Forbidden",
        ),
        (
            pulling('Head "https://r": dial tcp 10.0.0.1:443: i/o timeout'),
            "web:9: dial tcp 10.0.0.1:443: i/o timeout",
        ),
        (waiting("ImagePullBackOff", 'Back-off pulling image "web:9"', image="web:9"), ""),
        (waiting("CreateContainerConfigError", 'configmap "api" not found'), 'configmap "api" not found'),
        (
            waiting(
                "InvalidImageName", 'couldn\'t parse image name "A": invalid reference format', image="A"
            ),
            "A: invalid reference format",
        ),
        (waiting("ContainerCreating"), ""),
        (pending("0/9 nodes are available: 9 Insufficient cpu. preemption: 0/9 nodes"), "9 Insufficient cpu"),
        (failed_init("no such table\n"), "init migrate: no such table"),
        (unready(readinessProbe={"httpGet": {"path": "/ok", "port": 80}}), "readiness probe :80/ok fails"),
        (unready(readinessProbe={"tcpSocket": {"port": 5432}}), "readiness probe :5432 fails"),
        (unready(readinessProbe={"exec": {"command": ["pg_isready"]}}), "readiness probe pg_isready fails"),
        (unready(), ""),
    ],
)
def test_the_pod_tells_its_cause(broken: Obj, why: str) -> None:
    assert REASONS.of(broken) == why


def test_a_pod_on_its_way_out_says_what_holds_it() -> None:
    leaving = pod("web")
    leaving["metadata"]["deletionTimestamp"] = before(hours=1)
    assert REASONS.of(leaving) == "node-1 has not confirmed"
    leaving["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
    assert REASONS.of(leaving) == "finalizer example.com/a, example.com/b"


def test_an_evicted_pod_says_what_its_node_lacked() -> None:
    evicted = pod("web")
    evicted["status"] |= {
        "phase": "Failed",
        "reason": "Evicted",
        "message": "The node was low on resource: memory. ",
    }
    assert REASONS.of(evicted) == "The node was low on resource: memory."


def test_of_several_containers_the_broken_one_is_named() -> None:
    broken = died(1, message="boom")
    broken["spec"]["containers"].append({"name": "proxy"})
    assert REASONS.of(broken) == "app: boom"


@pytest.mark.parametrize(
    ("broken", "enough"),
    [
        (died(1), True),
        (died(137, "OOMKilled"), True),
        (died(137), False),  # somebody killed it
        (died(143), False),
        (pulling("not found"), True),
        (waiting("ImagePullBackOff", 'Back-off pulling image "web:9"'), False),
        (waiting("ContainerCreating"), False),
        (waiting("CreateContainerConfigError", 'secret "x" not found'), True),
        (pending("0/9 nodes are available: 9 Insufficient cpu."), True),
        (unready(), False),
    ],
)
def test_events_are_asked_only_where_the_pod_is_silent(broken: Obj, enough: bool) -> None:
    assert tells_enough(broken) is enough


def event(reason: str, message: str, minutes_ago: int = 1) -> Obj:
    return made("Event", reason, reason=reason, message=message, lastTimestamp=before(minutes=minutes_ago))


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (
            [
                event("Unhealthy", "Readiness probe failed: old", 9),
                event("Unhealthy", "Readiness probe failed: new"),
            ],
            "Readiness probe failed: new",
        ),
        ([event("Killing", "Stopping container app")], ""),
        (
            [event("Killing", "Container app failed liveness probe, will be restarted")],
            "Container app failed liveness probe, will be restarted",
        ),
        ([event("Failed", 'Failed to pull image "web:9": rpc error: x: not found')], "not found"),
        ([event("Scheduled", "assigned")], ""),
        (
            [event("BackOff", "Back-off"), event("FailedMount", 'secret "tls" not found', 50)],
            'secret "tls" not found',
        ),
    ],
)
def test_the_newest_telling_event_speaks(events: list[Obj], why: str) -> None:
    assert REASONS.in_events(events) == why


@pytest.mark.threat("T14")
@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"metadata": None, "spec": [], "status": "x"},
        {"status": {"containerStatuses": [{"state": {"waiting": {"reason": 7, "message": []}}}]}},
        {"status": {"phase": "Failed", "message": {"a": 1}, "containerStatuses": [None]}},
        {"metadata": {"deletionTimestamp": "x", "finalizers": "no"}, "status": {"conditions": [7]}},
    ],
)
def test_a_misshapen_pod_tells_nothing_and_is_no_crash(broken: Obj) -> None:
    assert REASONS.of(broken) in {"", "7"}
    assert tells_enough(broken) in {True, False}
