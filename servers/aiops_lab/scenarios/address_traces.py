"""F5 as traces, flows and figures tell it: who waits for whom, in which zone, and what is calm beside it.

Called by `addresses`, whose stories are the cluster's and EC2's side of the same worlds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from aiops_lab.scenarios import traced
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.traced import HOUR_S, MIN_S, Shop
from aiops_lab.telemetry.request_paths import CALM, NETWORK_S, Hop, Mix, Place, Twist
from aiops_lab.telemetry.workloads import Quantity

HANGS_S = 29.9
PER_MINUTE = 200 / 15  # sampled requests
SHARE = 0.155  # of all requests that end with 504; all in one zone, so three times as many there
Hits = Callable[[Hop, Place], bool]


@dataclass(slots=True)
class _Seen:
    """Counts the requests that reach a hop: each is asked for as its call and again as its answer."""

    last_s: float = 0.0
    count: int = -1

    def turn(self, at_s: float) -> int:
        """The number of the request at this moment."""
        if at_s - self.last_s > 2 * NETWORK_S:
            self.count += 1
        self.last_s = at_s
        return self.count


def one_zone_hangs(stage: Stage, names: Names, zone: str, subnet: str, *, began_s: float) -> None:
    """The proxy in one zone answers half of its callers no more; nothing else is slow."""
    who = traced.shop(names)
    _emit(stage, names, who, began_s, lambda hop, place: hop.service == who.proxy and place.zone == zone)
    for each in stage.aws.subnets:
        hit = each == subnet
        retried = traced.since(stage, began_s + MIN_S, 300 / 900, 4212 / 900 if hit else 300 / 900)
        timeouts = traced.since(stage, began_s + MIN_S, 6 / 900, 388 / 900 if hit else 6 / 900)
        traced.flows(stage, each, retransmissions=retried, timeouts=timeouts, since_s=6 * HOUR_S)


def one_node_hangs(stage: Stage, names: Names, node: str, *, began_s: float) -> None:
    """The same for the proxy's pods of one machine."""
    who = traced.shop(names)
    _emit(stage, names, who, began_s, lambda hop, place: hop.service == who.proxy and place.node == node)


def database_hangs(stage: Stage, names: Names, *, began_s: float) -> None:
    """F5c: the database itself is slow, for callers in all zones."""
    who, t0_s = traced.shop(names), stage.telemetry.t0_s

    def twist(hop: Hop, place: Place, at_s: float, rng: Random) -> Twist:
        del place
        if hop.service != who.database or at_s < t0_s - began_s:
            return CALM
        if rng.random() < SHARE:
            return Twist(hangs_s=HANGS_S)
        return Twist(times=30.0)

    mix = Mix([(1.0, traced.request(who))], traced.on_nodes(stage), twist)
    traced.replay(stage, mix, from_s=began_s + HOUR_S, per_minute=PER_MINUTE, key=f"f5c/{names.seed}")
    failing = traced.since(stage, began_s, 0.0005, SHARE)
    _figures(stage, who, failing, cpu=traced.since(stage, began_s, 31.0, 96.0))


def _emit(stage: Stage, names: Names, who: Shop, began_s: float, hits: Hits) -> None:
    t0_s = stage.telemetry.t0_s
    often, seen = 3 * SHARE, _Seen()

    def twist(hop: Hop, place: Place, at_s: float, rng: Random) -> Twist:
        del rng
        if at_s < t0_s - began_s or not hits(hop, place):
            return CALM
        turn = seen.turn(at_s)  # evenly, so that every quarter of an hour has its share
        return Twist(hangs_s=HANGS_S) if int((turn + 1) * often) > int(turn * often) else CALM

    mix = Mix([(1.0, traced.request(who))], traced.on_nodes(stage), twist)
    traced.replay(stage, mix, from_s=began_s + HOUR_S, per_minute=PER_MINUTE, key=f"f5/{names.seed}")
    _figures(stage, who, traced.since(stage, began_s, 0.0005, SHARE), cpu=31.0)


def _figures(stage: Stage, who: Shop, failing: Quantity, *, cpu: Quantity) -> None:
    for service in (who.gateway, who.service):
        traced.requests_of(
            stage, service, who.route, rate=40.0, failing=failing, latency_s=0.02, since_s=12 * HOUR_S
        )
    traced.database(stage, who.database, cpu=cpu, connections=44.0)
