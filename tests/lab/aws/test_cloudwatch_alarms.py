"""CloudWatch alarms of the lab with real botocore clients: states and history follow from the metrics."""

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from aiops_lab.aws.cloudwatch.judging import Rule
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.alarms import composite_alarm, metric_alarm, told_alarm
from aiops_lab.telemetry.signals import Array, Signal
from tests.lab.aws.conftest import T0, RunningAws

T0_S = T0.timestamp()
NAMESPACE, METRIC = "Shop", "Load"


def emit(aws: RunningAws, values: Any, name: str = METRIC, since_s: float = -np.inf, **labels: str) -> None:
    signal = Signal(f"{NAMESPACE}/{name}", labels, values, since_s=since_s)
    aws.account.area(Telemetry).cloud.add(signal)


def rising(at_s: float, low: float = 70.0, high: float = 87.0) -> Any:
    return lambda times: np.where(times >= at_s, high, low)


def put(aws: RunningAws, name: str, **spec: Any) -> None:
    asked: dict[str, Any] = {
        "Namespace": NAMESPACE,
        "MetricName": METRIC,
        "Statistic": "Average",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 80.0,
        "ComparisonOperator": "GreaterThanThreshold",
    }
    aws.client("cloudwatch").put_metric_alarm(AlarmName=name, **(asked | spec))


def age(aws: RunningAws, hours: float) -> None:
    """Time passes."""
    aws.account.now = lambda: T0 + timedelta(hours=hours)


