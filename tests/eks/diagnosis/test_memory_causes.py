"""F2 and F2n: a limit that is too low, a leak, a node without memory, and what only looks like them."""

from datetime import timedelta
from typing import Any

import pytest

from aiops_eks.diagnosis.objects import Ref, UsageHistory
from aiops_eks.diagnosis.quantities import memory_text, raised_memory_bytes, whole_bytes
from tests.eks.diagnosis.worlds import (
    LOOP,
    NOW,
    NS,
    Obj,
    codes,
    crashing,
    diagnosed,
    died,
    happened,
    node,
    only,
    pod,
    running,
    world,
)

LIMITED = {"resources": {"limits": {"memory": "200Mi"}, "requests": {"memory": "100Mi"}}}
QUIET = ["loading index 40%", "loading index 90%"]
HOUR_S = 3600


def killed(lived_s: float, **more: Any) -> Obj:
    return crashing(137, "OOMKilled", lived_s=lived_s, container=LIMITED, **more)


@pytest.mark.row("S53")
def test_a_run_that_dies_within_minutes_of_its_start_has_too_low_a_limit() -> None:
    found = only(world(killed(70), log=QUIET))
    assert (found.code, found.kind, found.name) == ("OOM_LIMIT_TOO_LOW", "Deployment", "cart")
    assert found.confidence >= 0.9
    assert found.sop == "oom-raise-limits"
    assert "memory_limit=320Mi" in found.next_step
    assert "container=web" in found.next_step


def test_a_run_of_hours_that_ends_the_same_way_is_a_leak_and_no_higher_limit_is_proposed() -> None:
    answer = diagnosed(world(killed(5 * HOUR_S, restarts=4), log=QUIET))
    assert [one.code for one in answer.findings] == ["MEMORY_LEAK"]
    assert any("raising the limit delays, does not fix" in text for text in answer.warnings)
    assert "plan_workload_change" not in answer.findings[0].next_step


def test_a_leak_is_found_while_its_container_runs_again() -> None:
    again = pod(
        state=running(300),
        ready=True,
        restarts=4,
        container=LIMITED,
        last=died(137, "OOMKilled", ago_s=310, lived_s=5 * HOUR_S),
    )
    assert codes(world(again)) == ["MEMORY_LEAK"]


def test_between_a_start_up_and_hours_the_answer_is_less_sure_and_says_so() -> None:
    found = only(world(killed(40 * 60), log=QUIET))
    assert found.code == "OOM_LIMIT_TOO_LOW"
    assert found.confidence < 0.8
    assert "not excluded" in found.root_cause


@pytest.mark.parametrize(("mib_per_step", "code"), [(4, "MEMORY_LEAK"), (0, "OOM_LIMIT_TOO_LOW")])
def test_a_usage_history_decides_over_the_length_of_the_run(mib_per_step: int, code: str) -> None:
    points = tuple(
        (NOW - timedelta(minutes=5 * (40 - n)), (60 + mib_per_step * n) * 2**20) for n in range(40)
    )
    history = UsageHistory(Ref("Pod", NS, "cart-7d4b9c6f5-aaaaa"), "web", points)
    assert only(world(killed(70), history=[history])).code == code


def test_killed_without_a_limit_of_its_own_is_the_nodes_matter() -> None:
    found = only(world(crashing(137, "OOMKilled"), node()))
    assert (found.code, found.kind, found.name) == ("NODE_OUT_OF_MEMORY", "Node", "node-a")


def test_a_system_oom_on_the_node_is_the_nodes_matter_although_there_is_a_limit() -> None:
    said = happened("SystemOOM", "System OOM encountered, victim process: web", about=node())
    assert codes(world(killed(70), node(), said)) == ["NODE_OUT_OF_MEMORY"]


def test_exit_137_that_is_not_oomkilled_is_no_memory_cause() -> None:
    assert codes(world(crashing(137, "Error", container=LIMITED))) == ["KILLED_BY_SIGNAL"]


def test_one_oom_kill_long_recovered_is_no_finding() -> None:
    well = pod(
        state=running(40 * 60),
        ready=True,
        restarts=1,
        container=LIMITED,
        last=died(137, "OOMKilled", ago_s=40 * 60, lived_s=70),
    )
    assert codes(world(well)) == []


def test_one_early_oom_kill_of_a_pod_that_is_ready_again_is_no_finding() -> None:
    well = pod(
        state=running(120),
        ready=True,
        restarts=1,
        container=LIMITED,
        last=died(137, "OOMKilled", ago_s=125, lived_s=70),
    )
    assert codes(world(well)) == []


def test_the_two_causes_keep_apart_in_one_world() -> None:
    other = {"kind": "ReplicaSet", "name": "pay-5f6d7c8b9", "controller": True}
    leaking = pod(
        name="pay-5f6d7c8b9-bbbbb",
        state=LOOP,
        last=died(137, "OOMKilled", lived_s=5 * HOUR_S),
        restarts=3,
        container=LIMITED,
        metadata={"ownerReferences": [other], "labels": {"app": "pay", "pod-template-hash": "5f6d7c8b9"}},
    )
    assert sorted(codes(world(killed(70), leaking))) == ["MEMORY_LEAK", "OOM_LIMIT_TOO_LOW"]


@pytest.mark.parametrize(
    ("limit", "raised"),
    [
        ("256Mi", "384Mi"),
        ("100Mi", "160Mi"),
        ("512Mi", "768Mi"),
        ("1Gi", "1536Mi"),
        ("2Gi", "3Gi"),
        ("64M", "96Mi"),
    ],
)
def test_a_raised_limit_is_one_and_a_half_times_and_a_size_that_people_write(limit: str, raised: str) -> None:
    before = whole_bytes(limit)
    assert before is not None
    assert memory_text(raised_memory_bytes(before)) == raised
    assert raised_memory_bytes(before) >= before * 3 / 2
