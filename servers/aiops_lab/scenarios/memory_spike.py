"""F4: a release that keeps what it should let go: memory climbs for two hours, users still served.

What the cluster's API can see of it: two revisions, a budget, and pods that use more than before. Which route
drives it is for traces to say.
"""

import math
from functools import partial
from random import Random

import numpy as np

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios import traced
from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import REGISTRY, Names
from aiops_lab.scenarios.programs import MI, Behaviour, Chatter, Curve, Program, Run, logfmt, serving
from aiops_lab.scenarios.shapes import container, deployment, disruption_budget, http_probe, service, template
from aiops_lab.telemetry.request_paths import CALM, Hop, Mix, Place, Twist
from aiops_lab.telemetry.signals import Array
from aiops_lab.telemetry.workloads import RouteFacts

HOME, HOUR_S, DAY_S = "production", 3600.0, 86_400.0
CALM_MI, SPIKE_MI = 420.0, 980.0
ROLLOUT_S = 240.0
GUILTY = "/api/users"


def spiking(names: Names) -> str:
    """The workload with the new release."""
    return "users-service" if names.seed == 0 else names.api


def images(names: Names) -> tuple[str, str]:
    """Before and after."""
    subject = "users" if names.seed == 0 else names.api
    minor = 3 + names.seed
    return f"{REGISTRY}/{subject}:v2.{minor}.0", f"{REGISTRY}/{subject}:v2.{minor}.1"


def _hoarding(start: Run) -> Behaviour:
    calm = serving(start.container)(start)
    said = (
        logfmt("info", "cache put", key="user:*", size=184_232, evictions=0, ttl="none"),
        logfmt("info", "request served", route="/api/users", status=200),
    )
    climb = Curve(((0.0, CALM_MI * MI), (2 * HOUR_S, SPIKE_MI * MI)))
    return Behaviour(lines=calm.lines, chatter=Chatter(30.0, said), memory=climb, cpu_m=calm.cpu_m)


def _climbing_before(since_s: float) -> Program:
    """The old version, whose memory began to climb half an hour before the rollout."""

    def run(start: Run) -> Behaviour:
        calm = serving(start.container)(start)
        turn_s = since_s - 2.5 * HOUR_S
        told = ((0.0, CALM_MI * MI), (turn_s, CALM_MI * MI), (turn_s + 2.5 * HOUR_S, 1.4 * SPIKE_MI * MI))
        return Behaviour(lines=calm.lines, chatter=calm.chatter, memory=Curve(told), cpu_m=calm.cpu_m)

    return run


def _climbing_on(start: Run) -> Behaviour:
    """The new version, from where the old one had come to."""
    calm = serving(start.container)(start)
    climb = Curve(((0.0, 1.45 * CALM_MI * MI), (2 * HOUR_S, SPIKE_MI * MI)))
    return Behaviour(lines=calm.lines, chatter=calm.chatter, memory=climb, cpu_m=calm.cpu_m)


def _before_release(stage: Stage, names: Names, rng: Random) -> None:
    """F4's negative: the climb is older than the rollout, and its users see no difference."""
    name, (before, after) = spiking(names), images(names)
    since_s = rng.uniform(6, 8) * DAY_S
    stage.publish(before, Image(_climbing_before(since_s)))
    stage.publish(after, Image(_climbing_on))
    main = container("app", before, memory="512Mi", limit="1600Mi", readinessProbe=http_probe("/ready"))
    stage.put_at(since_s, deployment(HOME, name, 4, template({"app": name}, [main])))
    stage.put_at(since_s, service(HOME, name, name))

    def release(found: Obj) -> None:
        found["spec"]["template"]["spec"]["containers"][0]["image"] = after

    stage.change_at(2 * HOUR_S, "Deployment", HOME, name, release)


