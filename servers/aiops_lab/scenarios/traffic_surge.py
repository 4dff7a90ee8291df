"""F6: traffic that surges at one hour of every week, and three that only look like it.

Told by request metrics over weeks; the cluster itself stands as always. Weeks begin on Monday 00:00 UTC.
"""

from dataclasses import dataclass, replace
from random import Random

import numpy as np

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import autoscaler, container, deployment, http_probe, service, template
from aiops_lab.telemetry.signals import Array, Signal, Values, noise
from aiops_lab.telemetry.workloads import GI, Profile, RouteFacts, emit_requests

HOME = "production"
HOUR_S, DAY_S, WEEK_S = 3600.0, 86_400.0, 604_800.0
MONDAY_S = 4 * DAY_S  # the first Monday of Unix time
LEAST, MOST, NODES, POOL_CPU = 4, 30, 6, 32  # the HPA's bounds; the pool's limit, of which 24 cores are used
NODE_READY_S = 150.0
SERVED = "http_requests_per_second"


@dataclass(frozen=True, slots=True)
class Surge:
    """When the surge is and how high; requests a second."""

    service: str
    weekday: int = 0  # Monday
    hour: int = 9
    busy: float = 400.0
    quiet: float = 200.0
    weekend: float = 150.0
    peak: float = 1000.0
    after: float = 700.0
    growth: float = 1.01  # a week
    sigma: float = 0.02

    @property
    def per_pod(self) -> float:
        """What one pod serves, requests a second: the target of its HPA."""
        return self.peak / 10

    @property
    def starts_s(self) -> float:
        """Into its week."""
        return self.weekday * DAY_S + self.hour * HOUR_S


def surge(names: Names) -> Surge:
    """The surge of one cast; seed 0 is the page's."""
    if names.seed == 0:
        return Surge("shop")
    rng = Random(f"surge/{names.seed}")
    scale = rng.choice((0.5, 1.0, 2.0))
    return Surge(
        names.api,
        weekday=rng.randrange(5),
        hour=rng.randrange(9, 12),
        busy=400 * scale,
        quiet=200 * scale,
        weekend=150 * scale,
        peak=400 * scale * rng.uniform(2.4, 2.6),
        after=700 * scale,
        growth=1 + rng.uniform(0.0, 0.02),
    )


def weekly(
    told: Surge, t0_s: float, *, once_s: float | None = None, holiday_s: float | None = None
) -> Values:
    """Requests a second. `once_s`: the surge is in the week that holds this moment alone. `holiday_s`: a day
    like a Sunday."""

    def values(times_s: Array) -> Array:
        into = (times_s - MONDAY_S) % WEEK_S
        day, hour = into // DAY_S, into % DAY_S // HOUR_S
        level = np.where((hour >= 8) & (hour < 20), told.busy, told.quiet)
        level = np.where(day >= 5, told.weekend, level)
        from_start = into - told.starts_s
        surging = (
            np.ones_like(times_s, dtype=bool)
            if once_s is None
            else (times_s - MONDAY_S) // WEEK_S == (once_s - MONDAY_S) // WEEK_S
        )
        level = np.where(surging & (from_start >= 0) & (from_start < HOUR_S), told.peak, level)
        level = np.where(surging & (from_start >= HOUR_S) & (from_start < 2 * HOUR_S), told.after, level)
        if holiday_s is not None:
            level = np.where(times_s // DAY_S == holiday_s // DAY_S, told.weekend, level)
        grown = told.growth ** ((times_s - t0_s) / WEEK_S + 4)
        by_hour = np.floor(times_s / HOUR_S) * HOUR_S
        return np.asarray(level * grown * np.exp(noise(f"surge/{told.service}", by_hour, told.sigma)))

    return values


def last_surge_s(told: Surge, t0_s: float) -> float:
    """When the last surge before T0 began."""
    week_s = MONDAY_S + (t0_s - MONDAY_S) // WEEK_S * WEEK_S
    start_s = week_s + told.starts_s
    return start_s if start_s < t0_s else start_s - WEEK_S


def _full_nodes(stage: Stage, names: Names) -> list[Obj]:
    """A workload that leaves room for one pod of the service on each node, so that a surge needs nodes."""
    name = f"{names.api}-index"
    image = stage.publish(names.image(name, "3.2.0"), Image(serving(name)))
    main = container("app", image, readinessProbe=http_probe("/ready"))
    main["resources"] = {"requests": {"cpu": "2", "memory": "2Gi"}, "limits": {"memory": "2Gi"}}
    apart = {"labelSelector": {"matchLabels": {"app": name}}, "topologyKey": "kubernetes.io/hostname"}
    rule = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}}
    return [deployment(HOME, name, NODES, template({"app": name}, [main], affinity=rule))]


