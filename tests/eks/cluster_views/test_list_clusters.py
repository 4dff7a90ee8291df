"""`list_clusters` over accounts and regions: support, health, reach; a place that fails is a row with why."""

from pathlib import Path

import pytest

from aiops_lab.aws.eks_state import EksState
from tests.eks.cluster_views.seeing import gaps, seen
from tests.eks.reading import Answered, records, tokens

MINE, OTHER = "111122223333", "444455556666"
TABLE = f"""
accounts:
  - account_id: "{MINE}"
    regions: [us-east-1, eu-west-1, ap-south-1]
  - account_id: "{OTHER}"
    role_arn: arn:aws:iam::{OTHER}:role/aiops
    regions: [us-east-1]
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "clusters.yaml"
    path.write_text(TABLE)
    return path


def row(answer: Answered, **wanted: str) -> dict[str, str]:
    found = [
        one for one in records(answer["clusters"]) if all(one[key] == value for key, value in wanted.items())
    ]
    assert len(found) == 1, found
    return found[0]


@pytest.mark.row("S9")
@pytest.mark.fault("R21")
async def test_a_place_that_fails_is_a_row_that_says_why_and_the_others_stand(
    monkeypatch: pytest.MonkeyPatch, table: Path
) -> None:
    async with seen("healthy", monkeypatch, table=table, timeout_s=6) as view:
        view.lab.fail_aws("eks", "ListClusters", code="AccessDeniedException", region="eu-west-1")
        answer = await view.ask("list_clusters")
    mine = row(answer, name="my-cluster")
    assert (mine["version"], mine["support"], mine["support_ends_on"]) == ("1.35", "standard", "2027-03-27")
    assert (mine["status"], mine["health"], mine["reachable"]) == ("ACTIVE", "ok", "yes")
    assert "eks:ListClusters" in row(answer, account_id=MINE, region="eu-west-1")["reachable"]
    assert "AssumeRole" in row(answer, account_id=OTHER)["reachable"]
    assert answer["summary"].startswith("1 cluster: my-cluster; not asked: ")
    assert tokens(answer) < 1_500


async def test_support_that_ends_and_health_issues_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        state = view.lab.account.area(EksState)
        state.kubernetes = "1.33"
        state.issues = (("Ec2SubnetNotFound", "The subnet is gone", ("subnet-0zzz",)),)
        answer = await view.ask("list_clusters")
        mine = row(answer, name="my-cluster")
        assert (mine["support"], mine["support_ends_on"]) == ("extended", "2027-07-29")
        assert mine["health"] == "Ec2SubnetNotFound: The subnet is gone"
        assert "in extended support" in answer["summary"]
        state.kubernetes = "1.30"
        assert "no longer supported: my-cluster (1.30)" in (await view.ask("list_clusters"))["summary"]
        state.kubernetes = "1.34"
        assert "support ends within 90 days: my-cluster" in (await view.ask("list_clusters"))["summary"]


@pytest.mark.fault("R6")
async def test_an_unknown_end_of_support_is_a_gap_that_names_the_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch, timeout_s=4) as view:
        view.lab.fail_aws("eks", "DescribeClusterVersions", code="AccessDeniedException")
        answer = await view.ask("list_clusters")
        assert row(answer, name="my-cluster")["reachable"] == "yes"
        assert "eks:DescribeClusterVersions" in gaps(answer)
        view.lab.aws_faults.clear()
        view.lab.fail_aws("eks", "DescribeCluster", delay_s=20)
        answer = await view.ask("list_clusters")
        assert "[timeout]" in row(answer, name="my-cluster")["reachable"] or "no answer" in str(answer)
        view.lab.aws_faults.clear()
        view.lab.fail_aws("eks", "DescribeCluster", code="ServerException")
        assert "ServerException" in row(await view.ask("list_clusters"), name="my-cluster")["reachable"]
