"""Changes of one object as a whole: what an apply writes, what a delete loses."""

import copy

import pytest

from aiops_eks.planning import manifests
from aiops_shared.errors import ActionRefusedError, InvalidInputError
from aiops_shared.guardrails.paths import digest_of, put, restore, same
from tests.eks.planning.objects import Obj, around, container, owner, pod, ref, workload


def config(**data: str) -> Obj:
    about = {"name": "web", "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": data}


def test_what_the_server_wrote_is_taken_out_before_a_manifest_is_sent_back() -> None:
    read = workload()
    read["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"}
    read["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    sent = manifests.cleaned(read)
    assert "status" not in sent
    assert set(sent["metadata"]) == {"name", "namespace", "labels", "annotations"}
    assert sent["metadata"]["annotations"] == {"mine": "1"}
    assert "status" in read


def test_the_written_paths_are_the_manifests_own_fields() -> None:
    manifest = {
        **config(a="1"),
        "binaryData": {},
        "status": {"x": 1},
        "metadata": {
            "name": "web",
            "labels": {"app.kubernetes.io/name": "web"},
            "annotations": {'od"d': "1"},
            "finalizers": ["a/b"],
        },
    }
    assert manifests.written_paths(manifest) == (
        "data",
        "binaryData",
        'metadata.labels."app.kubernetes.io/name"',
        'metadata.annotations."od\\"d"',
        "metadata.finalizers",
    )


def test_an_apply_is_bound_to_what_it_writes_and_can_be_given_back() -> None:
    before, wish = config(a="1", b="2"), config(a="9")
    after = manifests.overlaid(before, wish)
    found = manifests.apply(around(before), wish, after)
    assert [change.path for change in found.diff] == ["data.a"]
    assert found.steps[0].verb == "apply"
    assert same(restore(after, before, found.paths), before)
    assert digest_of(put(before, "data.b", "somebody"), found.paths) != digest_of(before, found.paths)


def test_what_was_not_asked_of_the_server_is_laid_over_and_removes_nothing() -> None:
    before = workload("Deployment", container("app", env=[{"name": "A", "value": "1"}]), container("side"))
    partial = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "repo/side:2"}]}}}}
    after = manifests.overlaid(before, partial)
    names = [each["name"] for each in after["spec"]["template"]["spec"]["containers"]]
    assert names == ["app", "side"]
    found = manifests.apply(around(before), partial, after)
    assert [change.path for change in found.diff] == ["spec.template.spec.containers[name=side].image"]


def test_a_new_object_is_created_and_waited_for() -> None:
    found = manifests.apply(around(None), workload(), workload())
    assert (found.steps[0].verb, found.confirm) == ("create", "create deployment shop/web")
    assert found.steps[0].gate is not None
    assert found.steps[0].gate.check == "rollout_complete"
    assert (found.reversible, found.at_once) == ("full", 0)


def test_a_manifest_that_changes_nothing_is_no_plan() -> None:
    with pytest.raises(InvalidInputError, match="already is"):
        manifests.apply(around(config(a="1")), config(a="1"), config(a="1"))


def test_a_changed_template_counts_what_its_strategy_takes_away() -> None:
    before = workload(replicas=10, strategy={"type": "Recreate"})
    after = copy.deepcopy(before)
    after["spec"]["template"]["spec"]["containers"][0]["image"] = "repo/web:2"
    assert manifests.apply(around(before), after, after).at_once == 10
    scaled = put(before, "spec.replicas", 3)
    found = manifests.apply(around(before), scaled, scaled)
    assert (found.at_once, found.replicas_after) == (0, 3)


@pytest.mark.threat("T6")
def test_a_secret_is_never_part_of_a_plan_whatever_policy_says() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "stringData": {"a": "b"}}
    with pytest.raises(ActionRefusedError):
        manifests.apply(around(None), secret, secret)


def test_a_delete_is_bound_to_all_that_it_deletes() -> None:
    found = manifests.delete(around(config(a="1")))
    assert "data" in found.reads
    assert found.reversible == "partial"
    assert found.steps[0].gate is not None
    assert found.steps[0].gate.check == "absent"


def test_the_delete_of_a_pod_says_what_is_lost_and_who_makes_it_again() -> None:
    bare = manifests.delete(around(pod()))
    assert (bare.reversible, bare.at_once) == ("none", 1)
    assert "nothing makes it again" in bare.warnings[0]
    owned = pod()
    owned["metadata"]["ownerReferences"] = [owner("ReplicaSet", "web-h1", "u")]
    assert manifests.delete(around(owned)).warnings == ()


def test_a_deleted_job_is_not_made_again_since_it_would_run_again() -> None:
    found = manifests.delete(around({**workload("Job"), "apiVersion": "batch/v1"}))
    assert found.reversible == "none"
    assert "run it again" in found.lost[0]


def test_finalizers_and_owners_of_what_is_deleted_are_said() -> None:
    held = workload("ReplicaSet")
    held["metadata"] |= {"finalizers": ["a/b"], "ownerReferences": [owner("Deployment", "web", "u")]}
    said = manifests.delete(around(held)).warnings
    assert "may make it again" in said[0]
    assert said[1].endswith("a/b")


def test_an_eviction_names_the_volumes_that_go_with_the_pod() -> None:
    one = pod()
    one["spec"]["volumes"] = [{"name": "cache", "emptyDir": {}}, {"name": "cfg", "configMap": {"name": "c"}}]
    found = manifests.evict(around(one))
    assert (found.lost, found.reversible) == (("emptyDir cache",), "none")
    with pytest.raises(InvalidInputError, match="only pods"):
        manifests.evict(around(workload()))
    missing = around(None).model_copy(update={"ref": ref("Pod", "gone", "v1")})
    with pytest.raises(InvalidInputError, match="is not there"):
        manifests.evict(missing)