def _autoscaled(stage: Stage, told: Surge, rate: Values) -> None:
    """Its HPA on requests per pod, and the pool that brings nodes, up to 32 cores of which 24 are in use."""
    aim = {"type": "AverageValue", "averageValue": str(round(told.per_pod))}
    metric = {"type": "Pods", "pods": {"metric": {"name": SERVED}, "target": aim}}
    stage.telemetry.adapter[HOME, SERVED] = rate
    stage.put_at(2 * DAY_S, autoscaler(HOME, told.service, LEAST, MOST, metrics=[metric]))
    held = "kube_horizontalpodautoscaler_status_current_replicas"
    labels = {"namespace": HOME, "horizontalpodautoscaler": told.service}
    stage.telemetry.signals.replace(held, **labels)
    stage.telemetry.signals.add(Signal(held, labels, _replicas(told, rate)))
    made = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
    spec = {"nodeClassRef": made, "requirements": []}
    pool: Obj = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "default"},
        "spec": {
            "limits": {"cpu": str(POOL_CPU)},
            "template": {"spec": spec},
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "30m"},
        },
    }
    stage.serve_pool(2 * DAY_S, pool, NODE_READY_S)


def _replicas(told: Surge, rate: Values) -> Values:
    """What the HPA held at each moment of the past."""

    def values(times_s: Array) -> Array:
        return np.asarray(np.clip(np.ceil(rate(times_s) / told.per_pod), LEAST, MOST))

    return values


def _of_a_pod(told: Surge, rate: Values, idle: float, full: float) -> Values:
    """What a pod uses: something idle, and a part that follows its requests."""
    held = _replicas(told, rate)
    return lambda times_s: idle + full * rate(times_s) / held(times_s) / told.per_pod


def _loaded(told: Surge, rate: Values) -> Values:
    """A request takes longer the nearer its pod is to what it can do."""
    held = _replicas(told, rate)

    def values(times_s: Array) -> Array:
        return np.asarray(0.02 * (1 + 0.5 * (rate(times_s) / held(times_s) / told.per_pod) ** 3))

    return values


def _story(*, weeks: float = 5.0, once: bool = False, holiday: bool = False) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        told, t0_s = surge(names), stage.telemetry.t0_s
        image = stage.publish(names.image(told.service, f"{rng.randint(1, 9)}.{rng.randint(0, 20)}.0"))
        stage.publish(image, Image(serving(told.service)))
        main = container("app", image, readinessProbe=http_probe("/ready", delay_s=50))
        main["resources"] = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "2Gi"}}
        age_s = min(21 * DAY_S, weeks * WEEK_S)
        stage.put_at(age_s + 60, *_full_nodes(stage, names))
        pods = deployment(HOME, told.service, LEAST, template({"app": told.service}, [main]))
        stage.put_at(age_s, pods, service(HOME, told.service, told.service))
        last_s = last_surge_s(told, t0_s)
        rate = weekly(
            told,
            t0_s,
            once_s=last_s if once else None,
            holiday_s=last_s - 2 * WEEK_S if holiday else None,
        )
        route = RouteFacts(told.service, "/", HOME, since_s=t0_s - weeks * WEEK_S)
        signals = stage.telemetry.signals
        _autoscaled(stage, told, rate)
        used = Profile(HOME, told.service, memory=_of_a_pod(told, rate, 0.9 * GI, 0.3 * GI), sigma=0.01)
        stage.telemetry.profiles.append(replace(used, cpu=_of_a_pod(told, rate, 0.05, 0.6)))
        emit_requests(signals, route, rate=rate, sigma=0.0, latency_s=_loaded(told, rate))
        emit_requests(signals, route, rate=lambda t: 0.001 * rate(t), status="500", sigma=0.1)

    return build


SCENARIOS = (
    Scenario(
        "traffic-surge",
        "Traffic surges at the same hour of every week",
        "Requests rise to two and a half times within an hour every Monday at 09:00 and grow by 1 % a week.",
        "F6",
        _story(),
    ),
    Scenario(
        "traffic-surge-once",
        "One surge last week, none before",
        "A single surge last Monday; the other Mondays were flat: nothing to prepare for.",
        "F6n1",
        _story(once=True),
    ),
    Scenario(
        "traffic-surge-new",
        "A service with ten days of history",
        "Too little is known to forecast a week.",
        "F6n2",
        _story(weeks=10 / 7),
    ),
    Scenario(
        "traffic-surge-day",
        "A service with one day of history",
        "Too little is known for any number.",
        "F14b",
        _story(weeks=1 / 7),
    ),
    Scenario(
        "traffic-surge-holiday",
        "A holiday among the weeks",
        "Two weeks before the last surge the day was a holiday: the forecast must not believe it.",
        "F6n3",
        _story(holiday=True),
    ),
)
