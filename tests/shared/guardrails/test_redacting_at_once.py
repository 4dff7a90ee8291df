"""One look over a whole answer finds what going through it finds: both ways agree on every input (T6)."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aiops_shared.guardrails import redacting
from aiops_shared.guardrails.redacting import MAX_DEPTH, redact_tree
from aiops_shared.guardrails.redaction_rules import _HINTS, _PLACES

pytestmark = pytest.mark.threat("T6")

_KEY_ID = "AKIA" + "Q7" * 8
_PIECES = (
    *_HINTS,
    *_PLACES,
    *(
        "://",
        "@",
        ":",
        "=",
        "--",
        '"',
        "\\",
        "\n",
        "\x00",
        "é",
        "\u017f",
        "\u212a",
        "\u0130",
        "\u0131",
        "\ud800",
    ),
    *("Secret", "SecretList", "Opaque", "kubernetes.io/tls", "helm.sh/release.v1", "managedFields"),
    *("data", "stringData", "items", "kind", "type", "name", "value", "Name", "Value", "pa\u017f\u017fword"),
    *("kubectl.kubernetes.io/last-applied-configuration", "to\u212aen", "--password", "hunter2", "web-1"),
    _KEY_ID,
)
texts = st.lists(st.sampled_from(_PIECES) | st.text(max_size=4), max_size=4).map("".join)
leaves = texts | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
trees = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(
            texts | st.sampled_from(("kind", "type", "data", "items", "name", "value")), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def gone_through(value: Any, counts: Counter[str]) -> Any:
    """The way without a look over the whole."""
    return redacting._tree(value, counts, 0)


def nested(depth: int, inner: Any) -> Any:
    for _ in range(depth):
        inner = [inner]
    return inner


@given(trees)
@example({"kind": "Secret", "data": {"a": "b"}})
@example({"type": "Opaque", "data": {"a": "b"}})
@example({"type": "helm.sh/release.v1", "data": {"a": "b"}})
@example({"managedFields": [1], "a": "b"})
@example({"pa\u017f\u017fword": "hunter2"})
@example({"to\u212aen": "hunter2"})
@example(["--pa\u017f\u017fword", "hunter2"])
@example({"a": "https://", "b": "@"})
@example({"name": "DB_PASSWORD", "value": "hunter2"})
@example({"a": (1, ("b",)), "c": 2**70})
@example(nested(MAX_DEPTH + 1, {"a": "b"}))
@example(nested(MAX_DEPTH, {"a": "b"}))
@example(nested(MAX_DEPTH - 1, {"a": "b"}))
@example(nested(MAX_DEPTH + 60, "a"))
def test_a_look_over_the_whole_and_going_through_it_give_the_same(value: Any) -> None:
    whole, through = Counter[str](), Counter[str]()
    found, expected = redact_tree(value, whole), gone_through(value, through)
    assert found == expected
    assert repr(found) == repr(expected)  # 1 == True == 1.0
    assert whole == through


def test_what_comes_back_is_never_the_tree_that_was_given() -> None:
    given_tree = {"rows": [["web-1", 1]], "more": {"a": ()}}
    found = redact_tree(given_tree)
    found["rows"][0].append("x")
    found["more"]["a"].append("x")
    assert given_tree == {"rows": [["web-1", 1]], "more": {"a": ()}}


def test_every_hint_reaches_the_text_of_a_tree_as_it_is() -> None:
    """None of them holds what JSON would escape, which the one look depends on."""
    import orjson

    for hint in (*_HINTS, *_PLACES, "://", "@"):
        assert hint in orjson.dumps({"a": [f"x{hint}y"]}).decode()


def test_a_clean_answer_is_looked_over_once_and_not_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> Any:
        raise AssertionError("it was gone through")

    monkeypatch.setattr(redacting, "_tree", never)
    assert redact_tree({"rows": [["web-1", 3, None]]}) == {"rows": [["web-1", 3, None]]}
