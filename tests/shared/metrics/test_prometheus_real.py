"""The driver on a real Prometheus: values, owners of pods, estimates against what was read, discovery."""

import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from aiops_lab.observatory.real_prometheus import RealPrometheus, window
from aiops_lab.promql.storage import SignalStorage
from aiops_lab.telemetry.signals import Signals
from aiops_lab.telemetry.workloads import (
    GI,
    MI,
    NodeFacts,
    PodFacts,
    RouteFacts,
    emit_node,
    emit_pod,
    emit_requests,
)
from aiops_shared.errors import NotFoundError, QueryInvalidError
from aiops_shared.metrics.ports import Target
from aiops_shared.metrics.prometheus import Bounds, PrometheusMetrics
from aiops_shared.metrics.prometheus_http import Place, PrometheusApi
from aiops_shared.metrics.questions import QUESTIONS
from aiops_shared.metrics.series import Window
from tests.fakes.clocks import FakeClock
from tests.prometheus_server import real_prometheus_of

END_S = (time.time() - 120) // 60 * 60
SINCE_S = END_S - 6 * 3600
END = datetime.fromtimestamp(END_S, UTC)
WINDOW = Window.over(END - timedelta(hours=5), END, 300)
HOME, API = "production", "user-api"


def emitted() -> Signals:
    signals = Signals()
    for number in range(3):
        pod = PodFacts(
            HOME,
            f"{API}-6c9d7f5b8-x2k4{number}",
            node="n1",
            owner_name=f"{API}-6c9d7f5b8",
            image="registry.example/user:v2.0.1",
            memory_limit_bytes=GI,
            cpu_request_cores=0.5,
            memory_request_bytes=GI / 2,
            since_s=SINCE_S,
        )
        emit_pod(signals, pod, memory=300 * MI, cpu=0.2, sigma=0.0)
    daemon = PodFacts(
        HOME, f"{API}-agent-x2k4q", owner_kind="DaemonSet", owner_name=f"{API}-agent", since_s=SINCE_S
    )
    emit_pod(signals, daemon, memory=999 * MI, sigma=0.0)
    for status, rate in (("200", 9.0), ("500", 1.0)):
        route = RouteFacts(API, "/a", HOME, since_s=SINCE_S, labels={"zone": "us-east-1a"})
        emit_requests(signals, route, rate=rate, status=status, sigma=0.0)
    emit_node(signals, NodeFacts("n1", "us-east-1a", since_s=SINCE_S), cpu=1.0, disk_used=70 * GI, sigma=0.0)
    return signals


@pytest.fixture(scope="module")
def real() -> Iterator[RealPrometheus]:
    storage = SignalStorage(emitted(), time.time)
    with real_prometheus_of(window(storage, SINCE_S, END_S)) as server:
        yield server


@pytest.fixture
async def backend(real: RealPrometheus) -> AsyncIterator[PrometheusMetrics]:
    made = PrometheusMetrics(
        PrometheusApi(Place(real.url, "Prometheus", 10)), FakeClock(END), Bounds(5_000_000)
    )
    yield made
    await made.aclose()


VALUES = {
    ("memory", "Deployment", API): 300 * MI,
    ("memory_of_limit", "Deployment", API): 300 / 1024,
    ("memory_request", "Deployment", API): GI / 2,
    ("memory_by_version", "Deployment", API): 300 * MI,
    ("memory", "DaemonSet", f"{API}-agent"): 999 * MI,
    ("cpu", "Deployment", API): 0.2,
    ("cpu_of_request", "Deployment", API): 0.4,
    ("restarts", "Deployment", API): 0.0,
    ("requests", "Service", API): 10.0,
    ("requests_total", "Deployment", API): 10.0,
    ("errors", "Service", API): 0.1,
    ("errors_by_zone", "Service", API): 0.1,
    ("latency_p50", "Service", API): 0.02,
    ("node_cpu", "Node", "n1"): 0.25,
    ("node_disk_used", "Node", "n1"): 70 * GI / (83_873_772 * 1024),
    ("nodepool_cpu", "NodePool", "none"): None,
    ("cluster_cpu", "Cluster", ""): 0.25,
    ("node_pressure", "Cluster", ""): 0.0,
}


