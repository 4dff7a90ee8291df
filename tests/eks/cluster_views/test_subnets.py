"""What include=subnets says: true counts, whole /28 blocks, and advice that can help (C9)."""

import pytest

from aiops_lab.aws.account import Subnet
from aiops_lab.aws.vpc import Reservation, Vpc
from aiops_lab.run import Lab
from aiops_lab.scenarios.addresses import subnet_id
from aiops_lab.scenarios.names import cast
from tests.eks.cluster_views.seeing import Seen, gaps, rows, seen


def crowd(lab: Lab, subnet: str, free: int, blocks: int = 0) -> None:
    lab.account.area(Vpc).crowd(lab.account.subnets[subnet], free=free, blocks=blocks)


def prefix_mode(lab: Lab) -> None:
    found = lab.store.get("DaemonSet", "kube-system", "aws-node")
    assert found is not None
    main = found["spec"]["template"]["spec"]["containers"][0]
    main["env"] = [*main["env"], {"name": "ENABLE_PREFIX_DELEGATION", "value": "true"}]
    lab.store.update(found)


async def by_id(view: Seen) -> dict[str, dict[str, object]]:
    answer = await view.describe("subnets")
    return {str(row["subnet"]): row for row in rows(answer, "subnets")}


@pytest.mark.row("C9")
async def test_free_addresses_and_blocks_are_counted_and_the_advice_fits_each_subnet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch) as view:
        crowd(view.lab, "subnet-0aaa", 118, 5)
        crowd(view.lab, "subnet-0bbb", 0)
        crowd(view.lab, "subnet-0ccc", 20, 1)
        answer = await view.describe("subnets")
        told = {row["subnet"]: row for row in rows(answer, "subnets")}
        assert [(told[one]["free"], told[one]["free_28_blocks"]) for one in sorted(told)] == [
            (118, 5),
            (0, 0),
            (20, 1),
        ]
        assert {row["nodes"] for row in told.values()} == {2}
        advice = {row["subnet"]: str(row["what_helps"]) for row in rows(answer, "subnet_advice")}
        assert set(advice) == {"subnet-0bbb", "subnet-0ccc"}
        assert "prefix delegation is not viable here" in advice["subnet-0bbb"]
        assert "secondary CIDR" in advice["subnet-0bbb"]
        assert "1 free /28 blocks: prefix delegation is viable" in advice["subnet-0ccc"]
        assert "subnet-0bbb (us-east-1b) 0 free, 0 free /28" in answer["summary"]
        settings = {row["setting"]: row["value"] for row in rows(answer, "cni")}
        assert settings["mode"] == "secondary IP addresses"
        assert settings["WARM_ENI_TARGET"] == "1"
        assert not gaps(answer)
        assert view.lab.requests.writes() == []


@pytest.mark.row("C9")
async def test_scattered_addresses_do_not_help_a_plugin_in_prefix_mode(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch, seed=2) as view:
        prefix_mode(view.lab)
        crowd(view.lab, "subnet-0bbb", 90)
        answer = await view.describe("subnets")
        assert "subnet-0bbb (us-east-1b) 90 free, 0 free /28, CNI in prefix mode" in answer["summary"]
        (advice,) = [row for row in rows(answer, "subnet_advice") if row["subnet"] == "subnet-0bbb"]
        assert "90 scattered addresses, no free /28" in str(advice["what_helps"])


@pytest.mark.row("S69")
@pytest.mark.parametrize("seed", range(5))
async def test_the_fixtures_subnet_that_ran_dry_is_told_with_what_helps(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = "subnet-ip-exhaustion-fragmented" if seed % 2 else "subnet-ip-exhaustion"
    async with seen(scenario, monkeypatch, seed) as view:
        answer = await view.describe("subnets")
        dry = subnet_id(cast(seed))
        told = {row["subnet"]: row for row in rows(answer, "subnets")}
        assert told[dry]["free_28_blocks"] == 0
        assert told[dry]["free"] == (9 if seed % 2 else 0)
        assert dry in answer["summary"]
        (advice,) = rows(answer, "subnet_advice")
        assert advice["subnet"] == dry
        assert "prefix delegation is not viable here" in str(advice["what_helps"])
        assert all(row["free_28_blocks"] for key, row in told.items() if key != dry)


async def test_subnets_that_are_only_tagged_for_pods_and_reserved_ranges_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch) as view:
        account = view.lab.account
        account.subnets["subnet-0new"] = Subnet(
            "subnet-0new", "100.64.0.0/24", "us-east-1b", (("kubernetes.io/role/cni", "1"),)
        )
        reserved = Reservation("scr-1", "subnet-0new", "100.64.0.64/26")
        account.area(Vpc).reservations["scr-1"] = reserved
        found = await by_id(view)
        assert found["subnet-0new"]["free_28_blocks"] == "4 (in reservations)"
        assert "pods (tagged)" in str(found["subnet-0new"]["used_by"])
        assert found["subnet-0new"]["nodes"] == 0


async def test_a_source_that_fails_is_named_and_the_others_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch, timeout_s=5) as view:
        view.lab.fail_aws("ec2", "DescribeNetworkInterfaces", code="UnauthorizedOperation")
        answer = await view.describe("subnets")
        assert "ec2:DescribeNetworkInterfaces is not allowed" in gaps(answer)
        assert {row["free_28_blocks"] for row in rows(answer, "subnets")} == {None}
        assert all(isinstance(row["free"], int) for row in rows(answer, "subnets"))
        view.lab.aws_faults.clear()
        view.lab.fail_aws(
            "ec2",
            "GetSubnetCidrReservations",
            code="RequestLimitExceeded",
            params={"SubnetId": "subnet-0bbb"},
        )
        answer = await view.describe("subnets")
        assert "blocks are counted as if nothing were reserved" in gaps(answer)
        assert all(row["free_28_blocks"] for row in rows(answer, "subnets"))
        view.lab.aws_faults.clear()
        view.lab.fail_aws("ec2", "DescribeSubnets", delay_s=30)
        answer = await view.describe("subnets")
        assert "ec2:DescribeSubnets: [timeout]" in gaps(answer)
        assert "subnets unknown" in answer["summary"]
        assert rows(answer, "cni")


async def test_a_cluster_whose_plugin_is_not_there_and_a_subnet_that_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch) as view:
        view.lab.store.delete("DaemonSet", "kube-system", "aws-node")
        view.lab.fail_aws("ec2", "DescribeSubnets", code="Throttling", times=1)
        answer = await view.describe("subnets")
        settings = {row["setting"]: row["value"] for row in rows(answer, "cni")}
        assert settings["mode"] == "unknown"
