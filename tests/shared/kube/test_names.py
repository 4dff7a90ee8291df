"""The choke point for names: what Kubernetes takes passes, what looks like it does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_shared.errors import InvalidInputError
from aiops_shared.kube import names


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("pods", "web-5d8f7c-x2x"),
        ("apiservices", "v1beta1.metrics.k8s.io"),
        ("nodes", "ip-10-0-1-2.us-west-2.compute.internal"),
        ("clusterroles", "system:controller:job-controller"),
        ("rbac.authorization.k8s.io/v1/RoleBinding", "eks:addon-manager"),
        ("Role.rbac.authorization.k8s.io", "dev@example.com"),
        ("ipaddresses", "2001:db8::1"),
    ],
)
def test_a_name_that_kubernetes_takes_passes(kind: str, name: str) -> None:
    assert names.object_name(kind, name) == name


@pytest.mark.parametrize("name", ["system:node", "Web", "a..b", ".a", "a.", "-a", "a-", "a_b"])
def test_a_name_that_only_rbac_would_take_is_none_for_a_pod(name: str) -> None:
    with pytest.raises(InvalidInputError):
        names.object_name("pods", name)


@pytest.mark.parametrize(
    "selector",
    [
        "",
        "app=web",
        "app==web,tier!=db",
        "env in (a, b),!canary",
        "example.com/x notin (y)",
        "a",
        "a=",
        " a = b , c ",
    ],
)
def test_a_label_selector_of_kubernetes_passes(selector: str) -> None:
    assert names.selector(selector) == selector


@pytest.mark.parametrize(
    "fields", ["", "status.phase=Running", "spec.nodeName!=a,metadata.name=b", "involvedObject.uid=0-a:b/c"]
)
def test_a_field_selector_of_kubernetes_passes(fields: str) -> None:
    assert names.fields(fields) == fields


@pytest.mark.parametrize(
    "text", ["a in (" + ",  " * 600, "a=" + " " * 4000 + "(", "a in (" + "b, " * 1000 + "!"]
)
def test_a_selector_made_to_be_slow_is_refused_at_once(text: str) -> None:
    with pytest.raises(InvalidInputError):
        names.selector(text)


@given(st.text(max_size=40))
def test_whatever_passes_as_a_name_is_one_plain_path_segment(text: str) -> None:
    for kind in ("pods", "clusterroles"):
        try:
            passed = names.object_name(kind, text)
        except InvalidInputError:
            continue
        assert passed.isascii()
        assert not set(passed) & set("/%?#\\ \n\r\t;&=")
        assert passed not in {"", ".", ".."}
        assert passed[0] not in "-."


@given(st.lists(st.text(max_size=12), min_size=1, max_size=4))
def test_a_path_has_exactly_the_segments_given(segments: list[str]) -> None:
    try:
        path = names.path(*segments)
    except InvalidInputError:
        return
    assert path.count("/") == len(segments)
    assert ".." not in path.split("/")


@pytest.mark.threat("T1")
@pytest.mark.parametrize("part", ["", ".", "..", "a/b", "%2e%2e", "a%2fb", "p\u043ed"])
def test_no_part_of_a_path_changes_its_shape(part: str) -> None:
    for segments in ((part,), ("api", "v1", "pods", part), (part, "status")):
        with pytest.raises(InvalidInputError):
            names.path(*segments)


def test_a_refused_name_is_shown_in_ascii_and_short() -> None:
    with pytest.raises(InvalidInputError) as caught:
        names.namespace("\u202e" * 500)
    assert str(caught.value).isascii()
    assert len(str(caught.value)) < 200
