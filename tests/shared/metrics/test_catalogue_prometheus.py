"""Every named question has its PromQL, parses, keeps its labels, and tells workloads apart."""

import re

import pytest

from aiops_shared.errors import InvalidInputError, QueryInvalidError
from aiops_shared.metrics.catalogue_prometheus import asks
from aiops_shared.metrics.ports import Target
from aiops_shared.metrics.promql import checked, parsed, selectors, with_label
from aiops_shared.metrics.promql_cost import nameless
from aiops_shared.metrics.questions import QUESTIONS, targeted

ELSEWHERE = {"retransmissions", "flow_timeouts", "db_cpu"}  # flows and RDS are CloudWatch's
NAMED = {"Namespace": "", "Cluster": ""}
CASES = [(what, kind) for what, one in QUESTIONS.items() if what not in ELSEWHERE for kind in one.kinds]


def of(kind: str, name: str = "web.v1") -> Target:
    return Target("shop", kind, NAMED.get(kind, name))


@pytest.mark.parametrize(("what", "kind"), CASES)
def test_each_question_is_a_bounded_query_that_takes_a_clusters_label(what: str, kind: str) -> None:
    asked = asks(what, of(kind))
    assert asked.unit == QUESTIONS[what].unit
    found = selectors(parsed(checked(asked.query, 60)))
    assert found
    assert nameless(found) is None
    assert all(one.range_s in {0, 300} for one in found)
    assert with_label(asked.query, "cluster", "prod", 3600).count('cluster="prod"') == len(found)


@pytest.mark.parametrize("what", sorted(ELSEWHERE))
def test_what_prometheus_does_not_know_names_who_does(what: str) -> None:
    with pytest.raises(QueryInvalidError, match="source=cloudwatch"):
        asks(what, Target())


def pods_of(kind: str, name: str) -> re.Pattern[str]:
    (found,) = {one.text for one in selectors(parsed(asks("memory_limit", of(kind, name)).query))} - {
        one.text
        for one in selectors(parsed(asks("memory_limit", of(kind, name)).query))
        if "owner" in one.text
    }
    told = re.search(r'pod=~"([^"]*)"', found)
    assert told
    return re.compile(told[1].replace("\\\\", "\\"))


@pytest.mark.parametrize(
    ("kind", "name", "own", "others"),
    [
        (
            "Deployment",
            "user",
            ["user-6c9d7f5b8-x2k4q", "user-5b7c9-abcde"],
            ["user-api-6c9d7f5b8-x2k4q", "user-0", "superuser-6c9d7f5b8-x2k4q", "user-6c9d7f5b8-x2k4q-y"],
        ),
        ("StatefulSet", "db", ["db-0", "db-12"], ["db-0-x", "db-x2k4q", "mydb-0"]),
        ("DaemonSet", "agent", ["agent-x2k4q"], ["agent-6c9d7f5b8-x2k4q", "agent-0"]),
        ("Deployment", "web.v1", ["web.v1-6c9d7f5b8-x2k4q"], ["webxv1-6c9d7f5b8-x2k4q"]),
        ("Deployment", "a" * 60, ["a" * 58 + "x2k4q"], ["b" * 58 + "x2k4q"]),
    ],
)
def test_a_workload_finds_its_pods_by_the_form_of_their_names(
    kind: str, name: str, own: list[str], others: list[str]
) -> None:
    pattern = pods_of(kind, name)
    assert all(pattern.fullmatch(pod) for pod in own)
    assert not any(pattern.fullmatch(pod) for pod in others)


@pytest.mark.parametrize(
    ("what", "given", "kind", "namespace"),
    [
        ("memory", Target("shop", "deploy", "web"), "Deployment", "shop"),
        ("memory", Target("shop", "deployments.apps", "web"), "Deployment", "shop"),
        ("memory", Target("shop", "", "web"), "Deployment", "shop"),
        ("memory", Target("shop"), "Namespace", "shop"),
        ("memory", Target("", "ns", "shop"), "Namespace", "shop"),
        ("memory", Target(), "Cluster", ""),
        ("requests_total", Target(name="shop"), "Service", ""),
        ("node_disk_used", Target("ignored", "node", "n1"), "Node", ""),
        ("node_disk_used", Target(), "Cluster", ""),
        ("nodepool_cpu", Target(name="default"), "NodePool", ""),
    ],
)
def test_a_target_is_read_alike_by_every_driver(what: str, given: Target, kind: str, namespace: str) -> None:
    _, told = targeted(what, given)
    assert (told.kind, told.namespace) == (kind, namespace)


@pytest.mark.parametrize(
    ("what", "given"),
    [
        ("memory", Target("", "Node", "n1")),
        ("replicas", Target("shop")),
        ("nodepool_cpu", Target()),
        ("nodepool_cpu", Target("", "NodePool", "")),
    ],
)
def test_a_question_about_the_wrong_kind_is_refused(what: str, given: Target) -> None:
    with pytest.raises(InvalidInputError):
        asks(what, given)


def test_a_misspelt_question_gets_the_nearest() -> None:
    with pytest.raises(QueryInvalidError, match="nearest: memory"):
        asks("memmory", Target())


def test_routes_of_several_services_stay_apart() -> None:
    assert "by (service, route)" in asks("requests", Target("shop")).query
    assert "by (route)" in asks("requests", Target("shop", "Service", "web")).query


@pytest.mark.threat("T1")
def test_a_name_cannot_leave_its_label() -> None:
    asked = asks("memory", Target('x"} or up{a="', "Pod", 'y"}\n'))
    assert {one.name for one in selectors(parsed(asked.query))} == {"container_memory_working_set_bytes"}
