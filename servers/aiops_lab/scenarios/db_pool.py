"""F-b1: a change of settings takes a connection pool from fifty to ten; twelve minutes later callers wait.

The database is idle, the network is well: the time is spent in the service itself, waiting for a connection.
Traces say it by a span of the service's own, the pool by its gauges, the log in HikariCP's words.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios import traced
from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import config_map, container, deployment, http_probe, service, template
from aiops_lab.scenarios.traced import DAY_S, HOME, HOUR_S, MIN_S
from aiops_lab.telemetry.log_groups import LogRecord
from aiops_lab.telemetry.request_paths import CALM, Hop, Mix, Place, Twist
from aiops_lab.telemetry.signals import Array, Signal, Signals
from aiops_lab.telemetry.workloads import Quantity

BEFORE, AFTER = 50, 10
WAITS = "HikariPool.getConnection"
SAID = (
    "HikariPool-1 - Connection is not available, request timed out after 30000ms "
    "(total={size}, active={size}, idle=0, waiting={waiting})"
)


def pooled(names: Names) -> str:
    """The service whose pool is too small."""
    return "orders-service" if names.seed == 0 else names.api


def database(names: Names) -> str:
    """What it waits for."""
    return "orders-db" if names.seed == 0 else f"{names.others[4]}-db"


def _build(stage: Stage, names: Names, rng: Random) -> None:
    name = pooled(names)
    changed_s = 30 * MIN_S + (0.0 if names.seed == 0 else rng.uniform(-180, 180))
    dry_s = changed_s - 12 * MIN_S - 55
    _cluster(stage, names, name, changed_s)
    _traces(stage, names, name, dry_s)
    _figures(stage, names, name, changed_s, dry_s)
    _words(stage, name, dry_s, rng)


def _cluster(stage: Stage, names: Names, name: str, changed_s: float) -> None:
    image = stage.publish(f"repo/{name}:3.1.{names.seed}", Image(serving(name)))
    settings = {"maxPoolSize": str(BEFORE), "connectionTimeout": "30000"}
    main = container(
        "app", image, readinessProbe=http_probe(), envFrom=[{"configMapRef": {"name": f"{name}-pool"}}]
    )
    stage.put_at(3 * DAY_S + 60, config_map(HOME, f"{name}-pool", settings))
    stage.put_at(
        3 * DAY_S, deployment(HOME, name, 3, template({"app": name}, [main])), service(HOME, name, name)
    )

    def shrink(found: Obj) -> None:
        found["data"]["maxPoolSize"] = str(AFTER)

    def restart(found: Obj) -> None:
        notes = found["spec"]["template"]["metadata"].setdefault("annotations", {})
        notes["kubectl.kubernetes.io/restartedAt"] = stage.stamp()

    stage.change_at(changed_s + 20, "ConfigMap", HOME, f"{name}-pool", shrink)
    stage.change_at(changed_s, "Deployment", HOME, name, restart)


def _traces(stage: Stage, names: Names, name: str, dry_s: float) -> None:
    turn = stage.telemetry.t0_s - dry_s

    def twist(hop: Hop, place: Place, at_s: float, rng: Random) -> Twist:
        del place
        if hop.operation != WAITS or at_s < turn:
            return CALM
        if rng.random() < 0.3:
            return Twist(more_s=30.0, fault=True)
        return Twist(more_s=rng.uniform(2.0, 12.0))

    wait = Hop(name, WAITS, 0.0002, internal=True)
    query = Hop(database(names), "query", 0.008, silent=True)
    hop = Hop(f"{name}-gateway", "/orders", 0.003, calls=(Hop(name, "/orders", 0.006, calls=(wait, query)),))
    mix = Mix([(1.0, hop)], traced.on_nodes(stage), twist)
    traced.replay(stage, mix, from_s=dry_s + HOUR_S, per_minute=10, key=f"db-pool/{names.seed}")


@dataclass(frozen=True, slots=True)
class _Pools:
    """The connection pool of each pod of a workload, for as long as the pod lives."""

    signals: Signals
    workload: str
    gauges: Mapping[str, Quantity]

    def names(self) -> Iterable[str]:
        """The metrics it has."""
        return self.gauges

    def of(self, metric: str) -> Iterable[Signal]:
        """The series of one metric, a pod each."""
        if metric not in self.gauges:
            return ()
        pods = self.signals.find("container_memory_working_set_bytes", namespace=HOME)
        return [
            replace(
                one,
                metric=metric,
                labels={**one.labels, "pool": "HikariPool-1"},
                values=partial(_read, self.gauges[metric]),
            )
            for one in pods
            if one.labels["pod"].startswith(f"{self.workload}-")
        ]


def _figures(stage: Stage, names: Names, name: str, changed_s: float, dry_s: float) -> None:
    gauges = {
        "hikaricp_connections_max": traced.since(stage, changed_s, BEFORE, AFTER),
        "hikaricp_connections_active": traced.since(stage, dry_s, 9.0, AFTER),
        "hikaricp_connections_pending": traced.since(stage, dry_s, 0.0, 57.0),
    }
    stage.telemetry.signals.sources.append(_Pools(stage.telemetry.signals, name, gauges))
    failing = traced.since(stage, dry_s, 0.0005, 0.3)
    traced.requests_of(stage, name, "/orders", rate=30, failing=failing, latency_s=0.02, since_s=3 * DAY_S)
    traced.database(stage, database(names), cpu=22.0, connections=30.0)


def _read(value: Quantity, times_s: Array) -> Array:
    return value(times_s) if callable(value) else times_s * 0 + value


def _words(stage: Stage, name: str, dry_s: float, rng: Random) -> None:
    t0_s = stage.telemetry.t0_s
    group = stage.telemetry.logs.group(f"/aws/containerinsights/{stage.aws.cluster}/application")

    def line(at: int) -> LogRecord:
        said = SAID.format(size=AFTER, waiting=rng.randint(40, 70))
        text = json.dumps({"level": "error", "service": name, "msg": said})
        return LogRecord(t0_s - dry_s + 30 + at * 4.0, f"{name}-{at % 3}", text)

    group.write([line(at) for at in range(int(max(0.0, dry_s - 30) // 4))])


SCENARIOS = (
    Scenario(
        "db-pool",
        "A connection pool is too small since its settings changed",
        "maxPoolSize went from 50 to 10 with a restart; some minutes later every connection is in use and "
        "callers wait for one. The database is idle.",
        "F-b1",
        _build,
        lead_s=3 * DAY_S,
    ),
)
