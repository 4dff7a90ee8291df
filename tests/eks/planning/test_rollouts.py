"""How a template goes out, per kind and strategy (D10); the end is always the plain change."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_eks.planning.rollouts import Rollout, rollout, widest
from aiops_shared.guardrails.paths import digest_of, put, restore, same, write
from tests.eks.planning.objects import Obj, workload

IMAGE = "spec.template.spec.containers[name=app].image"
VALUES = {IMAGE: "repo/web:2"}


def steps(found: Rollout) -> list[tuple[str, str]]:
    return [(step.name, step.gate.check if step.gate else "") for step in found.steps]


def staged(kind: str = "Deployment", steady_s: float = 30, **spec: Any) -> Rollout:
    return rollout(kind, workload(kind, **spec), VALUES, steady_s)


def nodes(count: int, **spec: Any) -> Obj:
    obj = workload("DaemonSet", **spec)
    del obj["spec"]["replicas"]
    obj["status"]["desiredNumberScheduled"] = count
    return obj


def test_a_deployment_stops_as_soon_as_one_new_pod_is_there() -> None:
    found = staged(steady_s=140)
    assert steps(found) == [
        ("canary", "canary_started"),
        ("hold", "canary_ready"),
        ("rest", "rollout_complete"),
        ("settle", ""),
    ]
    safe = found.steps[0].values["spec.strategy"]["rollingUpdate"]
    assert safe == {"maxSurge": 1, "maxUnavailable": 0}
    assert found.steps[1].values == {"spec.paused": True}
    assert found.steps[1].gate is not None
    assert found.steps[1].gate.steady_s == 140
    assert found.at_once == 1


def test_one_replica_is_replaced_only_by_a_ready_one() -> None:
    found = staged(replicas=1)
    assert steps(found) == [("all", "rollout_complete"), ("settle", "")]
    assert found.steps[0].gate is not None
    assert found.steps[0].gate.steady_s == 30


def test_recreate_has_no_canary_and_says_that_everything_stops() -> None:
    found = staged(strategy={"type": "Recreate"})
    assert steps(found) == [("all", "rollout_complete")]
    assert found.at_once == 4
    assert "Recreate" in found.warnings[0]
    assert found.paths == (IMAGE,)


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (workload(paused=True), "paused"),
        (workload(replicas=0), "no replica"),
        (workload("StatefulSet", updateStrategy={"type": "OnDelete"}), "OnDelete"),
        (workload("StatefulSet", replicas=0), "no replica"),
        (workload("StatefulSet", updateStrategy={"rollingUpdate": {"partition": 4}}), "partition 4"),
        (nodes(3, updateStrategy={"type": "OnDelete"}), "OnDelete"),
        (nodes(0), "no node"),
    ],
)
def test_what_replaces_no_pod_now_is_written_and_not_waited_for(obj: Obj, why: str) -> None:
    found = rollout(obj["kind"], obj, VALUES)
    assert steps(found) == [("all", "present")]
    assert found.steps[0].values == VALUES
    assert (found.at_once, found.rolls) == (0, False)
    assert why in found.says


def test_a_statefulset_goes_by_its_partition_from_the_top() -> None:
    found = staged("StatefulSet")
    assert steps(found) == [("canary", "canary_ready"), ("rest", "rollout_complete")]
    assert found.steps[0].values["spec.updateStrategy"]["rollingUpdate"] == {"partition": 3}
    assert "has to be deleted" in found.warnings[0]
    assert staged("StatefulSet", podManagementPolicy="Parallel").warnings == ()


def test_what_somebody_holds_back_by_a_partition_stays_held_back() -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    found = staged("StatefulSet", updateStrategy=strategy)
    assert found.steps[-1].values == {"spec.updateStrategy": strategy}
    assert "to 2" in found.says


def test_the_only_replica_of_a_statefulset_is_watched() -> None:
    found = staged("StatefulSet", replicas=1)
    assert steps(found) == [("all", "rollout_complete")]
    assert found.at_once == 1


def test_a_daemonset_is_held_on_its_first_node() -> None:
    obj = nodes(20, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%"}})
    found = rollout("DaemonSet", obj, VALUES, 60)
    assert found.steps[0].values["spec.minReadySeconds"] == 60
    assert found.steps[0].values["spec.updateStrategy"]["rollingUpdate"]["maxUnavailable"] == 1
    assert found.steps[1].values["spec.minReadySeconds"] is None
    assert found.at_once == 5


def test_a_daemonset_that_surges_keeps_its_pods_while_it_goes_out() -> None:
    obj = nodes(5, updateStrategy={"rollingUpdate": {"maxSurge": "10%", "maxUnavailable": 0}})
    rolling = rollout("DaemonSet", obj, VALUES).steps[0].values["spec.updateStrategy"]["rollingUpdate"]
    assert rolling == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize(
    ("obj", "most"),
    [
        (workload(replicas=10), 2),
        (workload(replicas=3), 1),
        (workload(replicas=10, strategy={"rollingUpdate": {"maxUnavailable": "100%"}}), 10),
        (workload(replicas=10, strategy={"rollingUpdate": {"maxUnavailable": 0}}), 1),
        (workload(replicas=10, strategy={"type": "Recreate"}), 10),
        (workload(replicas=0), 0),
        (workload(paused=True), 0),
        (workload("StatefulSet", replicas=9), 1),
        (workload("StatefulSet", replicas=9, updateStrategy={"rollingUpdate": {"maxUnavailable": "30%"}}), 3),
        (nodes(10), 1),
        (nodes(10, updateStrategy={"type": "OnDelete"}), 0),
    ],
)
def test_the_widest_step_is_counted_as_the_controllers_count(obj: Obj, most: int) -> None:
    assert widest(obj["kind"], obj) == most


shares = st.integers(0, 5) | st.integers(0, 100).map("{}%".format)


def deployment(replicas: int, kind: str, surge: Any, away: Any, absent: bool) -> Obj:
    rolling = {"maxSurge": surge, "maxUnavailable": away}
    obj = workload(replicas=replicas)
    return obj if absent else put(obj, "spec.strategy", {"type": kind, "rollingUpdate": rolling})


kinds = st.sampled_from(["RollingUpdate", "Recreate"])
deployments = st.builds(deployment, st.integers(0, 12), kinds, shares, shares, st.booleans())
stateful = st.builds(
    lambda replicas, partition: workload(
        "StatefulSet",
        replicas=replicas,
        updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": partition}},
    ),
    st.integers(0, 6),
    st.integers(0, 7),
)
daemons = st.builds(
    lambda count, away, seconds: nodes(
        count,
        updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": away}},
        **({"minReadySeconds": seconds} if seconds else {}),
    ),
    st.integers(0, 6),
    shares,
    st.integers(0, 90),
)
changes = st.dictionaries(
    st.sampled_from(
        [IMAGE, "spec.template.spec.priorityClassName", 'spec.template.metadata.annotations."a.b/c"']
    ),
    st.text("ab:.", min_size=1, max_size=8),
    min_size=1,
)


@given(deployments | stateful | daemons, changes, st.floats(0, 300))
def test_the_last_state_of_a_staged_rollout_is_the_plain_change(
    obj: Obj, values: Obj, steady_s: float
) -> None:
    found, now = rollout(obj["kind"], obj, values, steady_s), obj
    for step in found.steps:
        now = write(now, step.values)
    assert same(now, write(obj, values))


@given(deployments | stateful | daemons, changes)
def test_what_a_rollout_wrote_is_given_back_from_any_step(obj: Obj, values: Obj) -> None:
    found, now = rollout(obj["kind"], obj, values), obj
    for step in found.steps:
        now = write(now, step.values)
        assert same(restore(now, obj, found.paths), obj)


@given(deployments | stateful | daemons, changes, st.data())
def test_the_digest_covers_every_path_that_is_written(obj: Obj, values: Obj, data: st.DataObject) -> None:
    found = rollout(obj["kind"], obj, values)
    written = {path for step in found.steps for path in step.values}
    assert written <= set(found.paths)
    path = data.draw(st.sampled_from(found.paths))
    assert digest_of(put(obj, path, {"somebody": "else"}), found.paths) != digest_of(obj, found.paths)
