"""Clusters, nodes, networks, zones: F5, F9, F20 and F-b1 to F-b9 by their SOPs."""

import json
from pathlib import Path
from typing import Any

import pytest

from aiops_lab.places import CLUSTER
from aiops_lab.scenarios import SCENARIOS
from aiops_lab.scenarios.addresses import subnet_id
from aiops_lab.scenarios.alarm_stories import mined
from aiops_lab.scenarios.az_gray import frontend, gray_zone
from aiops_lab.scenarios.db_pool import pooled
from aiops_lab.scenarios.traced import shop
from tests.e2e.stage import Obj
from tests.sop.procedures.incidents import acted, anew, live, mark, quick, said, states, step, told, verbs
from tests.sop.procedures.playing import AUTO, played
from tests.sop.stage import Stage, operated

__all__ = ["quick"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.usefixtures("quick")]
HOME = "production"


async def run_of(stage: Stage, sop: str, answers: dict[str, str] | None = None, **given: Any) -> Obj:
    """One run of a SOP."""
    return await played(stage, sop, given, answers=answers)


async def left_alone(stage: Stage, sop: str, ends: str = "escalated", **given: Any) -> Obj:
    """A run that must change nothing in the cluster."""
    before = mark(stage)
    run = await run_of(stage, sop, **given)
    assert run["state"] == ends, told(run)
    assert acted(run) == []
    assert verbs(stage, before) == set()
    return run


@pytest.mark.row("S40")
@pytest.mark.row("S69")
@pytest.mark.row("S70")
@pytest.mark.row("C9")
@pytest.mark.parametrize("seed", [1])  # seed 0: `python -m evals.sop.proofs`
async def test_what_is_not_one_workloads_trouble(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        await _alarms(stage, seed)
        await _no_addresses(stage, seed)
        await _slow_everywhere(stage, seed)
        await _cut_off(stage, seed)
        await _full_node(stage)


@pytest.mark.row("B6")
@pytest.mark.row("B9")
async def test_what_is_beyond_the_guides_fixtures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        await _gray_zone(stage)
        await _policy(stage)
        await _small_pool(stage)
        await _silent_node(stage)
        await _shared_cause(stage)


async def _alarms(stage: Stage, seed: int) -> None:
    """F9, F20: told, nothing touched."""
    anew(stage, "active-alarms", seed)
    run = await left_alone(stage, "cluster-triage", "succeeded", cluster=CLUSTER)
    assert "share node" in said(run, "report")
    assert "disk-pressure" in said(run, "report")
    anew(stage, "alert-storm", seed)
    run = await left_alone(stage, "cluster-triage", "succeeded", cluster=CLUSTER)
    assert "stale" in said(run, "report")


async def _no_addresses(stage: Stage, seed: int) -> None:
    """F5: the 504 leads to the subnet; prefix delegation is not viable, a new subnet is proposed."""
    anew(stage, "subnet-ip-exhaustion", seed)
    service = shop(stage.who).service
    run = await left_alone(stage, "intermittent-504", service=service, relieve=False)
    assert step(run, "addresses")["output"]["state"] == "escalated"
    child = await stage.got("get_run", run_id=step(run, "addresses")["output"]["run_id"], detail="full")
    text = said(child, "propose")
    assert subnet_id(stage.who) in text
    assert "not viable here: 0 free /28" in text
    assert "secondary CIDR" in text
    assert "expand" not in text


async def _slow_everywhere(stage: Stage, seed: int) -> None:
    """F5c: the database is named, no subnet is."""
    anew(stage, "subnet-ip-exhaustion-slow-database", seed)
    run = await left_alone(stage, "intermittent-504", service=shop(stage.who).service)
    assert shop(stage.who).database in said(run, "callee")
    assert "subnet-" not in said(run, "callee")
    assert states(run)["addresses"] == "skipped"


async def _full_node(stage: Stage) -> None:
    """F5b: the subnet has room, so prefixes are the first thing, after a yes."""
    anew(stage, "subnet-ip-exhaustion-node-limit")
    run = await run_of(stage, "subnet-ip-exhaustion", cluster=CLUSTER)
    assert states(run)["fewer_spare"] == "skipped", told(run)
    assert step(run, "prefixes")["plan_id"], told(run)


async def _cut_off(stage: Stage, seed: int) -> None:
    """F-b6: one pod is marked and denied all traffic; it runs on, nothing is deleted."""
    anew(stage, "crypto-mining", seed)
    name, before = mined(stage.who), mark(stage)
    pods = {pod["metadata"]["uid"] for pod in stage.lab.store.list("Pod", HOME, labels=f"app={name}")}
    run = await run_of(stage, "security-isolate", cluster=CLUSTER, namespace=HOME, name=name)
    assert run["state"] == "succeeded", told(run)
    assert acted(run) == ["mark", "isolate"]
    marked = stage.lab.store.list("Pod", HOME, labels="aiops.isolated")
    assert len(marked) == 1
    pod = marked[0]["metadata"]["name"]
    policy = live(stage, "NetworkPolicy", HOME, f"isolate-{pod}")["spec"]
    assert policy["podSelector"] == {"matchLabels": {"aiops.isolated": pod}}
    assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]
    assert not policy.get("ingress")
    assert not policy.get("egress")
    after = {pod["metadata"]["uid"] for pod in stage.lab.store.list("Pod", HOME, labels=f"app={name}")}
    assert after == pods
    assert {resource for _, resource in verbs(stage, before)} == {"pods", "networkpolicies"}
    assert not any(verb == "delete" for verb, _ in verbs(stage, before))


