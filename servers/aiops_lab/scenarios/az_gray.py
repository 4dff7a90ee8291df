"""F-b9: one zone is slow and loses a few requests, everything in it a little; nothing is down.

Nodes are Ready, pods run, health checks pass: a gray failure is seen by those who call. The decoy is its
look-alike: one workload that is slow in one zone, where the zone is well.
"""

from random import Random

from aiops_lab.scenarios import traced
from aiops_lab.scenarios.base import Build, Scenario, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.traced import HOUR_S, MIN_S
from aiops_lab.telemetry.request_paths import CALM, ZONES, Hop, Mix, Place, Twist
from aiops_lab.telemetry.workloads import RouteFacts

CALM_S, SLOW_S = 0.005, 0.060
FAILING = 0.02


def gray_zone(names: Names) -> str:
    """The zone: the third with the page's cast."""
    return ZONES[(names.seed + 2) % 3]


def frontend(names: Names) -> str:
    """The service that users call."""
    return "web-frontend" if names.seed == 0 else f"{names.others[0]}-web"


def _request(names: Names) -> Hop:
    backend, ledger = f"{names.others[1]}-api", f"{names.others[2]}-api"
    leaves = (
        Hop(
            backend,
            "/list",
            CALM_S / 5,
            calls=(Hop(f"{names.others[1]}-db", "query", CALM_S / 6, silent=True),),
        ),
        Hop(ledger, "/read", CALM_S / 5),
    )
    return Hop(frontend(names), "/", CALM_S / 6, calls=leaves)


def _hops(hop: Hop) -> list[Hop]:
    """A request's hops that are instrumented services."""
    below = [each for call in hop.calls for each in _hops(call)]
    return below if hop.silent else [hop, *below]


def _requests(stage: Stage, names: Names, gray: str, ill: set[str], began_s: float) -> None:
    """What each service's request metrics say, zone by zone: who calls a slow one is slow."""
    since_s = stage.telemetry.t0_s - 24 * HOUR_S
    for hop in _hops(_request(names)):
        for zone in ZONES:
            hit = zone == gray and hop.service in ill
            facts = RouteFacts(hop.service, hop.operation, traced.HOME, since_s, labels={"zone": zone})
            traced.requests_with(
                stage,
                facts,
                rate=50 / len(ZONES),
                failing=traced.since(stage, began_s, 0.0002, FAILING if hit else 0.0002),
                latency_s=traced.since(stage, began_s, CALM_S, SLOW_S if hit else CALM_S),
            )


def _told(*, zone_wide: bool) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        began_s = 25 * MIN_S + (0.0 if names.seed == 0 else rng.uniform(-240, 240))
        zone, turn, slow = gray_zone(names), stage.telemetry.t0_s - began_s, f"{names.others[1]}-api"

        def twist(hop: Hop, place: Place, at_s: float, chance: Random) -> Twist:
            if at_s < turn or place.zone != zone or not (zone_wide or hop.service == slow):
                return CALM
            share = 4 if zone_wide else 1  # of the hops, each adds a part
            failed = chance.random() < FAILING / share and not hop.silent
            return Twist(more_s=(SLOW_S - CALM_S) / share * chance.lognormvariate(0, 0.3), fault=failed)

        mix = Mix([(1.0, _request(names))], traced.on_nodes(stage), twist)
        key = f"gray/{zone_wide}/{names.seed}"
        traced.replay(stage, mix, from_s=began_s + HOUR_S, per_minute=20, key=key)
        ill = [one.service for one in _hops(_request(names)) if zone_wide or one.service == slow]
        _requests(stage, names, zone, {frontend(names), *ill}, began_s)

    return build


SCENARIOS = (
    Scenario(
        "az-gray-failure",
        "One zone answers twelve times slower and loses two requests in a hundred",
        "Every part of a request is slower in one zone; its nodes and pods say that they are well.",
        "F-b9",
        _told(zone_wide=True),
        lead_s=2 * HOUR_S,
    ),
    Scenario(
        "az-gray-failure-one-workload",
        "One service is slow in one zone; the zone is well",
        "What looks like a gray failure of a zone from the front is one workload in it.",
        "F-b9n",
        _told(zone_wide=False),
        lead_s=2 * HOUR_S,
    ),
)
