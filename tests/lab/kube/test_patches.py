"""JSON patch, merge patch and strategic merge patch on their own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_lab.kube.errors import ApiError
from aiops_lab.kube.patching.jsonpatch import json_patch
from aiops_lab.kube.patching.merge import merge_patch
from aiops_lab.kube.patching.schema import Schema
from aiops_lab.kube.patching.strategic import strategic_merge
from aiops_lab.kube.wire import clone
from tests.lab.kube.objects import Obj, deployment

DEPLOYMENT = Schema("Deployment")


def template(containers: list[Any], **more: object) -> Obj:
    return {"spec": {"template": {"spec": {"containers": containers, **more}}}}


def containers_of(obj: Obj) -> list[Obj]:
    found: list[Obj] = obj["spec"]["template"]["spec"]["containers"]
    return found


def test_json_patch_plays_every_operation_in_order() -> None:
    patched = json_patch(
        {"a": {"b": [1, 2, 3]}, "x~/y": 1},
        [
            {"op": "test", "path": "/a/b/1", "value": 2},
            {"op": "add", "path": "/a/b/-", "value": 4},
            {"op": "add", "path": "/a/b/0", "value": 0},
            {"op": "remove", "path": "/a/b/1"},
            {"op": "replace", "path": "/x~0~1y", "value": 2},
            {"op": "copy", "from": "/a/b", "path": "/c"},
            {"op": "move", "from": "/c/0", "path": "/d"},
        ],
    )
    assert patched == {"a": {"b": [0, 2, 3, 4]}, "x~/y": 2, "c": [2, 3, 4], "d": 0}


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ([{"op": "test", "path": "/a", "value": 2}], 422),
        ([{"op": "remove", "path": "/zzz"}], 422),
        ([{"op": "replace", "path": "/a/b", "value": 2}], 422),
        ([{"op": "add", "path": "/l/9", "value": 2}], 422),
        ([{"op": "add", "path": "/l/-1", "value": 2}], 422),
        ([{"op": "remove", "path": ""}], 422),
        ([{"op": "replace", "path": "", "value": 3}], 422),
        ([{"op": "jump", "path": "/a"}], 422),
        ([{"op": "add", "path": "a"}], 422),
        (["add"], 400),
        ({"op": "add"}, 400),
        ([{"op": "add", "path": "/a", "value": 1}] * 10_001, 413),
    ],
)
def test_a_json_patch_that_cannot_be_played_is_refused_and_changes_nothing(
    operations: object, status: int
) -> None:
    live: Obj = {"a": 1, "l": [1]}
    with pytest.raises(ApiError) as refused:
        json_patch(live, operations)
    assert (refused.value.status, live) == (status, {"a": 1, "l": [1]})


def test_a_merge_patch_removes_nulls_and_replaces_lists() -> None:
    live = {"a": {"b": 1, "c": 2}, "l": [1, 2]}
    assert merge_patch(live, {"a": {"b": None, "d": {"e": 1, "f": None}}, "l": [3]}) == {
        "a": {"c": 2, "d": {"e": 1}},
        "l": [3],
    }


def test_a_strategic_patch_of_one_container_keeps_the_sidecar() -> None:
    patched = strategic_merge(deployment(), template([{"name": "app", "image": "x:2"}]), DEPLOYMENT)
    assert [(c["name"], c["image"]) for c in containers_of(patched)] == [
        ("app", "x:2"),
        ("sidecar", "registry.example/proxy:3"),
    ]
    assert containers_of(patched)[0]["resources"]["limits"]["memory"] == "128Mi"


def test_patch_delete_removes_one_element_and_patch_replace_the_rest() -> None:
    gone = strategic_merge(deployment(), template([{"name": "sidecar", "$patch": "delete"}]), DEPLOYMENT)
    assert [c["name"] for c in containers_of(gone)] == ["app"]
    alone = strategic_merge(
        deployment(), template([{"name": "one", "image": "i"}, {"$patch": "replace"}]), DEPLOYMENT
    )
    assert containers_of(alone) == [{"name": "one", "image": "i"}]
    emptied = strategic_merge(
        {"metadata": {"labels": {"a": "b"}}}, {"metadata": {"labels": {"$patch": "delete"}}}, DEPLOYMENT
    )
    assert emptied == {"metadata": {"labels": {}}}
    replaced = strategic_merge({"d": {"a": 1, "b": 2}}, {"d": {"$patch": "replace", "c": 3}}, DEPLOYMENT)
    assert replaced == {"d": {"c": 3}}


def test_set_element_order_sorts_the_named_and_keeps_the_rest() -> None:
    live = template([{"name": n} for n in ("a", "b", "c", "d")])
    patch = template([{"name": "e"}])
    patch["spec"]["template"]["spec"]["$setElementOrder/containers"] = [{"name": n} for n in ("d", "a", "e")]
    patched = strategic_merge(live, patch, DEPLOYMENT)
    names = [c["name"] for c in containers_of(patched)]
    assert [n for n in names if n in {"d", "a", "e"}] == ["d", "a", "e"]
    assert sorted(names) == ["a", "b", "c", "d", "e"]


def test_retain_keys_drops_what_it_does_not_name() -> None:
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    patch = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert strategic_merge(live, patch, DEPLOYMENT) == {"spec": {"strategy": {"type": "Recreate"}}}


def test_a_set_is_joined_and_its_elements_can_be_removed() -> None:
    live = {"metadata": {"finalizers": ["a", "b"]}}
    joined = strategic_merge(live, {"metadata": {"finalizers": ["c", "a"]}}, DEPLOYMENT)
    assert joined["metadata"]["finalizers"] == ["a", "b", "c"]
    removed = strategic_merge(live, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}, DEPLOYMENT)
    assert removed["metadata"]["finalizers"] == ["b"]


def test_ports_are_keyed_by_what_they_belong_to() -> None:
    service = {"spec": {"ports": [{"port": 80, "name": "http"}, {"port": 443}]}}
    patched = strategic_merge(
        service, {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}, Schema("Service")
    )
    assert patched["spec"]["ports"] == [{"port": 80, "name": "http", "targetPort": 8080}, {"port": 443}]
    app = template([{"name": "app", "ports": [{"containerPort": 80, "name": "http"}]}])
    patched = strategic_merge(app, template([{"name": "app", "ports": [{"containerPort": 90}]}]), DEPLOYMENT)
    assert [p["containerPort"] for p in containers_of(patched)[0]["ports"]] == [80, 90]


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        ([], 400),
        ("x", 400),
        (template([{"image": "x"}]), 500),  # a real server passes Go's errors on
        (template(["app"]), 500),
        ({"spec": {"$patch": "explode"}}, 500),
    ],
)
def test_a_malformed_strategic_patch_is_refused(patch: object, status: int) -> None:
    with pytest.raises(ApiError) as refused:
        strategic_merge(deployment(), patch, DEPLOYMENT)
    assert refused.value.status == status


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab$", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
_object = st.dictionaries(st.sampled_from("abc"), _json, max_size=3)


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(held) for key, held in value.items() if held is not None}
    return value


@given(live=_object, patch=_object)
def test_a_merge_patch_applied_twice_is_applied_once_and_leaves_its_input_alone(
    live: Obj, patch: Obj
) -> None:
    before = clone(live)
    once = merge_patch(live, patch)
    assert merge_patch(once, patch) == once
    assert live == before


@given(patch=_object)
def test_a_merge_patch_on_nothing_is_the_patch_without_its_nulls(patch: Obj) -> None:
    assert merge_patch({}, patch) == _without_nulls(patch)
