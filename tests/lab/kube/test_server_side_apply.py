"""Who owns which field after applies, updates and patches."""

from typing import Any

import pytest

from aiops_lab.kube.store import ApiError, Store
from tests.lab.kube.objects import Obj, deployment


def config(containers: list[Obj] | None = None, **spec: Any) -> Obj:
    if containers is not None:
        spec["template"] = {"spec": {"containers": containers}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def apply(store: Store, sent: Obj, manager: str, *, force: bool = False, dry_run: bool = False) -> Obj:
    return store.patch(
        "Deployment", "shop", "web", sent, "apply", manager=manager, force=force, dry_run=dry_run
    )


def owned(obj: Obj, manager: str, operation: str = "Apply") -> Obj:
    entries = [
        e for e in obj["metadata"]["managedFields"] if (e["manager"], e["operation"]) == (manager, operation)
    ]
    fields: Obj = entries[0]["fieldsV1"] if entries else {}
    return fields


def test_an_apply_creates_what_is_missing_and_owns_what_it_sent(store: Store) -> None:
    made = apply(store, deployment(), "me")
    assert made["metadata"]["uid"]
    fields = owned(made, "me")
    assert fields["f:metadata"] == {"f:labels": {"f:app": {}}}
    assert set(fields["f:spec"]) == {"f:replicas", "f:selector", "f:template"}
    app = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"app"}']
    assert set(app) == {".", "f:name", "f:image", "f:resources"}


def test_the_same_apply_again_changes_nothing(store: Store) -> None:
    first = apply(store, deployment(), "me")
    assert apply(store, deployment(), "me") == first


def test_an_update_takes_the_field_and_the_next_apply_conflicts(store: Store) -> None:
    apply(store, deployment(replicas=2), "me")
    store.patch("Deployment", "shop", "web", {"spec": {"replicas": 5}}, "merge", manager="kubectl-edit")
    with pytest.raises(ApiError) as refused:
        apply(store, deployment(replicas=3), "me")
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")
    assert refused.value.message == (
        'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1: .spec.replicas'
    )
    assert refused.value.details == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "kubectl-edit" using apps/v1',
                "field": ".spec.replicas",
            }
        ]
    }
    live = store.get("Deployment", "shop", "web")
    assert live is not None
    assert live["spec"]["replicas"] == 5


def test_two_appliers_of_the_same_value_share_it(store: Store) -> None:
    apply(store, deployment(replicas=2), "me")
    shared = apply(store, config(replicas=2), "other")
    assert "f:replicas" in owned(shared, "me")["f:spec"]
    assert owned(shared, "other") == {"f:spec": {"f:replicas": {}}}
    with pytest.raises(ApiError, match=r'conflict with "me": \.spec\.replicas'):
        apply(store, config(replicas=4), "other")


def test_force_takes_the_field_over(store: Store) -> None:
    apply(store, deployment(replicas=2), "me")
    taken = apply(store, config(replicas=4), "other", force=True)
    assert taken["spec"]["replicas"] == 4
    assert "f:replicas" not in owned(taken, "me")["f:spec"]
    assert owned(taken, "other") == {"f:spec": {"f:replicas": {}}}


def test_a_field_no_longer_applied_goes_when_its_only_owner_drops_it(store: Store) -> None:
    store.create(deployment(), manager="creator")
    env = [{"name": "MODE", "value": "fast"}, {"name": "LEVEL", "value": "1"}]
    apply(store, config([{"name": "app", "env": env}]), "me")
    left = apply(store, config([{"name": "app", "env": env[1:]}]), "me")
    assert left["spec"]["template"]["spec"]["containers"][0]["env"] == env[1:]
    bare = apply(store, config([{"name": "app"}]), "me")
    assert "env" not in bare["spec"]["template"]["spec"]["containers"][0]
    assert bare["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example/web:1"


def test_a_field_that_another_still_owns_stays_when_one_drops_it(store: Store) -> None:
    store.create(deployment(replicas=2), manager="creator")
    apply(store, config(replicas=2, minReadySeconds=5), "me")
    apply(store, config(minReadySeconds=5), "other")
    left = apply(store, config(replicas=2), "me")
    assert left["spec"]["minReadySeconds"] == 5
    gone = apply(store, config(), "other")
    assert "minReadySeconds" not in gone["spec"]
    assert gone["spec"]["replicas"] == 2


def test_an_element_that_an_applier_added_goes_with_its_drop(store: Store) -> None:
    store.create(deployment(), manager="creator")
    extra = {"name": "extra", "image": "registry.example/extra:1"}
    apply(store, config([extra]), "me")
    names = [c["name"] for c in apply(store, config([]), "me")["spec"]["template"]["spec"]["containers"]]
    assert names == ["app", "sidecar"]


def test_a_dry_run_apply_reports_conflicts_and_leaves_owners_alone(store: Store) -> None:
    before = apply(store, deployment(replicas=2), "me")
    planned = apply(store, config(replicas=9), "other", force=True, dry_run=True)
    assert planned["spec"]["replicas"] == 9
    assert store.get("Deployment", "shop", "web") == before
    with pytest.raises(ApiError, match="conflict"):
        apply(store, config(replicas=9), "other", dry_run=True)


def test_status_written_by_a_controller_is_owned_apart(store: Store) -> None:
    apply(store, deployment(), "me")
    store.set_status("Deployment", "shop", "web", {"replicas": 2}, manager="controller")
    written = store.get("Deployment", "shop", "web")
    assert written is not None
    entry = next(e for e in written["metadata"]["managedFields"] if e["manager"] == "controller")
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:replicas": {}}})
    again = apply(store, {**deployment(), "status": {"replicas": 77}}, "me")
    assert again["status"] == {"replicas": 2}


def test_nulls_in_an_applied_configuration_count_as_absent(store: Store) -> None:
    sent = deployment()
    sent["metadata"]["creationTimestamp"] = None
    sent["spec"]["template"]["spec"]["nodeSelector"] = None
    made = apply(store, sent, "me")
    assert "nodeSelector" not in made["spec"]["template"]["spec"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({**config(), "metadata": {"name": "web", "managedFields": [{"manager": "x"}]}}, 400),
        (config([{"name": "app"}, {"name": "app"}]), 500),
        ({**config(), "metadata": {"name": "web", "resourceVersion": "1"}}, 409),
        ([], 400),
    ],
)
def test_a_wrong_apply_is_refused(store: Store, sent: Any, status: int) -> None:
    store.create(deployment())
    with pytest.raises(ApiError) as refused:
        apply(store, sent, "me")
    assert refused.value.status == status


def test_an_apply_without_a_manager_is_refused(store: Store) -> None:
    with pytest.raises(ApiError, match="fieldManager: Required value"):
        apply(store, deployment(), "")


def test_lists_of_custom_resources_are_owned_whole(store: Store) -> None:
    def pool(values: list[str], **spec: Any) -> Obj:
        spec["requirements"] = [{"key": "arch", "values": values}]
        return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "p"}, "spec": spec}

    store.patch("NodePool", None, "p", pool(["amd64"], weight=1), "apply", manager="me")
    with pytest.raises(ApiError, match=r"\.spec\.requirements"):
        store.patch("NodePool", None, "p", pool(["arm64"]), "apply", manager="other")
    with pytest.raises(ApiError) as refused:
        store.patch("NodePool", None, "p", {"spec": {"weight": 2}}, "strategic", manager="me")
    assert refused.value.status == 415
