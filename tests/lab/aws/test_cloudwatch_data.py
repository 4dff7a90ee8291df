"""CloudWatch's metrics in the lab with real botocore clients: one contract for each operation that reads."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from botocore.exceptions import ClientError

from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.log_groups import LogRecord
from aiops_lab.telemetry.signals import Array, Signal
from aiops_lab.telemetry.workloads import (
    GI,
    MI,
    NodeFacts,
    PodFacts,
    RouteFacts,
    emit_node,
    emit_pod,
    emit_requests,
)
from tests.lab.aws.conftest import T0, RunningAws

T0_S = T0.timestamp()
HOUR = {"StartTime": T0 - timedelta(hours=1), "EndTime": T0}
POD: dict[str, Any] = {
    "ClusterName": "my-cluster",
    "Namespace": "shop",
    "PodName": "web",
    "FullPodName": "web-5d8f9c7b6-aaaaa",
}


def emit(aws: RunningAws, metric: str, values: Callable[[Array], Array], **labels: str) -> None:
    aws.account.area(Telemetry).cloud.add(Signal(metric, labels, values))


def steady(value: float) -> Callable[[Array], Array]:
    return lambda times: np.full(times.shape, value)


def dimensions(**named: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in named.items()]


def stat(
    query_id: str, metric: str, stat: str = "Average", period: int = 60, **labels: str
) -> dict[str, Any]:
    namespace, _, name = metric.rpartition("/")
    told = {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions(**labels)}
    return {"Id": query_id, "MetricStat": {"Metric": told, "Period": period, "Stat": stat}}


def values(cloudwatch: Any, *queries: dict[str, Any], **more: Any) -> dict[str, list[float]]:
    asked = HOUR | {"ScanBy": "TimestampAscending"} | more
    found = cloudwatch.get_metric_data(MetricDataQueries=list(queries), **asked)
    return {one["Id"]: one["Values"] for one in found["MetricDataResults"]}


def test_the_worlds_signals_are_container_insights_load_balancers_and_nodes(aws: RunningAws) -> None:
    signals = aws.account.area(Telemetry).signals
    pod = PodFacts(
        "shop",
        POD["FullPodName"],
        node="n1",
        owner_name="web-5d8f9c7b6",
        memory_limit_bytes=GI,
        since_s=T0_S - 86_400,
    )
    emit_pod(signals, pod, memory=512 * MI, cpu=0.25, sigma=0)
    emit_node(
        signals,
        NodeFacts("n1", "us-east-1a", T0_S - 86_400, memory_bytes=16 * GI),
        cpu=1.0,
        memory=4 * GI,
        sigma=0,
    )
    emit_requests(signals, RouteFacts("web", "/", "shop", T0_S - 86_400), rate=10.0, latency_s=0.02, sigma=0)
    emit_requests(signals, RouteFacts("web", "/", "shop", T0_S - 86_400), rate=1.0, status="504", sigma=0)
    cloudwatch = aws.client("cloudwatch")
    listed = cloudwatch.list_metrics(Namespace="AWS/ApplicationELB", MetricName="RequestCount")["Metrics"]
    balancer: dict[str, Any] = {one["Name"]: one["Value"] for one in listed[0]["Dimensions"]}
    assert balancer["LoadBalancer"].startswith("app/k8s-shop-web-")
    insights, elb = "ContainerInsights", "AWS/ApplicationELB"
    node: dict[str, Any] = {"ClusterName": "my-cluster"}
    found = values(
        cloudwatch,
        stat("ws", f"{insights}/pod_memory_working_set", **POD),
        stat("share", f"{insights}/pod_memory_utilization_over_pod_limit", **POD),
        stat("cpu", f"{insights}/pod_cpu_usage_total", **POD),
        stat("all", f"{insights}/pod_memory_working_set", ClusterName="my-cluster", Namespace="shop"),
        stat("node", f"{insights}/node_memory_utilization", **node),
        stat("busy", f"{insights}/node_cpu_utilization", **node),
        stat("served", f"{elb}/RequestCount", "Sum", **balancer),
        stat("late", f"{elb}/HTTPCode_ELB_504_Count", "Sum", LoadBalancer=balancer["LoadBalancer"]),
        stat("p50", f"{elb}/TargetResponseTime", "p50", **balancer),
    )
    expected = {"ws": 512 * MI, "share": 50.0, "cpu": 250.0, "all": 512 * MI, "node": 25.0, "busy": 25.0}
    expected |= {"served": 660.0, "late": 60.0}
    for query_id, value in expected.items():
        assert np.allclose(found[query_id], value, rtol=0.001), query_id
        assert len(found[query_id]) == 60
    assert np.allclose(found["p50"], 0.02, rtol=0.15)


def test_list_metrics_filters_and_pages(aws: RunningAws) -> None:
    for index in range(601):
        emit(aws, "Shop/Load", steady(1.0), Pod=f"p{index:03}")
    emit(aws, "Other/Load", steady(1.0))
    cloudwatch = aws.client("cloudwatch")
    pages = list(cloudwatch.get_paginator("list_metrics").paginate(Namespace="Shop"))
    assert [len(page["Metrics"]) for page in pages] == [500, 101]
    one = cloudwatch.list_metrics(Dimensions=[{"Name": "Pod", "Value": "p007"}])["Metrics"]
    assert one == [{"Namespace": "Shop", "MetricName": "Load", "Dimensions": dimensions(Pod="p007")}]
    with pytest.raises(cloudwatch.exceptions.InvalidNextToken):
        cloudwatch.list_metrics(NextToken="forged")


def test_get_metric_data_pages_its_datapoints_and_says_which_go_on(aws: RunningAws) -> None:
    for pod in "ab":
        emit(aws, "Shop/Load", lambda times: times - T0_S, Pod=pod)
    cloudwatch = aws.client("cloudwatch")
    asked = {"MetricDataQueries": [stat("a", "Shop/Load", Pod="a"), stat("b", "Shop/Load", Pod="b")]}
    first = cloudwatch.get_metric_data(**asked, **HOUR, MaxDatapoints=80)
    assert [(one["Id"], len(one["Values"]), one["StatusCode"]) for one in first["MetricDataResults"]] == [
        ("a", 60, "Complete"),
        ("b", 20, "PartialData"),
    ]
    second = cloudwatch.get_metric_data(**asked, **HOUR, MaxDatapoints=80, NextToken=first["NextToken"])
    assert [(one["Id"], len(one["Values"]), one["StatusCode"]) for one in second["MetricDataResults"]] == [
        ("b", 40, "Complete")
    ]
    assert "NextToken" not in second
    newest = first["MetricDataResults"][0]
    assert newest["Timestamps"][0] == T0 - timedelta(minutes=1)  # descending, and EndTime is excluded
    assert newest["Values"][0] == -60


def test_get_metric_statistics_answers_like_get_metric_data(aws: RunningAws) -> None:
    emit(aws, "Shop/Load", lambda times: times % 300 / 60, unit="Count")
    cloudwatch = aws.client("cloudwatch")
    asked = {"Namespace": "Shop", "MetricName": "Load", "Period": 300, **HOUR}
    found = cloudwatch.get_metric_statistics(**asked, Statistics=["Average", "Maximum", "SampleCount"])
    assert len(found["Datapoints"]) == 12
    assert {one["Average"] for one in found["Datapoints"]} == {2.0}
    assert {(one["Maximum"], one["SampleCount"], one["Unit"]) for one in found["Datapoints"]} == {
        (4.0, 5.0, "Count")
    }
    p50 = cloudwatch.get_metric_statistics(**asked, ExtendedStatistics=["p50"])["Datapoints"]
    assert {one["ExtendedStatistics"]["p50"] for one in p50} == {2.0}
    with pytest.raises(ClientError, match="exceeds the limit of 1,440"):
        cloudwatch.get_metric_statistics(**asked | {"StartTime": T0 - timedelta(days=6)}, Statistics=["Sum"])
    with pytest.raises(ClientError, match="MissingParameter"):
        cloudwatch.get_metric_statistics(**asked)
    assert cloudwatch.get_metric_statistics(**asked, Statistics=["Sum"], Unit="Bytes")["Datapoints"] == []


def test_what_a_program_publishes_is_there(aws: RunningAws) -> None:
    cloudwatch = aws.client("cloudwatch")
    point = {"MetricName": "Orders", "Timestamp": T0 - timedelta(minutes=5), "Unit": "Count"}
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[point | {"Value": 3.0}])
    assert values(cloudwatch, stat("orders", "Shop/Orders", "Sum")) == {"orders": [3.0]}
    with pytest.raises(ClientError, match="with a Value only"):
        cloudwatch.put_metric_data(Namespace="Shop", MetricData=[point | {"Values": [1.0], "Counts": [2.0]}])


def test_metric_math_is_evaluated(aws: RunningAws) -> None:
    emit(aws, "Shop/Up", lambda times: (times - T0_S) / 60, Pod="a")
    emit(aws, "Shop/Flat", steady(4.0), Pod="a")
    emit(aws, "Shop/Gaps", lambda times: np.where(times // 60 % 2 == 0, 8.0, np.nan), Pod="a")
    cloudwatch = aws.client("cloudwatch")
    metrics = [
        stat("up", "Shop/Up", Pod="a") | {"ReturnData": False},
        stat("flat", "Shop/Flat", Pod="a") | {"ReturnData": False},
        stat("gaps", "Shop/Gaps", Pod="a") | {"ReturnData": False},
    ]
    expected = {
        "flat * 2 + 1": 9.0,
        "2 ^ 3 - flat": 4.0,
        "-flat": -4.0,
        "AVG([flat, up * 0])": 2.0,
        'SUM(METRICS("flat"))': 4.0,
        "MAX([flat, 7 * flat])": 28.0,
        "RATE(up) * 60": 1.0,
        "DIFF(up)": 1.0,
        "FILL(gaps, 8)": 8.0,
        "FILL(gaps, REPEAT)": 8.0,
        "IF(up < 0, flat, 1)": 4.0,
        "IF(up < 0 AND flat > 5 OR flat == 4, 10, 1)": 10.0,
        "flat / PERIOD(flat)": 4 / 60,
        "CEIL(flat / 3)": 2.0,
        "flat - AVG(flat)": 0.0,
        "SUM(SEARCH('{Shop,Pod} MetricName=\"Flat\" OR MetricName=\"Nothing\"', 'Average', 60))": 4.0,
    }
    for expression, value in expected.items():
        found = values(cloudwatch, *metrics, {"Id": "e", "Expression": expression})["e"]
        assert found, expression
        assert np.allclose(found, value), expression
    assert len(values(cloudwatch, *metrics, {"Id": "e", "Expression": "gaps / gaps"})["e"]) == 30


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("SERVICE_QUOTA(a)", "Unsupported function"),
        ("a +", "Syntax Error"),
        ("b", "is not in the request"),
        ("AVG(a)", "no time series"),
        ("a + 'x'", "Unsupported operand"),
        ("e", "refers to itself"),
        ("SEARCH('x', 'Sum')", "schema"),
        ("SELECT MEDIAN(Load) FROM Shop", "unknown function"),
        ("SELECT AVG(Load) FROM Shop WHERE", "ends too early"),
    ],
)
def test_an_expression_that_is_not_played_is_refused_and_never_empty(
    aws: RunningAws, expression: str, says: str
) -> None:
    emit(aws, "Shop/Load", steady(1.0))
    with pytest.raises(ClientError, match="ValidationError") as refused:
        values(
            aws.client("cloudwatch"),
            stat("a", "Shop/Load"),
            {"Id": "e", "Expression": expression, "Period": 60},
        )
    assert says in str(refused.value)


def test_wrong_requests_are_refused_as_cloudwatch_refuses_them(aws: RunningAws) -> None:
    cloudwatch, good = aws.client("cloudwatch"), stat("a", "Shop/Load")
    for queries, more in (
        ([good, good], {}),
        ([good | {"Id": "A"}], {}),
        ([{"Id": "a"}], {}),
        ([good | {"ReturnData": False}], {}),
        ([stat("a", "Shop/Load", "Median")], {}),
        ([stat("a", "Shop/Load", period=61)], {}),
        ([good | {"Label": "${MAX}"}], {}),
        ([stat(f"a{index}", "Shop/Load") for index in range(501)], {}),
        ([good], {"StartTime": T0, "EndTime": T0}),
    ):
        with pytest.raises(ClientError, match="ValidationError"):
            values(cloudwatch, *queries, **more)


def test_data_is_kept_as_long_as_its_period_is(aws: RunningAws) -> None:
    cloudwatch = aws.client("cloudwatch")
    emit(aws, "Shop/Load", steady(1.0))
    for days, period, kept in (
        (10, 60, True),
        (20, 60, False),
        (20, 300, True),
        (70, 300, False),
        (70, 3600, True),
    ):
        until = T0 - timedelta(days=days)
        span = {"StartTime": until - timedelta(hours=2), "EndTime": until}
        assert bool(values(cloudwatch, stat("a", "Shop/Load", period=period), **span)["a"]) is kept


def test_labels_may_be_made_of_what_a_series_is(aws: RunningAws) -> None:
    emit(aws, "Shop/Load", steady(1.0), Pod="a", Team="x")
    query = stat("a", "Shop/Load", Pod="a", Team="x") | {"Label": "${PROP('Dim.Team')}/${PROP('MetricName')}"}
    found = aws.client("cloudwatch").get_metric_data(MetricDataQueries=[query], **HOUR)
    assert found["MetricDataResults"][0]["Label"] == "x/Load"


def test_anomaly_detectors_are_kept_and_what_they_exclude_is_not_learned_from(aws: RunningAws) -> None:
    odd = (T0_S - 3 * 86_400, T0_S - 86_400)
    emit(
        aws,
        "Shop/Load",
        lambda times: np.where((times > odd[0]) & (times < odd[1]), 900.0, 100.0 + times // 60 % 3),
    )
    cloudwatch = aws.client("cloudwatch")
    of = {"Namespace": "Shop", "MetricName": "Load", "Stat": "Average"}
    query = stat("m1", "Shop/Load", period=300)
    band = {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)"}

    def width() -> float:
        found = cloudwatch.get_metric_data(MetricDataQueries=[query, band], **HOUR)["MetricDataResults"]
        upper, lower = (one["Values"] for one in found if one["Id"] == "band")
        return float(np.mean(np.array(upper) - np.array(lower)))

    before = width()
    ranges = [{"StartTime": T0 - timedelta(days=3), "EndTime": T0 - timedelta(days=1)}]
    cloudwatch.put_anomaly_detector(
        SingleMetricAnomalyDetector=of, Configuration={"ExcludedTimeRanges": ranges, "MetricTimezone": "UTC"}
    )
    (found,) = cloudwatch.describe_anomaly_detectors(Namespace="Shop")["AnomalyDetectors"]
    assert (found["StateValue"], found["SingleMetricAnomalyDetector"]) == ("TRAINED", of)
    assert found["Configuration"]["ExcludedTimeRanges"] == ranges
    assert width() <= before
    cloudwatch.put_anomaly_detector(SingleMetricAnomalyDetector=of | {"MetricName": "None"})
    states = {
        one["MetricName"]: one["StateValue"]
        for one in cloudwatch.describe_anomaly_detectors()["AnomalyDetectors"]
    }
    assert states == {"Load": "TRAINED", "None": "TRAINED_INSUFFICIENT_DATA"}
    cloudwatch.delete_anomaly_detector(SingleMetricAnomalyDetector=of)
    assert len(cloudwatch.describe_anomaly_detectors()["AnomalyDetectors"]) == 1
    with pytest.raises(cloudwatch.exceptions.ResourceNotFoundException):
        cloudwatch.delete_anomaly_detector(SingleMetricAnomalyDetector=of)
    with pytest.raises(ClientError, match="either a single metric or metric math"):
        cloudwatch.put_anomaly_detector(**of, SingleMetricAnomalyDetector=of)


def test_contributor_insights_counts_who_writes(aws: RunningAws) -> None:
    cloudwatch = aws.client("cloudwatch")
    rule: dict[str, Any] = {
        "Schema": {"Name": "CloudWatchLogRule", "Version": 1},
        "LogGroupNames": ["/shop/api"],
        "LogFormat": "JSON",
        "Contribution": {
            "Keys": ["$.who"],
            "ValueOf": "$.bytes",
            "Filters": [{"Match": "$.who", "NotIn": ["c"]}],
        },
        "AggregateOn": "Sum",
    }
    cloudwatch.put_insight_rule(RuleName="talkers", RuleDefinition=json.dumps(rule))
    (kept,) = cloudwatch.describe_insight_rules()["InsightRules"]
    assert (kept["Name"], json.loads(kept["Definition"])["AggregateOn"]) == ("talkers", "Sum")
    said = (("a", 10), ("b", 5), ("a", 20), ("c", 99))
    lines = [LogRecord(T0_S - 100, "s", json.dumps({"who": who, "bytes": size})) for who, size in said]
    aws.account.area(Telemetry).logs.group("/shop/api").write(lines)
    report = cloudwatch.get_insight_rule_report(
        RuleName="talkers", Period=300, Metrics=["UniqueContributors"], **HOUR
    )
    assert [(one["Keys"], one["ApproximateAggregateValue"]) for one in report["Contributors"]] == [
        (["a"], 30),
        (["b"], 5),
    ]
    assert (report["AggregateValue"], report["ApproximateUniqueCount"]) == (35, 2)
    assert report["MetricDatapoints"][0]["UniqueContributors"] == 2
    with pytest.raises(ClientError, match="does not exist"):
        cloudwatch.get_insight_rule_report(RuleName="none", Period=300, **HOUR)
    with pytest.raises(ClientError, match="JSON logs"):
        cloudwatch.put_insight_rule(RuleName="x", RuleDefinition=json.dumps(rule | {"LogFormat": "CLF"}))
    assert (
        cloudwatch.delete_insight_rules(RuleNames=["talkers", "none"])["Failures"][0]["FailureResource"]
        == "none"
    )
