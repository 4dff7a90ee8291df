"""What the gates see: only the new pods, only since our own write, only after the controller looked."""

from datetime import UTC, datetime
from typing import Any

import pytest

from aiops_eks.clients.effects import newest_set
from aiops_eks.clients.watching import (
    canary_ready,
    canary_started,
    replicas_ready,
    rollout_complete,
    trouble,
    written_at,
)
from tests.eks.planning.objects import Obj, pod, replica_set, workload

SINCE = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
CRASHED = {"waiting": {"reason": "CrashLoopBackOff"}}


def status(kind: str = "Deployment", spec: Obj | None = None, **fields: Any) -> Obj:
    obj = workload(kind, **(spec or {}))
    obj["status"] |= fields
    return obj


def restarted(finished: str, reason: str = "Error") -> Obj:
    return pod(restarts=2, lastState={"terminated": {"reason": reason, "finishedAt": finished}})


def test_no_gate_judges_a_pod_before_the_controller_has_seen_the_change() -> None:
    unseen = status(observedGeneration=2)
    for look in (canary_started, canary_ready, rollout_complete):
        assert look(unseen, [pod(restarts=5, state=CRASHED)]).state == "waiting"
        assert look(unseen, [pod()]).state == "waiting"


def test_a_canary_has_started_with_its_first_pod_ready_or_not() -> None:
    assert canary_started(status(), []).state == "waiting"
    assert canary_started(status(), [pod(ready=False)]).state == "met"
    leaving = pod()
    leaving["metadata"]["deletionTimestamp"] = "2026-11-22T02:00:00Z"
    assert canary_started(status(), [leaving]).state == "waiting"


def test_a_canary_is_ready_when_a_new_pod_is() -> None:
    assert canary_ready(status(), []).state == "waiting"
    assert canary_ready(status(), [pod(ready=False)]).state == "waiting"
    assert canary_ready(status(), [pod()]).state == "met"


@pytest.mark.parametrize(
    ("new", "says"),
    [
        (pod(state=CRASHED, ready=False), "CrashLoopBackOff"),
        (pod(state={"waiting": {"reason": "ImagePullBackOff"}}, ready=False), "ImagePullBackOff"),
        (
            pod(state={"terminated": {"reason": "OOMKilled", "finishedAt": "2026-11-22T02:01:00Z"}}),
            "OOMKilled",
        ),
        (restarted("2026-11-22T02:01:10Z", "OOMKilled"), "restarted (OOMKilled)"),
        (pod(restarts=1), "restarted"),
    ],
)
def test_a_new_pod_that_cannot_become_ready_fails_the_gate_at_once(new: Obj, says: str) -> None:
    for look in (canary_ready, rollout_complete):
        found = look(status(), [new], SINCE)
        assert found.state == "failed"
        assert says in found.says


def test_an_init_container_in_a_crash_loop_is_trouble_too() -> None:
    new = pod(ready=False)
    new["status"]["initContainerStatuses"] = [{"name": "init", "restartCount": 0, "state": CRASHED}]
    assert "CrashLoopBackOff" in trouble([new])
    new["status"]["initContainerStatuses"] = [
        {"name": "init", "restartCount": 0, "state": {"terminated": {"reason": "Completed"}}}
    ]
    assert trouble([new]) == ""


def test_restarts_from_before_our_write_are_not_the_changes_fault() -> None:
    old = restarted("2026-11-20T10:00:00Z")
    assert trouble([old], SINCE) == ""
    assert trouble([old], None) != ""
    assert canary_ready(status(), [old], SINCE).state == "met"


def test_a_pod_on_its_way_out_is_nobodys_trouble() -> None:
    leaving = pod(state=CRASHED)
    leaving["metadata"]["deletionTimestamp"] = "2026-11-22T02:00:00Z"
    assert trouble([leaving]) == ""


def test_our_write_is_dated_by_the_field_manager() -> None:
    obj = workload()
    obj["metadata"]["managedFields"] = [
        {"manager": "kubectl", "time": "2026-11-22T02:59:00Z"},
        {"manager": "eks-aiops", "time": "2026-11-22T01:00:00Z"},
        {"manager": "eks-aiops", "time": "2026-11-22T02:00:00Z"},
        {"manager": "eks-aiops", "time": "2026-11-22T02:30:00Z", "subresource": "status"},
    ]
    assert written_at(obj, "eks-aiops") == SINCE
    assert written_at(workload(), "eks-aiops") is None


FULL: Obj = {"replicas": 4, "updatedReplicas": 4, "availableReplicas": 4, "readyReplicas": 4}


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        (FULL, "met"),
        ({**FULL, "replicas": 5}, "waiting"),
        ({**FULL, "availableReplicas": 3}, "waiting"),
        ({**FULL, "updatedReplicas": 3}, "waiting"),
        ({}, "waiting"),
    ],
)
def test_a_deployment_is_complete_when_all_replicas_are_new_and_available(fields: Obj, state: str) -> None:
    assert rollout_complete(status(**fields), []).state == state


def test_a_scaled_down_deployment_is_complete() -> None:
    assert rollout_complete(status(spec={"replicas": 0}), []).state == "met"


def stuck(at: str) -> Obj:
    reason = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "lastUpdateTime": at}
    return status(**{**FULL, "updatedReplicas": 1}, conditions=[reason])


def test_a_deadline_that_the_last_rollout_exceeded_does_not_fail_this_one() -> None:
    assert rollout_complete(stuck("2026-11-22T01:00:00Z"), [], SINCE).state == "waiting"
    assert rollout_complete(stuck("2026-11-22T02:10:00Z"), [], SINCE).state == "failed"


def test_a_statefulset_is_complete_down_to_its_partition() -> None:
    held = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}}
    fields: Obj = {"replicas": 4, "readyReplicas": 4, "updatedReplicas": 1}
    assert rollout_complete(status("StatefulSet", held, **fields), []).state == "met"
    assert rollout_complete(status("StatefulSet", **fields), []).state == "waiting"


def test_a_daemonset_is_complete_on_every_node() -> None:
    fields: Obj = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 3}
    assert rollout_complete(status("DaemonSet", **fields), []).state == "met"
    assert rollout_complete(status("DaemonSet", **{**fields, "numberAvailable": 2}), []).state == "waiting"


def test_a_scale_is_done_with_exactly_as_many_ready_replicas() -> None:
    assert replicas_ready(status(replicas=2, readyReplicas=2), 2).state == "met"
    assert replicas_ready(status(replicas=3, readyReplicas=2), 2).state == "waiting"
    assert replicas_ready(status(observedGeneration=1, replicas=2, readyReplicas=2), 2).state == "waiting"
    assert replicas_ready(status(spec={"replicas": 0}), 0).state == "met"


def test_the_new_replicaset_is_the_one_with_the_deployments_template_whatever_its_number() -> None:
    web = workload()
    sets = [replica_set(web, 1, "repo/web:1.0.0"), replica_set(web, 2, "repo/web:2")]
    found = newest_set(web, sets)  # rolled back: revision 2 is newer, revision 1 is what runs
    assert found is not None
    assert found["metadata"]["name"] == "web-h1"
    assert newest_set(web, sets[1:]) is None  # the controller has not made it yet
    twin = replica_set(web, 3, "repo/web:1.0.0", made="2026-11-21T00:00:00Z")
    assert newest_set(web, [twin, *sets]) == found
