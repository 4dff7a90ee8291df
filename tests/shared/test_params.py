"""The parameters that tools share: forms, bounds, and what lenient clients send."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter

from aiops_shared import params
from aiops_shared.errors import InvalidInputError

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def taken(alias: Any, value: object) -> object:
    return TypeAdapter(alias).validate_python(value)


@pytest.mark.parametrize(
    ("text", "back"),
    [("-1h", 3600), ("30m", 1800), ("-2d", 172_800), ("45s", 45), ("-1w", 604_800), ("-5 m", 300)],
)
def test_a_relative_time_counts_back_from_now(text: str, back: int) -> None:
    assert params.since_to_datetime(text, NOW) == NOW - timedelta(seconds=back)


@pytest.mark.parametrize("text", ["2026-11-22T02:00:00Z", "2026-11-22T03:00:00+01:00", "2026-11-22T02:00:00"])
def test_an_rfc_3339_time_is_utc(text: str) -> None:
    assert params.since_to_datetime(text, NOW) == NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    "text",
    [
        *("", "yesterday", "2026-11-22T04:00:00Z", "1990-01-01T00:00:00Z", "-999999w"),
        *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"),  # the calendar ends before the zone
    ],
)
def test_what_is_no_usable_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        params.since_to_datetime(text, NOW)


@pytest.mark.parametrize("value", [["a", "b"], '["a", "b"]', "a,b", " a , b ,"])
def test_a_list_may_come_as_a_list_as_json_or_with_commas(value: object) -> None:
    assert taken(params.StrList, value) == ["a", "b"]


@pytest.mark.parametrize("value", ['["a"', 7, {"a": 1}])
def test_what_is_no_list_is_refused(value: object) -> None:
    with pytest.raises((InvalidInputError, ValueError)):
        taken(params.StrList, value)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        (None, None),
        ("", None),
        ([], None),
        ("prod", "prod"),
        (["prod"], "prod"),
        ("prod-*", ("prod-*",)),
        ("a, b,a", ("a", "b")),
        ('["a", "111122223333/*/b"]', ("a", "111122223333/*/b")),
        (["a", "arn:aws:eks:us-east-1:111122223333:cluster/b"],) * 2,
    ],
)
def test_clusters_are_one_name_or_several_names_and_globs(value: object, where: object) -> None:
    found = taken(params.Clusters, value)
    assert found == (tuple(where) if isinstance(where, list) else where)


@pytest.mark.threat("T5")
@pytest.mark.parametrize(
    "value",
    ["../x", "a,../x", "-x*", "a b", "https://evil.example/*", "*\nb", "a\n", "[a", "x" * 300 + "*"],
)
def test_what_names_no_clusters_is_refused(value: str) -> None:
    with pytest.raises(InvalidInputError):
        taken(params.Clusters, value)


def test_no_call_names_more_than_fifty_clusters() -> None:
    with pytest.raises(InvalidInputError, match="at most 50"):
        taken(params.Clusters, [f"c{at}" for at in range(51)])


@pytest.mark.parametrize(
    "value", ["prod", "111122223333/us-east-1/prod", "arn:aws:eks:us-east-1:111122223333:cluster/prod", "a@b"]
)
def test_a_cluster_is_a_name_a_path_an_arn_or_a_context(value: str) -> None:
    assert taken(params.Cluster, value) == value


@pytest.mark.parametrize("value", ["../x", "a b", "a;b", "-a", "a/../b", "a\n"])
def test_what_is_no_cluster_is_refused(value: str) -> None:
    with pytest.raises(InvalidInputError):
        taken(params.Cluster, value)


@pytest.mark.parametrize("value", ["", "*", "all"])
def test_all_namespaces_may_be_said_in_several_ways(value: str) -> None:
    assert taken(params.AnyNamespace, value) is None


def test_empty_text_is_absent_for_optional_parameters_and_refused_for_needed_ones() -> None:
    assert taken(params.Selector, "") is None
    with pytest.raises(InvalidInputError):
        taken(params.ObjectName, "")


def test_names_of_rbac_objects_may_have_colons() -> None:
    assert taken(params.ObjectName, "system:node") == "system:node"


@pytest.mark.parametrize("value", ["deployment", "deployment/", "/api", "deployment/../x", "deploy/api/x"])
def test_a_workload_is_kind_and_name(value: str) -> None:
    assert taken(params.Workload, "deployment/api") == "deployment/api"
    with pytest.raises(InvalidInputError):
        taken(params.Workload, value)


def test_the_hints_of_the_three_kinds_of_tools_are_all_said() -> None:
    hints = [each.model_dump(exclude={"title"}) for each in (params.READS, params.PLANS, params.WRITES)]
    assert all(isinstance(value, bool) for hint in hints for value in hint.values())
    assert [(hint["read_only_hint"], hint["destructive_hint"]) for hint in hints] == [
        (True, False),
        (True, False),
        (False, True),
    ]
