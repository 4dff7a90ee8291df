"""The rules of the store, which controllers meet as clients do."""

import pytest

from aiops_lab.kube.deletion import DeletionOptions
from aiops_lab.kube.store import ApiError, Store
from tests.lab.kube.fakes import FrozenClock
from tests.lab.kube.objects import Obj, config_map, deployment, namespace, pod


def held(store: Store, kind: str, name: str, where: str | None = "shop") -> Obj:
    found = store.get(kind, where, name)
    assert found is not None
    return found


def owned(obj: Obj, owner: Obj) -> Obj:
    meta = owner["metadata"]
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
    }
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": [reference]}}


def test_a_created_object_gets_what_only_the_server_gives(store: Store) -> None:
    made = store.create(deployment(), manager="me")
    meta = made["metadata"]
    assert (meta["generation"], meta["creationTimestamp"]) == (1, "2026-11-22T12:00:00Z")
    assert meta["uid"]
    assert meta["resourceVersion"]
    assert [e["manager"] for e in meta["managedFields"]] == ["me"]


def test_what_comes_out_is_a_copy(store: Store) -> None:
    store.create(config_map(a="1"))
    held(store, "ConfigMap", "settings")["data"]["a"] = "changed"
    store.list("ConfigMap", "shop")[0]["data"]["a"] = "changed"
    assert held(store, "ConfigMap", "settings")["data"] == {"a": "1"}


