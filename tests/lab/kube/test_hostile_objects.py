"""Objects and patches of any shape: refused or stored, never a crash, and a dry run leaves no trace."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_lab.kube.columns.printers import printer_for
from aiops_lab.kube.store import BUILT_IN, LAB_CRDS, ApiError, Resource, Store
from aiops_lab.kube.wire import clone
from tests.lab.kube.fakes import T0, FrozenClock
from tests.lab.kube.objects import Obj, deployment, namespace

_WORDS = [
    "name",
    "labels",
    "containers",
    "spec",
    "template",
    "key",
    "uid",
    "type",
    "ports",
    "$patch",
    "status",
]
_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 70_000)
    | st.sampled_from(["", "app", "1Gi", "x/y", "replace"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_WORDS), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = (
    "metadata",
    "metadata.labels",
    "metadata.annotations",
    "metadata.ownerReferences",
    "metadata.finalizers",
    "metadata.managedFields",
    "spec",
    "spec.replicas",
    "spec.selector",
    "spec.selector.matchExpressions",
    "spec.strategy",
    "spec.template",
    "spec.template.metadata",
    "spec.template.spec",
    "spec.template.spec.containers",
    "spec.template.spec.initContainers",
    "spec.template.spec.volumes",
    "spec.template.spec.tolerations",
)


def new_store() -> Store:
    store = Store(FrozenClock(), BUILT_IN + LAB_CRDS)
    store.create(namespace())
    store.create(deployment())
    return store


def put(obj: Obj, path: str, value: Any) -> Obj:
    changed = clone(obj)
    at: Any = changed
    *steps, last = path.split(".")
    for step in steps:
        at = at[step]
    at[last] = value
    return changed


def refused_or(write: Any, *words: Any, **options: Any) -> Obj | None:
    try:
        made: Obj = write(*words, **options)
    except ApiError as error:
        # An error of Go without a reason is how a real server refuses some patches.
        return None if 400 <= error.status < 500 or not error.reason else pytest.fail(str(error))
    return made


@pytest.mark.threat("T14")
@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(_FIELDS), value=_value)
def test_a_workload_of_any_shape_is_refused_or_stored(path: str, value: Any) -> None:
    store = new_store()
    obj = put(deployment("fuzz"), path, value)
    version = store.shelf.version
    planned = refused_or(store.create, obj, dry_run=True)
    assert store.shelf.version == version
    made = refused_or(store.create, obj)
    assert (planned is None) == (made is None)
    if made is not None:
        printer_for(store.resource("Deployment")).cells(made, T0)
        refused_or(store.patch, "Deployment", "shop", "web", obj, "apply", manager="m", force=True)
        refused_or(store.delete, "Deployment", made["metadata"]["namespace"], made["metadata"]["name"])


@pytest.mark.threat("T14")
@settings(max_examples=300, deadline=None)
@given(
    path=st.sampled_from(_FIELDS), value=_value, how=st.sampled_from(["merge", "strategic", "apply", "json"])
)
def test_a_patch_of_any_shape_is_refused_or_played(path: str, value: Any, how: str) -> None:
    store = new_store()
    patch: Any = put({"metadata": {}, "spec": {"selector": {}, "template": {"spec": {}}}}, path, value)
    if how == "apply":
        patch |= {"apiVersion": "apps/v1", "kind": "Deployment"}
    if how == "json":
        patch = [{"op": "add", "path": "/" + path.replace(".", "/"), "value": value}]
    before = store.get("Deployment", "shop", "web")
    refused_or(store.patch, "Deployment", "shop", "web", patch, how, manager="m", dry_run=True)
    assert store.get("Deployment", "shop", "web") == before
    made = refused_or(store.patch, "Deployment", "shop", "web", patch, how, manager="m")
    if made is not None:
        printer_for(store.resource("Deployment")).cells(made, T0)


_stored = [r for r in BUILT_IN + LAB_CRDS if "update" in r.verbs and r.group != "events.k8s.io"]


@pytest.mark.threat("T14")
@settings(max_examples=400, deadline=None)
@given(
    resource=st.sampled_from(_stored), spec=_value, status=_value, field=st.sampled_from(_WORDS), more=_value
)
def test_an_object_of_any_kind_and_shape_is_refused_or_printed(
    resource: Resource, spec: Any, status: Any, field: str, more: Any
) -> None:
    store = new_store()
    obj: Obj = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "spec": spec,
        "status": status,
        "data": more,
        "rules": more,
        "subjects": more,
        "webhooks": more,
        field: more,
        "metadata": {"name": "x", "namespace": "shop"},
    }
    made = refused_or(store.create, obj)
    if made is not None:
        named = f"{resource.kind}.{resource.group}"
        refused_or(store.set_status, named, made["metadata"].get("namespace"), "x", status)
        for stored in store.select(store.resource(named)):
            printer_for(resource).cells(stored, T0)
