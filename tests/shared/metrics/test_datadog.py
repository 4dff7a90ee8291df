"""The Datadog driver on the lab's Datadog: keys, grid, pieces, rate limits; and on a server that is odd."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import numpy as np
import pytest

from aiops_lab.aws.account import Account
from aiops_lab.aws.principals import Directory
from aiops_lab.observatory.app import Observatory, observatory_app
from aiops_lab.observatory.datadog import API_KEY, APPLICATION_KEY, DatadogLimit
from aiops_lab.serving import LoopbackServer, listen, port_of
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.signals import Array, Signal, counted
from aiops_shared.errors import (
    AccessDeniedError,
    NotConfiguredError,
    QueryInvalidError,
    ThrottledError,
    UpstreamError,
    UpstreamTimeoutError,
)
from aiops_shared.metrics.datadog import DatadogMetrics
from aiops_shared.metrics.datadog_http import DatadogApi
from aiops_shared.metrics.ports import Target
from tests.fakes.clocks import FakeClock
from tests.lab.aws.conftest import T0
from tests.shared.http.wire_server import Reply, Seen, WireServer, as_json
from tests.shared.metrics.cloudwatch_stage import T0_S, window

DAY_S = 86_400


@dataclass
class DatadogStage:
    """A Datadog of the lab, and the driver on it."""

    observatory: Observatory
    driver: DatadogMetrics

    @property
    def telemetry(self) -> Telemetry:
        """What the world emits."""
        return self.observatory.telemetry

    def emit(self, metric: str, values: Callable[[Array], Array], kind: str = "gauge", **labels: str) -> None:
        """One Prometheus series of the world."""
        self.telemetry.signals.add(Signal(metric, labels, values, kind))

    @property
    def asked(self) -> int:
        """How many requests came."""
        return sum(1 for room, _, _ in self.observatory.log.asked if room == "datadog")


def steady(value: float) -> Callable[[Array], Array]:
    return lambda times: np.full(times.shape, value)


def keys(folder: Path, *lines: str) -> Path:
    path = folder / f"datadog-keys-{len(lines)}"
    path.write_text("\n".join(lines or (API_KEY, APPLICATION_KEY)) + "\n")
    return path


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[DatadogStage]:
    account = Account(started_at=T0, now=lambda: T0)
    observatory = Observatory(account, Directory(lambda: T0_S), lambda: T0)
    server = LoopbackServer(observatory_app(observatory))
    with listen("127.0.0.1", 0) as sock:
        serving = asyncio.get_running_loop().create_task(server.serve([sock]))
        await server.up.wait()
        api = DatadogApi(f"http://127.0.0.1:{port_of(sock)}/datadog", keys(tmp_path), 10.0)
        yield DatadogStage(observatory, DatadogMetrics(api, "my-cluster", FakeClock(T0)))
        await api.aclose()
        server.should_exit = True
        await serving


def pod(stage: DatadogStage, metric: str, name: str, values: Callable[[Array], Array], **labels: str) -> None:
    stage.emit(metric, values, namespace="n", pod=name, container="app", **labels)


async def test_a_named_question_gives_every_pod_of_a_workload_on_the_grid(stage: DatadogStage) -> None:
    memory, owner = "container_memory_working_set_bytes", "kube_pod_owner"
    for name, owned in (("web-1-a", "web"), ("web-1-b", "web"), ("other-1-c", "other")):
        of = {"owner_kind": "ReplicaSet", "owner_name": f"{owned}-5d8f9c7b6"}
        stage.emit(owner, steady(1.0), namespace="n", pod=name, **of)
        pod(stage, memory, name, lambda times: times - T0_S)
    asked = stage.driver.asks("memory", Target("n", "Deployment", "web"))
    found = await stage.driver.range(asked.query, window(1, 60))
    assert sorted(one.labels["pod"] for one in found.series) == ["web-1-a", "web-1-b"]
    assert np.array_equal(found.series[0].values, found.series[0].window.times_s() - T0_S)
    longer = (await stage.driver.range(asked.query, window(1, 300))).series[0]
    assert np.array_equal(longer.values, longer.window.times_s() - T0_S)  # of the moment, whatever the step
    mean = "avg:kubernetes.memory.working_set{pod_name:web-1-a}"
    averaged = (await stage.driver.range(mean, window(1, 300))).series[0]
    assert np.allclose(averaged.values, averaged.window.times_s() - T0_S - 180)  # of the step that ends there
    assert found.warnings == ()


async def test_requests_errors_and_percentiles_are_those_of_the_world(stage: DatadogStage) -> None:
    for status, rate in (("200", 9.0), ("500", 1.0)):
        labels = {"namespace": "n", "service": "shop", "route": "/", "status": status}
        stage.emit("http_requests_total", counted(steady(rate), T0_S - DAY_S), "counter", **labels)
        for bound, share in (("0.1", 0.5), ("0.2", 0.99), ("+Inf", 1.0)):
            values = counted(steady(rate * share), T0_S - DAY_S)
            stage.emit("http_request_duration_seconds_bucket", values, "counter", le=bound, **labels)
    expected = {
        "requests_total": 10.0,
        "requests": 10.0,
        "errors": 0.1,
        "latency_p50": 0.1,
        "latency_p99": 0.2,
    }
    for question, value in expected.items():
        asked = stage.driver.asks(question, Target("n", "Service", "shop"))
        (series,) = (await stage.driver.range(asked.query, window(1, asked.step_s))).series
        assert np.allclose(series.values, value), question
        assert dict(series.labels) == ({"route": "/"} if question == "requests" else {})
    calm = stage.driver.asks("errors", Target("n", "Service", "nobody"))
    assert (await stage.driver.range(calm.query, window(1, 300))).series == ()


async def test_long_windows_come_in_pieces_and_a_piece_that_fails_is_a_warning(stage: DatadogStage) -> None:
    pod(stage, "container_memory_working_set_bytes", "a", lambda times: times - T0_S)
    query = "sum:kubernetes.memory.working_set{kube_namespace:n} by {pod_name}"
    asked = window(24 * 3, 60)
    (series,) = (await stage.driver.range(query, asked)).series
    assert (stage.asked, series.missing) == (4, 0.0)
    assert (await stage.driver.estimate(query, asked)).requests == 4
    stage.observatory.account.area(DatadogLimit).left = 2
    part = await stage.driver.range(query, asked)
    assert 0.2 < part.series[0].missing < 0.8
    assert any("[throttled]" in one and "again in 30 s" in one for one in part.warnings)
    with pytest.raises(ThrottledError, match="in 30 s"):
        await stage.driver.range(query, asked)
    with pytest.raises(QueryInvalidError, match="requests"):
        await stage.driver.range(query, window(24 * 10, 60))


async def test_without_both_keys_nothing_is_asked_or_answered(stage: DatadogStage, tmp_path: Path) -> None:
    url = str(stage.driver._api._client.base_url)
    query = "avg:system.cpu.idle{*}"
    for file, error in (
        (None, NotConfiguredError),
        (tmp_path / "none", NotConfiguredError),
        (keys(tmp_path, "one"), NotConfiguredError),
        (keys(tmp_path, "a", "b"), AccessDeniedError),
    ):
        api = DatadogApi(url, file, 10.0)
        with pytest.raises(error, match="KEY_FILE"):
            await DatadogMetrics(api, "c", FakeClock(T0)).range(query, window())
        await api.aclose()
    assert stage.asked == 1


async def test_search_and_wrong_queries(stage: DatadogStage) -> None:
    pod(stage, "container_memory_working_set_bytes", "a", steady(1.0))
    found = await stage.driver.search("memory working set", limit=1)
    assert [one.name for one in found] == ["kubernetes.memory.working_set"]
    with pytest.raises(QueryInvalidError, match="Error parsing query"):
        await stage.driver.range("anomalies(avg:kubernetes.memory.working_set{*}, 'basic', 2)", window())
    for wrong in ("", "kubernetes.memory", "avg:"):
        with pytest.raises(QueryInvalidError, match="no Datadog query"):
            await stage.driver.range(wrong, window())
    with pytest.raises(QueryInvalidError, match="Datadog answers"):
        stage.driver.asks("retransmissions", Target())


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply(b"{", 200), UpstreamError),
        (as_json({"status": "ok"}), UpstreamError),
        (as_json({"status": "ok", "series": [1]}), UpstreamError),
        (as_json({"status": "error", "error": "too wide"}), QueryInvalidError),
        (as_json({"errors": ["down"]}, 503), UpstreamError),
        (as_json({"errors": ["Rate limit"]}, 429, X_RateLimit_Reset="7"), ThrottledError),
        (as_json({"errors": ["Forbidden"]}, 403), AccessDeniedError),
    ],
)
async def test_a_datadog_that_is_odd_is_a_clear_error(
    reply: Reply, error: type[Exception], tmp_path: Path
) -> None:
    def answer(seen: Seen) -> Reply:
        assert seen.headers["dd-api-key"] == API_KEY
        return reply

    async with WireServer(answer) as server:
        api = DatadogApi(server.url, keys(tmp_path), 5.0)
        with pytest.raises(error):
            await DatadogMetrics(api, "c", FakeClock(T0)).range("avg:system.cpu.idle{*}", window())
        await api.aclose()


async def test_a_silent_datadog_times_out_and_misshapen_points_are_gaps(tmp_path: Path) -> None:
    good = [(T0_S - 60) * 1000, 2.0]
    rows = [
        {
            "tag_set": ["pod_name:a"],
            "interval": 600,
            "pointlist": [good, [1], "x", [None, 3], [good[0], None]],
        }
    ]
    async with WireServer(lambda seen: as_json({"status": "ok", "series": rows})) as server:
        api = DatadogApi(server.url, keys(tmp_path), 5.0)
        found = await DatadogMetrics(api, "c", FakeClock(T0)).range("avg:system.cpu.idle{*}", window())
        assert (dict(found.series[0].labels), found.series[0].seen) == ({"pod": "a"}, 1)
        assert found.warnings == ("Datadog answered in buckets of 600 s",)
        await api.aclose()

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await anyio.sleep(30)

    async with WireServer(lambda seen: Reply(pieces=never)) as server:
        api = DatadogApi(server.url, keys(tmp_path), 0.5)
        with pytest.raises(UpstreamTimeoutError):
            await DatadogMetrics(api, "c", FakeClock(T0)).range("avg:system.cpu.idle{*}", window())
        await api.aclose()