def _build(stage: Stage, names: Names, rng: Random) -> None:
    name, (before, after) = spiking(names), images(names)
    calm: Program = serving(name, memory_mi=CALM_MI)
    stage.publish(before, Image(calm))
    stage.publish(after, Image(_hoarding))
    main = container("app", before, memory="512Mi", limit="1200Mi", readinessProbe=http_probe("/ready"))
    since_s = rng.uniform(6, 8) * DAY_S
    stage.put_at(since_s, deployment(HOME, name, 4, template({"app": name}, [main])))
    stage.put_at(since_s, service(HOME, name, name))
    stage.put_at(since_s, disruption_budget(HOME, name, name, minAvailable=2))
    released_s = 2 * HOUR_S + (0.0 if names.seed == 0 else rng.uniform(-600, 600))

    def release(found: Obj) -> None:
        found["spec"]["template"]["spec"]["containers"][0]["image"] = after

    stage.change_at(released_s, "Deployment", HOME, name, release)
    _requests(stage, names, released_s)


def _requests(stage: Stage, names: Names, released_s: float) -> None:
    """One route of the new release keeps what it reads, and takes its time: 80 to 310 ms at the 95th
    percentile.
    """
    name, turn = spiking(names), stage.telemetry.t0_s - released_s
    before, after = (ref.rpartition(":")[2] for ref in images(names))

    def version(service: str, at_s: float, rng: Random) -> str:
        del rng
        return "" if service != name else after if at_s >= turn else before

    def twist(hop: Hop, place: Place, at_s: float, rng: Random) -> Twist:
        if hop.service != name:
            return CALM
        if place.version == before or hop.operation != GUILTY:
            return Twist(
                attributes={"memory_delta_kb": max(0, round(rng.gauss(0, 1)))}, fault=rng.random() < 0.002
            )
        kept = max(0, round(rng.gauss(48, 6)))
        return Twist(times=310 / 80, attributes={"memory_delta_kb": kept}, fault=rng.random() < 0.06)

    def kind(route: str, work_s: float) -> Hop:
        store = Hop(f"{name}-db", "query", 0.004, silent=True)
        return Hop("api-gateway", route, 0.002, calls=(Hop(name, route, work_s, calls=(store,)),))

    kinds = [
        (0.5, kind(GUILTY, 0.040)),
        (0.3, kind("/api/sessions", 0.025)),
        (0.2, kind("/api/avatars", 0.060)),
    ]
    mix = Mix(kinds, traced.on_nodes(stage, versions=version), twist)
    traced.replay(stage, mix, from_s=released_s + 4 * HOUR_S, per_minute=4, key=f"f4/{names.seed}")
    for (share, hop), failing in zip(kinds, ((0.002, 0.06), (0.002, 0.002), (0.002, 0.002)), strict=True):
        slower = (0.045, 0.045 * 310 / 80) if hop.operation == GUILTY else (0.045, 0.045)
        spans = ((before, turn - 3 * DAY_S, turn + 2 * ROLLOUT_S), (after, turn, math.inf))
        for (release, since_s, until_s), failed, latency_s in zip(spans, failing, slower, strict=True):
            facts = RouteFacts(name, hop.operation, HOME, since_s, until_s, {"version": release})
            rate = partial(_shifted, 60 * share, turn, up=release == after)
            traced.requests_with(stage, facts, rate=rate, failing=failed, latency_s=latency_s)


def _shifted(rate: float, turn: float, times_s: Array, *, up: bool) -> Array:
    """Requests of one version: they move to the new one while its pods replace the old."""
    moved = np.clip((times_s - turn) / ROLLOUT_S, 0.0, 1.0)
    return np.asarray(rate * (moved if up else 1.0 - moved))


SCENARIOS = (
    Scenario(
        "memory-spike",
        "Memory climbs since the last release",
        "A release two hours ago fills a cache that nothing empties: memory went from 420 to 980 Mi on every "
        "pod. Nothing is killed yet; the revision before it held for a week.",
        "F4",
        _build,
        lead_s=3 * HOUR_S,
    ),
    Scenario(
        "memory-spike-before-release",
        "Memory climbs, and did so before the last release",
        "The release two hours ago came half an hour after the climb began: it is innocent.",
        "F4n",
        _before_release,
        lead_s=3 * HOUR_S,
    ),
)
