"""The loader of manifests: what it reads, and every kind of YAML that it refuses with the line."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aiops_shared.errors import InvalidInputError
from aiops_shared.kube.manifests import (
    MAX_BYTES,
    MAX_DEPTH,
    dump_manifests,
    load_manifests,
    load_some,
)

OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"


def refusal(text: str) -> str:
    with pytest.raises(InvalidInputError) as refused:
        load_manifests(text)
    return str(refused.value)


def test_documents_come_in_order_and_empty_ones_are_left_out() -> None:
    text = f"---\n{OBJECT}---\n---\n# only a comment\n---\n{OBJECT.replace('name: a', 'name: b')}"
    assert [one["metadata"]["name"] for one in load_manifests(text)] == ["a", "b"]


def test_scalars_are_read_as_kubernetes_reads_them() -> None:
    (found,) = load_manifests('a: 1\nb: 1.5\nc: true\nd: null\ne: "1"\nf: 2026-11-22\ng: 8080:80\n1: x\n')
    assert found == {
        "a": 1,
        "b": 1.5,
        "c": True,
        "d": None,
        "e": "1",
        "f": "2026-11-22",
        "g": "8080:80",
        "1": "x",
    }


def test_json_is_yaml_too() -> None:
    assert load_manifests('{"kind": "Pod", "spec": {"containers": []}}')[0]["kind"] == "Pod"


def test_an_alias_and_a_merge_that_stay_small_are_followed() -> None:
    (found,) = load_manifests("base: &b {cpu: 1, memory: 2}\na: {<<: *b, cpu: 3}\nc: *b\n")
    assert found["a"] == {"memory": 2, "cpu": 3}
    assert found["c"] == {"cpu": 1, "memory": 2}


@pytest.mark.threat("T14")
def test_an_alias_bomb_is_refused_before_it_is_built() -> None:
    levels = ["l0: &l0 [x,x,x,x,x,x,x,x,x,x]"]
    levels += [f"l{n}: &l{n} [{','.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "expands to more than" in refusal("\n".join(levels))


@pytest.mark.threat("T14")
def test_an_alias_that_holds_itself_is_refused() -> None:
    assert "deeper" in refusal("a: &a\n  b: *a\n") or "expands" in refusal("a: &a\n  b: *a\n")


@pytest.mark.threat("T14")
@pytest.mark.parametrize(
    "tag",
    ["!!python/object/apply:os.system ['id']", "!!python/name:os.system", "!!str 1", "!x y", "!!binary aGk="],
)
def test_tags_are_refused(tag: str) -> None:
    assert "carries the tag" in refusal(f"a: {tag}\n")


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", "does not parse", 3),
        ("a: 1\n  b: 2\n", "does not parse", 2),
        ("a: 1\nb: 2\na: 3\n", "'a' twice", 3),
        ("metadata:\n  labels: {x: 1, x: 2}\n", "'x' twice", 2),
        ("- 1\n- 2\n", "no mapping", 1),
        ("a: {[1]: 2}\n", "key that is no text", 1),
        ("a: .inf\n", "no word for", 1),
        ("a: *nobody\n", "does not parse", 1),
        ("a: &x [1]\nb: {<<: *x}\n", "no mapping", 2),
    ],
)
def test_what_is_broken_or_ambiguous_is_refused_with_its_line(text: str, says: str, line: int) -> None:
    said = refusal(text)
    assert says in said
    assert f"line {line}:" in said


@pytest.mark.parametrize("text", ["", "   \n", "---\n", "# nothing\n", "null\n"])
def test_a_text_without_an_object_is_refused(text: str) -> None:
    assert "holds no object" in refusal(text)


def test_characters_that_yaml_forbids_are_refused() -> None:
    assert "characters that YAML forbids" in refusal("a: b\x00c\n")


@pytest.mark.threat("T14")
@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 50_000, "- " * 20_000, "a:\n" + " " * 3 + "? " * 9000]
)
def test_depth_is_refused_and_not_recursed_into(text: str) -> None:
    said = refusal(text)
    assert "deeper" in said or "does not parse" in said


def test_depth_up_to_the_limit_is_read() -> None:
    levels = MAX_DEPTH - 2
    assert load_manifests("a: " + "[" * levels + "]" * levels)
    assert "deeper" in refusal("a: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))


@pytest.mark.threat("T14")
def test_size_is_refused_before_parsing() -> None:
    assert f"at most {MAX_BYTES} bytes" in refusal("a: " + "x" * MAX_BYTES)


def test_more_documents_than_the_limit_are_refused_or_counted() -> None:
    text = "---\n".join(OBJECT for _ in range(520))
    assert "holds 520 documents" in refusal(text)
    documents, more = load_some(text)
    assert (len(documents), more) == (500, 20)


_SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
_TREES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


@given(st.dictionaries(st.text(min_size=1, max_size=8), _TREES, min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_what_is_written_reads_back_the_same(obj: dict[str, object]) -> None:
    text = dump_manifests([obj])
    assert load_manifests(text) == [obj]
    assert list(load_manifests(text)[0]) == list(obj)


@given(st.text(max_size=300) | st.text(alphabet="ab:-[]{}&*!|>?#%@`\"' \n\t,<", max_size=300))
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_as_plain_data_or_refused_in_one_printable_line(text: str) -> None:
    said, found = "", []
    try:
        found = load_manifests(text)
    except InvalidInputError as refused:
        said = str(refused)
    assert said.isprintable()
    assert all(isinstance(one, dict) for one in found)
    assert yaml.safe_dump(found) is not None