def alarm(aws: RunningAws, name: str) -> dict[str, Any]:
    found = aws.client("cloudwatch").describe_alarms(
        AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return dict((found["MetricAlarms"] + found["CompositeAlarms"])[0])


def test_an_alarm_is_evaluated_and_says_in_cloudwatchs_words_why_and_since_when(aws: RunningAws) -> None:
    emit(aws, rising(T0_S + 1800))
    put(aws, "High")
    assert alarm(aws, "High")["StateReason"] == "Unchecked: Initial alarm creation"
    age(aws, 1)
    found = alarm(aws, "High")
    assert found["StateValue"] == "ALARM"
    assert found["StateReason"] == (
        "Threshold Crossed: 1 out of the last 1 datapoints [87.0 (22/11/26 03:30:00)] was greater than the"
        " threshold (80.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    began = found["StateTransitionedTimestamp"]
    assert T0 + timedelta(minutes=31) <= began <= T0 + timedelta(minutes=32)
    assert began == found["StateUpdatedTimestamp"]
    assert json.loads(found["StateReasonData"])["recentDatapoints"] == [87.0]


def test_history_is_what_the_evaluations_of_the_past_say(aws: RunningAws) -> None:
    emit(aws, lambda times: np.where(((times - T0_S) // 600) % 2 == 0, 90.0, 10.0))
    put(aws, "Flaps", AlarmActions=["arn:aws:sns:us-east-1:111122223333:pages"])
    age(aws, 2)
    cloudwatch = aws.client("cloudwatch")
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName="Flaps", HistoryItemType="StateUpdate", PaginationConfig={"PageSize": 5}
    )
    items = [item for page in pages for item in page["AlarmHistoryItems"]]
    summaries = [item["HistorySummary"] for item in reversed(items)]
    assert summaries[:3] == [
        "Alarm updated from INSUFFICIENT_DATA to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from ALARM to OK",
    ]
    assert len(items) == 13
    data = json.loads(items[0]["HistoryData"])
    assert (data["oldState"]["stateValue"], data["newState"]["stateValue"]) == ("ALARM", "OK")
    assert data["newState"]["stateReasonData"]["threshold"] == 80.0
    kinds = [
        one["HistoryItemType"]
        for one in cloudwatch.describe_alarm_history(AlarmName="Flaps")["AlarmHistoryItems"]
    ]
    assert kinds.count("ConfigurationUpdate") == 1
    assert kinds.count("Action") == 6
    early = cloudwatch.describe_alarm_history(
        AlarmName="Flaps", EndDate=T0 + timedelta(minutes=15), ScanBy="TimestampAscending"
    )
    assert [one["HistoryItemType"] for one in early["AlarmHistoryItems"]] == [
        "ConfigurationUpdate",
        "StateUpdate",
        "StateUpdate",
        "Action",
        "StateUpdate",
    ]


# The two tables of "Configuring how CloudWatch alarms treat missing data": 0 fine, X breaching, - missing.
TABLE_3_OF_3 = [
    ("0-X-X", "OK", "OK", "OK", "OK"),
    ("0----", "OK", "OK", "OK", "OK"),
    ("-----", "INSUFFICIENT_DATA", "kept", "ALARM", "OK"),
    ("0XX-X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("--X--", "ALARM", "kept", "ALARM", "OK"),
]
TABLE_2_OF_3 = [
    ("0-X-X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("00X0X", "ALARM", "ALARM", "ALARM", "ALARM"),
    ("0-X--", "OK", "OK", "ALARM", "OK"),
    ("----0", "OK", "OK", "ALARM", "OK"),
    ("---X-", "ALARM", "kept", "ALARM", "OK"),
]


@pytest.mark.parametrize(("needed", "table"), [(3, TABLE_3_OF_3), (2, TABLE_2_OF_3)])
def test_missing_data_is_treated_as_the_tables_of_the_user_guide_say(
    needed: int, table: list[tuple[str, ...]]
) -> None:
    values = {"0": 0.0, "X": 1.0, "-": float("nan")}
    for pattern, *expected in table:
        for setting, state in zip(("missing", "ignore", "breaching", "notBreaching"), expected, strict=True):
            rule = Rule("GreaterThanThreshold", needed, 3, setting)
            assert rule.state([values[one] for one in pattern], "kept") == state, (pattern, setting)


def test_m_out_of_n_missing_data_and_percentiles_alarm_as_they_say(aws: RunningAws) -> None:
    emit(aws, lambda times: np.where((times // 60) % 5 < 2, 90.0, 10.0))
    put(aws, "TwoOfFive", EvaluationPeriods=5, DatapointsToAlarm=2)
    put(aws, "ThreeOfFive", EvaluationPeriods=5, DatapointsToAlarm=3)
    put(aws, "Silent", MetricName="Nothing", TreatMissingData="breaching")
    put(aws, "SilentToo", MetricName="Nothing")
    emit(aws, lambda times: times % 600 / 60, name="Spread")
    spec = {"MetricName": "Spread", "Period": 600, "Threshold": 8.5}
    asked = {"Namespace": NAMESPACE, "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold"}
    aws.client("cloudwatch").put_metric_alarm(AlarmName="p99", ExtendedStatistic="p99", **asked, **spec)
    aws.client("cloudwatch").put_metric_alarm(AlarmName="p50", ExtendedStatistic="p50", **asked, **spec)
    age(aws, 1)
    states = {
        one["AlarmName"]: one["StateValue"]
        for one in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    }
    assert states == {
        "Silent": "ALARM",
        "SilentToo": "INSUFFICIENT_DATA",
        "ThreeOfFive": "OK",
        "TwoOfFive": "ALARM",
        "p50": "OK",
        "p99": "ALARM",
    }
    assert alarm(aws, "Silent")["StateReason"] == (
        "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was treated as"
        " [Breaching]."
    )
    only = aws.client("cloudwatch").describe_alarms(StateValue="ALARM", AlarmNamePrefix="p")
    assert [one["AlarmName"] for one in only["MetricAlarms"]] == ["p99"]


def test_an_alarm_on_an_expression_and_one_on_a_band(aws: RunningAws) -> None:
    def daily(times: Array) -> Array:
        usual = 100.0 + 50.0 * np.sin(2 * np.pi * times / 86_400) + (times // 60 % 7)
        return np.where(times >= T0_S + 1800, usual + 200.0, usual)

    emit(aws, daily)
    stat = {"Metric": {"Namespace": NAMESPACE, "MetricName": METRIC}, "Period": 300, "Stat": "Average"}
    metrics = [
        {"Id": "m1", "MetricStat": stat, "ReturnData": True},
        {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(m1, 3)", "ReturnData": True},
    ]
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="Odd",
        Metrics=metrics,
        ThresholdMetricId="band",
        ComparisonOperator="GreaterThanUpperThreshold",
        EvaluationPeriods=2,
    )
    halves = [
        {"Id": "m1", "MetricStat": stat, "ReturnData": False},
        {"Id": "e1", "Expression": "m1 / 2", "ReturnData": True},
    ]
    cloudwatch.put_metric_alarm(
        AlarmName="Half",
        Metrics=halves,
        Threshold=120.0,
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
    )
    age(aws, 0.4)
    assert (alarm(aws, "Odd")["StateValue"], alarm(aws, "Half")["StateValue"]) == ("OK", "OK")
    age(aws, 1)
    odd = alarm(aws, "Odd")
    assert odd["StateValue"] == "ALARM"
    assert odd["StateReason"].startswith("Thresholds Crossed: 2 out of the last 2 datapoints [")
    assert "were greater than the upper thresholds [" in odd["StateReason"]
    assert alarm(aws, "Half")["StateValue"] == "ALARM"
    found = cloudwatch.describe_alarms_for_metric(Namespace=NAMESPACE, MetricName=METRIC)["MetricAlarms"]
    assert [one["AlarmName"] for one in found] == ["Half", "Odd"]


def test_a_composite_alarm_follows_its_rule_and_names_what_changed_it(aws: RunningAws) -> None:
    emit(aws, rising(T0_S + 1800))
    emit(aws, rising(T0_S + 2400), name="Other")
    put(aws, "a b")
    put(aws, "c", MetricName="Other")
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.put_composite_alarm(
        AlarmName="both", AlarmRule='ALARM("a b") AND NOT (OK(c) OR INSUFFICIENT_DATA(c))'
    )
    cloudwatch.put_composite_alarm(
        AlarmName="any", AlarmRule=f"ALARM({alarm(aws, 'c')['AlarmArn']}) OR ALARM(both) OR FALSE"
    )
    assert cloudwatch.describe_alarms()["CompositeAlarms"] == []  # metric alarms only, unless asked
    age(aws, 0.6)
    assert alarm(aws, "both")["StateValue"] == "OK"
    age(aws, 1)
    both = alarm(aws, "both")
    assert both["StateValue"] == "ALARM"
    assert ":alarm:c transitioned to ALARM at Sunday 22 November, 2026 03:41:" in both["StateReason"]
    children = cloudwatch.describe_alarms(
        ChildrenOfAlarmName="any", AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    assert [one["AlarmName"] for one in children["MetricAlarms"] + children["CompositeAlarms"]] == [
        "c",
        "both",
    ]
    with pytest.raises(cloudwatch.exceptions.ClientError, match="cycle"):
        cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(any)")
    with pytest.raises(cloudwatch.exceptions.ClientError, match="is used by"):
        cloudwatch.delete_alarms(AlarmNames=["c"])
    cloudwatch.delete_alarms(AlarmNames=["c", "a b", "both", "any"])
    assert cloudwatch.describe_alarms(AlarmTypes=["MetricAlarm", "CompositeAlarm"])["MetricAlarms"] == []


def test_a_state_that_is_set_lasts_until_the_next_evaluation(aws: RunningAws) -> None:
    emit(aws, rising(T0_S + 9999999))
    put(aws, "Quiet")
    age(aws, 1)
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName="Quiet", StateValue="ALARM", StateReason="a drill")
    found = alarm(aws, "Quiet")
    assert (found["StateValue"], found["StateReason"]) == ("ALARM", "a drill")
    age(aws, 1.1)
    assert alarm(aws, "Quiet")["StateValue"] == "OK"
    cloudwatch.disable_alarm_actions(AlarmNames=["Quiet"])
    assert alarm(aws, "Quiet")["ActionsEnabled"] is False
    cloudwatch.enable_alarm_actions(AlarmNames=["Quiet"])
    assert alarm(aws, "Quiet")["ActionsEnabled"] is True
    with pytest.raises(cloudwatch.exceptions.ResourceNotFound):
        cloudwatch.set_alarm_state(AlarmName="none", StateValue="OK", StateReason="x")


def test_a_story_puts_alarms_that_are_evaluated_and_alarms_that_are_told(aws: RunningAws) -> None:
    emit(aws, rising(T0_S - 600), ClusterName="my-cluster")
    since_s = T0_S - 7 * 86_400
    high = metric_alarm(
        "High", f"{NAMESPACE}/{METRIC}", {"ClusterName": "my-cluster"}, created_s=since_s, above=80.0
    )
    flaps = [(T0_S - 600 * step, "ALARM" if step % 2 else "OK") for step in range(1, 9)]
    store = aws.account.area(Telemetry).alarms
    store.put(high, told_alarm(metric_alarm("Flaps", "A/b", {}, created_s=since_s, above=1.0), flaps))
    store.put(composite_alarm("Any", "ALARM(High) OR ALARM(Flaps)", created_s=since_s))
    assert alarm(aws, "High")["StateTransitionedTimestamp"] >= T0 - timedelta(minutes=10)
    told = alarm(aws, "Flaps")
    assert (told["StateValue"], told["StateTransitionedTimestamp"]) == ("ALARM", T0 - timedelta(minutes=10))
    assert told["StateReason"] == "Threshold Crossed: 1 datapoint was greater than the threshold (1.0)."
    assert alarm(aws, "Any")["StateValue"] == "ALARM"
    items = aws.client("cloudwatch").describe_alarm_history(AlarmName="Flaps", HistoryItemType="StateUpdate")
    assert len(items["AlarmHistoryItems"]) == 8


def test_what_cloudwatch_would_refuse_is_refused(aws: RunningAws) -> None:
    cloudwatch = aws.client("cloudwatch")
    emit(aws, rising(T0_S))
    for wrong in (
        {"DatapointsToAlarm": 2},
        {"TreatMissingData": "sometimes"},
        {"Statistic": "Median"},
        {"Period": 61},
        {"ThresholdMetricId": "x"},
    ):
        with pytest.raises(cloudwatch.exceptions.ClientError):
            put(aws, "x", **wrong)
    stat = {"Metric": {"Namespace": "a", "MetricName": "b"}, "Period": 60, "Stat": "Sum"}
    metrics = [
        {"Id": "e1", "Expression": "SERVICE_QUOTA(m1)"},
        {"Id": "m1", "ReturnData": False, "MetricStat": stat},
    ]
    judged = {"Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1}
    with pytest.raises(cloudwatch.exceptions.ClientError, match="Unsupported function"):
        cloudwatch.put_metric_alarm(AlarmName="x", Metrics=metrics, **judged)
    with pytest.raises(cloudwatch.exceptions.ClientError, match="does not exist"):
        cloudwatch.put_composite_alarm(AlarmName="x", AlarmRule="ALARM(nothing)")
