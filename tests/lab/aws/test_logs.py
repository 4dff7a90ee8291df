"""CloudWatch Logs of the lab: Insights over the audit log, with real botocore clients."""

import json
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.logs import Queries
from aiops_lab.kube.auditing import AuditLog
from tests.lab.aws.conftest import T0, RunningAws

GROUP = "/aws/eks/my-cluster/cluster"


def told(aws: RunningAws, minutes: int, verb: str, name: str, user: str = "ci-cleanup", **more: Any) -> None:
    ref = {"resource": more.pop("resource", "configmaps"), "namespace": "shop", "name": name}
    log = aws.account.area(AuditLog)
    log.add(T0 - timedelta(minutes=minutes), ref | more.pop("ref", {}), {"verb": verb, "user": user, **more})


def run(aws: RunningAws, query: str, minutes: int = 60, **more: Any) -> list[dict[str, str]]:
    logs = aws.client("logs")
    started = logs.start_query(
        logGroupName=GROUP,
        startTime=int((T0 - timedelta(minutes=minutes)).timestamp()),
        endTime=int(T0.timestamp()),
        queryString=query,
        **more,
    )
    while (found := logs.get_query_results(queryId=started["queryId"]))["status"] == "Running":
        assert found["results"] == []
    assert found["status"] == "Complete"
    return [{cell["field"]: cell["value"] for cell in row} for row in found["results"]]


def test_a_query_filters_sorts_and_stops_at_its_limit(aws: RunningAws) -> None:
    for minutes, verb, name in (
        (50, "create", "a"),
        (40, "delete", "b"),
        (30, "patch", "c"),
        (5, "delete", "d"),
    ):
        told(aws, minutes, verb, name)
    told(aws, 90, "delete", "too-old")
    told(aws, 20, "delete", "by-a-node", user="system:node:ip-10-0-0-1")
    query = (
        'fields @timestamp, @message, objectRef.name | filter verb in ["delete", "patch"] and '
        "(user.username not like /^system:/ or objectRef.name = 'none') | sort @timestamp desc | limit 2"
    )
    rows = run(aws, query)
    assert [row["objectRef.name"] for row in rows] == ["d", "c"]
    assert rows[0]["@timestamp"] == "2026-11-22 02:55:00.000"
    message = json.loads(rows[0]["@message"])
    assert (message["user"]["username"], message["objectRef"]["resource"]) == ("ci-cleanup", "configmaps")


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ('not ispresent(objectRef.subresource) or objectRef.subresource in ["scale"]', ["plain", "scaled"]),
        ("ispresent(objectRef.subresource) and responseStatus.code < 300", ["scaled", "status"]),
        ('objectRef.subresource != "status"', ["plain", "scaled"]),
        ('@logStream like /^kube-apiserver-audit/ and not objectRef.name = "plain"', ["scaled", "status"]),
        ('objectRef.name like "lai"', ["plain"]),
        ("responseStatus.code >= 400", []),
    ],
)
def test_conditions_mean_what_the_language_says(aws: RunningAws, condition: str, names: list[str]) -> None:
    told(aws, 3, "update", "plain")
    told(aws, 2, "patch", "scaled", ref={"subresource": "scale"})
    told(aws, 1, "patch", "status", ref={"subresource": "status"})
    rows = run(aws, f"fields objectRef.name | filter {condition} | sort @timestamp asc")
    assert [row["objectRef.name"] for row in rows] == names


@pytest.mark.parametrize(
    "query", ["stats mode(verb)", "anomaly", "filter verb ==", "filter (a = 1", "parse @message", ""]
)
def test_what_is_not_played_is_refused_and_never_answered_wrongly(aws: RunningAws, query: str) -> None:
    with pytest.raises(ClientError, match="MalformedQueryException"):
        run(aws, query or " ")


def test_without_the_log_type_there_is_nothing_and_without_any_there_is_no_group(aws: RunningAws) -> None:
    told(aws, 5, "delete", "x")
    aws.account.logging = ("api",)
    assert run(aws, "fields @message") == []
    aws.account.logging = ()
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        run(aws, "fields @message")


def test_a_running_query_can_be_stopped_and_a_finished_one_not(aws: RunningAws) -> None:
    aws.account.area(Queries).polls = 5
    logs = aws.client("logs")
    begin = {
        "logGroupName": GROUP,
        "startTime": 0,
        "endTime": int(T0.timestamp()),
        "queryString": "fields @message",
    }
    query_id = logs.start_query(**begin)["queryId"]
    assert logs.get_query_results(queryId=query_id)["status"] == "Running"
    assert logs.stop_query(queryId=query_id)["success"] is True
    assert logs.get_query_results(queryId=query_id)["status"] == "Cancelled"
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.stop_query(queryId=query_id)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_query_results(queryId="00000000-0000-4000-8000-000000009999")
