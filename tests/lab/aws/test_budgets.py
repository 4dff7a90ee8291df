"""Budgets with real botocore, against the ledger's own sums."""

from datetime import UTC, date, datetime
from decimal import Decimal

import botocore.exceptions
import pytest

from aiops_lab.billing.budgets import Budget
from aiops_lab.billing.fleets import Kit
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.lines import EC2
from aiops_lab.billing.quantities import flat, hours
from aiops_lab.places import ACCOUNT_ID
from tests.lab.aws.conftest import RunningAws

CLUSTER = {"Tags": {"Key": "eks:cluster-name", "Values": ["my-cluster"]}}


def planned(aws: RunningAws) -> None:
    kit = Kit()
    ledger = aws.account.area(Ledger)
    ledger.lines = (
        kit.nodes("m5.xlarge", "0.20", hours(5)),
        *kit.nat(flat(10)),
        kit.credit(EC2, "-24.00", date(2026, 11, 2)),
    )
    ledger.budgets = (
        Budget("cluster", "700", expression=CLUSTER),
        Budget("all", "300", unit="QUARTERLY", corrections=False, months={date(2026, 10, 1): "2500"}),
        Budget("today", "10", unit="DAILY", expression={"Dimensions": {"Key": "SERVICE", "Values": [EC2]}}),
    )


def test_a_budget_says_what_was_spent_and_what_is_to_come(aws: RunningAws) -> None:
    planned(aws)
    found = aws.client("budgets").describe_budgets(AccountId=ACCOUNT_ID, ShowFilterExpression=True)["Budgets"]
    cluster, whole, today = found
    # 21 whole days of 24 USD; the day under way begins to be billed at six; 30 days as forecast
    assert cluster["CalculatedSpend"]["ActualSpend"] == {"Amount": "504", "Unit": "USD"}
    assert cluster["CalculatedSpend"]["ForecastedSpend"]["Amount"] == "720"
    assert cluster["FilterExpression"] == CLUSTER
    assert cluster["CostFilters"] == {"TagKeyValue": ["user:eks:cluster-name$my-cluster"]}
    a_day = Decimal("24") + Decimal("0.045") * 24 + Decimal("0.45")
    assert Decimal(whole["CalculatedSpend"]["ActualSpend"]["Amount"]) == a_day * 52
    assert whole["BudgetLimit"]["Amount"] == "2500"
    assert whole["CostTypes"]["IncludeCredit"] is False
    assert list(whole["PlannedBudgetLimits"].values()) == [{"Amount": "2500", "Unit": "USD"}]
    assert today["CalculatedSpend"]["ActualSpend"]["Amount"] == "0"
    assert aws.account.area(Ledger).asked == []


def test_a_budgets_past_periods_are_told(aws: RunningAws) -> None:
    planned(aws)
    client = aws.client("budgets")
    one = client.describe_budget(AccountId=ACCOUNT_ID, BudgetName="cluster")["Budget"]
    assert one["TimeUnit"] == "MONTHLY"
    found = client.describe_budget_performance_history(
        AccountId=ACCOUNT_ID,
        BudgetName="cluster",
        TimePeriod={"Start": datetime(2026, 9, 1, tzinfo=UTC), "End": datetime(2026, 11, 1, tzinfo=UTC)},
    )["BudgetPerformanceHistory"]
    rows = found["BudgetedAndActualAmountsList"]
    assert [row["ActualAmount"]["Amount"] for row in rows] == ["720", "744", "504"]
    assert rows[0]["TimePeriod"]["Start"] == datetime(2026, 9, 1, tzinfo=UTC)


def test_budgets_are_read_with_the_action_view_budget(aws: RunningAws) -> None:
    planned(aws)
    with pytest.raises(botocore.exceptions.ClientError, match="perform: budgets:ViewBudget"):
        aws.client("budgets", "aiops-reader").describe_budgets(AccountId=ACCOUNT_ID)
    assert aws.client("budgets", "aiops-accountant").describe_budgets(AccountId=ACCOUNT_ID)["Budgets"]


def test_unknown_budgets_and_other_accounts_are_refused(aws: RunningAws) -> None:
    planned(aws)
    client = aws.client("budgets")
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.describe_budget(AccountId=ACCOUNT_ID, BudgetName="none")
    assert error.value.response["Error"]["Code"] == "NotFoundException"
    with pytest.raises(botocore.exceptions.ClientError) as error:
        client.describe_budgets(AccountId="999988887777")
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"
    first = client.describe_budgets(AccountId=ACCOUNT_ID, MaxResults=2)
    rest = client.describe_budgets(AccountId=ACCOUNT_ID, NextToken=first["NextToken"])
    assert [len(first["Budgets"]), len(rest["Budgets"])] == [2, 1]