async def _gray_zone(stage: Stage) -> None:
    """F-b9: the shift is asked of a person with the exact command; one slow workload is no zone."""
    anew(stage, "az-gray-failure")
    run = await run_of(stage, "az-gray-failure", {"shift": "no"}, service=frontend(stage.who))
    assert run["state"] == "escalated", told(run)
    assert acted(run) == []
    assert states(run)["shift"] == "failed"
    assert gray_zone(stage.who) in step(run, "zones")["says"]
    anew(stage, "az-gray-failure-one-workload")
    run = await left_alone(stage, "az-gray-failure", service=frontend(stage.who))
    assert states(run)["shift"] == "skipped"


async def _policy(stage: Stage) -> None:
    """F-b2: proposed; a corrected policy that is given goes in after somebody else's yes."""
    anew(stage, "network-policy-blocks-positive")
    one = SCENARIOS["network-policy-blocks-positive"].expect(stage.who)[0]
    await left_alone(stage, "network-policy-block", cluster=CLUSTER, namespace=one.namespace)
    given = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": one.name, "namespace": one.namespace},
        "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
    }
    run = await run_of(stage, "network-policy-block", namespace=one.namespace, manifest=json.dumps(given))
    assert run["state"] == "succeeded", told(run)
    assert live(stage, "NetworkPolicy", one.namespace, one.name)["spec"]["egress"] == [{}]


async def _small_pool(stage: Stage) -> None:
    """F-b1, and its budget that burns: told with the change, nothing restarted, nothing rolled back."""
    anew(stage, "db-pool")
    name = pooled(stage.who)
    run = await left_alone(stage, "db-pool-exhaustion", namespace=HOME, name=name)
    assert f"{name}-pool" in said(run, "propose")
    run = await left_alone(stage, "slo-burn", namespace=HOME, name=name)
    assert "page" in said(run, "tell")
    assert states(run)["rollback"] == "skipped"


async def _silent_node(stage: Stage) -> None:
    """A silent node is cordoned and never drained; pressure that stays is drained or given back."""
    anew(stage, "node-kubelet-silent-positive")
    node = SCENARIOS["node-kubelet-silent-positive"].expect(stage.who)[0].name
    before = mark(stage)
    run = await run_of(stage, "node-notready", node=node)
    assert run["state"] == "escalated", told(run)
    assert acted(run) == ["hold"]
    assert live(stage, "Node", None, node)["spec"]["unschedulable"] is True
    assert {resource for _, resource in verbs(stage, before)} == {"nodes"}
    anew(stage, "node-memory-pressure-positive-no-requests")
    node = SCENARIOS["node-memory-pressure-positive-no-requests"].expect(stage.who)[0].name
    run = await run_of(stage, "node-degraded", node=node)
    assert run["state"] == "escalated", told(run)
    assert acted(run) == ["hold", "drain"]
    assert not any(verb == "delete" for verb, _ in verbs(stage))


async def _shared_cause(stage: Stage) -> None:
    """F-b3 as one cluster sees it: the registry is named, no cluster is touched."""
    anew(stage, "registry-expired")
    run = await left_alone(stage, "multi-cluster-common-cause", clusters=[CLUSTER])
    assert "REGISTRY_TLS" in said(run, "tell")