def test_a_generated_name_is_made_from_its_stem(store: Store) -> None:
    unnamed = pod("x")
    unnamed["metadata"] = {"generateName": "web-", "namespace": "shop"}
    names = {store.create(unnamed)["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("web-") and len(name) == 9 for name in names)


@pytest.mark.parametrize(
    ("obj", "status"),
    [
        (pod("a", namespace="nowhere"), 404),
        ({"apiVersion": "v1", "kind": "Nonsense", "metadata": {"name": "a"}}, 404),
        ({"kind": "", "metadata": {"name": "a"}}, 400),
        ({**config_map(), "metadata": {"name": "x", "resourceVersion": "5"}}, 500),
        ({**config_map(), "metadata": {"namespace": "shop"}}, 422),
    ],
)
def test_an_impossible_create_is_refused(store: Store, obj: Obj, status: int) -> None:
    with pytest.raises(ApiError) as refused:
        store.create(obj)
    assert refused.value.status == status


def test_the_same_name_twice_is_refused(store: Store) -> None:
    store.create(config_map())
    with pytest.raises(ApiError, match='configmaps "settings" already exists') as refused:
        store.create(config_map())
    assert (refused.value.status, refused.value.reason) == (409, "AlreadyExists")


def test_a_stale_update_is_refused_and_changes_nothing(store: Store) -> None:
    first = store.create(config_map(a="1"))
    store.update({**first, "data": {"a": "2"}})
    with pytest.raises(ApiError, match="the object has been modified") as refused:
        store.update({**first, "data": {"a": "3"}})
    assert refused.value.status == 409
    assert held(store, "ConfigMap", "settings")["data"] == {"a": "2"}


def test_an_update_of_a_successor_by_the_old_uid_is_refused(store: Store) -> None:
    old = store.create(config_map())
    store.delete("ConfigMap", "shop", "settings")
    store.create(config_map())
    old["metadata"].pop("resourceVersion")
    with pytest.raises(ApiError, match="UID in precondition"):
        store.update(old)


def test_an_update_that_changes_nothing_keeps_the_version(store: Store) -> None:
    made = store.create(deployment())
    assert store.update(made)["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_generation_counts_changes_of_the_spec_alone(store: Store) -> None:
    made = store.create(deployment())
    store.set_status("Deployment", "shop", "web", {"replicas": 1})
    labelled = store.patch("Deployment", "shop", "web", {"metadata": {"labels": {"a": "b"}}}, "merge")
    assert labelled["metadata"]["generation"] == 1
    scaled = store.patch("Deployment", "shop", "web", {"spec": {"replicas": 4}}, "merge")
    assert scaled["metadata"]["generation"] == 2
    assert int(scaled["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


def test_status_and_spec_are_written_through_different_doors(store: Store) -> None:
    store.create({**deployment(), "status": {"replicas": 99}})
    assert "status" not in held(store, "Deployment", "web")
    store.set_status("Deployment", "shop", "web", {"replicas": 2})
    live = held(store, "Deployment", "web")
    written = store.update({**live, "status": {"replicas": 77}})
    assert written["status"] == {"replicas": 2}
    through = store.update(
        {**live, "spec": {**live["spec"], "replicas": 50}, "status": {"replicas": 3}}, subresource="status"
    )
    assert (through["spec"]["replicas"], through["status"]) == (2, {"replicas": 3})


def test_a_scheduled_pod_dies_slowly_and_its_kubelet_ends_it(store: Store, clock: FrozenClock) -> None:
    store.create(pod("a", node="n1"))
    marked = store.delete("Pod", "shop", "a")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    assert marked["metadata"]["deletionTimestamp"] == "2026-11-22T12:00:30Z"
    clock.advance(seconds=5)
    again = store.delete("Pod", "shop", "a")
    assert again["metadata"]["deletionTimestamp"] == "2026-11-22T12:00:30Z"
    store.delete("Pod", "shop", "a", grace_s=0)
    assert store.get("Pod", "shop", "a") is None


def test_a_pod_that_runs_nowhere_goes_at_once(store: Store) -> None:
    store.create(pod("a"))
    store.delete("Pod", "shop", "a")
    assert store.get("Pod", "shop", "a") is None


def test_a_finalizer_holds_an_object_until_it_is_removed(store: Store) -> None:
    made = config_map()
    made["metadata"]["finalizers"] = ["lab.example/hold"]
    store.create(made)
    store.delete("ConfigMap", "shop", "settings")
    waiting = held(store, "ConfigMap", "settings")
    assert waiting["metadata"]["deletionTimestamp"]
    store.patch("ConfigMap", "shop", "settings", {"metadata": {"finalizers": None}}, "merge")
    assert store.get("ConfigMap", "shop", "settings") is None


@pytest.mark.parametrize("wrong", [{"uid": "no"}, {"resource_version": "1"}])
def test_a_delete_whose_precondition_fails_deletes_nothing(store: Store, wrong: DeletionOptions) -> None:
    store.create(config_map())
    with pytest.raises(ApiError, match="in the precondition"):
        store.delete("ConfigMap", "shop", "settings", **wrong)
    assert held(store, "ConfigMap", "settings")


def test_dependents_go_with_their_owner_unless_another_owner_lives(store: Store) -> None:
    one, two = store.create(config_map("one")), store.create(config_map("two"))
    store.create(owned(config_map("only"), one))
    shared = owned(config_map("shared"), one)
    shared["metadata"]["ownerReferences"] += owned(config_map("x"), two)["metadata"]["ownerReferences"]
    store.create(shared)
    store.delete("ConfigMap", "shop", "one")
    assert store.get("ConfigMap", "shop", "only") is None
    assert [r["name"] for r in held(store, "ConfigMap", "shared")["metadata"]["ownerReferences"]] == ["two"]


def test_orphans_stay_without_their_reference(store: Store) -> None:
    owner = store.create(config_map("one"))
    store.create(owned(config_map("child"), owner))
    store.delete("ConfigMap", "shop", "one", propagation="Orphan")
    assert "ownerReferences" not in held(store, "ConfigMap", "child")["metadata"]


def test_in_the_foreground_the_owner_waits_for_its_dependents(store: Store) -> None:
    owner = store.create(deployment())
    store.create(owned(pod("a", node="n1"), owner))
    store.delete("Deployment", "shop", "web", propagation="Foreground")
    assert held(store, "Deployment", "web")["metadata"]["finalizers"] == ["foregroundDeletion"]
    store.delete("Pod", "shop", "a", grace_s=0)
    assert store.get("Deployment", "shop", "web") is None


def test_a_namespace_takes_everything_with_it_and_refuses_new_content(store: Store) -> None:
    store.create(config_map())
    store.create(pod("a", node="n1"))
    store.delete("Namespace", None, "shop")
    assert held(store, "Namespace", "shop", None)["status"]["phase"] == "Terminating"
    assert store.get("ConfigMap", "shop", "settings") is None
    with pytest.raises(ApiError, match="it is being terminated") as refused:
        store.create(config_map())
    assert refused.value.status == 403
    store.delete("Pod", "shop", "a", grace_s=0)
    assert store.get("Namespace", None, "shop") is None


def test_listeners_hear_every_change_in_commit_order_even_when_one_writes(store: Store) -> None:
    heard: list[tuple[str, str]] = []

    def writer(kind: str, obj: Obj) -> None:
        if obj["metadata"]["name"] == "first":
            store.create(config_map("second"))

    store.subscribe(writer)
    leave = store.subscribe(lambda kind, obj: heard.append((kind, obj["metadata"]["name"])))
    store.create(config_map("first"))
    store.delete("ConfigMap", "shop", "second")
    leave()
    store.create(config_map("third"))
    assert heard == [("ADDED", "first"), ("ADDED", "second"), ("DELETED", "second")]


def test_history_is_bounded_and_compaction_is_gone_for_good(store: Store) -> None:
    start = store.shelf.version
    for index in range(4100):
        store.shelf.put(store.resource("ConfigMap"), config_map(f"c{index}"))
    with pytest.raises(ApiError) as refused:
        store.shelf.history.since(start)
    assert refused.value.status == 410
    recent = store.shelf.version - 10
    assert [c.version for c in store.shelf.history.since(recent)] == list(range(recent + 1, recent + 11))
    store.compact()
    with pytest.raises(ApiError):
        store.shelf.history.since(recent)
    assert store.shelf.history.since(store.shelf.version) == []


def test_a_snapshot_brings_everything_back_but_the_version(store: Store) -> None:
    store.create(config_map(a="1"))
    kept = store.snapshot()
    store.patch("ConfigMap", "shop", "settings", {"data": {"a": "2"}}, "merge")
    store.create(namespace("more"))
    version = store.shelf.version
    store.restore(kept)
    assert held(store, "ConfigMap", "settings")["data"] == {"a": "1"}
    assert store.get("Namespace", None, "more") is None
    assert store.shelf.version > version


def test_a_definition_serves_its_kind_until_it_goes(store: Store) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.lab.example"},
        "spec": {
            "group": "lab.example",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}],
        },
    }
    made = store.create(definition)
    assert {c["type"] for c in made["status"]["conditions"]} == {"NamesAccepted", "Established"}
    widget = {
        "apiVersion": "lab.example/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "namespace": "shop"},
    }
    store.create({**widget, "spec": {"size": 1}})
    assert held(store, "Widget", "w")["metadata"]["generation"] == 1
    store.delete("CustomResourceDefinition", None, "widgets.lab.example")
    with pytest.raises(ApiError, match="no matches for kind"):
        store.get("Widget", "shop", "w")


@pytest.mark.parametrize("write", ["create", "update", "merge", "apply", "delete"])
def test_a_dry_run_in_process_changes_nothing(store: Store, write: str) -> None:
    live = store.create(deployment())
    version, changes = store.shelf.version, []
    store.subscribe(lambda kind, obj: changes.append(kind))
    if write == "create":
        assert store.create(deployment("other"), dry_run=True)["metadata"]["uid"]
    elif write == "update":
        store.update({**live, "spec": {**live["spec"], "replicas": 9}}, dry_run=True)
    elif write == "delete":
        store.delete("Deployment", "shop", "web", dry_run=True)
    else:
        patch = {**deployment(replicas=9), "spec": {"replicas": 9}}
        planned = store.patch(
            "Deployment", "shop", "web", patch, write, manager="x", force=True, dry_run=True
        )
        assert planned["spec"]["replicas"] == 9
    assert (store.shelf.version, changes, held(store, "Deployment", "web")) == (version, [], live)
