"""The cells of `query_metrics` as a client sees them, five seeds each: disks, utilisation, usage, series."""

from pathlib import Path
from typing import Any

import pytest

from aiops_lab.scenarios.disk import the_node
from aiops_lab.scenarios.memory_spike import HOME, images, spiking
from aiops_lab.scenarios.usage_stories import bare, fleet, hoard, oversized
from aiops_lab.telemetry.workloads import GI, MI
from bench.tokens import tokens
from tests.e2e.stage import Obj
from tests.observability.stage import SEEDS, Stage, watched

BUDGET = 1500
pytestmark = pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning")


async def asked(stage: Stage, **arguments: Any) -> Obj:
    """An answer within its budget."""
    answer = await stage.ask("query_metrics", **arguments)
    assert not answer.error, answer.error
    assert tokens(answer.text) <= BUDGET, answer.text
    return answer.data


def rows(found: Obj, table: str = "series") -> list[dict[str, Any]]:
    """A table as rows by column."""
    told = found[table]
    return [dict(zip(told["columns"], row, strict=True)) for row in told["rows"]]


async def of_pods(stage: Stage, what: str, name: str, **more: Any) -> dict[str, Any]:
    """The numbers of all pods of a workload together."""
    found = await asked(stage, what=what, namespace=HOME, kind="deployment", name=name, **more)
    assert found["total"] >= 2
    return rows(found)[0]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.row("S73")
async def test_a_full_disk_is_the_first_row_with_its_free_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play("disk-pressure", seed)
            node = the_node(stage.who)
            share = rows(await asked(stage, what="node_disk_used"))[1]
            assert (share["node"], share["last"]) == (node, pytest.approx(0.91, abs=0.02))
            free = await asked(stage, what="node_disk_available")
            assert rows(free)[1]["node"] == node
            assert rows(free)[1]["last"] == pytest.approx(7.2 * GI, rel=0.15)
            assert node in free["summary"]
            alone = await asked(stage, what="node_disk_available", kind="node", name=node)
            assert alone["total"] == 1


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_pool_whose_cores_idle_and_whose_memory_is_full(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play("idle-cores", seed)
            told = fleet(stage.who)
            for what, share in (("nodepool_cpu", told.cpu), ("nodepool_memory", told.memory)):
                found = await asked(stage, what=what, name=told.pool, since="-30m")
                assert rows(found)[0]["mean"] == pytest.approx(share, rel=0.02)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.row("S35")
async def test_two_weeks_of_use_give_the_percentiles_that_requests_are_made_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play("unlimited-workload", seed)
            told = bare(stage.who)
            cpu = await of_pods(stage, "cpu", told.workload, since="-14d", step="5m")
            assert cpu["p95"] == pytest.approx(told.cpu_p95, rel=0.03)
            assert cpu["p99"] == pytest.approx(told.cpu_p99, rel=0.03)
            memory = await of_pods(stage, "memory", told.workload, since="-14d", step="5m")
            assert memory["p99"] == pytest.approx(told.memory_p99, rel=0.03)
            assert memory["missing %"] < 1
            limits = await asked(
                stage, what="memory_limit", namespace=HOME, name=told.workload, source="prometheus"
            )
            assert "No value" in limits["summary"]
            stage.play("oversized-workload", seed)
            large = oversized(stage.who)
            used = await of_pods(stage, "cpu", large.workload, since="-7d", step="5m")
            assert used["p99"] == pytest.approx(large.cpu_p99, rel=0.03)
            assert (await of_pods(stage, "cpu_request", large.workload))["last"] is None
            assert (await of_pods(stage, "memory_request", large.workload))["mean"] == pytest.approx(
                4 * GI, rel=0.001
            )
            assert (await of_pods(stage, "cpu_of_request", large.workload))["max"] < 0.2


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.row("S83")
async def test_two_million_series_are_counted_and_what_nobody_asked_for_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play("observability-cost", seed)
            told = hoard(stage.who)
            found = await asked(stage, show="cardinality")
            assert f"{told.idle:,} series" in found["summary"]
            groups = {row["name"]: row for row in rows(found, "sizes") if row["of"] == "metrics"}
            idle = groups["go_*"]["never queried"] + groups["process_*"]["never queried"]
            assert idle == told.idle
            assert 100 * idle / told.series == pytest.approx(100 * told.share, abs=0.1)
            assert all(
                row["never queried"] == 0 for name, row in groups.items() if name not in {"go_*", "process_*"}
            )
            assert {
                row["in rules"] for row in rows(found, "found") if row["metric"] == "http_requests_total"
            } <= {True}
            assert len(rows(found, "found")) < found["total"]
            assert found["truncated"]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.row("S37")
async def test_memory_by_version_shows_the_release_that_grows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play("memory-spike", seed)
            before, after = (ref.rpartition(":")[2] for ref in images(stage.who))
            found = await asked(
                stage, what="memory_by_version", namespace=HOME, name=spiking(stage.who), since="-6h"
            )
            by_version = {row["version"]: row for row in rows(found)}
            assert by_version[before]["p95"] == pytest.approx(420 * MI, rel=0.05)
            assert by_version[after]["last"] > 850 * MI
            assert by_version[after]["slope/h"] == pytest.approx(280 * MI, rel=0.1)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.row("S8")
async def test_the_same_question_has_the_same_answer_on_each_backend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with watched(monkeypatch, tmp_path) as stage:
        for question in (
            {"what": "memory", "namespace": HOME},
            {"what": "cpu", "namespace": HOME},
            {"what": "memory_request", "namespace": HOME},
            {"what": "node_cpu"},
            {"what": "node_memory"},
            {"what": "node_disk_used"},
            {"what": "cluster_cpu"},
            {"what": "cluster_memory"},
        ):
            told = {
                source: await asked(stage, source=source, step="5m", **question)
                for source in ("prometheus", "amp", "cloudwatch")
            }
            assert len({found["total"] for found in told.values()}) == 1, question
            first, *others = (rows(found)[0] for found in told.values())
            for other in others:
                for number in ("mean", "p95", "max"):
                    assert other[number] == pytest.approx(first[number], rel=0.02), (question, number)
