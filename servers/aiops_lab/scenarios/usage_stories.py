"""What is used, and what is only paid for: F12, F12b (a workload's use), F8 (its nodes), F19b (its metrics).

Told by metrics over weeks. Percentiles are exact by construction: the time of day, folded at noon, is
uniform, so a quantile function of it has the quantiles that it is given.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import numpy as np

from aiops_lab.billing.everyday import everyday
from aiops_lab.billing.fleets import PROMETHEUS
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.lines import Line
from aiops_lab.billing.price_table import SERVICES
from aiops_lab.billing.quantities import flat
from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.telemetry.rules import MetricRule
from aiops_lab.telemetry.signals import Array, Values
from aiops_lab.telemetry.workloads import (
    GI,
    MI,
    NodeFacts,
    Profile,
    RouteFacts,
    emit_node,
    emit_requests,
)

HOME = "production"
DAY_S = 86_400.0
MONTH_DAYS = 30
WOBBLE = 0.01


@dataclass(frozen=True, slots=True)
class Used:
    """What one pod of a workload uses: quantiles of cores and of bytes."""

    workload: str
    cpu_p95: float
    cpu_p99: float
    memory_p99: float
    replicas: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """Nodes of one pool and how full they are, as shares of their capacity."""

    pool: str
    kind: str
    nodes: int
    cores: int
    memory_bytes: float
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class Hoard:
    """Series of a store: all, and those of metrics that nobody ever queried."""

    series: int
    idle: int
    every_s: int = 60

    @property
    def samples(self) -> int:
        """Of thirty days."""
        return self.series * round(MONTH_DAYS * DAY_S / self.every_s)

    @property
    def share(self) -> float:
        """The idle part."""
        return self.idle / self.series


def folded(quantiles: tuple[tuple[float, float], ...]) -> Values:
    """A quantity with these quantiles over any whole day, highest at noon UTC: ((0, low), …, (1, high))."""
    shares, values = (np.array(column) for column in zip(*quantiles, strict=True))

    def told(times_s: Array) -> Array:
        day = times_s % DAY_S / DAY_S
        return np.asarray(np.interp(1.0 - np.abs(2.0 * day - 1.0), shares, values))

    return told


def bare(names: Names) -> Used:
    """F12: a workload without requests and limits; seed 0 is the page's. Furniture takes the first names."""
    if names.seed == 0:
        return Used("web", 0.210, 0.260, 380 * MI, 3)
    rng, scale = Random(f"bare/{names.seed}"), Random(f"bare/scale/{names.seed}").uniform(0.5, 3)
    return Used(names.others[-1], 0.210 * scale, 0.260 * scale, rng.uniform(200, 900) * MI, rng.randint(2, 4))


def oversized(names: Names) -> Used:
    """F12b: one that asks for 2 cores and 4 GiB, and uses 150 m and 500 MiB."""
    if names.seed == 0:
        return Used("report", 0.140, 0.150, 500 * MI, 2)
    rng = Random(f"oversized/{names.seed}")
    peak = rng.uniform(0.1, 0.3)
    return Used(names.others[-2], 0.93 * peak, peak, rng.uniform(300, 800) * MI, rng.randint(2, 3))


def fleet(names: Names) -> Fleet:
    """F8: 8 c5.4xlarge, CPU 32 of 128, memory 220 of 256 GiB on the page."""
    if names.seed == 0:
        return Fleet("compute", "c5.4xlarge", 8, 16, 32 * GI, 32 / 128, 220 / 256)
    rng = Random(f"fleet/{names.seed}")
    pool = rng.choice(("batch", "general", "web", "jobs"))
    return Fleet(
        pool, "c5.4xlarge", rng.randint(5, 9), 16, 32 * GI, rng.uniform(0.2, 0.3), rng.uniform(0.8, 0.9)
    )


def hoard(names: Names) -> Hoard:
    """F19b: 2.1 million active series, 38 % of them go_* and process_* that nobody queries."""
    if names.seed == 0:
        return Hoard(2_100_000, 798_000)
    rng = Random(f"hoard/{names.seed}")
    series = rng.randrange(400_000, 4_000_000, 1000)
    return Hoard(series, int(series * rng.uniform(0.2, 0.5)))


def _workload(stage: Stage, names: Names, used: Used, resources: dict[str, dict[str, str]]) -> None:
    image = stage.publish(names.image(used.workload, "2.4.1"), Image(serving(used.workload)))
    main = container("app", image, readinessProbe=http_probe("/ready")) | {"resources": resources}
    pod = template({"app": used.workload}, [main])
    stage.put_at(21 * DAY_S, deployment(HOME, used.workload, used.replicas, pod))
    stage.put_at(21 * DAY_S, service(HOME, used.workload, used.workload))
    cpu, top = used.cpu_p95, used.cpu_p99
    cores = folded(((0.0, 0.3 * cpu), (0.5, 0.6 * cpu), (0.95, cpu), (0.99, top), (1.0, 1.1 * top)))
    memory = folded(((0.0, 0.7 * used.memory_p99), (0.99, used.memory_p99), (1.0, 1.01 * used.memory_p99)))
    stage.telemetry.profiles.append(Profile(HOME, used.workload, memory=memory, cpu=cores, sigma=WOBBLE))
    route = RouteFacts(used.workload, "/", HOME, since_s=stage.telemetry.t0_s - 21 * DAY_S)
    emit_requests(stage.telemetry.signals, route, rate=folded(((0.0, 20.0), (1.0, 120.0))))


