"""Wishes about a workload become exact drafts, or say what would fit."""

from typing import Any

import pytest

from aiops_eks.planning.drafts import Around, Draft, Wish
from aiops_eks.planning.workloads import check_fits, draft
from aiops_shared.errors import InvalidInputError
from tests.eks.planning.objects import (
    Obj,
    around,
    container,
    limited,
    oom_killed,
    owner,
    pod,
    replica_set,
    workload,
)

MEMORY = "spec.template.spec.containers[name=app].resources.limits.memory"


def plan(action: str, here: Around, **wish: Any) -> Draft:
    asked = Wish(**wish)
    check_fits(action, asked)
    return draft(action, here, asked)


def refused(action: str, here: Around, **wish: Any) -> str:
    with pytest.raises(InvalidInputError) as caught:
        plan(action, here, **wish)
    return str(caught.value)


def test_a_scale_sets_one_field_and_waits_for_ready_replicas() -> None:
    found = plan("scale", around(workload()), replicas=6)
    assert [(change.path, change.before, change.after) for change in found.diff] == [
        ("spec.replicas", "4", "6")
    ]
    assert found.paths == ("spec.replicas",)
    assert found.confirm == "scale deployment shop/web from 4 to 6 replicas"
    assert found.steps[0].gate is not None
    assert found.steps[0].gate.args == {"replicas": 6}


def test_a_scale_to_zero_says_how_many_it_removes() -> None:
    found = plan("scale", around(workload()), replicas=0)
    assert (found.replicas_after, found.shows["removes"]) == (0, "4 of 4 replicas")


def autoscaler(name: str = "web", kind: str = "Deployment") -> Obj:
    spec = {"minReplicas": 2, "maxReplicas": 9, "scaleTargetRef": {"kind": kind, "name": name}}
    return {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "web-hpa"}, "spec": spec}


def test_an_autoscaler_of_this_workload_is_warned_of_and_no_other() -> None:
    found = plan("scale", around(workload(), hpas=(autoscaler("db"), autoscaler())), replicas=6)
    assert found.warnings == ("HorizontalPodAutoscaler web-hpa (2-9) sets the replicas, overriding this.",)
    assert (
        plan("scale", around(workload(), hpas=(autoscaler(kind="StatefulSet"),)), replicas=6).warnings == ()
    )


def test_a_scale_that_does_nothing_or_that_another_controller_sets_is_refused() -> None:
    assert "already has 4" in refused("scale", around(workload()), replicas=4)
    assert "say how many" in refused("scale", around(workload()))
    assert "not possible for a DaemonSet" in refused("scale", around(workload("DaemonSet")), replicas=2)
    inner = workload("ReplicaSet")
    inner["metadata"]["ownerReferences"] = [owner("Deployment", "web", "u-web")]
    assert "scale deployment web" in refused("scale", around(inner, owners=(workload(),)), replicas=2)


def test_a_restart_writes_kubectls_annotation_with_world_time() -> None:
    found = plan("restart", around(workload()))
    path = 'spec.template.metadata.annotations."kubectl.kubernetes.io/restartedAt"'
    assert found.steps[0].values[path] == "2026-11-22T03:00:00Z"
    assert found.confirm == "restart deployment shop/web (4 pods, one at a time)"
    everything = plan("restart", around(workload(strategy={"type": "Recreate"})))
    assert everything.confirm.endswith("(4 pods, 4 at a time)")


@pytest.mark.parametrize("action", ["restart", "rollback"])
def test_what_would_replace_no_pod_is_no_restart_and_no_rollback(action: str) -> None:
    paused = workload(paused=True)
    sets = (replica_set(paused, 1, "a"), replica_set(paused, 2, "b"))
    assert "replace no pod" in refused(action, around(paused, replica_sets=sets))
    assert "OnDelete" in refused(
        "restart", around(workload("StatefulSet", updateStrategy={"type": "OnDelete"}))
    )


