"""Athena of the lab with real botocore: states, results page by page, values bound as literals."""

from datetime import date
from pathlib import Path
from typing import Any

import botocore.exceptions
import pytest

from aiops_lab.aws.cost_files import CostFiles, write
from aiops_lab.billing.fleets import Kit
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.quantities import hours
from tests.lab.aws.conftest import RunningAws

SUMS = (
    'SELECT line_item_usage_type, SUM(line_item_unblended_cost) FROM "cost_data"."cur2"'
    " WHERE element_at(resource_tags, 'user_eks_cluster_name') = ? GROUP BY 1 ORDER BY 1"
)


@pytest.fixture
def files(aws: RunningAws, tmp_path: Path) -> Path:
    kit = Kit("my-cluster")
    aws.account.area(Ledger).lines = (kit.nodes("m5.xlarge", "0.192", hours(2)), kit.control_plane())
    write(aws.account, tmp_path, date(2026, 10, 30), date(2026, 11, 3))
    return tmp_path


def ended(client: Any, found: str) -> dict[str, Any]:
    states = []
    for _ in range(4):
        execution = client.get_query_execution(QueryExecutionId=found)["QueryExecution"]
        states.append(execution["Status"]["State"])
    assert states[:2] == ["QUEUED", "RUNNING"]
    return dict(execution)


def started(client: Any, query: str, *values: str) -> str:
    return str(
        client.start_query_execution(QueryString=query, ExecutionParameters=list(values))["QueryExecutionId"]
    )


def test_a_query_runs_over_the_files_of_both_months(aws: RunningAws, files: Path) -> None:
    assert sorted(path.parent.name for path in files.rglob("*.parquet")) == [
        "BILLING_PERIOD=2026-10",
        "BILLING_PERIOD=2026-11",
    ]
    client = aws.client("athena")
    found = started(client, SUMS, "'my-cluster'")
    execution = ended(client, found)
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["Statistics"]["DataScannedInBytes"] > 0
    first = client.get_query_results(QueryExecutionId=found, MaxResults=2)
    rest = client.get_query_results(QueryExecutionId=found, MaxResults=2, NextToken=first["NextToken"])
    rows = [
        [cell.get("VarCharValue") for cell in row["Data"]]
        for page in (first, rest)
        for row in page["ResultSet"]["Rows"]
    ]
    assert rows[0][0] == "line_item_usage_type"
    assert [name for name, _ in rows[1:]] == ["BoxUsage:m5.xlarge", "USE1-AmazonEKS-Hours:perCluster"]
    assert [float(sum_) for _, sum_ in rows[1:]] == pytest.approx([4 * 48 * 0.192, 4 * 2.4])
    assert "NextToken" not in rest


def test_what_fails_says_why(aws: RunningAws, files: Path) -> None:
    del files
    client = aws.client("athena")
    unquoted = ended(client, started(client, SUMS, "my-cluster"))
    assert unquoted["Status"]["State"] == "FAILED"
    assert "COLUMN_NOT_FOUND" in unquoted["Status"]["StateChangeReason"]
    unknown = ended(client, started(client, SUMS.replace("cur2", "other"), "'x'"))
    assert "TABLE_NOT_FOUND" in unknown["Status"]["StateChangeReason"]
    with pytest.raises(botocore.exceptions.ClientError, match="was not found"):
        client.get_query_execution(QueryExecutionId="nobody")


def test_a_slow_query_can_be_stopped(aws: RunningAws, files: Path) -> None:
    del files
    aws.account.area(CostFiles).slow = True
    client = aws.client("athena")
    found = started(client, SUMS, "'my-cluster'")
    with pytest.raises(botocore.exceptions.ClientError, match="not yet finished"):
        client.get_query_results(QueryExecutionId=found)
    client.stop_query_execution(QueryExecutionId=found)
    assert (
        client.get_query_execution(QueryExecutionId=found)["QueryExecution"]["Status"]["State"] == "CANCELLED"
    )
