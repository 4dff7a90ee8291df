"""Cost and usage with real botocore, against sums made one by one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import botocore.exceptions
import pytest
from botocore.config import Config

from aiops_lab.aws.faults import AwsFault
from aiops_lab.billing.drawn import currency, drawn, total
from aiops_lab.billing.fleets import Kit
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.lines import EC2, EKS, Line
from aiops_lab.billing.quantities import flat, hours
from tests.lab.aws.conftest import T0, RunningAws

WEEK = {"Start": "2026-11-14", "End": "2026-11-21"}
FIRST, END = date(2026, 11, 14), date(2026, 11, 21)
BY_SERVICE = [{"Type": "DIMENSION", "Key": "SERVICE"}]
Obj = dict[str, Any]


def billed(aws: RunningAws, *lines: Line, **more: Any) -> Ledger:
    ledger = aws.account.area(Ledger)
    ledger.lines = lines
    for name, value in more.items():
        setattr(ledger, name, value)
    return ledger


def asked(aws: RunningAws, **more: Any) -> Obj:
    client = aws.client("ce", config=Config(retries={"max_attempts": 0}))
    made = {"TimePeriod": WEEK, "Granularity": "DAILY", "Metrics": ["UnblendedCost"]} | more
    answer: Obj = client.get_cost_and_usage(**made)
    return answer


def refused(aws: RunningAws, **more: Any) -> tuple[str, str]:
    with pytest.raises(botocore.exceptions.ClientError) as error:
        asked(aws, **more)
    found = error.value.response["Error"]
    return found["Code"], found["Message"]


def sums(answer: Obj, metric: str = "UnblendedCost") -> dict[tuple[str, ...], Decimal]:
    found: dict[tuple[str, ...], Decimal] = {}
    for period in answer["ResultsByTime"]:
        for group in period["Groups"]:
            key = tuple(group["Keys"])
            found[key] = found.get(key, Decimal()) + Decimal(group["Metrics"][metric]["Amount"])
    return found


def test_a_week_of_a_cluster_is_billed_to_the_cent(aws: RunningAws) -> None:
    kit = Kit()
    ledger = billed(aws, kit.nodes("c5.4xlarge", "0.68", hours(8)), kit.control_plane())
    answer = asked(
        aws,
        GroupBy=[{"Type": "DIMENSION", "Key": "SERVICE"}, {"Type": "DIMENSION", "Key": "INSTANCE_TYPE"}],
        Filter={"Tags": {"Key": "eks:cluster-name", "Values": ["my-cluster"]}},
    )
    assert sums(answer) == {(EC2, "c5.4xlarge"): Decimal("913.92"), (EKS, "NoInstanceType"): Decimal("16.8")}
    first = answer["ResultsByTime"][0]
    assert first["TimePeriod"] == {"Start": "2026-11-14", "End": "2026-11-15"}
    assert first["Total"] == {}
    assert first["Groups"][0]["Metrics"]["UnblendedCost"] == {"Amount": "130.56", "Unit": "USD"}
    assert ledger.asked == ["GetCostAndUsage"]


def test_newest_days_are_estimated_today_is_billed_in_part_and_tomorrow_not_at_all(aws: RunningAws) -> None:
    aws.account.now = lambda: T0.replace(hour=18)
    ledger = billed(aws, Kit().control_plane(), unsettled_days=2)
    period = {"Start": "2026-11-19", "End": "2026-11-24"}
    found = asked(aws, TimePeriod=period)["ResultsByTime"]
    assert [one["Estimated"] for one in found] == [False, True, True, True, True]
    amounts = [one["Total"]["UnblendedCost"]["Amount"] for one in found]
    assert amounts == ["2.4", "2.4", "2.4", "1.2", "0"]
    assert ledger.billed(ledger.lines[0], date(2026, 11, 22), aws.account.now()) == Decimal("1.2")


def test_months_are_cut_at_the_edges_and_have_their_own_lengths(aws: RunningAws) -> None:
    billed(aws, Line("S", "U", Decimal("0.01"), flat(1)))
    period = {"Start": "2026-01-15", "End": "2026-04-02"}
    found = asked(aws, TimePeriod=period, Granularity="MONTHLY")["ResultsByTime"]
    edges = [(one["TimePeriod"]["Start"], one["Total"]["UnblendedCost"]["Amount"]) for one in found]
    assert edges == [
        ("2026-01-15", "0.17"),
        ("2026-02-01", "0.28"),
        ("2026-03-01", "0.31"),
        ("2026-04-01", "0.01"),
    ]


@pytest.mark.parametrize("seed", range(4))
def test_a_drawn_bill_is_what_its_lines_add_up_to(aws: RunningAws, seed: int) -> None:
    lines = drawn(seed)
    billed(aws, *lines, currency=currency(seed))
    pair = [{"Type": "DIMENSION", "Key": "USAGE_TYPE"}, {"Type": "DIMENSION", "Key": "RECORD_TYPE"}]
    answer = asked(aws, GroupBy=pair, Metrics=["UnblendedCost", "AmortizedCost", "UsageQuantity"])

    def by(line: Line) -> tuple[str, str]:
        return line.usage_type or "NoUsageType", line.record_type

    assert sums(answer) == total(lines, FIRST, END, by)
    assert sums(answer, "AmortizedCost") == total(lines, FIRST, END, by, amortized=True)
    units = {
        group["Metrics"]["UnblendedCost"]["Unit"]
        for one in answer["ResultsByTime"]
        for group in one["Groups"]
    }
    assert units == {currency(seed)}
    whole = asked(aws, Granularity="MONTHLY", TimePeriod={"Start": "2026-02-01", "End": "2026-11-01"})
    months = sum(Decimal(one["Total"]["UnblendedCost"]["Amount"]) for one in whole["ResultsByTime"])
    assert months == sum(total(lines, date(2026, 2, 1), date(2026, 11, 1)).values())


EXPRESSIONS: list[tuple[Obj, Callable[[Line], bool]]] = [
    ({"Dimensions": {"Key": "SERVICE", "Values": [EC2, EKS]}}, lambda line: line.service in {EC2, EKS}),
    (
        {"Not": {"Dimensions": {"Key": "RECORD_TYPE", "Values": ["Credit", "Refund", "Tax"]}}},
        lambda line: line.record_type not in {"Credit", "Refund", "Tax"},
    ),
    (
        {
            "And": [
                {"Tags": {"Key": "team", "Values": ["shop", "data"], "MatchOptions": ["EQUALS"]}},
                {"Dimensions": {"Key": "REGION", "Values": ["us-east-1"]}},
            ]
        },
        lambda line: line.tags.get("team") in {"shop", "data"} and line.region == "us-east-1",
    ),
    (
        {
            "Or": [
                {"Tags": {"Key": "eks:cluster-name", "MatchOptions": ["ABSENT"]}},
                {"CostCategories": {"Key": "Stage", "Values": ["prod"]}},
            ]
        },
        lambda line: not line.tags.get("eks:cluster-name") or line.account == "222233334444",
    ),
    ({"Tags": {"Key": "not-activated", "Values": ["x"]}}, lambda line: False),
]


@pytest.mark.parametrize(("expression", "kept"), EXPRESSIONS)
def test_filters_keep_exactly_their_lines(
    aws: RunningAws, expression: Obj, kept: Callable[[Line], bool]
) -> None:
    for seed in (11, 12, 13):
        lines = drawn(seed)
        billed(aws, *lines, cost_categories={"Stage": {"222233334444": "prod"}})
        answer = asked(aws, Filter=expression, GroupBy=[{"Type": "DIMENSION", "Key": "LINKED_ACCOUNT"}])
        wanted = tuple(line for line in lines if kept(line))
        assert sums(answer) == total(wanted, FIRST, END, ("account",))


def test_tags_and_categories_group_as_key_and_value_with_an_empty_one_for_none(aws: RunningAws) -> None:
    kit = Kit(account="222233334444", tags={"team": "shop"})
    nodes = kit.nodes("m5.large", "0.10", hours(1))
    categories = {"Stage": {"222233334444": "prod"}}
    billed(
        aws, nodes, *Kit().nat(flat(1)), cost_categories=categories, account_names={"222233334444": "shop"}
    )
    pair = [{"Type": "TAG", "Key": "team"}, {"Type": "COST_CATEGORY", "Key": "Stage"}]
    assert list(sums(asked(aws, GroupBy=pair))) == [("team$", "Stage$"), ("team$shop", "Stage$prod")]
    answer = asked(aws, GroupBy=[{"Type": "DIMENSION", "Key": "LINKED_ACCOUNT"}])
    assert answer["DimensionValueAttributes"][1] == {
        "Value": "222233334444",
        "Attributes": {"description": "shop"},
    }


def test_usage_has_its_unit_where_there_is_one(aws: RunningAws) -> None:
    kit = Kit()
    billed(aws, kit.nodes("m5.xlarge", "0.192", hours(2)), *kit.nat(flat(10)))
    metrics = ["UsageQuantity", "NORMALIZED_USAGE_AMOUNT"]
    answer = asked(aws, Metrics=metrics, GroupBy=BY_SERVICE)["ResultsByTime"][0]["Groups"]
    by_service = {one["Keys"][0]: one["Metrics"] for one in answer}
    assert by_service[EC2]["UsageQuantity"] == {"Amount": "48", "Unit": "Hrs"}
    assert by_service[EC2]["NormalizedUsageAmount"]["Amount"] == "384"
    assert by_service["EC2 - Other"]["UsageQuantity"] == {"Amount": "34", "Unit": "N/A"}


def test_a_commitment_is_spread_in_amortized_costs(aws: RunningAws) -> None:
    kit = Kit()
    billed(aws, *kit.savings_plan("0.5", kit.nodes("m5.xlarge", "0.192", hours(3)), "0.121"))
    answer = asked(aws, Metrics=["UnblendedCost", "AmortizedCost"])["ResultsByTime"][0]["Total"]
    assert answer["UnblendedCost"]["Amount"] == "12"
    assert answer["AmortizedCost"]["Amount"] == "12"
    by_type = [{"Type": "DIMENSION", "Key": "RECORD_TYPE"}]
    found = sums(asked(aws, Metrics=["AmortizedCost"], GroupBy=by_type), "AmortizedCost")
    assert found[("SavingsPlanCoveredUsage",)] == Decimal("0.121") * 72 * 7
    assert found[("SavingsPlanRecurringFee",)] == (Decimal("0.5") - Decimal("0.363")) * 24 * 7
    assert found[("SavingsPlanNegation",)] == 0


def test_many_groups_come_in_billed_pages_that_may_end_within_a_day(aws: RunningAws) -> None:
    lines = [Line("S", f"U{place:04d}", Decimal("0.001"), flat(place + 1)) for place in range(900)]
    ledger = billed(aws, *lines)
    by_type = [{"Type": "DIMENSION", "Key": "USAGE_TYPE"}]
    first = asked(aws, GroupBy=by_type)
    second = asked(aws, GroupBy=by_type, NextPageToken=first["NextPageToken"])
    assert "NextPageToken" not in second
    assert len(ledger.asked) == 2
    assert first["ResultsByTime"][-1]["TimePeriod"] == second["ResultsByTime"][0]["TimePeriod"]
    both = {"ResultsByTime": first["ResultsByTime"] + second["ResultsByTime"]}
    assert sums(both) == {
        (line.usage_type,): amount for line in lines for amount in total((line,), FIRST, END).values()
    }
    changed = refused(aws, GroupBy=BY_SERVICE, NextPageToken=first["NextPageToken"])
    assert changed[0] == "RequestChangedException"
    assert refused(aws, GroupBy=by_type, NextPageToken="nonsense")[0] == "InvalidNextTokenException"


def test_a_line_may_be_billed_in_a_currency_of_its_own(aws: RunningAws) -> None:
    kit = Kit()
    billed(aws, kit.control_plane(), replace(kit.nodes("m5.large", "0.7", hours(1)), currency="CNY"))
    answer = asked(aws, GroupBy=BY_SERVICE)["ResultsByTime"][0]["Groups"]
    assert {one["Metrics"]["UnblendedCost"]["Unit"] for one in answer} == {"USD", "CNY"}
    assert asked(aws)["ResultsByTime"][0]["Total"]["UnblendedCost"]["Unit"] == "N/A"


def test_nothing_that_fits_is_zero_and_no_groups(aws: RunningAws) -> None:
    billed(aws)
    none = asked(aws)["ResultsByTime"]
    assert len(none) == 7
    assert none[0]["Total"]["UnblendedCost"] == {"Amount": "0", "Unit": "USD"}
    assert all(one["Groups"] == [] for one in asked(aws, GroupBy=BY_SERVICE)["ResultsByTime"])


BAD: list[tuple[Obj, str]] = [
    ({"TimePeriod": {"Start": "2026-11-20", "End": "2026-11-20"}}, "should be before end date"),
    (
        {"TimePeriod": {"Start": "2026-11-20", "End": "2026-12-02"}},
        "end date past the beginning of next month",
    ),
    ({"TimePeriod": {"Start": "2026-11-23", "End": "2026-11-25"}}, "no later than the current date"),
    ({"TimePeriod": {"Start": "2025-09-30", "End": "2026-11-01"}}, "historical data beyond 14 months"),
    ({"TimePeriod": {"Start": "2026-02-30", "End": "2026-03-02"}}, "2026-02-30 is invalid"),
    ({"Granularity": "HOURLY"}, "Hourly granularity"),
    ({"Metrics": ["Money"]}, "Metrics are invalid"),
    ({"GroupBy": BY_SERVICE * 3}, "maximum of 2"),
    ({"GroupBy": [{"Type": "DIMENSION", "Key": "RESOURCE_ID"}]}, "Dimension RESOURCE_ID is not allowed."),
    ({"GroupBy": [{"Type": "DIMENSION", "Key": ""}]}, "Both type an key need to be set"),
    ({"Filter": {"And": [{"Dimensions": {"Key": "SERVICE", "Values": ["x"]}}]}}, "at least 2 operands"),
    (
        {"Filter": {"Tags": {"Key": "a", "Values": ["b"]}, "Dimensions": {"Key": "AZ", "Values": ["c"]}}},
        "zero or more than one roots",
    ),
    (
        {"Filter": {"Tags": {"Key": "a", "Values": ["b"], "MatchOptions": ["STARTS_WITH"]}}},
        "MatchOptions contain not allowed match option",
    ),
]


@pytest.mark.parametrize(("question", "words"), BAD)
def test_a_bad_question_is_refused_and_not_billed(aws: RunningAws, question: Obj, words: str) -> None:
    code, message = refused(aws, **question)
    assert code == "ValidationException"
    assert words in message
    assert aws.account.area(Ledger).asked == []


def test_an_account_that_never_opened_cost_explorer_is_refused(aws: RunningAws) -> None:
    billed(aws, enabled=False)
    assert refused(aws) == ("AccessDeniedException", "User not enabled for cost explorer access")
    billed(aws, enabled=True, ingesting=True)
    code, message = refused(aws)
    assert code == "DataUnavailableException"
    assert "might not be ingested yet" in message


def test_resources_are_billed_for_two_weeks_back(aws: RunningAws) -> None:
    kit = Kit()
    billed(aws, *(kit.nodes("m5.xlarge", "0.2", hours(1), resource_id=f"i-{name}") for name in "ab"))
    client = aws.client("ce")
    question: Obj = {
        "TimePeriod": WEEK,
        "Granularity": "DAILY",
        "Metrics": ["UnblendedCost"],
        "Filter": {"Dimensions": {"Key": "SERVICE", "Values": [EC2]}},
        "GroupBy": [{"Type": "DIMENSION", "Key": "RESOURCE_ID"}],
    }
    found = sums(client.get_cost_and_usage_with_resources(**question))
    assert found == {("i-a",): Decimal("33.6"), ("i-b",): Decimal("33.6")}
    old = {"TimePeriod": {"Start": "2026-11-01", "End": "2026-11-03"}}
    with pytest.raises(botocore.exceptions.ClientError, match="only 14 days"):
        client.get_cost_and_usage_with_resources(**(question | old))


def test_a_caller_without_the_right_is_told_which(aws: RunningAws) -> None:
    client = aws.client("ce", "aiops-reader")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.get_cost_and_usage(TimePeriod=WEEK, Granularity="DAILY", Metrics=["UnblendedCost"])
    found = error.value.response["Error"]
    assert found["Code"] == "AccessDeniedException"
    assert "ce:GetCostAndUsage" in found["Message"]


def test_too_many_requests_are_refused_as_cost_explorer_does(aws: RunningAws) -> None:
    aws.overlay.faults.add(AwsFault("ce", "GetCostAndUsage", code="LimitExceededException"))
    assert refused(aws) == ("LimitExceededException", "Rate limit exceeded")


def test_a_large_bill_is_exact_in_all_its_pages(aws: RunningAws) -> None:
    lines = tuple(
        Line(f"S{service}", "U", Decimal("0.013"), hours(1 + account / 8), account=f"{account:012d}")
        for account in range(60)
        for service in range(20)
    )
    billed(aws, *lines)
    question: Obj = {
        "TimePeriod": {"Start": "2025-11-01", "End": "2026-11-01"},
        "Granularity": "MONTHLY",
        "Metrics": ["UnblendedCost"],
        "GroupBy": [{"Type": "DIMENSION", "Key": "LINKED_ACCOUNT"}, *BY_SERVICE],
    }
    client, found = aws.client("ce"), Decimal()
    token: Obj = {}
    while True:
        page = client.get_cost_and_usage(**question, **token)
        found += sum(sums(page).values())
        if "NextPageToken" not in page:
            break
        token = {"NextPageToken": page["NextPageToken"]}
    assert found == sum(line.amount(date(2026, 1, 1)) for line in lines) * 365


def test_the_common_world_has_a_plausible_bill(aws: RunningAws) -> None:
    found = sums(asked(aws, GroupBy=BY_SERVICE))
    assert found[(EC2,)] == Decimal("193.536")
    assert found[(EKS,)] == Decimal("16.8")
    assert 250 < sum(found.values()) < 450
    assert len(found) >= 7