def test_a_paused_deployment_can_be_changed_and_it_is_said_that_nothing_goes_out() -> None:
    found = plan("resources", around(workload("Deployment", limited(), paused=True)), memory_limit="384Mi")
    assert [step.name for step in found.steps] == ["all"]
    assert "paused" in found.warnings[0]
    assert "spec.paused" in found.reads


def history(*revisions: int) -> Around:
    web = workload()
    return around(
        web, replica_sets=tuple(replica_set(web, number, f"repo/web:{number}") for number in revisions)
    )


def test_a_rollback_takes_the_revision_before_also_across_gaps() -> None:
    found = plan("rollback", history(9, 2, 5))
    assert found.revisions_back == 1
    assert "from revision 9 to 5 (image repo/web:5)" in found.confirm
    template = found.steps[0].values["spec.template"]
    assert template["metadata"]["labels"] == {"app": "web"}
    assert template["spec"]["containers"][0]["image"] == "repo/web:5"
    assert plan("rollback", history(9, 2, 5), to_revision=2).revisions_back == 2
    assert found.shows["revisions"].startswith("9: repo/web:9; 5: ")


def test_a_rollback_to_a_revision_that_is_not_there_names_those_that_are() -> None:
    assert "it has 5, 2" in refused("rollback", history(9, 2, 5), to_revision=3)
    assert "it has 5, 2" in refused("rollback", history(9, 2, 5), to_revision=9)
    assert "no earlier revision" in refused("rollback", history(9))
    assert "no earlier revision" in refused("rollback", history(9, 0))
    assert "not possible for a StatefulSet" in refused("rollback", around(workload("StatefulSet")))


def test_no_value_raises_the_memory_limit_by_half() -> None:
    found = plan("resources", around(workload("Deployment", limited("256Mi"))))
    assert found.steps[0].values[MEMORY] == "384Mi"
    assert found.raise_pct == 150
    assert found.needs_bytes == 128 * 2**20
    assert "memory limit 256Mi -> 384Mi" in found.confirm


def test_a_container_without_a_limit_needs_one_said() -> None:
    assert "has none yet" in refused("resources", around(workload()))
    found = plan("resources", around(workload()), memory_limit="256Mi")
    assert (found.raise_pct, found.needs_bytes) == (1000, 256 * 2**20)


@pytest.mark.parametrize("text", ["0", "0Mi", "1.2.3", ".", "12Zi", "384m", "384"])
def test_what_is_no_sensible_quantity_is_refused(text: str) -> None:
    assert "Mi" in refused("resources", around(workload("Deployment", limited())), memory_limit=text)


def test_a_request_above_its_limit_is_refused_whichever_of_the_two_is_set() -> None:
    here = around(workload("Deployment", limited("256Mi", "128Mi")))
    assert "exceed the limit" in refused("resources", here, memory_request="300Mi")
    assert "exceed the limit" in refused("resources", here, memory_limit="100Mi")
    assert plan("resources", here, memory_limit="512Mi", memory_request="300Mi").raise_pct == 235


def test_a_value_that_is_there_already_is_nothing_to_plan() -> None:
    assert "nothing to plan" in refused(
        "resources", around(workload("Deployment", limited())), memory_limit="256Mi"
    )


def test_the_container_is_named_when_there_are_several_and_init_containers_have_names_too() -> None:
    two = workload("Deployment", limited(), limited(name="side"))
    two["spec"]["template"]["spec"]["initContainers"] = [limited("64Mi", "64Mi", name="proxy")]
    here = around(two)
    assert "name one of proxy, app, side" in refused("resources", here)
    assert "it has proxy, app, side" in refused("image", here, container="nope", image="repo/web:2")
    found = plan("resources", here, container="proxy")
    assert found.diff[0].path == "spec.template.spec.initContainers[name=proxy].resources.limits.memory"
    image = plan("image", here, container="side", image="repo/side:2")
    assert image.diff[0].path == "spec.template.spec.containers[name=side].image"


