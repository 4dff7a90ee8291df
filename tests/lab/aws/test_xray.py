"""X-Ray of the lab, with real botocore clients."""

import json
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.request_paths import CALM, Hop, Mix, Place, Twist, played
from tests.lab.aws.conftest import T0, RunningAws

_PATH = Hop("web", "/", calls=(Hop("api", "/orders", calls=(Hop("orders-db", "query", silent=True),)),))


def _twist(hop: Hop, place: Place, at_s: float, rng: Random) -> Twist:
    del at_s
    hang = hop.service == "orders-db" and place.zone == "us-east-1b" and rng.random() < 0.5
    return Twist(hangs_s=29.9) if hang else CALM


def _told(aws: RunningAws, count: int = 240) -> None:
    until = T0.timestamp()
    mix = Mix([(1.0, _PATH)], twist=_twist)
    aws.account.area(Telemetry).traces.add(
        played(mix, count=count, since_s=until - 3600, until_s=until + 600, seed="x")
    )


def _found(aws: RunningAws, expression: str) -> list[dict[str, Any]]:
    pages = (
        aws.client("xray")
        .get_paginator("get_trace_summaries")
        .paginate(
            StartTime=T0 - timedelta(hours=1), EndTime=T0 + timedelta(hours=1), FilterExpression=expression
        )
    )
    return [one for page in pages for one in page["TraceSummaries"]]


def test_summaries_come_in_pages_and_never_from_the_future(aws: RunningAws) -> None:
    _told(aws)
    found = _found(aws, "")
    assert 190 <= len(found) <= 215  # of 240, a seventh lies ahead
    assert max(one["StartTime"] for one in found) <= T0


@pytest.mark.parametrize(
    ("expression", "test"),
    [
        ("fault", lambda one: one["HasFault"]),
        ("!fault", lambda one: not one["HasFault"]),
        ("ok = false", lambda one: one["HasFault"]),
        ("http.status = 504 AND responsetime > 20", lambda one: one["Http"]["HttpStatus"] == 504),
        ('service("api") AND duration < 1', lambda one: one["Duration"] < 1),
        ('service(id(name: "api", type: "AWS::EKS::Container")) { fault }', lambda one: one["HasFault"]),
        ('edge("api", "orders-db") { fault }', lambda one: one["HasFault"]),
        ('annotation[az] = "us-east-1b" AND (fault OR error)', lambda one: one["HasFault"]),
        ('annotation.az BEGINSWITH "us-east-1b" AND NOT ok', lambda one: one["HasFault"]),
        ('availabilityzone != "us-east-1b"', lambda one: not one["HasFault"]),
    ],
)
def test_filter_expressions_are_really_evaluated(aws: RunningAws, expression: str, test: Any) -> None:
    _told(aws)
    found, every = _found(aws, expression), _found(aws, "")
    assert found
    assert all(test(one) for one in found)
    assert len(found) < len(every)
    if "fault" in expression and "!" not in expression:
        assert len(found) == sum(one["HasFault"] for one in every)


@pytest.mark.parametrize(
    "expression",
    ["fault AND", 'service("a', "http.useragent = 3", "color = 1", "fault fault", 'service("a") {x}'],
)
def test_what_is_not_known_of_the_filter_language_is_refused(aws: RunningAws, expression: str) -> None:
    xray = aws.client("xray")
    with pytest.raises(xray.exceptions.InvalidRequestException):
        xray.get_trace_summaries(StartTime=T0 - timedelta(hours=1), EndTime=T0, FilterExpression=expression)


def test_spans_that_x_ray_refuses_are_refused(aws: RunningAws) -> None:
    xray = aws.client("xray")
    with pytest.raises(xray.exceptions.InvalidRequestException, match="longer than"):
        xray.get_trace_summaries(StartTime=T0 - timedelta(hours=7), EndTime=T0)
    with pytest.raises(xray.exceptions.InvalidRequestException, match="before"):
        xray.get_trace_summaries(StartTime=T0, EndTime=T0 - timedelta(hours=1))


def test_whole_traces_come_five_at_a_time_as_segment_documents(aws: RunningAws) -> None:
    _told(aws)
    failed = _found(aws, "fault")[0]["Id"]
    xray = aws.client("xray")
    answer = xray.batch_get_traces(TraceIds=[failed, "1-00000000-000000000000000000000000"])
    assert answer["UnprocessedTraceIds"] == ["1-00000000-000000000000000000000000"]
    documents = [json.loads(one["Document"]) for one in answer["Traces"][0]["Segments"]]
    api = next(one for one in documents if one["name"] == "api")
    assert api["http"]["response"]["status"] == 504
    assert api["annotations"]["az"] == "us-east-1b"
    assert api["aws"]["eks"]["cluster_name"] == "my-cluster"
    [call] = api["subsegments"]
    assert (call["name"], call["namespace"], call["fault"]) == ("orders-db", "remote", True)
    assert call["end_time"] - call["start_time"] == pytest.approx(29.9)
    with pytest.raises(xray.exceptions.InvalidRequestException):
        xray.batch_get_traces(TraceIds=[failed] * 6)


def test_the_service_graph_counts_what_the_traces_say(aws: RunningAws) -> None:
    _told(aws)
    xray = aws.client("xray")
    span = {"StartTime": T0 - timedelta(hours=1), "EndTime": T0}
    services = {one["Name"]: one for one in xray.get_service_graph(**span)["Services"]}
    every = _found(aws, "")
    assert set(services) == {"web", "api", "orders-db"}
    assert services["web"]["Root"]
    assert services["orders-db"]["Type"] == "remote"
    assert services["api"]["SummaryStatistics"]["TotalCount"] == len(every)
    [edge] = services["api"]["Edges"]
    faults = edge["SummaryStatistics"]["FaultStatistics"]["TotalCount"]
    assert faults == sum(one["HasFault"] for one in every)
    series = xray.get_time_series_service_statistics(
        **span, EntitySelectorExpression='edge("api", "orders-db")', Period=300
    )["TimeSeriesServiceStatistics"]
    assert sum(one["EdgeSummaryStatistics"]["TotalCount"] for one in series) == len(every)
    node = xray.get_time_series_service_statistics(**span, EntitySelectorExpression='service("api")')
    assert sum(
        one["ServiceSummaryStatistics"]["TotalCount"] for one in node["TimeSeriesServiceStatistics"]
    ) == len(every)
    with pytest.raises(xray.exceptions.InvalidRequestException):
        xray.get_time_series_service_statistics(**span, EntitySelectorExpression='user("x")')
    assert xray.get_groups()["Groups"][0]["GroupName"] == "Default"
