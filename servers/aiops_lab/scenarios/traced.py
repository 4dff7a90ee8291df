"""Traces and figures that stories share: the shop's requests, their replay over a window, and calm signals.

`requests_of` emits what a mix of requests does to the request metrics (rate, failures, latency) beside its
traces, so that both tell one story.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from zlib import crc32

import numpy as np

from aiops_lab.aws.vpc import Vpc
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.telemetry.request_paths import Hop, Mix, Place, Placing, played
from aiops_lab.telemetry.signals import Signal, counted
from aiops_lab.telemetry.workloads import Quantity, RouteFacts, emit_requests, noisy

MIN_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
HOME = "production"
AFTER_S = 30 * MIN_S  # traces go on for so long after T0, for worlds that are watched on


@dataclass(frozen=True, slots=True)
class Shop:
    """Who calls whom: gateway -> service -> proxy -> database, and a side call to a cache."""

    gateway: str
    service: str
    proxy: str
    database: str
    cache: str
    route: str


def shop(names: Names) -> Shop:
    """The services of a world's requests."""
    if names.seed == 0:
        return Shop("api-gateway", "api-service", names.api, "orders-db", "sessions-cache", "/api/orders")
    first, second, third = names.others[3:6]
    return Shop(
        f"{first}-gateway", f"{second}-service", names.api, f"{second}-db", f"{third}-cache", f"/{second}"
    )


def request(who: Shop, route: str = "", *, database: Hop | None = None) -> Hop:
    """One request through all of them."""
    last = database or Hop(who.database, "query", 0.006, silent=True)
    proxy = Hop(who.proxy, "query", 0.003, calls=(last,))
    cache = Hop(who.cache, "get", 0.0008, silent=True)
    service = Hop(who.service, route or who.route, 0.006, calls=(cache, proxy))
    return Hop(who.gateway, route or who.route, 0.003, calls=(service,))


def on_nodes(stage: Stage, *, versions: Callable[[str, float, Random], str] | None = None) -> Placing:
    """Services run on the nodes of the request's own zone, one pod on each; read when somebody asks."""

    def place(service: str, zone: str, at_s: float, rng: Random) -> Place:
        instances = list(stage.aws.area(Vpc).instances.values())
        names = sorted(one.name for one in instances if one.zone == zone) or [""]
        name = rng.choice(names)
        version = versions(service, at_s, rng) if versions else ""
        pod = f"{service}-{crc32(f'{service}/{name}/{version}'.encode()) % 0xFFFFF:05x}"
        return Place(zone, name, pod, version)

    return place


def replay(
    stage: Stage, mix: Mix, *, from_s: float, per_minute: float, key: str, until_s: float = -AFTER_S
) -> None:
    """Let a mix happen from so long before T0 until after it, so many sampled requests a minute."""
    t0_s = stage.telemetry.t0_s
    count = round((from_s - until_s) / 60 * per_minute)
    make = partial(played, mix, count=count, since_s=t0_s - from_s, until_s=t0_s - until_s, seed=key)
    stage.telemetry.traces.later(make)


def requests_of(
    stage: Stage,
    service: str,
    route: str,
    *,
    rate: float,
    failing: Quantity,
    latency_s: Quantity,
    since_s: float,
) -> None:
    """Request metrics of a service from so long before T0: `failing` is the share of answers that are 504."""
    facts = RouteFacts(service, route, HOME, stage.telemetry.t0_s - since_s)
    requests_with(stage, facts, rate=rate, failing=failing, latency_s=latency_s)


def requests_with(
    stage: Stage, facts: RouteFacts, *, rate: Quantity, failing: Quantity, latency_s: Quantity
) -> None:
    """The same with labels of their own: a zone, a version."""
    arriving = noisy("", rate, 0.0)
    share = noisy(f"{facts.service}/failing", failing, 0.0)
    emit_requests(
        stage.telemetry.signals,
        facts,
        rate=lambda t: arriving(t) * (1 - share(t)),
        status="200",
        latency_s=latency_s,
    )
    emit_requests(
        stage.telemetry.signals,
        facts,
        rate=lambda t: arriving(t) * share(t),
        status="504",
        latency_s=30.0,
        spread=0.02,
    )


def flows(
    stage: Stage, subnet: str, *, retransmissions: Quantity, timeouts: Quantity, since_s: float
) -> None:
    """What a flow monitor counts for a subnet, per second."""
    begin = stage.telemetry.t0_s - since_s
    for metric, each in (("nfm_retransmissions_total", retransmissions), ("nfm_timeouts_total", timeouts)):
        values = counted(noisy(f"{metric}/{subnet}", each), begin)
        stage.telemetry.signals.add(Signal(metric, {"subnet": subnet}, values, "counter", begin))


def database(
    stage: Stage, name: str, *, cpu: Quantity, connections: Quantity, since_s: float = DAY_S
) -> None:
    """What a database says of itself: RDS to CloudWatch (in percent), an exporter to Prometheus."""
    begin = stage.telemetry.t0_s - since_s
    where = {"DBInstanceIdentifier": name}
    used, opened = noisy(f"{name}/cpu", cpu), noisy(f"{name}/connections", connections)
    stage.telemetry.cloud.add(
        Signal("AWS/RDS/CPUUtilization", where | {"unit": "Percent"}, used, "gauge", begin),
        Signal("AWS/RDS/DatabaseConnections", where | {"unit": "Count"}, opened, "gauge", begin),
    )
    stage.telemetry.signals.add(Signal("pg_stat_activity_count", {"datname": name}, opened, "gauge", begin))


def since(stage: Stage, before_s: float, before: float, after: float) -> Quantity:
    """One level until so long before T0, another from then on."""
    turn = stage.telemetry.t0_s - before_s
    return lambda times_s: np.where(times_s >= turn, after, before)
