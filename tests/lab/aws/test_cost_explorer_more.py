"""Cost Explorer's other rooms with real botocore: values, forecasts, anomalies, commitments."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import botocore.exceptions
import pytest

from aiops_lab.billing.anomalies import Anomaly, Cause, Monitor, Subscription
from aiops_lab.billing.drawn import drawn, total
from aiops_lab.billing.fleets import Kit
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.lines import EC2, EC2_OTHER, EKS, Line
from aiops_lab.billing.quantities import between, flat, hours, noisy, steps
from tests.lab.aws.conftest import RunningAws

WEEK = {"Start": "2026-11-14", "End": "2026-11-21"}
Obj = dict[str, Any]


def billed(aws: RunningAws, *lines: Line, **more: Any) -> Ledger:
    ledger = aws.account.area(Ledger)
    ledger.lines = lines
    for name, value in more.items():
        setattr(ledger, name, value)
    return ledger


def refused(aws: RunningAws, operation: str, **question: Any) -> tuple[str, str]:
    with pytest.raises(botocore.exceptions.ClientError) as error:
        getattr(aws.client("ce"), operation)(**question)
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def test_dimension_values_are_those_used_in_the_days(aws: RunningAws) -> None:
    kit = Kit(account="222233334444")
    gone = between(date(2026, 10, 1), date(2026, 11, 1), hours(1))
    ledger = billed(
        aws,
        Kit().nodes("m5.xlarge", "0.192", hours(2)),
        kit.control_plane(),
        *kit.nat(flat(9)),
        Line("AWS Glue", "Crawler-Hour", Decimal("0.44"), gone),
        account_names={"222233334444": "shop"},
    )
    client = aws.client("ce")
    found = client.get_dimension_values(TimePeriod=WEEK, Dimension="SERVICE")
    assert [one["Value"] for one in found["DimensionValues"]] == sorted((EC2, EC2_OTHER, EKS))
    assert (found["ReturnSize"], found["TotalSize"]) == (3, 3)
    by_cost: Obj = {"SortBy": [{"Key": "UnblendedCost", "SortOrder": "DESCENDING"}], "MaxResults": 1}
    first = client.get_dimension_values(TimePeriod=WEEK, Dimension="SERVICE", **by_cost)
    assert [one["Value"] for one in first["DimensionValues"]] == [EC2]
    assert first["NextPageToken"] == "1"
    accounts = client.get_dimension_values(
        TimePeriod=WEEK, Dimension="LINKED_ACCOUNT", SearchString="3334444"
    )
    assert accounts["DimensionValues"] == [{"Value": "222233334444", "Attributes": {"description": "shop"}}]
    assert ledger.asked == ["GetDimensionValues"] * 3
    code, _ = refused(aws, "get_dimension_values", TimePeriod=WEEK, Dimension="SAVINGS_PLAN_ARN")
    assert code == "ValidationException"
    question = {"TimePeriod": WEEK, "Dimension": "SERVICE", "NextPageToken": "x"}
    assert refused(aws, "get_dimension_values", **question)[0] == "InvalidNextTokenException"


def test_tags_in_use_and_their_values_with_an_empty_one(aws: RunningAws) -> None:
    billed(
        aws,
        Kit(tags={"team": "shop", "owner": "x"}).control_plane(),
        *Kit().nat(flat(1)),
        cost_categories={"Stage": {"111122223333": "prod"}},
    )
    client = aws.client("ce")
    assert client.get_tags(TimePeriod=WEEK)["Tags"] == ["eks:cluster-name", "team"]
    assert client.get_tags(TimePeriod=WEEK, TagKey="team")["Tags"] == ["", "shop"]
    assert client.get_tags(TimePeriod=WEEK, TagKey="owner")["Tags"] == [""]
    assert client.get_cost_categories(TimePeriod=WEEK)["CostCategoryNames"] == ["Stage"]
    found = client.get_cost_categories(TimePeriod=WEEK, CostCategoryName="Stage")
    assert found["CostCategoryValues"] == ["prod"]


def test_allocation_tags_say_whether_they_were_activated(aws: RunningAws) -> None:
    billed(aws, Kit(tags={"owner": "x"}).control_plane(), tags_active=frozenset({"aws:createdBy", "team"}))
    client = aws.client("ce")
    found = client.list_cost_allocation_tags()["CostAllocationTags"]
    assert {one["TagKey"]: (one["Type"], one["Status"]) for one in found} == {
        "aws:createdBy": ("AWSGenerated", "Active"),
        "team": ("UserDefined", "Active"),
        "owner": ("UserDefined", "Inactive"),
        "eks:cluster-name": ("UserDefined", "Inactive"),
    }
    inactive = client.list_cost_allocation_tags(Status="Inactive", TagKeys=["owner"])["CostAllocationTags"]
    assert [one["TagKey"] for one in inactive] == ["owner"]


def forecast(aws: RunningAws, **more: Any) -> Obj:
    made = {
        "TimePeriod": {"Start": "2026-11-22", "End": "2026-12-01"},
        "Metric": "UNBLENDED_COST",
        "Granularity": "DAILY",
    }
    answer: Obj = aws.client("ce").get_cost_forecast(**(made | more))
    return answer


@pytest.mark.parametrize("seed", range(3))
def test_a_forecast_is_the_lines_own_future(aws: RunningAws, seed: int) -> None:
    lines = drawn(seed)
    billed(aws, *lines)
    found = forecast(aws, Granularity="MONTHLY", TimePeriod={"Start": "2026-11-22", "End": "2027-02-01"})
    assert Decimal(found["Total"]["Amount"]) == total(lines, date(2026, 11, 22), date(2027, 2, 1))[()]
    december = found["ForecastResultsByTime"][1]
    assert december["TimePeriod"] == {"Start": "2026-12-01", "End": "2027-01-01"}
    assert Decimal(december["MeanValue"]) == total(lines, date(2026, 12, 1), date(2027, 1, 1))[()]
    assert "PredictionIntervalLowerBound" not in december


def test_an_interval_holds_the_mean_and_grows_with_its_level(aws: RunningAws) -> None:
    billed(aws, Kit().nodes("m5.xlarge", "0.192", noisy(hours(6), 0.2, 4)))
    wide: dict[int, Decimal] = {}
    for level in (60, 95):
        row = forecast(aws, PredictionIntervalLevel=level)["ForecastResultsByTime"][0]
        low = Decimal(row["PredictionIntervalLowerBound"])
        high = Decimal(row["PredictionIntervalUpperBound"])
        assert low < Decimal(row["MeanValue"]) < high
        wide[level] = high - low
    assert wide[95] > wide[60] > 0


def test_usage_is_forecast_where_it_has_one_unit(aws: RunningAws) -> None:
    billed(aws, Kit().nodes("m5.xlarge", "0.192", hours(2)), *Kit().nat(flat(5)))
    question: Obj = {
        "TimePeriod": {"Start": "2026-11-22", "End": "2026-11-24"},
        "Metric": "USAGE_QUANTITY",
        "Granularity": "DAILY",
    }
    one = {"Dimensions": {"Key": "SERVICE", "Values": [EC2]}}
    found = aws.client("ce").get_usage_forecast(**question, Filter=one)
    assert found["Total"] == {"Amount": "96", "Unit": "Hrs"}
    assert refused(aws, "get_usage_forecast", **question)[0] == "UnresolvableUsageUnitException"


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"TimePeriod": {"Start": "2026-11-21", "End": "2026-12-01"}}, "must not be in the past"),
        ({"TimePeriod": {"Start": "2026-12-01", "End": "2026-11-30"}}, "must be before requested End"),
        ({"TimePeriod": {"Start": "2026-11-22", "End": "2027-04-01"}}, "too far in the future"),
        ({"Granularity": "HOURLY"}, "Granularity should be either"),
        ({"PredictionIntervalLevel": 99, "Filter": {"Not": {}}}, "more than one roots"),
    ],
)
def test_a_bad_forecast_is_refused(aws: RunningAws, question: Obj, words: str) -> None:
    if "Filter" in question:
        question["Filter"] = {"And": []}
        words = "at least 2 operands"
    with pytest.raises(botocore.exceptions.ClientError, match=words):
        forecast(aws, **question)


def test_too_little_history_is_no_forecast(aws: RunningAws) -> None:
    billed(aws, Kit().nodes("m5.xlarge", "0.192", steps(flat(0), (date(2026, 11, 1), hours(1)))))
    with pytest.raises(botocore.exceptions.ClientError) as error:
        forecast(aws)
    assert error.value.response["Error"] == {
        "Code": "DataUnavailableException",
        "Message": "Insufficient amount of historical data.",
    }


def test_anomalies_are_found_by_their_end_and_impact(aws: RunningAws) -> None:
    spike = Anomaly(
        "a-1",
        date(2026, 11, 15),
        EC2,
        actual_usd=913.92,
        expected_usd=652.8,
        causes=(Cause(EC2, "BoxUsage:c5.4xlarge", 261.12),),
    )
    old = replace(spike, anomaly_id="a-0", first=date(2026, 8, 1), last=date(2026, 8, 3), actual_usd=700.0)
    new = replace(spike, anomaly_id="a-2", first=date(2026, 11, 22))
    ledger = billed(aws, anomalies=(old, spike, new), subscriptions=(Subscription("all", "a@example.com"),))
    client = aws.client("ce")
    found = client.get_anomalies(DateInterval={"StartDate": "2026-11-01", "EndDate": "2026-11-22"})[
        "Anomalies"
    ]
    assert [one["AnomalyId"] for one in found] == ["a-1"]
    assert found[0]["Impact"]["TotalImpact"] == 261.12
    assert found[0]["Impact"]["TotalImpactPercentage"] == 40.0
    assert found[0]["RootCauses"][0]["UsageType"] == "BoxUsage:c5.4xlarge"
    large: Obj = {"TotalImpact": {"NumericOperator": "GREATER_THAN", "StartValue": 100}}
    small: Obj = {"TotalImpact": {"NumericOperator": "BETWEEN", "StartValue": 1, "EndValue": 100}}
    period: Obj = {"DateInterval": {"StartDate": "2026-07-01"}}
    assert [one["AnomalyId"] for one in client.get_anomalies(**period, **large)["Anomalies"]] == ["a-1"]
    assert [one["AnomalyId"] for one in client.get_anomalies(**period, **small)["Anomalies"]] == ["a-0"]
    page = client.get_anomalies(**period, MaxResults=1)
    assert page["Anomalies"][0]["AnomalyId"] == "a-1"
    assert page["NextPageToken"]
    monitor = client.get_anomaly_monitors()["AnomalyMonitors"][0]
    assert monitor["MonitorArn"] == found[0]["MonitorArn"] == Monitor().arn
    told = client.get_anomaly_subscriptions(MonitorArn=monitor["MonitorArn"])["AnomalySubscriptions"]
    assert told[0]["Subscribers"][0]["Address"] == "a@example.com"
    assert len(ledger.asked) == 6


def test_unknown_monitors_and_subscriptions_are_refused(aws: RunningAws) -> None:
    unknown = "arn:aws:ce::111122223333:anomalymonitor/none"
    assert refused(aws, "get_anomaly_monitors", MonitorArnList=[unknown])[0] == "UnknownMonitorException"
    code, _ = refused(aws, "get_anomaly_subscriptions", SubscriptionArnList=[unknown])
    assert code == "UnknownSubscriptionException"
    backwards = {"StartDate": "2026-11-20", "EndDate": "2026-11-01"}
    assert refused(aws, "get_anomalies", DateInterval=backwards)[0] == "ValidationException"


def test_a_savings_plan_says_what_it_covers_and_what_goes_unused(aws: RunningAws) -> None:
    kit = Kit()
    nodes = kit.nodes("m5.xlarge", "0.192", hours(3))
    billed(aws, *kit.savings_plan("0.5", nodes, "0.121"), kit.nodes("c5.xlarge", "0.17", hours(1)))
    client = aws.client("ce")
    total_ = client.get_savings_plans_utilization(TimePeriod=WEEK)["Total"]
    assert total_["Utilization"] == {
        "TotalCommitment": "84",
        "UsedCommitment": "60.984",
        "UnusedCommitment": "23.016",
        "UtilizationPercentage": "72.6",
    }
    assert total_["Savings"] == {"NetSavings": "12.768", "OnDemandCostEquivalent": "96.768"}
    daily = client.get_savings_plans_coverage(TimePeriod=WEEK, Granularity="DAILY")["SavingsPlansCoverages"]
    assert len(daily) == 7
    assert daily[0]["Coverage"]["OnDemandCost"] == "4.08"
    groups = [{"Type": "DIMENSION", "Key": "INSTANCE_FAMILY"}]
    by_family = client.get_savings_plans_coverage(TimePeriod=WEEK, GroupBy=groups)["SavingsPlansCoverages"]
    assert [
        (one["Attributes"]["INSTANCE_FAMILY"], one["Coverage"]["CoveragePercentage"]) for one in by_family
    ] == [
        ("c5", "0"),
        ("m5", "100"),
    ]
    code, words = refused(
        aws, "get_savings_plans_coverage", TimePeriod=WEEK, GroupBy=groups, Granularity="DAILY"
    )
    assert code == "ValidationException"
    assert words == "Granularity is not supported when specifying groupBy"


def test_reservations_are_used_and_cover_in_hours(aws: RunningAws) -> None:
    kit = Kit()
    used, fee = kit.reserved(kit.nodes("r5.large", "0.126", hours(3)), "0.079", 4)
    ledger = billed(aws, used, fee, kit.nodes("r5.large", "0.126", hours(1)))
    client = aws.client("ce")
    found = client.get_reservation_utilization(TimePeriod=WEEK, Granularity="DAILY")
    assert found["Total"]["PurchasedHours"] == "672"
    assert found["Total"]["UtilizationPercentage"] == "75"
    assert len(found["UtilizationsByTime"]) == 7
    covered = client.get_reservation_coverage(TimePeriod=WEEK)["Total"]
    assert covered["CoverageHours"]["CoverageHoursPercentage"] == "75"
    assert covered["CoverageCost"]["OnDemandCost"] == "21.168"
    october = total(ledger.lines, date(2026, 10, 1), date(2026, 11, 1), amortized=True)[()]
    plain = total(ledger.lines, date(2026, 10, 1), date(2026, 11, 1))[()]
    assert october == plain == Decimal("0.079") * 4 * 744 + Decimal("0.126") * 744


def test_an_account_without_commitments_has_no_utilization(aws: RunningAws) -> None:
    billed(aws, Kit().nodes("m5.xlarge", "0.192", hours(1)))
    for operation in ("get_savings_plans_utilization", "get_reservation_utilization"):
        assert refused(aws, operation, TimePeriod=WEEK)[0] == "DataUnavailableException"
    coverage = aws.client("ce").get_savings_plans_coverage(TimePeriod=WEEK)["SavingsPlansCoverages"]
    assert coverage[0]["Coverage"]["CoveragePercentage"] == "0"
    assert refused(aws, "get_reservation_coverage", TimePeriod=WEEK, Granularity="HOURLY")[0] == (
        "ValidationException"
    )
