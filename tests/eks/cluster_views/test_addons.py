"""`describe_cluster(include=addons)`: installed, behind, degraded, missing at what price; broken sources."""

import pytest

from aiops_eks.models.addon_roles import ROLES
from aiops_lab.aws.account import InstalledAddon
from aiops_lab.aws.eks_state import EksState
from aiops_lab.scenarios.eks_side import ill_of, inventory_of
from aiops_lab.scenarios.names import cast
from tests.eks.cluster_views.seeing import gaps, rows, seen
from tests.eks.lab_reading import played

NFM = "aws-network-flow-monitoring-agent"


@pytest.mark.row("S13")
@pytest.mark.row("S14")
@pytest.mark.row("S15")
@pytest.mark.timeout(90)  # five worlds
async def test_the_inventory_is_told_whole_whatever_the_cast(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("addon-inventory", monkeypatch) as view:
        for seed in range(5):
            view.lab.reset("addon-inventory", seed)
            held = inventory_of(cast(seed))
            answer = await view.describe("addons")
            told = {row["addon"]: row for row in rows(answer, "addons")}
            assert {name: (row["version"], row["status"]) for name, row in told.items()} == held.installed
            assert {name for name, row in told.items() if row["update"]} == held.behind
            assert all(row["category"] == ROLES[name].category and row["role"] for name, row in told.items())
            first = rows(answer, "addons")[0]
            assert first["addon"] == "coredns"
            assert first["issues"].startswith("InsufficientNumberOfReplicas")
            missing = {row["addon"]: row for row in rows(answer, "addons_missing")}
            own = {row["addon"] for row in rows(answer, "addons_self_managed")}
            assert own == {"metrics-server", *held.charts}
            assert not set(missing) & (set(held.installed) | own)
            assert missing[NFM]["without_it"] == "504 root causes lose flow evidence"
            assert missing[NFM]["category"] == "observability"
            assert {row["owner"] for row in missing.values()} == {"aws", "community"}
            assert "coredns DEGRADED (InsufficientNumberOfReplicas)" in answer["summary"]
            assert "504 root causes lose flow evidence" in answer["summary"]
            failed = {row["addon"] for row in rows(answer, "addon_updates")}
            assert failed == ({held.failed_update} if held.failed_update else set())


async def test_whole_detail_lists_every_missing_add_on_and_every_newer_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("addon-inventory", monkeypatch) as view:
        answer = await view.describe("addons", detail="full")
    told = {row["addon"]: row for row in rows(answer, "addons")}
    assert told["vpc-cni"]["update"] == "v1.20.4-eksbuild.2, v1.20.1-eksbuild.1"
    assert {row["category"] for row in rows(answer, "addons_missing")} >= {"ml", "storage", "security"}


@pytest.mark.row("S78")
@pytest.mark.parametrize("level", [0, 1, 2])
async def test_what_a_level_of_maturity_counts_is_told(level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    observed = {"adot", "amazon-cloudwatch-observability", "eks-node-monitoring-agent"}
    async with seen(f"maturity-{level}", monkeypatch, seed=3) as view:
        answer = await view.describe("addons", "capabilities")
    installed = {row["addon"]: row["status"] for row in rows(answer, "addons")}
    assert {name for name in observed if installed.get(name) == "ACTIVE"} == (observed if level else set())
    told = {row["capability"]: row for row in rows(answer, "capabilities")}
    eks = {name for name, row in told.items() if row["run_by"] == "EKS Capability"}
    assert eks == ({"Argo CD", "ACK", "KRO"} if level == 2 else set())
    if level == 2:
        assert "(80%)" in told["Argo CD"]["detail"]
        assert "s3" in told["ACK"]["detail"]


async def test_an_add_on_that_is_present_and_does_not_work_is_said_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("maturity-1-degraded", monkeypatch) as view:
        for seed in (0, 4):
            view.lab.reset("maturity-1-degraded", seed)
            answer = await view.describe("addons")
            ill = ill_of(cast(seed))
            assert rows(answer, "addons")[0]["addon"] == ill
            assert f"{ill} DEGRADED" in answer["summary"]


async def test_a_version_that_is_offered_no_more_names_those_that_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch) as view:
        view.lab.account.addons["adot"] = InstalledAddon("adot", "v0.40.0-eksbuild.1")
        answer = await view.describe("addons")
    told = {row["addon"]: row for row in rows(answer, "addons")}
    assert told["adot"]["update"].startswith("not offered for 1.35; compatible: v0.141.0-eksbuild.1")


async def test_what_auto_mode_brings_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        view.lab.account.addons = {}
        view.lab.account.area(EksState).auto_mode = True
        answer = await view.describe("addons")
    missing = {row["addon"] for row in rows(answer, "addons_missing")}
    assert not missing & {"vpc-cni", "aws-ebs-csi-driver", "eks-pod-identity-agent"}
    assert "adot" in missing


async def test_configuration_values_never_reach_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = '{"apiKey": "canary-worth-nothing"}'
    async with seen("healthy", monkeypatch) as view:
        view.lab.account.addons["coredns"] = InstalledAddon(
            "coredns", "v1.12.4-eksbuild.1", configuration=secret
        )
        answer = await view.describe("addons", detail="full")
    assert "canary" not in str(answer)


# Sources that fail


async def test_an_unknown_cluster_gets_the_nearest_names(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        said = await view.refused("describe_cluster", include=["addons"], cluster="my-clutser")
    assert said.startswith("[cluster_not_found]")
    assert "my-cluster" in said


async def test_a_refusal_names_the_action_to_grant_and_nothing_is_called_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch) as view:
        view.lab.fail_aws("eks", "ListAddons", code="AccessDeniedException")
        answer = await view.describe("addons")
        assert "eks:ListAddons is not allowed" in gaps(answer)
        assert "grant it" in gaps(answer)
        assert rows(answer, "addons_missing") == []
        assert "add-ons unknown" in answer["summary"]
        view.lab.aws_faults.clear()
        view.lab.fail_aws("eks", "DescribeAddonVersions", code="AccessDeniedException")
        answer = await view.describe("addons")
        assert "eks:DescribeAddonVersions is not allowed" in gaps(answer)
        assert len(rows(answer, "addons")) == 4
        assert NFM in {row["addon"] for row in rows(answer, "addons_missing")}


@pytest.mark.fault("R6")
async def test_one_broken_add_on_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        view.lab.fail_aws(
            "eks", "DescribeAddon", code="AccessDeniedException", params={"addonName": "coredns"}
        )
        view.lab.fail_aws("eks", "DescribeAddon", cut=True, params={"addonName": "vpc-cni"})
        answer = await view.describe("addons")
    assert {row["addon"] for row in rows(answer, "addons")} == {"kube-proxy", "aws-ebs-csi-driver"}
    said = gaps(answer)
    assert "unknown: coredns" in said
    assert "cut off (unknown: vpc-cni)" in said
    assert not {"coredns", "vpc-cni"} & {row["addon"] for row in rows(answer, "addons_missing")}


@pytest.mark.fault("R6")
async def test_half_an_answer_is_a_gap_and_no_empty_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        view.lab.fail_aws("eks", "ListAddons", cut=True)
        answer = await view.describe("addons")
    assert "eks:ListAddons: [upstream_error]" in gaps(answer)
    assert rows(answer, "addons_missing") == []


@pytest.mark.fault("R6")
async def test_a_throttled_source_is_tried_again_and_then_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch, timeout_s=8) as view:
        view.lab.fail_aws("eks", "DescribeAddonVersions", code="ThrottlingException", times=1)
        answer = await view.describe("addons")
        assert "coverage_gap" not in gaps(answer)
        view.lab.fail_aws("eks", "DescribeAddonVersions", code="ThrottlingException")
        answer = await view.describe("addons")
    assert "eks:DescribeAddonVersions: [" in gaps(answer)
    assert len(rows(answer, "addons")) == 4


