"""The kit with which stories emit traces: who calls whom, how long each part takes, and what goes wrong
where.

A `Hop` tree is one kind of request. `played` lets it happen many times over a window; a `Twist` of the story
changes single hops by place and time (one zone hangs, one version is slow). Everything hangs on the seed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from aiops_lab.telemetry.spans import Span, Trace

NETWORK_S = 0.0004
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
Attribute = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Hop:
    """One service in a request. `silent`: it leaves no span of its own (a database)."""

    service: str
    operation: str = ""
    work_s: float = 0.004  # median of its own time
    sigma: float = 0.35  # of the logarithm
    calls: tuple["Hop", ...] = ()
    silent: bool = False
    internal: bool = False  # a part of the caller itself, such as waiting for a connection


@dataclass(frozen=True, slots=True)
class Place:
    """Where an instance of a service runs."""

    zone: str
    node: str = ""
    pod: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Twist:
    """What happens to one hop of one request. `hangs_s`: its caller waits so long, gets nothing and fails."""

    more_s: float = 0.0
    times: float = 1.0
    fault: bool = False
    status: int = 0
    hangs_s: float = 0.0
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


CALM = Twist()
Twisting = Callable[[Hop, Place, float, Random], Twist]
Placing = Callable[[str, str, float, Random], Place]  # service, zone, when


def calm(hop: Hop, place: Place, at_s: float, rng: Random) -> Twist:
    """Nothing goes wrong."""
    del hop, place, at_s, rng
    return CALM


def spread_over(pods: Mapping[str, Sequence[Place]] | None = None) -> Placing:
    """Services run in the request's own zone; on these places where they are named."""

    def place(service: str, zone: str, at_s: float, rng: Random) -> Place:
        del at_s
        known = [one for one in (pods or {}).get(service, ()) if one.zone == zone]
        return rng.choice(known) if known else Place(zone)

    return place


@dataclass(frozen=True, slots=True)
class Mix:
    """The requests of a story: kinds with their weights, where they run, what befalls them."""

    kinds: Sequence[tuple[float, Hop]]
    placing: Placing = field(default_factory=spread_over)
    twist: Twisting = calm
    zones: Sequence[str] = ZONES
    cluster: str = "my-cluster"
    namespace: str = "production"


def played(mix: Mix, *, count: int, since_s: float, until_s: float, seed: str) -> Iterator[Trace]:
    """So many requests, evenly over a window and in turn through the zones, with a little chance in each."""
    rng = Random(seed)
    step = (until_s - since_s) / max(1, count)
    weights = [weight for weight, _ in mix.kinds]
    for number in range(count):
        at_s = since_s + (number + rng.random()) * step
        hop = rng.choices([kind for _, kind in mix.kinds], weights)[0]
        yield _Play(mix, rng, mix.zones[number % len(mix.zones)]).trace(hop, at_s)


@dataclass(slots=True)
class _Play:
    """One request while it happens."""

    mix: Mix
    rng: Random
    zone: str
    spans: list[Span] = field(default_factory=list)

    def trace(self, hop: Hop, at_s: float) -> Trace:
        """The whole request."""
        self._serve(hop, at_s, "", hop.operation)
        ordered = sorted(self.spans, key=lambda span: (bool(span.parent_id), span.start_s))
        return Trace(f"{int(at_s):08x}{self.rng.getrandbits(96):024x}", tuple(ordered))

    def _id(self) -> str:
        return f"{self.rng.getrandbits(64):016x}"

    def _serve(self, hop: Hop, at_s: float, parent: str, route: str) -> tuple[float, int]:
        """A service answers: (when it ended, its status)."""
        place, span_id = self.mix.placing(hop.service, self.zone, at_s, self.rng), self._id()
        told = self.mix.twist(hop, place, at_s, self.rng)
        work = hop.work_s * self.rng.lognormvariate(0, hop.sigma) * told.times + told.more_s
        cursor, status = at_s + work / 2, 200
        for call in hop.calls:
            cursor, answered = self._call(hop, call, place, cursor, span_id, route)
            status = max(status, answered)
        end = cursor + (work / 2 if status == 200 else 0.0005)
        if told.fault and status < 500:
            status = told.status or 500
        self.spans.append(
            Span(
                span_id,
                parent,
                hop.service,
                hop.operation or route,
                at_s,
                end - at_s,
                "server",
                status,
                status >= 500,
                self._about(place, hop.operation or route) | dict(told.attributes),
            )
        )
        return end, status

    def _call(
        self, caller: Hop, hop: Hop, place: Place, at_s: float, parent: str, route: str
    ) -> tuple[float, int]:
        """A service calls another, or does a part of its own work: (when that ended, the caller's status)."""
        span_id = self._id()
        told = self.mix.twist(hop, place, at_s, self.rng) if hop.silent or hop.internal else CALM
        status, answered = 200, 0
        if hop.silent or hop.internal:
            length = hop.work_s * self.rng.lognormvariate(0, hop.sigma) * told.times + told.more_s
            end = at_s + (told.hangs_s or length)
            status = 500 if told.fault else 504 if told.hangs_s else 200
        else:
            there = self.mix.placing(hop.service, self.zone, at_s, self.rng)
            seen = self.mix.twist(hop, there, at_s, self.rng)
            if seen.hangs_s:
                end, status = at_s + seen.hangs_s, 504
            else:
                end, status = self._serve(hop, at_s + NETWORK_S, span_id, route)
                end, answered = end + NETWORK_S, status
        about = self._about(place, "") | dict(told.attributes)
        peer = {} if hop.internal else {"peer.service": hop.service}
        kind = "internal" if hop.internal else "client"
        name = hop.operation if hop.internal else hop.service
        failed = status >= 500
        self.spans.append(
            Span(
                span_id, parent, caller.service, name, at_s, end - at_s, kind, answered, failed, about | peer
            )
        )
        return end, status

    def _about(self, place: Place, route: str) -> dict[str, Attribute]:
        said = {
            "cloud.availability_zone": place.zone,
            "k8s.cluster.name": self.mix.cluster,
            "k8s.namespace.name": self.mix.namespace,
            "k8s.node.name": place.node,
            "k8s.pod.name": place.pod,
            "service.version": place.version,
            "http.route": route if route.startswith("/") else "",
        }
        return {name: value for name, value in said.items() if value}
