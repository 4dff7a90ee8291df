"""What stands around workloads and emits metrics too: the CNI, DNS, autoscalers, Karpenter.

Used through `workloads.py`.
"""

from math import exp

from aiops_lab.telemetry.distributions import lognormal_share
from aiops_lab.telemetry.facts import (
    SIGMA,
    NodeFacts,
    PodFacts,
    Quantity,
    bound_of,
    counts_since,
    function,
    noisy,
)
from aiops_lab.telemetry.signals import Signal, Signals, Values, counted

DNS_BUCKETS_S = tuple(0.00025 * 2**power for power in range(16))  # plugin/metrics/vars of CoreDNS


def emit_cni(
    signals: Signals,
    node: NodeFacts,
    *,
    assigned: Quantity,
    total: Quantity,
    enis: Quantity = 2.0,
    errors_per_s: Quantity = 0.0,
) -> None:
    """The VPC CNI of a node: addresses given to pods, addresses held, interfaces, and its failed calls."""
    labels = {"node": node.node}
    gauges = (
        ("awscni_assigned_ip_addresses", assigned),
        ("awscni_total_ip_addresses", total),
        ("awscni_eni_allocated", enis),
    )
    failed = counted(function(errors_per_s), node.since_s)
    signals.add(
        *(
            Signal(name, labels, function(value), "gauge", node.since_s, node.until_s)
            for name, value in gauges
        ),
        Signal("awscni_ipamd_error_count", labels, failed, "counter", node.since_s, node.until_s),
    )


def emit_dns(
    signals: Signals,
    pod: PodFacts,
    *,
    rate: Quantity = 40.0,
    latency_s: Quantity = 0.0008,
    spread: float = 0.6,
    sigma: float = SIGMA,
) -> None:
    """CoreDNS in one pod: answers per second and their duration."""
    arriving = noisy(f"dns/{pod.pod}", rate, sigma)
    median, since_s = function(latency_s), counts_since(pod.since_s)
    histogram, labels = "coredns_dns_request_duration_seconds", {**pod.place, "server": "dns://:53"}

    def counter(metric: str, share: Values, **more: str) -> Signal:
        values = counted(lambda times_s: arriving(times_s) * share(times_s), since_s)
        return Signal(metric, labels | more, values, "counter", pod.since_s, pod.until_s)

    def within(bound_s: float) -> Values:
        return lambda times_s: lognormal_share(bound_s, median(times_s), spread)

    everything = function(1.0)
    signals.add(
        counter(f"{histogram}_count", everything),
        counter(f"{histogram}_sum", lambda times_s: median(times_s) * exp(spread**2 / 2)),
        *(counter(f"{histogram}_bucket", within(bound), le=bound_of(bound)) for bound in DNS_BUCKETS_S),
        counter(f"{histogram}_bucket", everything, le="+Inf"),
    )


def emit_autoscaler(
    signals: Signals, namespace: str, name: str, *, least: Quantity, most: Quantity, current: Quantity,
    desired: Quantity | None = None,
) -> None:  # fmt: skip
    """One HorizontalPodAutoscaler, in replicas."""
    labels = {"namespace": namespace, "horizontalpodautoscaler": name}
    gauges = {
        "spec_min_replicas": least,
        "spec_max_replicas": most,
        "status_current_replicas": current,
        "status_desired_replicas": current if desired is None else desired,
    }
    signals.add(
        *(Signal(f"kube_horizontalpodautoscaler_{what}", labels, function(n)) for what, n in gauges.items())
    )


def emit_karpenter(signals: Signals, *, created: Quantity, nodepool: str = "default") -> None:
    """How many nodes Karpenter made so far."""
    labels = {"nodepool": nodepool, "reason": "provisioned"}
    signals.add(Signal("karpenter_nodes_created_total", labels, function(created), "counter"))
