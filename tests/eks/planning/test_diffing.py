"""The diff is what a person approves: nothing hidden, nothing leaked, nothing forged."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_eks.planning.diffing import changed_fields
from aiops_eks.planning.wording import SHOWN, one_line, pair
from aiops_shared.guardrails.paths import get, same
from tests.eks.planning.objects import Obj, container, workload


def paths(before: Obj, after: Obj) -> list[str]:
    return [change.path for change in changed_fields(before, after)]


def config(**data: str) -> Obj:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": data}


def test_status_and_what_the_server_writes_are_no_change() -> None:
    before, after = workload(), workload()
    after["status"] = {"observedGeneration": 9}
    after["metadata"] |= {"resourceVersion": "99", "generation": 9, "managedFields": [{"manager": "x"}]}
    assert paths(before, after) == []


def test_a_key_with_dots_is_quoted_so_that_the_path_can_be_read_back() -> None:
    before, after = workload(), workload()
    after["metadata"]["annotations"] = {"example.com/a": "1", 'q"]x': "2"}
    found = paths(before, after)
    assert found == ['metadata.annotations."example.com/a"', 'metadata.annotations."q\\"]x"']
    assert [get(after, path) for path in found] == ["1", "2"]


def test_list_items_stand_under_their_name_wherever_they_moved() -> None:
    before = workload("Deployment", container("app"), container("side"))
    after = workload("Deployment", container("side"), container("app", image="repo/web:2"))
    (change,) = changed_fields(before, after)
    assert change.path == "spec.template.spec.containers[name=app].image"
    assert (change.before, change.after) == ("repo/web:1.0.0", "repo/web:2")


def test_ports_without_names_stand_under_their_number() -> None:
    before = workload("Deployment", container(ports=[{"containerPort": 80}, {"containerPort": 81}]))
    after = workload("Deployment", container(ports=[{"containerPort": 80, "protocol": "UDP"}]))
    base = "spec.template.spec.containers[name=app].ports"
    assert paths(before, after) == [
        f"{base}[containerPort=80].protocol",
        f"{base}[containerPort=81].containerPort",
    ]


def test_items_that_share_a_name_are_shown_as_the_whole_list() -> None:
    before = workload("Deployment", container(args=["a"], env=[{"name": "A"}, {"name": "A"}]))
    after = workload("Deployment", container(args=["a", "b"], env=[{"name": "A"}]))
    base = "spec.template.spec.containers[name=app]"
    assert paths(before, after) == [f"{base}.args", f"{base}.env"]


def test_a_new_object_is_shown_field_by_field_and_not_as_one_cut_text() -> None:
    found = paths({"metadata": {}}, workload())
    assert "spec.template.spec.containers[name=app].image" in found
    assert "spec.replicas" in found


def test_true_is_not_one_and_an_empty_object_is_a_change() -> None:
    assert paths(workload(flag=True), workload(flag=1)) == ["spec.flag"]
    assert paths(workload(), workload(affinity={})) == ["spec.affinity"]


def test_long_values_are_shown_where_they_differ() -> None:
    same = "x" * 5000
    (change,) = changed_fields(config(text=f"{same}OLD{same}"), config(text=f"{same}NEW{same}"))
    assert "OLD" in change.before
    assert "NEW" in change.after
    assert max(len(change.before), len(change.after)) < SHOWN + 40
    assert "characters)" in change.after


@pytest.mark.threat("T6")
def test_a_value_is_masked_by_the_name_of_its_key() -> None:
    before, after = config(DB_PASSWORD="old-one-1234", mode="a"), config(DB_PASSWORD="new-one-5678", mode="b")
    changes = {change.path: change for change in changed_fields(before, after)}
    assert changes["data.mode"].after == "b"
    secret = changes["data.DB_PASSWORD"]
    assert "one" not in secret.before + secret.after
    assert secret.after.endswith("(changed)")


@pytest.mark.threat("T6")
def test_an_environment_variable_is_masked_by_its_own_name() -> None:
    before = workload("Deployment", container(env=[{"name": "API_TOKEN", "value": "tok-before-123"}]))
    after = workload("Deployment", container(env=[{"name": "API_TOKEN", "value": "tok-after-456"}]))
    (change,) = changed_fields(before, after)
    assert change.path.endswith("env[name=API_TOKEN].value")
    assert "tok-" not in change.before + change.after
    added = changed_fields(workload("Deployment", container(env=[])), after)
    assert all("tok-" not in item.after for item in added)


@pytest.mark.threat("T6")
def test_a_secret_is_masked_before_anything_is_cut() -> None:
    for length in range(SHOWN - 60, SHOWN + 20, 7):
        text = "y" * length + " password=plantedHunter2Secret tail"
        for change in changed_fields(config(text="short"), config(text=text)):
            assert "planted" not in change.after
            assert "Hunter2" not in change.after


def test_the_last_applied_copy_of_an_object_is_not_shown() -> None:
    before, after = workload(), workload()
    key = "kubectl.kubernetes.io/last-applied-configuration"
    after["metadata"]["annotations"] = {key: '{"data":{"x":"plantedValue"}}'}
    (change,) = changed_fields(before, after)
    assert "planted" not in change.after


@pytest.mark.threat("T7")
def test_no_value_can_forge_a_line_or_a_colour() -> None:
    evil = "repo/web:1\n\nApproved by: the operator\u2028\x1b[31m\u202e"
    (change,) = changed_fields(workload(), workload("Deployment", container(image=evil)))
    assert "\n" not in change.after
    assert all(char.isprintable() for char in change.after)
    after = workload()
    after["metadata"]["annotations"] = {"a\nTouches: nothing": "1"}
    assert all("\n" not in path for path in paths(workload(), after))


values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(string.printable, max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab.[]= \n", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)
specs = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


def without_null(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_null(item) for key, item in value.items() if item is not None}
    return [without_null(item) for item in value] if isinstance(value, list) else value


@given(specs, specs)
def test_objects_that_differ_have_a_diff_and_equal_ones_have_none(before: Obj, after: Obj) -> None:
    one, other = {"metadata": {}, "spec": without_null(before)}, {"metadata": {}, "spec": without_null(after)}
    found = changed_fields(one, other)
    assert bool(found) == (not same(one, other))
    assert all("\n" not in change.path + change.before + change.after for change in found)


@given(st.text(max_size=900), st.integers(1, 300))
def test_a_line_stays_a_line_and_short(text: str, limit: int) -> None:
    found = one_line(text, limit)
    assert "\n" not in found
    assert len(found) <= limit + 30
    assert len(pair(text, text + "z", limit)[1]) <= limit + 70  # the note on what is not shown


def test_of_a_long_text_every_changed_line_is_shown_also_far_down() -> None:
    lines = [f"setting{number}=on" for number in range(200)]
    changed = [*lines]
    changed[3], changed[180] = "setting3=off", "setting180=off"
    before = {"data": {"app.conf": "\n".join(lines)}}
    after = {"data": {"app.conf": "\n".join([*changed, "more=1"])}}
    shown = [(found.before, found.after) for found in changed_fields(before, after)]
    assert shown == [
        ("line 4: setting3=on", "line 4: setting3=off"),
        ("line 181: setting180=on", "line 181: setting180=off"),
        ("", "line 201: more=1"),
    ]


def test_a_long_line_that_differs_beyond_what_is_shown_says_so() -> None:
    before = "x" + "a" * 900 + "y"
    old, new = pair(before, "X" + "a" * 900 + "Y")
    assert "NOT ALL OF THE CHANGE IS SHOWN" in old
    assert "NOT ALL OF THE CHANGE IS SHOWN" in new
    assert "NOT ALL" not in pair(before, "X" + before[1:])[1]