@pytest.mark.fault("R6")
@pytest.mark.fault("R21")
async def test_a_source_that_never_answers_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch, timeout_s=1.5) as view:
        view.lab.fail_aws("eks", "ListAddons", delay_s=20)
        answer = await view.describe("addons", "insights")
    assert "eks:ListAddons: [timeout]" in gaps(answer)
    assert "2 insights, none failing" in answer["summary"]


@pytest.mark.fault("R6")
async def test_expired_credentials_are_named_for_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        await view.describe("addons")
        view.lab.fail_aws("eks", "*", code="ExpiredTokenException")
        answer = await view.describe("addons")
    assert "[unauthenticated]" in gaps(answer)


async def test_without_the_right_to_look_into_the_cluster_the_doubt_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch, identity="ci-cleanup") as view:
        answer = await view.describe("addons")
    assert "daemonsets.apps" in gaps(answer)
    assert "may name add-ons that run self-managed" in gaps(answer)


async def test_without_an_aws_side_the_cluster_itself_still_says_what_runs() -> None:
    async with played("healthy") as view:
        answer = await view.ask("describe_cluster", include=["addons", "capabilities", "control_plane"])
    assert "coverage_gap: AWS: [not_configured]" in gaps(answer)
    assert {row["addon"] for row in rows(answer, "addons_self_managed")} >= {"vpc-cni", "coredns"}
    assert rows(answer, "addons_missing") == []
    assert {row["status"] for row in rows(answer, "capabilities")[:3]} == {"unknown"}
    assert "database" in {row["fact"] for row in rows(answer, "control_plane")}
