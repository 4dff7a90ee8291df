"""The kit with which stories emit metrics, read back through PromQL: what was told is what is measured."""

import numpy as np
import pytest

from aiops_lab.promql.queries import instant_query
from aiops_lab.promql.storage import SignalStorage
from aiops_lab.telemetry.distributions import lognormal_share
from aiops_lab.telemetry.signals import Array, Signal, Signals, noise
from aiops_lab.telemetry.workloads import (
    DAY_S,
    GI,
    MI,
    NodeFacts,
    PodFacts,
    RouteFacts,
    emit_autoscaler,
    emit_cni,
    emit_dns,
    emit_karpenter,
    emit_node,
    emit_pod,
    emit_requests,
    stepped,
)

NOW_S = 1_790_000_000 // 60 * 60


def numbers(signals: Signals, text: str) -> list[float]:
    storage = SignalStorage(signals, lambda: float(NOW_S))
    return [float(one["value"][1]) for one in instant_query(storage, text, NOW_S * 1000)["result"]]


def number(signals: Signals, text: str) -> float:
    (found,) = numbers(signals, text)
    return found


def test_a_pod_uses_what_was_told_but_never_more_than_its_limit() -> None:
    signals = Signals()
    pod = PodFacts(
        "production", "api-1", node="n1", owner_name="api-5d8", labels={"app.kubernetes.io/name": "api"},
        memory_limit_bytes=GI, cpu_request_cores=0.25, since_s=NOW_S - DAY_S,
    )  # fmt: skip
    emit_pod(signals, pod, memory=lambda t: 310 * MI + (t - NOW_S + 7200) * 2 * MI, cpu=0.2, restarts=2)
    memory = "container_memory_working_set_bytes"
    assert number(signals, memory) == GI
    assert number(signals, f"{memory} offset 2h") == pytest.approx(310 * MI, rel=0.2)
    assert number(signals, "rate(container_cpu_usage_seconds_total[1h])") == pytest.approx(0.2, rel=0.05)
    assert number(signals, "kube_pod_container_status_restarts_total") == 2
    assert numbers(signals, 'kube_pod_labels{label_app_kubernetes_io_name="api"}') == [1]
    assert numbers(signals, 'kube_pod_owner{owner_kind="ReplicaSet",owner_name="api-5d8"}') == [1]
    assert number(signals, 'kube_pod_container_resource_limits{resource="memory",unit="byte"}') == GI
    assert number(signals, 'kube_pod_container_resource_requests{resource="cpu",unit="core"}') == 0.25
    assert number(signals, "sum(kube_pod_status_phase)") == 1


def test_requests_have_their_rate_and_their_percentiles() -> None:
    signals = Signals()
    route = RouteFacts("shop", "/cart", "production", since_s=NOW_S - 28 * DAY_S)
    emit_requests(signals, route, rate=100.0, latency_s=0.08, spread=0.4)
    emit_requests(signals, route, rate=2.0, status="500", latency_s=0.4)
    share = 'sum(rate(http_requests_total{status=~"5.."}[10m])) / sum(rate(http_requests_total[10m]))'
    assert number(signals, share) == pytest.approx(2 / 102, rel=0.05)
    median = (
        'histogram_quantile(0.5, sum by (le) (rate(http_request_duration_seconds_bucket{status="200"}[10m])))'
    )
    assert number(signals, median) == pytest.approx(0.08, rel=0.15)
    buckets = 'http_request_duration_seconds_bucket{status="200",le="+Inf"}'
    assert number(signals, f'{buckets} - ignoring(le) http_requests_total{{status="200"}}') == 0
    everything = "rate(http_requests_total[1h] offset 27d)"
    assert sorted(numbers(signals, everything)) == pytest.approx([2, 100], rel=0.05)


def test_a_node_has_its_size_its_load_and_its_conditions() -> None:
    signals = Signals()
    node = NodeFacts("n1", "us-east-1b", since_s=NOW_S - DAY_S, address="10.0.1.42")
    pressed = stepped([(NOW_S - DAY_S, 0.0), (NOW_S - 600, 1.0)])
    lost = stepped([(NOW_S - DAY_S, 1.0), (NOW_S - 300, np.nan)])
    emit_node(signals, node, cpu=1.0, disk_used=70 * GI, conditions={"DiskPressure": pressed, "Ready": lost})
    busy = 'sum(rate(node_cpu_seconds_total{mode!="idle"}[30m])) / count(node_cpu_seconds_total{mode="idle"})'
    assert number(signals, busy) == pytest.approx(0.25, rel=0.05)
    assert number(signals, "node_filesystem_size_bytes - node_filesystem_avail_bytes") == 70 * GI
    holds = 'kube_node_status_condition{condition="DiskPressure",status="true"}'
    assert (number(signals, holds), number(signals, f"{holds} offset 15m")) == (1, 0)
    assert number(signals, 'kube_node_status_condition{condition="Ready",status="unknown"}') == 1
    assert numbers(signals, 'kube_node_labels{label_topology_kubernetes_io_zone="us-east-1b"}') == [1]


def test_what_stands_around_workloads_is_there_under_its_names() -> None:
    signals = Signals()
    node = NodeFacts("n1", "us-east-1b", since_s=NOW_S - DAY_S)
    emit_cni(signals, node, assigned=14, total=14, errors_per_s=0.1)
    emit_dns(signals, PodFacts("kube-system", "coredns-1", "coredns", since_s=NOW_S - DAY_S), latency_s=0.004)
    emit_autoscaler(signals, "production", "shop", least=4, most=30, current=9, desired=12)
    emit_karpenter(signals, created=3)
    assert number(signals, "awscni_total_ip_addresses - awscni_assigned_ip_addresses") == 0
    assert number(signals, "increase(awscni_ipamd_error_count[10m])") == pytest.approx(60, rel=0.01)
    slow = "histogram_quantile(0.5, rate(coredns_dns_request_duration_seconds_bucket[10m]))"
    assert number(signals, slow) == pytest.approx(0.004, rel=0.2)
    assert number(signals, "kube_horizontalpodautoscaler_status_desired_replicas") == 12
    assert number(signals, "karpenter_nodes_created_total") == 3


def test_told_series_count_before_measured_ones_and_silenced_ones_are_not_there() -> None:
    class Measured:
        def names(self) -> tuple[str, ...]:
            return ("temperature",)

        def of(self, metric: str) -> list[Signal]:
            return [Signal(metric, {"room": each}, lambda t: np.ones(t.shape)) for each in "abc"]

    signals = Signals(sources=[Measured()])
    signals.add(Signal("temperature", {"room": "a"}, lambda t: np.full(t.shape, 7.0)))
    signals.replace("temperature", room="b")
    assert sorted(numbers(signals, "temperature")) == [1, 7]


def test_noise_and_shares_are_those_of_their_distributions() -> None:
    moments: Array = NOW_S + np.arange(0, 600_000, 60, dtype=np.float64)
    drawn = noise("key", moments, 0.04)
    assert abs(float(drawn.mean())) < 0.002
    assert float(drawn.std()) == pytest.approx(0.04, rel=0.05)
    assert np.array_equal(drawn[100:200], noise("key", moments[100:200], 0.04))
    shares = lognormal_share(0.1, np.array([0.1, 0.05]), 0.5)
    assert shares == pytest.approx([0.5, 0.9172], abs=1e-3)
    assert lognormal_share(0.1, np.array([0.2]), 0.0).tolist() == [0.0]
