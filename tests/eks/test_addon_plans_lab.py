"""F13 and F13b through the real tools on the lab: add-ons installed, updated, deleted, given back.

What EKS did is read from the lab's account and its pods, never from our own journal.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aiops_lab.aws.account import InstalledAddon
from aiops_lab.aws.cloudtrail import Trail
from aiops_lab.aws.iam import Iam, Role, trusting_account
from aiops_lab.scenarios.eks_side import inventory_of
from aiops_lab.scenarios.shapes import container, deployment, namespace, template
from tests.e2e.stage import Obj, Stage, whole

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
CHANGES = {"CreateAddon", "UpdateAddon", "DeleteAddon"}
ADOT, OLD = "adot", "v0.40.0-eksbuild.1"
NMA = "eks-node-monitoring-agent"
Opened = Callable[..., Any]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Opened:
    @asynccontextmanager
    async def open_(scenario: str = "healthy", seed: int = 0, **settings: Any) -> AsyncIterator[Stage]:
        async with whole(scenario, seed, monkeypatch, tmp_path, **settings) as stage:
            yield stage

    return open_


async def planned(stage: Stage, action: str, name: str, **more: Any) -> Obj:
    return await stage.got("plan_addon_change", action=action, name=name, **more)


async def done(stage: Stage, plan: Obj) -> Obj:
    """Executed, approved by the requester where policy says so, and at its end."""
    answer = await stage.execute(plan)
    if answer.code == "approval_pending":
        await stage.approved_by("bela", answer)
        answer = await stage.execute(plan)
    assert not answer.error, answer.error
    return answer.data


def calls(stage: Stage) -> list[tuple[str, Obj]]:
    """What changed an add-on in AWS, by CloudTrail."""
    events = [json.loads(one["CloudTrailEvent"]) for one in stage.lab.account.area(Trail).events]
    return [(one["eventName"], one["requestParameters"]) for one in events if one["eventName"] in CHANGES]


def held(stage: Stage, name: str) -> InstalledAddon | None:
    return stage.lab.account.addons.get(name)


def not_ready(stage: Stage, space: str) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in stage.lab.store.list("Pod", space)
        if not any(
            c["type"] == "Ready" and c["status"] == "True" for c in pod["status"].get("conditions", ())
        )
    ]


def says(plan: Obj) -> str:
    return " ".join(plan.get("warnings", []))


def steps(status: Obj) -> dict[str, str]:
    return {row[1]: row[3] for row in status["steps"]["rows"]}


@pytest.mark.row("S13")
@pytest.mark.parametrize("seed", range(5))
async def test_a_version_that_does_not_fit_is_refused_with_those_that_do(opened: Opened, seed: int) -> None:
    async with opened("addon-inventory", seed) as stage:
        refused = await stage.ask("plan_addon_change", action="create", name=ADOT, version=OLD)
        assert refused.code == "refused", refused.text
        assert "addon-incompatible" in refused.error or "compatible with Kubernetes 1.35" in refused.error
        assert "v0.141.0-eksbuild.1, v0.131.0-eksbuild.1" in refused.error
        plan = await planned(stage, "create", ADOT)
        assert "v0.141.0-eksbuild.1" in plan["confirm"]
        needed = "cert-manager" not in inventory_of(stage.who).charts
        assert ("cert-manager is not there" in says(plan)) == needed
        assert "adot-collector with AmazonPrometheusRemoteWriteAccess" in says(plan)
        assert "addon-approval" in plan["verdict"]
        assert plan["validation"] == "prechecked"
        behind = sorted(inventory_of(stage.who).behind)
        if behind:
            update = await planned(stage, "update", behind[0])
            assert update["reversible"] == "full"
            assert "addon.version" in str(update["diff"]["rows"])
        assert calls(stage) == []


@pytest.mark.row("S16")
async def test_the_three_starters_end_active_with_their_pods_ready(opened: Opened) -> None:
    """F13b without the first data point, which the telemetry server reads."""
    async with opened("healthy", 1) as stage:
        for name in ("cert-manager", ADOT, "amazon-cloudwatch-observability", NMA):
            status = await done(stage, await planned(stage, "create", name))
            assert status["state"] == "succeeded", status
            assert steps(status)["create add-on"].startswith("ACTIVE, v")
            assert "pods Ready" in steps(status)["pods ready"]
            now = held(stage, name)
            assert now is not None
            assert (now.status, now.issues) == ("ACTIVE", ())
        for space in ("opentelemetry-operator-system", "amazon-cloudwatch", "cert-manager"):
            assert stage.lab.store.list("Pod", space)
            assert not_ready(stage, space) == []
        agents = stage.lab.store.list("Pod", "kube-system", labels=f"app={NMA}")
        assert len(agents) == len(stage.lab.store.list("Node"))
        assert [name for name, _ in calls(stage)] == ["CreateAddon"] * 4
        seen = await stage.got("describe_cluster", include=["addons"])
        assert NMA in str(seen)


async def test_an_update_goes_through_and_is_given_back(opened: Opened) -> None:
    async with opened("addon-inventory", 0) as stage:
        plan = await planned(stage, "update", "vpc-cni", version="v1.20.4-eksbuild.2")
        status = await done(stage, plan)
        assert status["state"] == "succeeded", status
        now = held(stage, "vpc-cni")
        assert now is not None
        assert (now.version, now.status) == ("v1.20.4-eksbuild.2", "ACTIVE")
        assert status["can_undo"]
        await stage.ask("undo_action", action_id=status["action_id"])
        undone = await stage.ended(status["action_id"])
        assert undone.data["state"] == "undone", undone.data
        sent = [params["addonVersion"] for name, params in calls(stage) if name == "UpdateAddon"]
        assert sent == ["v1.20.4-eksbuild.2", "v1.19.0-eksbuild.1"]
        tokens = {params["clientRequestToken"] for _, params in calls(stage)}
        assert len(tokens) == 2


async def test_warm_targets_are_checked_set_and_given_back(opened: Opened) -> None:
    async with opened("healthy", 2) as stage:
        wrong = await stage.ask(
            "plan_addon_change", action="update", name="vpc-cni", configuration='{"env":{"WARM_IP_TARGET":5}}'
        )
        assert wrong.code == "invalid_input"
        assert "$.env.WARM_IP_TARGET" in wrong.error
        values = '{"env": {"WARM_IP_TARGET": "5", "MINIMUM_IP_TARGET": "2"}}'
        plan = await planned(stage, "update", "vpc-cni", configuration=values)
        assert ["configuration.env.WARM_IP_TARGET", "", "5"] in plan["diff"]["rows"]
        status = await done(stage, plan)
        assert status["state"] == "succeeded", status
        found = stage.lab.store.get("DaemonSet", "kube-system", "aws-node")
        assert found is not None
        env = {one["name"]: one["value"] for one in found["spec"]["template"]["spec"]["containers"][0]["env"]}
        assert env["WARM_IP_TARGET"] == "5"
        again = await stage.ask("plan_addon_change", action="update", name="vpc-cni", configuration=values)
        assert again.code == "invalid_input"
        await stage.ask("undo_action", action_id=status["action_id"])
        assert (await stage.ended(status["action_id"])).data["state"] == "undone"
        now = held(stage, "vpc-cni")
        assert now is not None
        assert now.configuration == "{}"


async def test_a_self_managed_install_conflicts_and_the_choice_is_explained(opened: Opened) -> None:
    name = "kube-state-metrics"
    async with opened("healthy", 3) as stage:
        labels = {"app": name, "app.kubernetes.io/name": name}
        image = stage.lab.world.publish("registry.example/ksm:v2")
        own = deployment(name, name, 1, template(labels, [container(name, image)]))
        stage.lab.world.put(namespace(name), own, by="helm")
        stage.lab.clock.advance(60)
        plan = await planned(stage, "create", name)
        assert f"Deployment {name}/{name} does its work already" in says(plan)
        assert "overwrite" in says(plan)
        status = await done(stage, plan)
        assert status["state"] == "undone", status
        assert "ConfigurationConflict" in steps(status)["create add-on"]
        assert "resolve_conflicts=overwrite" in steps(status)["create add-on"]
        assert calls(stage)[-1][0] == "DeleteAddon"
        assert calls(stage)[-1][1]["preserve"] is True
        assert stage.lab.store.get("Deployment", name, name) is not None
        stage.lab.clock.advance(60)
        plan = await planned(stage, "create", name, resolve_conflicts="overwrite")
        assert plan["reversible"].startswith("partial; lost: settings of Deployment")
        assert (await done(stage, plan))["state"] == "succeeded"


async def test_pods_that_cannot_get_their_rights_end_it_and_it_is_taken_back(opened: Opened) -> None:
    async with opened("healthy", 4) as stage:
        plan = await planned(
            stage, "create", "external-dns", role="arn:aws:iam::111122223333:role/nobody-has-it"
        )
        status = await done(stage, plan)
        assert status["state"] == "undone", status
        assert "InsufficientNumberOfReplicas" in steps(status)["create add-on"]
        assert [name for name, _ in calls(stage)] == ["CreateAddon", "DeleteAddon"]
        role = Role("dns", trusting_account("external-dns", "external-dns"))
        stage.lab.account.area(Iam).roles[role.name] = role
        stage.lab.clock.advance(60)
        assert (await done(stage, await planned(stage, "create", "external-dns", role=role.arn)))[
            "state"
        ] == "succeeded"


async def test_a_delete_needs_another_person_says_what_is_lost_and_is_given_back(opened: Opened) -> None:
    async with opened("healthy", 0) as stage:
        core = await planned(stage, "delete", "coredns")
        assert "what it runs stays, unmanaged" in core["confirm"]
        gone = await planned(stage, "delete", "coredns", preserve=False)
        assert "names do not resolve" in gone["reversible"]
        assert "The cluster does not work without coredns" in says(gone)
        plan = await planned(stage, "delete", "aws-ebs-csi-driver")
        assert "by somebody else than the requester" in plan["verdict"]
        assert "claims on EBS stay Pending" in plan["reversible"]
        status = await done(stage, plan)
        assert status["state"] == "succeeded", status
        assert held(stage, "aws-ebs-csi-driver") is None
        await stage.ask("undo_action", action_id=status["action_id"])
        assert (await stage.ended(status["action_id"])).data["state"] == "undone"
        assert held(stage, "aws-ebs-csi-driver") is not None


async def test_pod_identity_is_associated_with_the_add_on(opened: Opened) -> None:
    role = "arn:aws:iam::111122223333:role/agent"
    async with opened("healthy", 0) as stage:
        plan = await planned(
            stage,
            "create",
            "amazon-cloudwatch-observability",
            role=f"cloudwatch-agent={role}",
        )
        assert "needs IAM rights" not in says(plan)
        assert f"cloudwatch-agent={role}" in str(plan["diff"]["rows"])
        assert (await done(stage, plan))["state"] == "succeeded"
        ((_, sent),) = calls(stage)
        assert sent["podIdentityAssociations"] == [{"serviceAccount": "cloudwatch-agent", "roleArn": role}]


# What makes no plan, and sources that fail


async def test_what_makes_no_sense_is_refused_before_anything_changes(opened: Opened) -> None:
    async with opened("healthy", 0) as stage:

        async def code(**asked: Any) -> tuple[str, str]:
            answer = await stage.ask("plan_addon_change", **asked)
            return answer.code, answer.error

        found, said = await code(action="create", name="adott")
        assert (found, "adot" in said) == ("not_found", True)
        found, said = await code(action="update", name="cordns")
        assert (found, "coredns" in said) == ("not_found", True)
        found, said = await code(action="create", name="coredns")
        assert (found, "installed already" in said) == ("refused", True)
        assert (await code(action="create", name=NMA, resolve_conflicts="preserve"))[0] == "invalid_input"
        assert (await code(action="delete", name="coredns", version="v1.12.4-eksbuild.1"))[
            0
        ] == "invalid_input"
        assert (await code(action="update", name="coredns", preserve=True))[0] == "invalid_input"
        assert (await code(action="create", name=NMA, configuration="[1]"))[0] == "invalid_input"
        for wrong in (
            {"role": "admin"},
            {"version": "latest; x"},
            {"name": "../x"},
            {"role": "x=arn:aws:iam::1:role/y"},
        ):
            assert (await code(**({"action": "create", "name": NMA} | wrong)))[0] == "invalid_input", wrong
        stage.lab.account.addons["coredns"] = InstalledAddon("coredns", "v1.12.4-eksbuild.1", "UPDATING")
        found, said = await code(action="delete", name="coredns")
        assert (found, "UPDATING" in said) == ("refused", True)
        assert calls(stage) == []


async def test_sources_that_fail_name_the_right_or_leave_a_gap(opened: Opened) -> None:
    async with opened("healthy", 0) as stage:
        lab = stage.lab
        lab.fail_aws("eks", "DescribeAddon", code="AccessDeniedException", params={"addonName": NMA})
        answer = await stage.ask("plan_addon_change", action="create", name=NMA)
        assert answer.code == "access_denied"
        assert "eks:DescribeAddon" in answer.error
        lab.aws_faults.clear()

        lab.fail_aws("eks", "DescribeAddonVersions", code="AccessDeniedException")
        answer = await stage.ask("plan_addon_change", action="create", name=NMA, version="v1.5.2-eksbuild.1")
        assert answer.code == "refused"
        assert "eks:DescribeAddonVersions is not allowed" in answer.error
        lab.aws_faults.clear()

        lab.fail_aws("eks", "DescribeAddonConfiguration", code="ThrottlingException")
        lab.fail_aws("eks", "ListAddons", cut=True)
        plan = await planned(stage, "create", NMA, configuration="{}")
        assert "eks:DescribeAddonConfiguration" in says(plan)
        assert "eks:ListAddons" in says(plan)
        lab.aws_faults.clear()

        lab.fail_aws("eks", "CreateAddon", code="AccessDeniedException")
        status = await done(stage, plan)
        assert status["state"] == "failed", status
        assert "nothing was changed" in status["summary"]
        assert "eks:CreateAddon" in status["summary"]
        assert held(stage, NMA) is None


@pytest.mark.fault("R2")
async def test_a_create_whose_answer_is_lost_is_not_made_twice(opened: Opened) -> None:
    async with opened("healthy", 0) as stage:
        plan = await planned(stage, "create", NMA)
        stage.lab.fail_aws("eks", "CreateAddon", code="ServerException", times=3)
        status = await done(stage, plan)
        assert status["state"] == "succeeded", status
        made = [params["clientRequestToken"] for name, params in calls(stage) if name == "CreateAddon"]
        assert len(set(made)) == 1


async def test_an_update_that_fails_is_given_back_though_eks_never_showed_its_version(opened: Opened) -> None:
    async with opened("addon-inventory", 0) as stage:
        found = stage.lab.store.get("DaemonSet", "kube-system", "aws-node")
        assert found is not None
        found["spec"]["template"]["spec"]["containers"][0]["env"].append(
            {"name": "WARM_IP_TARGET", "value": "9"}
        )
        stage.lab.store.update(found, manager="kubectl-edit")
        plan = await planned(stage, "update", "vpc-cni", version="v1.20.4-eksbuild.2")
        assert "DaemonSet kube-system/aws-node" in says(plan)
        assert "(kubectl-edit)" in says(plan)
        status = await done(stage, plan)
        assert status["state"] == "undone", status
        assert "resolve_conflicts=overwrite" in steps(status)["update add-on"]
        sent = [(params["addonVersion"], params["resolveConflicts"]) for _, params in calls(stage)]
        assert sent == [("v1.20.4-eksbuild.2", "NONE"), ("v1.19.0-eksbuild.1", "PRESERVE")]
        stage.lab.clock.advance(600)
        plan = await planned(
            stage, "update", "vpc-cni", version="v1.20.4-eksbuild.2", resolve_conflicts="preserve"
        )
        assert (await done(stage, plan))["state"] == "succeeded"


async def test_aws_that_does_not_answer_in_time_is_said(opened: Opened) -> None:
    async with opened("healthy", 0, aws={"timeout_s": 1.0}) as stage:
        stage.lab.fail_aws("eks", "DescribeAddon", delay_s=20, params={"addonName": NMA})
        answer = await stage.ask("plan_addon_change", action="create", name=NMA)
        assert answer.code == "timeout", answer.text
        stage.lab.aws_faults.clear()
        stage.lab.fail_aws("eks", "DescribeAddon", cut=True, params={"addonName": NMA})
        answer = await stage.ask("plan_addon_change", action="create", name=NMA)
        assert answer.code == "upstream_error", answer.text
        assert calls(stage) == []
