"""`describe_cluster` with insights, capabilities, control plane: what is said, what a broken source costs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from aiops_eks.clients.leftovers import leftovers
from aiops_lab.aws.account import UsedApi
from aiops_lab.aws.eks_state import Capability, EksState, Update
from aiops_lab.kube.control_metrics import GIB, ControlPlaneMeter
from aiops_lab.kube.faults import Fault
from aiops_lab.scenarios.eks_side import filling_of
from aiops_lab.scenarios.names import cast
from aiops_shared.kube.api import KubeApi
from tests.eks.cluster_views.seeing import T0, gaps, rows, seen
from tests.eks.cluster_views.test_control_plane_figures import connected
from tests.eks.reading import records
from tests.lab_fixture import running_lab


@pytest.mark.row("B16")
@pytest.mark.timeout(90)  # five worlds
async def test_a_database_near_its_quota_is_said_with_what_fills_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("etcd-near-quota", monkeypatch) as view, connected(view.lab) as connection:
        for seed in range(5):
            view.lab.reset("etcd-near-quota", seed)
            told = filling_of(cast(seed))
            answer = await view.describe("control_plane")
            assert f"etcd database at {told.database_gb:.1f} of 8 GB" in answer["summary"]
            assert f"{told.objects[told.most]} {told.most}" in answer["summary"]
            assert "writes stop when it is full" in answer["summary"]
            stored = {row["resource"]: row["objects"] for row in rows(answer, "stored_objects")}
            assert told.objects.items() <= stored.items()
            left = {
                row["namespace"]: row for row in rows(answer, "unreferenced") if row["kind"] == "ConfigMap"
            }
            assert left["production"]["objects"] >= 6
            assert "Nothing was removed" in gaps(answer)
            whole = await leftovers(KubeApi("my-cluster", connection))
            builds = {name for _, _, name in whole.found if "-build-" in name}
            assert builds == {f"{cast(seed).others[0]}-build-{number}" for number in range(6)}
            assert not [name for _, _, name in whole.found if "asleep" in name]
        assert view.lab.requests.writes() == []


async def test_the_control_plane_is_told_from_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        state, meter = view.lab.account.area(EksState), view.lab.account.area(ControlPlaneMeter)
        state.kubernetes, state.public_cidrs, view.lab.account.logging = "1.34", ("0.0.0.0/0",), ("api",)
        state.secrets_key = "arn:aws:kms:us-east-1:111122223333:key/lab"
        meter.p99_s["PATCH"], meter.throttled = 2.2, 9_000
        meter.rejected[("global-default", "everyone", "time-out")] = 120
        state.updates = {"u": Update("u", "VersionUpdate", T0 - timedelta(minutes=4), "InProgress")}
        answer = await view.describe("control_plane")
    facts = {row["fact"]: row["value"] for row in rows(answer, "control_plane")}
    assert facts["support"] == "STANDARD_SUPPORT"
    assert (facts["standard_support_ends"], facts["extended_support_ends"]) == ("2026-12-02", "2027-12-02")
    assert (facts["logging_on"], facts["logging_off"].split(", ")[0]) == ("api", "audit")
    assert facts["secrets_encryption"] == state.secrets_key
    assert facts["answered_429"] == 9_000
    said = answer["summary"]
    assert "standard support of 1.34 ends 2026-12-02" in said
    assert "API p99 PATCH" in said
    assert "9000 requests throttled" in said
    assert "VersionUpdate in progress" in said
    assert "audit log off" in said
    assert "open to the internet" in said
    (update,) = rows(answer, "cluster_updates")
    assert update["status"] == "InProgress"
    (rejected,) = rows(answer, "api_rejected")
    assert rejected["requests"] == 120
    assert records(answer["facts"])


async def test_without_the_right_to_metrics_the_rest_is_told_and_the_right_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch, identity="ci-cleanup") as view:
        answer = await view.describe("control_plane")
    assert "grant get on the non-resource URL /metrics" in gaps(answer)
    assert "control plane 1.35 well, not measured" in answer["summary"]


@pytest.mark.fault("R6")
@pytest.mark.fault("R21")
async def test_a_control_plane_whose_sources_fail_tells_what_the_others_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch, timeout_s=3) as view:
        await view.describe("control_plane")  # the connection stands, as after a first question
        view.lab.fail_aws("eks", "DescribeClusterVersions", code="AccessDeniedException")
        view.lab.fail_aws("eks", "ListUpdates", delay_s=20)
        view.lab.set_faults([Fault("wrong_type", times=None, path_contains="/metrics")])
        answer = await view.describe("control_plane")
        said = gaps(answer)
        assert "eks:DescribeClusterVersions is not allowed" in said
        assert "eks:ListUpdates: [timeout]" in said
        assert "GET /metrics: [upstream_error]" in said
        assert {row["fact"] for row in rows(answer, "control_plane")} >= {"logging_on", "authentication"}
        view.lab.aws_faults.clear()
        view.lab.set_faults([])
        view.lab.fail_aws("eks", "DescribeCluster", code="ThrottlingException")
        answer = await view.describe("control_plane")
    assert "eks DescribeCluster: [" in gaps(answer)
    assert "database" in {row["fact"] for row in rows(answer, "control_plane")}


async def test_insights_come_worst_first_with_what_to_do_and_who_calls_old_apis(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch) as view:
        held = view.lab.account.insights
        first, second = held
        used = UsedApi(
            "/apis/flowcontrol.apiserver.k8s.io/v1beta3/flowschemas",
            "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
            "1.36",
            (("old-operator/1.0", 41),),
        )
        held[first] = replace(
            held[first], status="ERROR", reason="Deprecated API in use", deprecations=(used,)
        )
        held[second] = replace(held[second], status="WARNING", reason="One add-on is behind")
        answer = await view.describe("insights")
        whole = await view.describe("insights", detail="full")
    assert [row["status"] for row in rows(answer, "insights")] == ["ERROR", "WARNING"]
    assert rows(answer, "insights")[0]["recommendation"].startswith("Update manifests")
    (api,) = rows(answer, "insight_apis")
    assert (api["stops_in"], api["callers"]) == ("1.36", "old-operator/1.0 (41 in 30 days)")
    assert "1 ERROR, 1 WARNING: Deprecated APIs" in answer["summary"]
    assert len(rows(whole, "insights")) == 2


async def test_passing_insights_are_counted_and_listed_only_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        assert rows(await view.describe("insights"), "insights") == []
        assert len(rows(await view.describe("insights", detail="full"), "insights")) == 2


@pytest.mark.fault("R6")
async def test_insights_that_cannot_be_read_are_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch, timeout_s=3) as view:
        held = view.lab.account.insights
        (first, *_) = held
        held[first] = replace(held[first], status="ERROR")
        view.lab.fail_aws("eks", "DescribeInsight", code="AccessDeniedException")
        answer = await view.describe("insights")
        assert "eks:DescribeInsight is not allowed" in gaps(answer)
        assert [row["status"] for row in rows(answer, "insights")] == ["ERROR"]
        for fault, code in (
            ({"code": "AccessDeniedException"}, "eks:ListInsights is not allowed"),
            ({"cut": True}, "[upstream_error]"),
            ({"delay_s": 20}, "[timeout]"),
            ({"code": "ThrottlingException"}, "eks:ListInsights: ["),
        ):
            view.lab.aws_faults.clear()
            view.lab.fail_aws("eks", "ListInsights", **fault)
            answer = await view.describe("insights")
            assert code in gaps(answer)
            assert "insights unknown" in answer["summary"]


@pytest.mark.row("S17")
async def test_a_capability_that_is_degraded_is_not_usable_and_says_why(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("maturity-2", monkeypatch, seed=2) as view:
        held = view.lab.account.area(EksState).capabilities
        ack = next(one for one in held.values() if one.kind == "ACK")
        held[ack.name] = replace(
            ack, status="DEGRADED", issues=(("AccessDenied", "The role may not be assumed"),)
        )
        answer = await view.describe("capabilities")
        told = {row["capability"]: row for row in rows(answer, "capabilities")}
        assert told["ACK"]["status"] == "DEGRADED"
        assert "The role may not be assumed" in told["ACK"]["detail"]
        assert "ACK DEGRADED" in answer["summary"]
        assert "capabilities: Argo CD, KRO" in answer["summary"]
        view.lab.fail_aws("eks", "ListCapabilities", code="AccessDeniedException")
        answer = await view.describe("capabilities")
        assert "eks:ListCapabilities is not allowed" in gaps(answer)
        told = {row["capability"]: row for row in rows(answer, "capabilities")}
        assert (told["Argo CD"]["status"], told["Argo CD"]["run_by"]) == (
            "installed",
            "seen by its definitions",
        )


@pytest.mark.fault("R21")
async def test_capabilities_that_cannot_be_asked_are_unknown_and_not_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with seen("healthy", monkeypatch, timeout_s=3) as view:
        view.lab.account.area(EksState).capabilities["gitops"] = Capability("gitops", "ARGOCD")
        view.lab.fail_aws("eks", "DescribeCapability", cut=True)
        answer = await view.describe("capabilities")
        assert "cut off (unknown: gitops)" in gaps(answer)
        assert rows(answer, "capabilities")[0]["status"] == "ACTIVE"
        for fault, code in (
            ({"cut": True}, "[upstream_error]"),
            ({"delay_s": 20}, "[timeout]"),
            ({"code": "ThrottlingException"}, "eks:ListCapabilities: ["),
        ):
            view.lab.aws_faults.clear()
            view.lab.fail_aws("eks", "ListCapabilities", **fault)
            answer = await view.describe("capabilities")
            assert code in gaps(answer)
            assert rows(answer, "capabilities")[0]["status"] == "unknown"


async def test_nothing_is_called_unused_when_a_referrer_could_not_be_read() -> None:
    async with running_lab() as lab, connected(lab, "ci-cleanup") as connection:
        found = await leftovers(KubeApi("my-cluster", connection))
    assert found.found == ()
    assert any("statefulsets.apps" in gap for gap in found.gaps)


async def test_a_larger_tier_has_a_larger_database(monkeypatch: pytest.MonkeyPatch) -> None:
    async with seen("healthy", monkeypatch) as view:
        view.lab.account.area(EksState).tier = "tier-xl"
        view.lab.account.area(ControlPlaneMeter).database_bytes = int(7.5 * GIB)
        answer = await view.describe("control_plane")
    facts = {row["fact"]: row["value"] for row in rows(answer, "control_plane")}
    assert facts["database"] == "7.5 of 16 GB (47%)"
    assert "etcd" not in answer["summary"]
