"""diagnose where the cause stands in AWS: fixtures F5, F13, F-b5, F-b7, F-b8; an AWS that does not answer.

Row ids: S69, S70 (F5), S13 (F13), R6 and R21 (a source that fails is a gap, the rest answers).
"""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from aiops_lab.scenarios import SCENARIOS
from tests.eks.test_diagnose_lab import Asked, asking

SEEDS = range(5)
# Fixture -> the scenario that plays it.
FIXTURES = {
    "F5": "subnet-ip-exhaustion",
    "F5b": "subnet-ip-exhaustion-node-limit",
    "F5c": "subnet-ip-exhaustion-slow-database",
    "F5d": "subnet-ip-exhaustion-expired",
    "F5e": "subnet-ip-exhaustion-fragmented",
    "F13": "addon-degraded-positive",
    "F-b5": "node-networking-unhealthy-positive",
    "F-b7": "workload-in-one-zone-positive",
    "F-b8": "etcd-near-quota-positive",
}


def places(found: Sequence[Any]) -> list[tuple[str, str, str, str]]:
    return [(one["code"], one["kind"], one["namespace"], one["name"]) for one in found]


def gaps(answer: dict[str, Any]) -> str:
    return " | ".join(answer["coverage_gaps"])


def operations(ask: Asked) -> list[str]:
    return [request.operation for request in ask.lab.aws_requests()]


@pytest.mark.slow
@pytest.mark.timeout(240)  # five worlds of two and more days each
@pytest.mark.row("S69")
@pytest.mark.parametrize("fixture", FIXTURES)
async def test_a_fixture_is_found_first_and_alone_with_five_seeds(fixture: str) -> None:
    name = FIXTURES[fixture]
    async with asking("healthy", aws=True) as ask:
        for seed in SEEDS:
            ask.play(name, seed)
            answer = await ask("diagnose")
            wanted = ask.lab.world.expected
            assert places(answer["findings"]) == [(w.code, w.kind, w.namespace, w.name) for w in wanted], seed
            for one, expected in zip(answer["findings"], wanted, strict=True):
                assert re.search(expected.headline, one["title"]), seed
                assert len(one["evidence"]) >= 1
            assert ask.lab.requests.writes() == []


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.row("S70")
async def test_a_dry_subnet_is_told_with_its_chain_what_it_is_not_and_what_helps() -> None:
    async with asking("healthy", aws=True) as ask:
        ask.play(FIXTURES["F5"], 0)
        (found,) = (await ask("diagnose"))["findings"]
        ruled = {each.partition(":")[0] for each in found["ruled_out"]}
        assert ruled == {"database", "coredns", "deployment", "node_cpu"}
        chain = found["root_cause"].partition("In order: ")[2].split("; ")
        assert len(chain) >= 4
        assert "SuccessfulRescale" in chain[0]
        assert "not viable here: 0 free /28" in found["next_step"]
        assert found["sop"] == "subnet-ip-exhaustion"
        assert {"kubernetes", "ec2", "pod log"} <= {each["source"] for each in found["evidence"]}

        namespaced = await ask("diagnose", namespace="production")
        assert [one["code"] for one in namespaced["findings"]] == ["SUBNET_IP_EXHAUSTION"]

        ask.play(FIXTURES["F5d"], 0)
        assert "events: of" in gaps(await ask("diagnose"))

        ask.play(FIXTURES["F5b"], 0)
        (found,) = (await ask("diagnose"))["findings"]
        assert found["next_step"].startswith("1. prefix delegation")


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.fault("R21")
async def test_where_aws_refuses_the_cluster_still_answers_and_the_gap_names_the_right() -> None:
    async with asking("healthy", aws=True) as ask:
        ask.play(FIXTURES["F5"], 0)
        ask.lab.fail_aws("ec2", "*", code="UnauthorizedOperation")
        answer = await ask("diagnose")
        assert [one["code"] for one in answer["findings"]] == ["POD_IP_UNAVAILABLE"]
        assert "AWS: ec2:DescribeSubnets is not allowed" in gaps(answer)

        ask.lab.fail_aws("eks", "*", code="AccessDeniedException")
        answer = await ask("diagnose")
        assert [one["code"] for one in answer["findings"]] == ["POD_IP_UNAVAILABLE"]
        for action in ("eks:DescribeCluster", "eks:ListAddons", "eks:ListInsights"):
            assert f"{action} is not allowed" in gaps(answer)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.fault("R21")
async def test_where_aws_throttles_or_breaks_half_way_the_rest_is_told() -> None:
    async with asking("healthy", aws=True) as ask:
        ask.play(FIXTURES["F13"], 0)
        ask.lab.fail_aws("eks", "ListInsights", code="ThrottlingException")
        answer = await ask("diagnose")
        assert [one["code"] for one in answer["findings"]] == ["ADDON_DEGRADED"]
        assert "eks:ListInsights" in gaps(answer)

        ask.play("pod-crashloop", 1)
        ask.lab.fail_aws("eks", "DescribeAddon", code="InternalFailure", params={"addonName": "coredns"})
        answer = await ask("diagnose")
        assert [one["code"] for one in answer["findings"]] == ["CONFIGMAP_MISSING"]
        assert "eks:DescribeAddon" in gaps(answer)
        assert "coredns" in gaps(answer)

        ask.play("pod-crashloop", 1)
        ask.lab.fail_aws("eks", "DescribeCluster", cut=True)
        answer = await ask("diagnose")
        assert [one["code"] for one in answer["findings"]] == ["CONFIGMAP_MISSING"]
        assert "eks:DescribeCluster" in gaps(answer)


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.fault("R6")
async def test_an_aws_that_does_not_answer_is_given_up_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiops_eks.clients.further_aws.WITHIN_S", 0.5)
    async with asking("healthy", aws=True) as ask:
        ask.play("pod-crashloop", 2)
        ask.lab.fail_aws("eks", "ListInsights", delay_s=3)
        answer = await ask("diagnose")
        assert [one["code"] for one in answer["findings"]] == ["CONFIGMAP_MISSING"]
        assert "eks:ListInsights: no answer within" in gaps(answer)


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_without_an_aws_side_there_is_one_gap_and_no_error() -> None:
    async with asking("healthy") as ask:
        answer = await ask("diagnose")
        assert answer["findings"] == []
        assert len([gap for gap in answer["coverage_gaps"] if gap.startswith("AWS: ")]) == 1
        assert (await ask("diagnose", namespace="production"))["coverage_gaps"] == []


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_healthy_cluster_costs_few_calls_and_a_healthy_namespace_none() -> None:
    async with asking("healthy", aws=True) as ask:
        await ask("diagnose", namespace="production")
        assert operations(ask) == []
        await ask("diagnose")
        once = ["DescribeCluster", "DescribeClusterVersions", "ListAddons", "ListInsights"]
        assert sorted(set(operations(ask))) == sorted({*once, "DescribeAddon"})
        assert all(operations(ask).count(each) == 1 for each in once)
        assert operations(ask).count("DescribeAddon") == len(ask.lab.account.addons)


def test_every_fixture_has_its_scenario() -> None:
    assert set(FIXTURES.values()) <= set(SCENARIOS)
