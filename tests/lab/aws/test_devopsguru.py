"""DevOps Guru of the lab, with real botocore: one contract test per operation."""

from datetime import timedelta

import pytest
from botocore.exceptions import ClientError

from aiops_lab.aws.devopsguru import DevOpsGuru, GuruInsight, GuruMetric
from tests.lab.aws.conftest import T0, RunningAws

ID = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
PRESSURE = GuruMetric(
    "ContainerInsights", "node_memory_utilization", (("ClusterName", "my-cluster"), ("NodeName", "node-1"))
)


@pytest.fixture
def guru(aws: RunningAws) -> RunningAws:
    now = aws.account.now().timestamp()
    later = GuruInsight("B" * 32, "Not yet", "", now + 600, (PRESSURE,))
    ended = GuruInsight("C" * 32, "Ended", "", now - 7200, (PRESSURE,), end_s=now - 3600)
    here = GuruInsight(ID, "Memory pressure", "Memory went from 92 to 98 %.", now - 600, (PRESSURE,))
    aws.account.area(DevOpsGuru).insights = [here, later, ended]
    return aws


def test_insights_are_listed_by_their_state_and_time(guru: RunningAws) -> None:
    client = guru.client("devops-guru")
    now = guru.account.now()
    ongoing = client.list_insights(StatusFilter={"Ongoing": {"Type": "REACTIVE"}})
    assert [one["Name"] for one in ongoing["ReactiveInsights"]] == ["Memory pressure"]
    assert ongoing["ReactiveInsights"][0]["Status"] == "ONGOING"
    span = {"FromTime": now - timedelta(hours=3), "ToTime": now}
    every = client.list_insights(StatusFilter={"Any": {"Type": "REACTIVE", "StartTimeRange": span}})
    assert [one["Status"] for one in every["ReactiveInsights"]] == ["ONGOING", "CLOSED"]
    closed = client.list_insights(StatusFilter={"Closed": {"Type": "REACTIVE", "EndTimeRange": span}})
    assert [one["Name"] for one in closed["ReactiveInsights"]] == ["Ended"]
    assert not client.list_insights(StatusFilter={"Ongoing": {"Type": "PROACTIVE"}})["ProactiveInsights"]
    with pytest.raises(ClientError, match="exactly one"):
        client.list_insights(StatusFilter={})


def test_an_insight_is_described(guru: RunningAws) -> None:
    client = guru.client("devops-guru")
    found = client.describe_insight(Id=ID)["ReactiveInsight"]
    assert found["Description"] == "Memory went from 92 to 98 %."
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_insight(Id="D" * 32)


def test_the_anomalies_of_an_insight_name_their_metrics(guru: RunningAws) -> None:
    client = guru.client("devops-guru")
    (found,) = client.list_anomalies_for_insight(InsightId=ID)["ReactiveAnomalies"]
    (metric,) = found["SourceDetails"]["CloudWatchMetrics"]
    assert (metric["MetricName"], metric["Namespace"]) == ("node_memory_utilization", "ContainerInsights")
    assert found["AssociatedInsightId"] == ID
    assert found["AnomalyTimeRange"]["StartTime"].timestamp() == pytest.approx(T0.timestamp() - 600, abs=1)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.list_anomalies_for_insight(InsightId="D" * 32)


def test_the_health_of_an_account_says_how_much_is_analysed_and_what_is_open(guru: RunningAws) -> None:
    client = guru.client("devops-guru")
    quiet = client.describe_account_health()
    assert quiet["AnalyzedResourceCount"] == 0
    guru.account.area(DevOpsGuru).resources = 7
    told = client.describe_account_health()
    assert (told["AnalyzedResourceCount"], told["ResourceHours"]) == (7, 7)
    assert told["OpenReactiveInsights"] + told["OpenProactiveInsights"] >= 1