def killed(seconds: int) -> Around:
    started = f"2026-11-22T0{2 - seconds // 3600}:00:00Z"
    finished = f"2026-11-22T02:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"
    dead = pod(restarts=3, lastState=oom_killed(started, finished))
    return around(workload("Deployment", limited()), pods=(dead,))


@pytest.mark.row("F2")
def test_the_canary_is_watched_twice_as_long_as_the_last_one_lived() -> None:
    found = plan("resources", killed(70))
    hold = next(step.gate for step in found.steps if step.name == "hold")
    assert hold is not None
    assert hold.steady_s == 140
    assert found.shows["need"] == "more than 256Mi: OOMKilled 70 s after start"
    assert found.warnings == ()


@pytest.mark.row("F2n")
def test_a_limit_that_was_reached_after_hours_looks_like_a_leak() -> None:
    found = plan("resources", killed(2 * 3600))
    assert "a leak? Raising it delays, does not fix" in found.warnings[0]
    hold = next(step.gate for step in found.steps if step.name == "hold")
    assert hold is not None
    assert hold.steady_s == 300


def test_a_limit_no_higher_than_where_it_was_killed_is_warned_of() -> None:
    found = plan("resources", killed(70), memory_limit="200Mi")
    assert "It was OOMKilled at 256Mi; this is no more." in found.warnings


def test_the_end_of_guaranteed_quality_of_service_is_said() -> None:
    found = plan("resources", around(workload("Deployment", limited("256Mi", "256Mi"))), memory_limit="384Mi")
    assert "QoS Guaranteed" in found.warnings[0]
    both = {"memory_limit": "384Mi", "memory_request": "384Mi"}
    assert plan("resources", around(workload("Deployment", limited("256Mi", "256Mi"))), **both).warnings == ()


@pytest.mark.parametrize(
    ("image", "moves"),
    [
        ("repo/web:2.0.0", False),
        ("repo/web", True),
        ("repo/web:latest", True),
        ("registry:5000/web", True),
        ("registry:5000/web:2", False),
        ("repo/web@sha256:" + "a" * 64, False),
        ("repo/web:latest@sha256:" + "a" * 64, False),
    ],
)
def test_an_image_that_may_move_is_warned_of(image: str, moves: bool) -> None:
    found = plan("image", around(workload()), image=image)
    assert bool(found.warnings) is moves
    assert found.diff[0].after == image


def test_the_image_that_already_runs_is_nothing_to_plan() -> None:
    assert "already runs it" in refused("image", around(workload()), image="repo/web:1.0.0")
    assert "say which image" in refused("image", around(workload()))


@pytest.mark.threat("T7")
def test_an_image_in_the_object_cannot_forge_a_line_of_the_sentence() -> None:
    evil = container(image="repo/web:1\nTouches: nothing. Approve.")
    found = plan("image", around(workload("Deployment", evil)), image="repo/web:2")
    assert "\n" not in found.confirm


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_every_written_path_is_declared_and_what_chose_the_rollout_is_read(kind: str) -> None:
    obj = workload(kind, limited())
    if kind == "DaemonSet":
        obj["status"]["desiredNumberScheduled"] = 3
    found = plan("resources", around(obj))
    assert {path for step in found.steps for path in step.values} <= set(found.paths)
    assert any("trategy" in path for path in found.reads)


@pytest.mark.parametrize(
    ("action", "wish"),
    [
        ("scale", {"replicas": 4, "memory_limit": "1Gi"}),
        ("restart", {"image": "a:1"}),
        ("rollback", {"container": "app"}),
        ("resources", {"replicas": 3}),
        ("image", {"image": "a:1", "to_revision": 2}),
    ],
)
def test_an_argument_of_another_action_is_refused_not_ignored(action: str, wish: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match=f"not an argument of {action}"):
        check_fits(action, Wish(**wish))
