"""F23c, F14: what a release did, told by request metrics: worse, as before, or only busier.

A canary takes a tenth of the traffic from an hour before T0 on; the version before it keeps the rest.
"""

from dataclasses import dataclass
from random import Random

import numpy as np

from aiops_lab.scenarios.base import Build, Scenario, Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.telemetry.signals import Array, Values
from aiops_lab.telemetry.workloads import RouteFacts, emit_requests

HOME, HOUR_S, DAY_S = "production", 3600.0, 86_400.0
CANARY_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class Release:
    """The release of one cast; rates are requests a second."""

    service: str
    before: str
    after: str
    rate: float
    since_s: float  # before T0


def release(names: Names) -> Release:
    """Who is released."""
    if names.seed == 0:
        return Release("shop", "v5.0.3", "v5.1.0", 200.0, HOUR_S)
    rng = Random(f"release/{names.seed}")
    minor = rng.randint(0, 20)
    return Release(
        names.api, f"v2.{minor}.0", f"v2.{minor}.1", rng.uniform(100, 400), rng.uniform(0.8, 1.5) * HOUR_S
    )


def _from(moment_s: float, before: float, after: float) -> Values:
    def values(times_s: Array) -> Array:
        return np.where(times_s < moment_s, before, after)

    return values


def _deployed(stage: Stage, names: Names, told: Release) -> None:
    """The version that stands and, since the release, its canary beside it."""
    for name, version, replicas, since_s in (
        (told.service, told.before, 3, 3 * DAY_S),
        (f"{told.service}-canary", told.after, 1, told.since_s),
    ):
        image = stage.publish(names.image(told.service, version), Image(serving(told.service)))
        main = container("app", image, readinessProbe=http_probe("/ready"))
        pod = template({"app": name, "service": told.service}, [main])
        stage.put_at(since_s, deployment(HOME, name, replicas, pod))
    stage.put_at(3 * DAY_S, service(HOME, told.service, told.service))


def _times(factor: float, values: Values) -> Values:
    return lambda times_s: factor * values(times_s)


def _story(*, errors: float, latency: float = 1.0, busier: float = 1.0) -> Build:
    """The canary fails with a share of `errors` (before: 0.1 %), is slower by `latency`; all traffic grows by
    `busier` with the release, which slows every version as much as load does."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        told, signals = release(names), stage.telemetry.signals
        _deployed(stage, names, told)
        start_s, begin_s = stage.telemetry.t0_s - told.since_s, stage.telemetry.t0_s - 3 * DAY_S
        zone = rng.choice(("us-east-1a", "us-east-1b"))
        slower = _from(start_s, 0.02, 0.02 * (1.8 if busier > 1 else 1.0))
        for version, share, since_s in (
            (told.before, 1 - CANARY_SHARE, begin_s),
            (told.after, CANARY_SHARE, start_s),
        ):
            labels = {"version": version, "zone": zone}
            route = RouteFacts(told.service, "/api/checkout", HOME, since_s=since_s, labels=labels)
            rate = told.rate * share
            failed = errors if version == told.after else 0.001
            grown = _from(start_s, rate, rate * busier)
            wait = _times(latency if version == told.after else 1.0, slower)
            emit_requests(signals, route, rate=grown, latency_s=wait)
            emit_requests(signals, route, rate=_times(failed, grown), status="500", latency_s=wait)

    return build


SCENARIOS = (
    Scenario(
        "release-worse",
        "A canary that fails six times as often",
        "Since an hour a tenth of the traffic goes to the next version; 0.6 % of it fails instead of 0.1 %.",
        "F23c-worse",
        _story(errors=0.006),
    ),
    Scenario(
        "release-noise",
        "A canary whose errors are chance",
        "0.15 % instead of 0.1 %, of too few requests to tell.",
        "F23c-noise",
        _story(errors=0.0011),
    ),
    Scenario(
        "release-busy",
        "Slower since the release, but traffic doubled with it",
        "Both versions are slower: load, not the release.",
        "F23c-busy",
        _story(errors=0.001, busier=2.0),
    ),
    Scenario(
        "release-slow",
        "A canary that is slower",
        "Its requests take three times as long.",
        "F14-slow",
        _story(errors=0.001, latency=3.0),
    ),
)