@pytest.mark.parametrize(("what", "kind", "name"), list(VALUES))
async def test_a_named_question_has_its_value(
    backend: PrometheusMetrics, what: str, kind: str, name: str
) -> None:
    asked = backend.asks(what, Target(HOME, kind, name))
    answer = await backend.range(asked.query, WINDOW)
    expected = VALUES[what, kind, name]
    if expected is None:
        assert answer.series == ()
        return
    assert len(answer.series) == (
        3 if kind == "Deployment" and QUESTIONS[what].per == ("pod",) else len(answer.series)
    )
    for one in answer.series:
        assert set(one.labels) <= set(QUESTIONS[what].per)
        assert one.seen == WINDOW.points
        assert float(np.mean(one.values)) == pytest.approx(expected, rel=0.05, abs=1e-9)


@pytest.mark.parametrize(
    "query",
    [
        "container_memory_working_set_bytes",
        "rate(container_cpu_usage_seconds_total[1h])",
        "sum by (route) (rate(http_requests_total[5m]))",
        "histogram_quantile(0.9, sum by (le) (rate(http_request_duration_seconds_bucket[10m])))",
        "max_over_time(rate(container_cpu_usage_seconds_total[5m])[1h:1m])",
        'sum(node_memory_MemTotal_bytes) - sum(node_memory_MemAvailable_bytes{node="n1"})',
        "avg_over_time(node_filesystem_avail_bytes[30m] offset 1h)",
        "sum_over_time(container_memory_working_set_bytes[6h])",
    ],
)
async def test_the_estimate_is_within_twice_of_what_is_read(backend: PrometheusMetrics, query: str) -> None:
    cost, answer = await backend.estimate(query, WINDOW), await backend.range(query, WINDOW)
    assert answer.samples / 2 <= cost.samples <= 2 * answer.samples


async def test_a_query_over_the_bound_is_refused(real: RealPrometheus) -> None:
    tight = PrometheusMetrics(PrometheusApi(Place(real.url, "Prometheus", 10)), FakeClock(END), Bounds(1000))
    with pytest.raises(QueryInvalidError, match="1,000 is the most"):
        await tight.range("rate(container_cpu_usage_seconds_total[1h])", WINDOW)
    await tight.aclose()


async def test_names_labels_and_kinds_are_found(backend: PrometheusMetrics) -> None:
    (best, *_) = await backend.search("container_memory_workingset_byte", limit=3)
    assert (best.name, best.labels) == (
        "container_memory_working_set_bytes",
        ("container", "namespace", "node", "pod"),
    )
    labels = dict(await backend.labels("http_requests_total"))
    assert labels["status"] == ("200", "500")
    with pytest.raises(NotFoundError, match="nearest: http_requests_total"):
        await backend.labels("http_request_total")
    assert await backend.rules() == ()
    assert await backend.alerts() == ()
    size = await backend.cardinality()
    assert not size.told
    assert any("does not count queries" in warning for warning in size.warnings)


@pytest.mark.threat("T4")
async def test_a_shared_store_answers_for_one_cluster_alone(real: RealPrometheus) -> None:
    api = PrometheusApi(Place(real.url, "Prometheus", 10))
    mine = PrometheusMetrics(api, FakeClock(END), Bounds(5_000_000, ("service", API)))
    other = PrometheusMetrics(api, FakeClock(END), Bounds(5_000_000, ("service", 'x"} or {service=~".+')))
    assert (await mine.range("sum(http_requests_total)", WINDOW)).series
    assert (await other.range("sum(http_requests_total)", WINDOW)).series == ()
    assert {one.name for one in await mine.search("", limit=50)} == {
        "http_requests_total",
        *(f"http_request_duration_seconds_{end}" for end in ("bucket", "count", "sum")),
    }
    assert await other.search("http", limit=5) == ()
    await mine.aclose()
