"""Fields by name: what is read, written, bound to and given back."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.paths import (
    MISSING,
    Key,
    Part,
    Pick,
    Place,
    digest_of,
    get,
    holds,
    join,
    moved,
    parse,
    put,
    remove,
    restore,
    same,
    uid_of,
    write,
)

WORDS = st.text(min_size=1, max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=10,
)
OBJECTS = st.dictionaries(WORDS, JSON, max_size=4)
PARTS = st.lists(
    st.builds(Key, WORDS)
    | st.builds(Pick, WORDS, st.text(max_size=8))
    | st.builds(Place, st.integers(min_value=0, max_value=99)),
    max_size=5,
)
POD: dict[str, Any] = {
    "metadata": {"uid": "u1", "annotations": {"a.b/c": "x"}},
    "spec": {
        "containers": [
            {"name": "app", "image": "app:1", "ports": [{"containerPort": 80, "name": "http"}]},
            {"name": "log", "image": "log:1"},
        ],
        "nodeName": None,
    },
}


@given(st.builds(Key, WORDS), PARTS)
def test_every_path_reads_back_as_the_parts_it_was_made_of(first: Part, rest: list[Part]) -> None:
    parts = (first, *rest)
    assert parse(join(parts)) == parts


@given(OBJECTS, st.lists(WORDS, min_size=1, max_size=3), JSON)
def test_what_is_put_is_read_back_and_the_original_stays(obj: Any, words: list[str], value: Any) -> None:
    path, before = join(tuple(Key(word) for word in words)), copy.deepcopy(obj)
    try:
        changed = put(obj, path, value)
    except InvalidInputError:
        assert any(
            not isinstance(get(obj, join(tuple(Key(w) for w in words[:n]))), dict) for n in range(1, 3)
        )
    else:
        assert same(get(changed, path), value)
        assert get(remove(changed, path), path) is MISSING
    assert obj == before


@given(OBJECTS, WORDS, WORDS, JSON)
def test_restoring_what_was_written_gives_the_object_back(obj: Any, one: str, two: str, value: Any) -> None:
    path = join((Key(one), Key(two)))
    try:
        changed = put(obj, path, value)
    except InvalidInputError:
        return
    assert same(restore(changed, obj, (path,)), obj)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.containers[name=app].image", "app:1"),
        ('metadata.annotations."a.b/c"', "x"),
        ("spec.containers[0].ports[containerPort=80].name", "http"),
        ("spec.nodeName", None),
        ("spec.containers[name=none].image", MISSING),
        ("spec.containers[7]", MISSING),
        ("spec.containers.image", MISSING),
        ("metadata[name=x]", MISSING),
        ("status", MISSING),
    ],
)
def test_a_path_leads_to_its_value_or_to_nothing(path: str, value: object) -> None:
    assert get(POD, path) == value


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".a",
        "a.",
        "a..b",
        "a[",
        "a[]",
        "a[x]",
        "a[name=x",
        "a]",
        'a."b',
        "a[-1]",
        'a["0"]',
        "a=b",
        "a[b=c]d",
        'a"b"',
    ],
)
def test_a_path_that_does_not_parse_is_refused(path: str) -> None:
    with pytest.raises(InvalidInputError):
        parse(path)


def test_quotes_and_backslashes_inside_a_quoted_part_are_escaped() -> None:
    parts = (Key("a"), Key('x"y\\z'))
    assert join(parts) == r'a."x\"y\\z"'
    assert parse(join(parts)) == parts


def test_an_item_may_be_added_by_its_name_but_is_never_made_up() -> None:
    path = "spec.containers[name=new]"
    assert get(put(POD, path, {"name": "new"}), path) == {"name": "new"}
    with pytest.raises(InvalidInputError):
        put(POD, path, {"name": "other"})
    with pytest.raises(InvalidInputError):
        put(POD, "spec.containers[name=new].image", "x")
    with pytest.raises(InvalidInputError):
        put(POD, "spec.containers[9]", {})


def test_parents_are_made_objects_or_lists_as_the_path_says() -> None:
    assert put({}, "a.b.c", 1) == {"a": {"b": {"c": 1}}}
    assert put({}, "a[name=x]", {"name": "x"}) == {"a": [{"name": "x"}]}


def test_writing_null_removes_and_removing_nothing_changes_nothing() -> None:
    assert write({"a": 1, "b": 2}, {"a": None, "c": 3}) == {"b": 2, "c": 3}
    assert remove(POD, "spec.nothing.here") == POD


def test_a_restored_item_comes_back_at_its_place() -> None:
    path = "spec.containers[name=app]"
    assert restore(remove(POD, path), POD, (path,)) == POD


def test_parents_that_were_not_there_go_again_when_empty() -> None:
    before: dict[str, Any] = {"metadata": {}}
    path = 'metadata.annotations."a/b"'
    assert restore(put(before, path, "x"), before, (path,)) == before
    others = put(put(before, path, "x"), "metadata.annotations.mine", "y")
    assert restore(others, before, (path,)) == {"metadata": {"annotations": {"mine": "y"}}}


def test_missing_null_and_gone_have_different_digests() -> None:
    objects: tuple[Any, ...] = (None, {}, {"a": None}, {"a": {}}, {"a": False})
    assert len({digest_of(obj, ("a",)) for obj in objects}) == 5


def test_the_digest_binds_the_uid_and_ignores_what_is_not_named() -> None:
    recreated = put(POD, "metadata.uid", "u2")
    assert digest_of(POD, ("spec",)) != digest_of(recreated, ("spec",))
    busy = put(put(POD, "status.phase", "Running"), "metadata.resourceVersion", "9")
    assert digest_of(POD, ("spec",)) == digest_of(busy, ("spec",))
    assert (uid_of(POD), uid_of(None), uid_of({"metadata": {"uid": 1}})) == ("u1", "", "")


def test_moved_names_the_fields() -> None:
    changed = put(POD, "spec.nodeName", "n1")
    assert moved(POD, changed, ("spec.nodeName", "spec.containers")) == ("spec.nodeName",)


def test_json_equality_tells_true_from_one_and_missing_from_null() -> None:
    assert not same(True, 1)
    assert not same(MISSING, None)
    assert same(MISSING, MISSING)
    assert not MISSING


@pytest.mark.parametrize(
    ("part", "held"),
    [
        ({"spec": {"containers": [{"name": "log"}]}}, True),
        ({"spec": {"containers": [{"name": "log", "image": "log:2"}]}}, False),
        ({"spec": {"nothing": None}}, True),
        ({"spec": {"nothing": 1}}, False),
        ({"spec": []}, False),
        ({"spec": {"containers": {}}}, False),
    ],
)
def test_an_object_holds_what_a_manifest_says(part: object, held: bool) -> None:
    assert holds(POD, part) is held
