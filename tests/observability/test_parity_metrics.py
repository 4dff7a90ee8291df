"""F22: the same question, the same numbers and the same verdict, wherever the metrics are kept.

Two seeds each: an answer of five seeds over four backends would take minutes. What a backend has no data for
stands in HAS_NOT, and in docs/metrics.md; nothing else may be missing.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aiops_lab.scenarios import az_gray, db_pool, memory_spike, traced
from aiops_lab.scenarios.profiles import leaker
from aiops_lab.scenarios.traffic_surge import surge
from aiops_lab.scenarios.trials.pods_base import a_node
from tests.e2e.stage import Obj
from tests.observability.stage import Stage, watched

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.row("S8")]
TOLERANCE = 0.02
SEEDS = (0, 3)
HOME = memory_spike.HOME
SOURCES = ("prometheus", "amp", "cloudwatch", "datadog")
NUMBERS = ("min", "mean", "p50", "p95", "p99", "max", "last")
LABELS = (
    "pod",
    "node",
    "namespace",
    "route",
    "zone",
    "version",
    "subnet",
    "database",
    "service",
    "condition",
)

BOUNDLESS = "node-memory-pressure-positive-no-requests"
NO_CLOUDWATCH = frozenset(
    {"memory_by_version", "memory_on_node", "requests", "requests_by_version", "requests_by_zone",
     "errors_by_route", "errors_by_version", "errors_by_zone", "latency_by_route", "latency_by_version",
     "latency_by_zone", "pool_active", "pool_waiting", "pool_max", "node_disk_available",
     "addresses_assigned", "dns_latency_p99"}
)  # fmt: skip
HAS_NOT: Mapping[str, frozenset[str]] = {
    "prometheus": frozenset(),
    "amp": frozenset(),
    "cloudwatch": NO_CLOUDWATCH,
    "datadog": frozenset({"memory_by_version"}),
}
OF_PODS = ("memory", "memory_of_limit", "memory_limit", "memory_request", "cpu", "cpu_of_request", "restarts")
OF_REQUESTS = ("requests_total", "requests", "errors", "errors_by_route", "latency_p50", "latency_p95",
               "latency_p99", "latency_by_route")  # fmt: skip
OF_VERSIONS = ("requests_by_version", "errors_by_version", "latency_by_version", "memory_by_version")
OF_ZONES = ("requests_by_zone", "errors_by_zone", "latency_by_zone")
OF_NODES = ("node_cpu", "node_memory", "node_disk_used", "cluster_cpu", "cluster_memory", "memory_on_node",
            "node_disk_available", "addresses_assigned", "dns_latency_p99")  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    with pytest.MonkeyPatch.context() as patch:
        async with watched(patch, Path(tmp_path_factory.mktemp("parity")), datadog=True) as made:
            yield made


def rows(told: Obj | None) -> list[Obj]:
    return [dict(zip(told["columns"], row, strict=True)) for row in told.get("rows", ())] if told else []


def close(one: object, other: object) -> bool:
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return one == other
    return abs(one - other) <= TOLERANCE * max(abs(one), abs(other)) + 1e-9


def differing(one: Obj, other: Obj, columns: tuple[str, ...]) -> list[tuple[str, object, object]]:
    return [
        (name, one.get(name), other.get(name))
        for name in columns
        if not close(one.get(name), other.get(name))
    ]


def by_labels(found: Obj) -> dict[tuple[str, ...], Obj]:
    return {tuple(str(row.get(name, "")) for name in LABELS): row for row in rows(found.get("series"))}


async def same_numbers(stage: Stage, what: str, **about: object) -> None:
    """One named question has one answer on all backends that have its data; the others say so by name."""
    ask = {"what": what, "since": "-3h", "step": "5m", "detail": "full", **about}
    first = await stage.got("query_metrics", source=SOURCES[0], **ask)
    expected = by_labels(first)
    assert expected, (what, first["summary"])
    for source in SOURCES[1:]:
        if what in HAS_NOT[source]:
            refused = await stage.ask("query_metrics", source=source, **ask)
            assert refused.code == "query_invalid", (what, source)
            assert "has no data for it" in refused.error
            continue
        found = await stage.got("query_metrics", source=source, **ask)
        told = by_labels(found)
        assert (found["unit"], found["total"]) == (first["unit"], first["total"]), (what, source)
        assert told.keys() == expected.keys(), (what, source)
        apart = [(key, diff) for key, row in told.items() if (diff := differing(row, expected[key], NUMBERS))]
        assert not apart, (what, source, apart[:3])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS)
async def test_f4_has_the_same_numbers_on_every_backend(stage: Stage, seed: int) -> None:
    stage.play("memory-spike", seed)
    name = memory_spike.spiking(stage.who)
    for what in (*OF_PODS, *OF_VERSIONS[-1:]):
        await same_numbers(stage, what, namespace=HOME, kind="Deployment", name=name)
    service = {"namespace": HOME, "kind": "Service", "name": name}
    for what in (*OF_REQUESTS, *OF_VERSIONS[:-1]):
        await same_numbers(stage, what, **service)
    for what in OF_NODES if seed == 0 else ():
        await same_numbers(stage, what)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", SEEDS)
async def test_f3_and_f5_have_the_same_numbers_on_every_backend(stage: Stage, seed: int) -> None:
    stage.play("memory-leak-slow", seed)
    for what in ("memory", "memory_of_limit", "cpu"):
        await same_numbers(stage, what, namespace=HOME, kind="Deployment", name=leaker(stage.who))
    stage.play("subnet-ip-exhaustion", seed)
    who = traced.shop(stage.who)
    for what in ("requests_total", "errors", "latency_p50", "latency_p99"):
        await same_numbers(stage, what, namespace=HOME, kind="Service", name=who.service)
    for what in ("memory", "memory_limit"):
        await same_numbers(stage, what, namespace=HOME, kind="Deployment", name=who.proxy)
    await same_in(stage, ("cloudwatch", "datadog"), "db_cpu")
    await same_in(stage, ("prometheus", "cloudwatch", "datadog"), "db_connections")


async def same_in(stage: Stage, sources: tuple[str, ...], what: str) -> None:
    """A question that not all have data for: those that have agree."""
    ask = {"what": what, "since": "-3h", "step": "5m"}
    first, *others = [by_labels(await stage.got("query_metrics", source=one, **ask)) for one in sources]
    [expected] = first.values()
    for other in others:
        [row] = other.values()
        assert not differing(row, expected, NUMBERS), what


@pytest.mark.timeout(60)
@pytest.mark.row("B20")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_gray_zone_is_seen_in_the_metrics_of_requests(stage: Stage, seed: int) -> None:
    stage.play("az-gray-failure", seed)
    name, zone = az_gray.frontend(stage.who), az_gray.gray_zone(stage.who)
    for what in OF_ZONES:
        await same_numbers(stage, what, namespace=HOME, kind="Service", name=name)
    ask = {"namespace": HOME, "name": name, "a": "-4h/-1h", "b": "-31m/", "by": "zone"}
    told = [await stage.got("compare_windows", source=one, **ask) for one in ("prometheus", "datadog")]
    for found in told:
        worse = [row for row in rows(found["differences"]) if row["verdict"] == "worse"]
        assert {row["group"] for row in worse} == {zone}, found["summary"]
        assert "errors" in {row["measure"] for row in worse}
    alike(told)
    latency = await stage.got(
        "query_metrics", what="latency_by_zone", namespace=HOME, kind="Service", name=name
    )
    assert zone in latency["summary"]  # the largest


@pytest.mark.timeout(60)
@pytest.mark.row("B6")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_pool_and_a_node_are_asked_by_their_pods(stage: Stage, seed: int) -> None:
    stage.play("db-pool", seed)
    for what in ("pool_active", "pool_waiting", "pool_max"):
        await same_numbers(stage, what, namespace=HOME, kind="Deployment", name=db_pool.pooled(stage.who))
    stage.play(BOUNDLESS, seed)
    node = a_node(stage.who)
    ask = {"what": "memory_on_node", "kind": "Node", "name": node, "since": "-30m"}
    for source in ("prometheus", "datadog"):
        found = await stage.got("query_metrics", source=source, **ask)
        assert stage.who.api in found["summary"], found["summary"]  # the largest is who filled it
        assert "MiB" in found["summary"]
    request = {"what": "memory_request", "namespace": HOME, "kind": "Deployment", "name": stage.who.api}
    none = await stage.got("query_metrics", source="prometheus", **request)
    assert "No value" in none["summary"]  # F-b4: nobody asked for any


def alike(answers: list[Obj]) -> None:
    """The same comparison: verdicts equal, numbers within the tolerance."""
    first, *others = [
        {(row["group"], row["measure"]): row for row in rows(one["differences"])} for one in answers
    ]
    for other in others:
        shared = first.keys() & other.keys()
        assert shared
        assert {key for key in first if "memory" not in key[1]} <= shared
        for key in shared:
            assert not differing(first[key], other[key], ("a", "b", "verdict")), (key, first[key], other[key])
    assert len({one["verdict"] for one in answers}) == 1


@pytest.mark.timeout(90)
@pytest.mark.row("S44")
@pytest.mark.parametrize("seed", SEEDS)
async def test_before_and_after_differ_by_the_same_everywhere(stage: Stage, seed: int) -> None:
    stage.play("memory-spike", seed)
    about = {"namespace": HOME, "kind": "Deployment", "name": memory_spike.spiking(stage.who)}
    ask = about | {"a": "-6h/-3h", "b": "-95m/"}
    told = [await stage.got("compare_windows", source=one, **ask) for one in SOURCES]
    assert told[0]["verdict"] == "worse"
    alike(told)
    assert all(
        {row["measure"] for row in rows(one["differences"])}
        == {row["measure"] for row in rows(told[0]["differences"])}
        for one in told
    )
    alike([
        await stage.got("compare_windows", source=one, by="version", **ask)
        for one in ("prometheus", "amp", "datadog")
    ])  # fmt: skip


def verdict_of(answer: Obj) -> dict[str, Any]:
    """What a reader acts on."""
    growth = answer.get("growth") or {}
    return {
        "memory": (answer.get("memory_class"), growth.get("code"), growth.get("grade")),
        "abnormal": sorted((row["signal"], row["kind"]) for row in rows(answer["anomalies"])),
        "tested": sorted((row["signal"], row["verdict"]) for row in rows(answer["tested"])),
    }


def onsets(answer: Obj) -> dict[tuple[str, str], float]:
    """When each began, in Unix seconds."""
    told = {(row["signal"], row["kind"]): row["onset"] for row in rows(answer["anomalies"])}
    if answer.get("growth"):
        told["memory", "growth"] = answer["growth"]["onset"]
    return {key: datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp() for key, at in told.items()}


GROWTH = ("rate_bytes_per_h", "limit_bytes", "limit_eta_s", "static_rule_in_s")


async def same_verdict(stage: Stage, **about: object) -> Obj:
    """Everybody finds the same, since the same step."""
    first, *others = [await stage.got("detect_anomalies", source=one, **about) for one in SOURCES]
    for source, other in zip(SOURCES[1:], others, strict=True):
        assert verdict_of(other) == verdict_of(first), source
        assert not differing(first.get("growth") or {}, other.get("growth") or {}, GROWTH), source
        before, now = onsets(first), onsets(other)
        assert all(abs(now[key] - before[key]) <= 300 for key in before), (source, before, now)
        assert {one["source"] for one in other["evidence"]} != {one["source"] for one in first["evidence"]}
    return first


@pytest.mark.timeout(150)
@pytest.mark.row("S67")
@pytest.mark.parametrize("seed", SEEDS)
async def test_every_backend_gives_the_same_verdict(stage: Stage, seed: int) -> None:
    stage.play("memory-leak-slow", seed)
    leak = await same_verdict(stage, namespace=HOME, kind="Deployment", name=leaker(stage.who))
    assert leak["growth"]["code"] == "MEMORY_LEAK"
    stage.play("memory-spike", seed)
    spike = await same_verdict(stage, namespace=HOME, kind="Deployment", name=memory_spike.spiking(stage.who))
    released_s = stage.lab.clock.now().timestamp() - 2 * 3600
    for (signal, _), began_s in onsets(spike).items():  # requests are known for three of the seven days
        assert abs(began_s - released_s) <= 1200, (signal, spike["summary"])
    assert {"errors", "latency_p99"} <= {row["signal"] for row in rows(spike["anomalies"])}
    stage.play("subnet-ip-exhaustion", seed)
    name = traced.shop(stage.who).service
    hanging = await same_verdict(stage, namespace=HOME, kind="Service", name=name, since="-12h")
    assert {"errors", "latency_p99"} <= {row["signal"] for row in rows(hanging["anomalies"])}


@pytest.mark.timeout(60)
@pytest.mark.row("S71")
@pytest.mark.parametrize("seed", SEEDS)
async def test_next_weeks_surge_is_the_same_from_every_backend(stage: Stage, seed: int) -> None:
    stage.play("traffic-surge", seed)
    name = surge(stage.who).service
    ask = {"what": "requests_total", "kind": "Service", "name": name, "capacity_per_pod": 100}
    first, *others = [await stage.got("forecast_metric", source=one, **ask) for one in SOURCES]
    for other in others:
        assert other["next_peak"]["at"] == first["next_peak"]["at"]
        peak = ("value", "low95", "high95", "ratio_to_before")
        assert not differing(other["next_peak"], first["next_peak"], peak)
        assert other["sizing"]["replicas"] == first["sizing"]["replicas"]
        assert other["model"] == first["model"]
