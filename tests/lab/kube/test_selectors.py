"""Label and field selectors, as list and watch take them."""

import pytest

from aiops_lab.kube.errors import ApiError
from aiops_lab.kube.selectors import exact_name, matches_selector, parse_fields, parse_labels
from tests.lab.kube.objects import Obj, pod

WEB = pod("web-1", node="n1", app="web", tier="front")
API = pod("api-1", app="api")


@pytest.mark.parametrize(
    ("text", "selects_web", "selects_api"),
    [
        ("app=web", True, False),
        ("app==web", True, False),
        ("app!=web", False, True),
        ("tier!=front", False, True),  # an absent label is also "not equal"
        ("app in (web, api)", True, True),
        ("app notin (web)", False, True),
        ("tier", True, False),
        ("!tier", False, True),
        ("app in (web),tier=front", True, False),
        ("app=web,!tier", False, False),
        ("app=", False, False),
        ("", True, True),
    ],
)
def test_a_label_selector_selects_what_its_words_say(
    text: str, *, selects_web: bool, selects_api: bool
) -> None:
    matches = parse_labels(text)
    assert [matches is None or matches(WEB), matches is None or matches(API)] == [selects_web, selects_api]


@pytest.mark.parametrize(
    "text", ["app=web app=api", "=web", "app in web", "app in (", ",", "a=b,", "app=we b", "app>x"]
)
def test_a_malformed_label_selector_is_refused(text: str) -> None:
    with pytest.raises(ApiError, match=r"unable to parse requirement|found '.*', expected:") as refused:
        parse_labels(text)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("text", "obj", "selected"),
    [
        ("metadata.name=web-1", WEB, True),
        ("metadata.name!=web-1", WEB, False),
        ("spec.nodeName=n1,metadata.namespace=shop", WEB, True),
        ("spec.nodeName=", API, True),
        ("status.phase=Running", {**WEB, "status": {"phase": "Running"}}, True),
    ],
)
def test_a_field_selector_compares_the_fields_a_pod_offers(text: str, obj: Obj, *, selected: bool) -> None:
    matches = parse_fields(text, "Pod")
    assert matches is not None
    assert matches(obj) == selected


def test_events_are_selected_by_what_they_are_about() -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "web-1", "uid": "u"},
        "reason": "BackOff",
        "type": "Warning",
        "source": {"component": "kubelet"},
    }
    for text in (
        "involvedObject.kind=Pod,involvedObject.name=web-1",
        "reason=BackOff,type!=Normal",
        "source=kubelet",
    ):
        matches = parse_fields(text, "Event")
        assert matches is not None
        assert matches(event)


def test_unscheduled_is_false_where_a_node_says_nothing() -> None:
    matches = parse_fields("spec.unschedulable=false", "Node")
    assert matches is not None
    assert matches({"metadata": {"name": "n"}})


@pytest.mark.parametrize("text", ["spec.foo=x", "metadata.labels.app=x", "metadata.name"])
def test_a_field_that_is_not_offered_is_refused(text: str) -> None:
    with pytest.raises(ApiError) as refused:
        parse_fields(text, "Pod")
    assert refused.value.status == 400


def test_an_absent_selector_object_selects_nothing_and_an_empty_one_everything() -> None:
    assert not matches_selector(None, {"a": "b"})
    assert matches_selector({}, {"a": "b"})
    expressions = [{"key": "a", "operator": "In", "values": ["b"]}, {"key": "z", "operator": "DoesNotExist"}]
    assert matches_selector({"matchExpressions": expressions}, {"a": "b"})
    assert not matches_selector({"matchLabels": {"a": "c"}}, {"a": "b"})


def test_a_pinned_name_is_found_in_a_field_selector() -> None:
    assert exact_name("metadata.namespace=shop,metadata.name=web") == "web"
    assert exact_name("metadata.name!=web") is None