def _bare(stage: Stage, names: Names, rng: Random) -> None:
    del rng
    _workload(stage, names, bare(names), {})


def _oversized(stage: Stage, names: Names, rng: Random) -> None:
    del rng
    asked = {"cpu": "2", "memory": "4Gi"}
    _workload(stage, names, oversized(names), {"requests": asked, "limits": {"memory": "4Gi"}})


def _fleet(stage: Stage, names: Names, rng: Random) -> None:
    told = fleet(names)
    for number in range(told.nodes):
        zone = "us-east-1" + "abc"[number % 3]
        facts = NodeFacts(
            f"ip-10-0-{number % 3}-{rng.randrange(100, 130) + number * 3}.ec2.internal",
            zone,
            since_s=stage.telemetry.t0_s - 21 * DAY_S,
            instance_type=told.kind,
            cores=told.cores,
            memory_bytes=told.memory_bytes,
            labels={"karpenter.sh/nodepool": told.pool, "karpenter.sh/capacity-type": "on-demand"},
        )
        emit_node(
            stage.telemetry.signals,
            facts,
            cpu=told.cpu * told.cores,
            memory=told.memory * told.memory_bytes,
            sigma=WOBBLE,
        )


# What Go's client library gives every program (client_golang, collectors), asked for or not.
_IDLE = (
    *("go_gc_duration_seconds", "go_gc_heap_allocs_by_size_bytes_bucket", "go_gc_pauses_seconds_bucket"),
    *("go_goroutines", "go_info", "go_memstats_alloc_bytes", "go_memstats_heap_inuse_bytes"),
    *("go_memstats_heap_objects", "go_memstats_mallocs_total", "go_sched_latencies_seconds_bucket"),
    *("go_threads", "process_cpu_seconds_total", "process_max_fds", "process_open_fds"),
    *("process_resident_memory_bytes", "process_start_time_seconds", "process_virtual_memory_bytes"),
)
_BUSY = (
    *("http_request_duration_seconds_bucket", "http_requests_total", "grpc_server_handled_total"),
    *("container_network_receive_bytes_total", "container_fs_reads_bytes_total", "kube_pod_status_reason"),
    *("apiserver_request_duration_seconds_bucket", "etcd_request_duration_seconds_bucket"),
    *("istio_request_duration_milliseconds_bucket", "kubelet_runtime_operations_total"),
)


def _samples_billed(stage: Stage, told: Hoard) -> None:
    """The everyday bill, and the samples that are written to Amazon Managed Service for Prometheus too.

    Thirty days cost what a month costs by the tiers of the lab's price list; each day a thirtieth.
    """
    first = datetime.fromtimestamp(stage.telemetry.t0_s, UTC).date() - timedelta(days=400)
    cost = hoard_usd(told.samples)
    line = Line(
        PROMETHEUS,
        "USE1-AMP:MetricSampleCount",
        cost / told.samples,
        flat(told.samples / MONTH_DAYS),
        unit="Metric Samples",
        operation="RemoteWrite",
    )
    ledger = stage.aws.area(Ledger)
    ledger.since, ledger.lines = first, (*everyday(), line)


def hoard_usd(samples: int) -> Decimal:
    """What so many samples of one month cost, USD: by the tiers of the lab's price list."""
    tiers = [(int(begin), Decimal(price)) for begin, price in SERVICES["amp samples"].tiers]
    ends = [begin for begin, _ in tiers[1:]] + [samples]
    return sum(
        (price * max(0, min(samples, end) - begin) for (begin, price), end in zip(tiers, ends, strict=True)),
        Decimal(0),
    )


def _hoard(stage: Stage, names: Names, rng: Random) -> None:
    told, rules = hoard(names), stage.telemetry.rules
    _samples_billed(stage, told)
    for metrics, series in ((_IDLE, told.idle), (_BUSY, told.series - told.idle)):
        weights = [rng.uniform(0.3, 3.0) for _ in metrics]
        sizes = [int(series * weight / sum(weights)) for weight in weights]
        sizes[0] += series - sum(sizes)
        rules.ballast |= dict(zip(metrics, sizes, strict=True))
    rules.asked = dict.fromkeys(_IDLE, 0) | {name: rng.randint(50, 90_000) for name in _BUSY}
    # What the world itself emits is on dashboards.
    rules.asked |= {name: rng.randint(500, 9000) for name in stage.telemetry.signals.names()}
    rules.asked_since_s = stage.telemetry.t0_s - 60 * DAY_S
    query = 'sum(rate(http_requests_total{status=~"5.."}[5m])) > 10'
    rules.rules.append(MetricRule("HighErrorRate", query, for_s=300.0, labels={"severity": "page"}))


SCENARIOS = (
    Scenario(
        "unlimited-workload",
        "A workload without requests and limits",
        "Three weeks of use with a daily cycle: what to request can be read from it.",
        "F12",
        _bare,
    ),
    Scenario(
        "oversized-workload",
        "A workload that asks for far more than it uses",
        "Requests of 2 cores and 4 GiB, of which a tenth is used.",
        "F12b",
        _oversized,
    ),
    Scenario(
        "idle-cores",
        "Nodes full of memory whose cores idle",
        "Eight compute nodes at a quarter of their CPU and 86 % of their memory.",
        "F8",
        _fleet,
    ),
    Scenario(
        "observability-cost",
        "Two million series, a third of them never queried",
        "The store counts queries: the Go runtime's and the process's metrics were never asked for.",
        "F19b",
        _hoard,
    ),
)
