"""recommend_savings about workloads, disks, traffic and telemetry, through the client: five seeds each.

Amounts are computed again here from the story's own numbers.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from math import ceil
from typing import Any

import pytest
import pytest_asyncio
import yaml

from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.price_table import PriceTable
from aiops_lab.kube.faults import Fault
from aiops_lab.scenarios.bills_fleet import crowd as f8
from aiops_lab.scenarios.disk_leftovers import leftovers
from aiops_lab.scenarios.log_volume import volume
from aiops_lab.scenarios.shapes import autoscaler
from aiops_lab.scenarios.usage_stories import hoard, hoard_usd, oversized
from aiops_lab.scenarios.zone_traffic import crowd
from aiops_lab.telemetry.workloads import MI
from aiops_shared.kube.quantities import amount
from tests.cost.stage import SEEDS, Stage, billed
from tests.e2e.stage import Obj

TOOL = "recommend_savings"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One lab for every story of this file."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        async with billed(monkeypatch, tmp_path_factory.mktemp("savings")) as made:
            yield made


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def asked(stage: Stage, scope: str, **more: Any) -> Obj:
    """An answer with everything in it."""
    return await stage.got(TOOL, scope=scope, detail="full", **more)


def named(answer: Obj, code: str) -> list[Obj]:
    """The recommendations of one code."""
    return [one for one in answer.get("recommendations", ()) if one["code"] == code]


def cents(amount: Decimal | float) -> float:
    """As answers show money."""
    return round(float(amount), 2)


@pytest.mark.row("S65")
@pytest.mark.row("B18")
@pytest.mark.parametrize("seed", SEEDS)
async def test_requests_that_nobody_uses_shrink_to_what_is_used_with_both_amounts(
    stage: Stage, seed: int
) -> None:
    stage.play("oversized-workload", seed)
    told = oversized(stage.who)
    answer = await asked(stage, "requests")
    first = answer["recommendations"][0]
    assert (first["code"], first["target"]) == (
        "REQUESTS_OVERSIZED",
        f"Deployment production/{told.workload}",
    )
    (container,) = yaml.safe_load(first["patch"])["spec"]["template"]["spec"]["containers"]
    asked_for = container["resources"]["requests"]
    milli, mebi = int(asked_for["cpu"][:-1]), float(amount(asked_for["memory"]) or 0) / MI
    assert told.cpu_p95 * 1150 <= milli <= told.cpu_p95 * 1150 * 1.05 + 10
    assert told.memory_p99 / MI * 1.15 <= mebi <= told.memory_p99 / MI * 1.15 * 1.05 + 32
    limit = amount(container["resources"]["limits"]["memory"])
    assert limit is not None
    assert limit >= mebi * MI * 1.2
    # m5.xlarge: 4 cores and 15.16 GiB; a core weighs nine GiB.
    gib = 15_896_992 / 1024**2
    unit = float(stage.lab.account.area(PriceTable).hour("m5.xlarge")) * 730 / (9 * 4 + gib)
    worth = told.replicas * ((2 - milli / 1000) * 9 + 4 - mebi / 1024) * unit
    assert first["monthly_usd"] == pytest.approx(worth, abs=0.011)
    assert any("the bill falls when nodes go" in line for line in first["arithmetic"])
    assert "resize running pods" in " ".join(answer["good"])
    assert len(str(answer)) < 40_000


@pytest.mark.row("S45")
@pytest.mark.row("B14")
@pytest.mark.parametrize("seed", SEEDS)
async def test_debug_lines_cost_their_part_of_the_bill_to_the_cent(stage: Stage, seed: int) -> None:
    stage.play("log-volume", seed)
    told = volume(seed)
    answer = await asked(stage, "observability")
    first = answer["recommendations"][0]
    assert (first["code"], first["target"]) == ("LOGS_DEBUG", f"log level of {told.service}")
    assert first["monthly_usd"] == pytest.approx(told.debug_gb * 0.5, abs=0.011)
    patch = yaml.safe_load(first["patch"])
    (container,) = patch["spec"]["template"]["spec"]["containers"]
    assert patch["metadata"]["name"] == told.service
    assert container["env"] == [{"name": "LOG_LEVEL", "value": "info"}]
    assert answer["billed_requests"] == len(stage.ledger.asked)
    assert stage.ledger.asked
    again = await asked(stage, "observability")
    assert again["billed_requests"] == 0


@pytest.mark.row("S83")
@pytest.mark.parametrize("seed", SEEDS)
async def test_series_that_nobody_queries_are_dropped_by_one_rule(stage: Stage, seed: int) -> None:
    stage.play("observability-cost", seed)
    told = hoard(stage.who)
    answer = await asked(stage, "observability")
    (found,) = named(answer, "METRICS_UNUSED")
    rule = yaml.safe_load(found["patch"])["write_relabel_configs"][0]
    assert (rule["regex"], rule["action"]) == ("go_.*|process_.*", "drop")
    assert f"{told.idle:,}" in found["current"]
    # The world's own thousand series stand in the store beside the hoard.
    least = hoard_usd(told.samples) - hoard_usd(round(told.samples * (1 - told.share * 0.99)))
    most = hoard_usd(told.samples) - hoard_usd(told.samples - told.idle * 43_200)
    assert cents(least) <= found["monthly_usd"] <= cents(most)


@pytest.mark.row("B15")
@pytest.mark.parametrize("seed", SEEDS)
async def test_pods_in_one_zone_are_spread_and_prefer_their_callers(stage: Stage, seed: int) -> None:
    stage.play("zone-traffic", seed)
    told = crowd(stage.who)
    answer = await asked(stage, "network")
    found = named(answer, "CROSS_ZONE_TRAFFIC")
    assert [one["target"] for one in found] == [f"Service production/{told.app}"]
    (first,) = found
    assert f"{told.replicas} in {told.zone}" in first["current"]
    assert f"${told.monthly_usd:,.2f}" in first["arithmetic"][0]
    assert 0.95 * told.monthly_usd <= first["monthly_usd"] <= told.monthly_usd
    workload, service = yaml.safe_load_all(first["patch"])
    (rule,) = workload["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert rule["topologyKey"] == "topology.kubernetes.io/zone"
    assert rule["labelSelector"]["matchLabels"] == {"app": told.app}
    assert service["spec"] == {"trafficDistribution": "PreferClose"}
    (nat,) = named(answer, "NAT_TRAFFIC")
    assert "monthly_usd" not in nat or nat["monthly_usd"] is None


@pytest.mark.parametrize("seed", SEEDS)
async def test_an_autoscaler_on_cpu_is_told_to_watch_memory(stage: Stage, seed: int) -> None:
    stage.play("cost-spike", seed)
    answer = await asked(stage, "hpa")
    found = named(answer, "HPA_METRIC_MISMATCH")
    assert [one["target"] for one in found] == [f"HPA production/{f8(stage.who).api}"]
    metrics = yaml.safe_load(found[0]["patch"])["spec"]["metrics"]
    assert [one["resource"]["name"] for one in metrics] == ["memory", "cpu"]


@pytest.mark.parametrize("seed", SEEDS)
async def test_disks_are_made_gp3_shrunk_or_given_up(stage: Stage, seed: int) -> None:
    stage.play("disk-leftovers", seed)
    told = leftovers(stage.who)
    answer = await asked(stage, "storage")
    (old,) = named(answer, "VOLUME_OLD_TYPE")
    then = [
        gib * 0.08 + max(0, min(16_000, 3 * gib) - 3000) * 0.005 + (5.0 if gib > 170 else 0)
        for gib in told.old
    ]
    saved = [gib * 0.1 - cost for gib, cost in zip(told.old, then, strict=True)]
    assert old["monthly_usd"] == cents(sum(one for one in saved if one > 1e-9))
    (loose,) = named(answer, "VOLUME_UNATTACHED")
    assert loose["monthly_usd"] == cents(sum(told.nobodys) * 0.08)
    (large,) = named(answer, "VOLUME_OVERSIZED")
    wanted = max(10, ceil(told.held_gib * 1.5 / 10) * 10)
    assert large["target"] == f"PersistentVolumeClaim production/{told.claim}"
    assert large["monthly_usd"] == cents((told.claim_gib - wanted) * 0.08)
    (addresses,) = named(answer, "ADDRESS_UNUSED")
    assert addresses["monthly_usd"] == cents(told.addresses * 3.65)
    assert named(answer, "SNAPSHOTS_OLD")


async def test_the_everyday_world_has_no_story_to_tell(stage: Stage) -> None:
    stage.play("healthy", 2)
    for scope in ("hpa", "storage", "observability"):
        answer = await asked(stage, scope)
        assert not answer.get("recommendations"), scope
        assert answer["good"]


async def test_what_may_not_be_read_is_named_and_the_rest_stands(stage: Stage) -> None:
    stage.play("log-volume", 0)
    stage.lab.fail_aws("logs", "StartQuery", code="AccessDeniedException", status=400)
    answer = await asked(stage, "observability")
    assert any("access_denied" in one for one in answer["warnings"])
    assert not named(answer, "LOGS_DEBUG")
    stage.lab.aws_faults.clear()
    stage.lab.fail_aws("ce", "GetCostAndUsage", code="ThrottlingException", status=400)
    stage.forget()
    answer = await asked(stage, "observability")
    assert any("no bill" in one and "throttled" in one for one in answer["warnings"])
    assert named(answer, "LOGS_DEBUG")[0]["monthly_usd"] == pytest.approx(800, abs=0.5)
    stage.lab.aws_faults.clear()
    stage.lab.fail_aws("ec2", "DescribeVolumes", code="UnauthorizedOperation", status=403)
    answer = await asked(stage, "storage")
    assert any("access_denied" in one for one in answer["warnings"])
    stage.lab.aws_faults.clear()


async def test_without_an_amp_bill_unused_series_have_no_amount(stage: Stage) -> None:
    stage.play("observability-cost", 0)
    ledger = stage.lab.account.area(Ledger)
    ledger.lines = tuple(one for one in ledger.lines if "AMP:" not in one.usage_type)
    (found,) = named(await asked(stage, "observability"), "METRICS_UNUSED")
    assert found.get("monthly_usd") is None
    assert found["patch"]


async def test_an_autoscaler_and_an_oom_kill_change_what_is_proposed(stage: Stage) -> None:
    stage.play("oversized-workload", 1)
    told = oversized(stage.who)
    scaler = autoscaler("production", told.workload, told.replicas, 9)
    stage.lab.store.create(scaler, manager="kubectl-create")
    first = (await asked(stage, "requests"))["recommendations"][0]
    (container,) = yaml.safe_load(first["patch"])["spec"]["template"]["spec"]["containers"]
    milli = int(container["resources"]["requests"]["cpu"][:-1])
    assert milli >= told.cpu_p95 * 1000 / 0.7
    (said,) = [one for one in first["assumptions"] if one.startswith("HPA")]
    assert f"keeps 70% of the request: 1400m a pod until now, {round(milli * 0.7)}m then" in said
    assert f"it makes {told.replicas} pods (now {told.replicas})" in said
    pods = stage.lab.store.list("Pod", "production")
    for pod in pods:
        if pod["metadata"]["labels"].get("app") == told.workload:
            ended = {"exitCode": 137, "reason": "OOMKilled"}
            pod["status"]["containerStatuses"][0]["lastState"] = {"terminated": ended}
            stage.lab.store.update(pod, manager="kubelet", subresource="status")
    answer = await asked(stage, "requests")
    assert any("OOMKilled" in one and "do not lower it" in one for one in answer["warnings"])
    (first,) = [one for one in answer["recommendations"] if told.workload in one["target"]]
    (container,) = yaml.safe_load(first["patch"])["spec"]["template"]["spec"]["containers"]
    assert "memory" not in container["resources"]["requests"]
    limit = amount(container["resources"]["limits"]["memory"])
    assert limit is not None
    assert limit > 4 * 1024 * MI


async def test_young_workloads_and_stores_that_fail_are_said_and_nothing_is_guessed(stage: Stage) -> None:
    stage.play("oversized-workload", 2)
    told = oversized(stage.who)
    place = f"/deployments/{told.workload}"
    stage.lab.set_faults([Fault("error", times=None, path_contains=place, status=403)])
    answer = await asked(stage, "requests")
    assert any("access_denied" in one and told.workload in one for one in answer["warnings"])
    stage.lab.set_faults([])
    stage.lab.set_faults([Fault("error", times=None, path_contains="horizontalpodautoscalers", status=500)])
    answer = await asked(stage, "hpa")
    assert not answer.get("recommendations")
    assert any("coverage_gap: hpa" in one for one in answer["warnings"])
    stage.lab.set_faults([])
    answer = await asked(stage, "hpa", namespace="produktion")
    assert any("nearest: production" in one for one in answer["warnings"])
    wrong = await stage.ask(TOOL, scope="everything")
    assert wrong.error
