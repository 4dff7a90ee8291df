"""F8 and its kin: bills that move, each for another reason, and what a right answer says.

A week is seven whole days that end before T0's day. Seed 0 is the page's to the cent (960 and 1344 hours at
0.68); the other seeds draw machines, sizes, prices and growth. Every bill has the furniture of an account
around it: other services, other clusters, a little noise.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

from aiops_lab.aws.account import CLUSTER
from aiops_lab.billing.fleets import ECR, S3, TAG, Kit
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.lines import EC2, Line, Quantity, flat
from aiops_lab.billing.quantities import at, between, growing, hours, monthly, noisy, steps
from aiops_lab.scenarios.base import Build, Expected, Scenario, Stage
from aiops_lab.scenarios.bills_fleet import DAY_S, crowd, settle
from aiops_lab.scenarios.names import Names
from aiops_lab.telemetry.workloads import RouteFacts, emit_requests, stepped

WEEK = 7
PRICES = {"c5.4xlarge": "0.68", "c6i.4xlarge": "0.68", "c5.2xlarge": "0.34", "c6i.2xlarge": "0.34"}
Bill = Callable[[Names, date], tuple[Line, ...]]


@dataclass(frozen=True, slots=True)
class Moved:
    """One quantity of two weeks and its price: what the bill shows, and the code that explains it."""

    code: str
    usage_type: str
    before: float
    after: float
    price: Decimal

    @property
    def amounts(self) -> tuple[Decimal, Decimal]:
        """Of both weeks, to the cent."""
        both = (self.price * Decimal(repr(one)) for one in (self.before, self.after))
        before, after = (one.quantize(Decimal("0.01")) for one in both)
        return before, after


def spike(names: Names) -> Moved:
    """F8 of one cast."""
    told = crowd(names)
    after = 168 * told.nodes
    grown = 1.4 if names.seed == 0 else Random(f"spike/{names.seed}").uniform(1.25, 1.6)
    kind = told.machine.kind
    return Moved(
        "INSTANCE_FAMILY_MISMATCH", f"BoxUsage:{kind}", round(after / grown), after, Decimal(PRICES[kind])
    )


def cross_zone(names: Names) -> Moved:
    """F8b: traffic between zones triples, 150 to 450 GB."""
    rng = Random(f"cross-zone/{names.seed}")
    before, times = (150.0, 3.0) if names.seed == 0 else (rng.randint(80, 400) * 10.0, rng.randint(3, 6))
    price = Decimal("0.01")
    return Moved("CROSS_AZ_TRAFFIC", "DataTransfer-Regional-Bytes", before, before * times, price)


def growth(names: Names) -> tuple[float, float]:
    """F8n: how much machines and requests grow, as factors."""
    if names.seed == 0:
        return 1.05, 1.06
    rng = Random(f"growth/{names.seed}")
    grown = rng.uniform(1.04, 1.12)
    return grown, grown + rng.uniform(-0.01, 0.02)


def log_surge(names: Names) -> Moved:
    """A service begins to log at level DEBUG."""
    rng = Random(f"log-surge/{names.seed}")
    before = float(rng.randint(50, 90))
    return Moved(
        "LOG_VOLUME", "USE1-DataProcessing-Bytes", before, before * rng.randint(5, 9), Decimal("0.50")
    )


CLUSTERS = ((CLUSTER, 1.05), ("", 2.20), ("", 1.15))


def by_cluster(names: Names) -> tuple[tuple[str, float], ...]:
    """B9: three clusters and the factor by which each one's machines grow: +5, +120, +15 %."""
    others = [f"{names.others[place]}-cluster" for place in (4, 5)]
    found = [CLUSTER, *others]
    factors = [factor for _, factor in CLUSTERS]
    if names.seed:
        Random(f"by-cluster/{names.seed}").shuffle(factors)
    return tuple(zip(found, factors, strict=True))


# lines


def _weeks(today: date) -> tuple[date, date]:
    """Where the last two weeks begin."""
    return today - timedelta(days=2 * WEEK), today - timedelta(days=WEEK)


def _two(today: date, before: float, after: float, seed: str, *, whole: bool = False) -> Quantity:
    """Exactly so much in each of the last two weeks; about as much as `before` in the weeks before."""
    first, second = _weeks(today)
    made = _days(first, before, whole, f"{seed}/1") | _days(second, after, whole, f"{seed}/2")
    return at(made, noisy(flat(before / WEEK), 0.02, Random(seed).randrange(10**6)))


def _days(first: date, total: float, whole: bool, seed: str) -> dict[date, float]:
    if whole:
        each, more = divmod(int(total), WEEK)
        days = Random(seed).sample(range(WEEK), more)
        return {first + timedelta(days=day): float(each + (day in days)) for day in range(WEEK)}
    rng = Random(seed)
    made = [round(total / WEEK * rng.uniform(0.97, 1.03), 3) for _ in range(WEEK - 1)]
    return {
        first + timedelta(days=day): size for day, size in enumerate([*made, round(total - sum(made), 6)])
    }


def _tagged(lines: tuple[Line, ...], cluster: str = CLUSTER) -> tuple[Line, ...]:
    return tuple(replace(line, tags={TAG: cluster}) for line in lines)


def around(names: Names, kit: Kit) -> tuple[Line, ...]:
    """What every cluster and account pays besides: disks, a NAT gateway, registries, buckets."""
    rng = Random(f"around/{names.seed}")
    seeds = [rng.randrange(10**6) for _ in range(5)]
    return (
        kit.control_plane(),
        kit.disks(noisy(monthly(rng.randint(6, 12) * 100), 0.02, seeds[0])),
        *_tagged(kit.nat(noisy(flat(rng.randint(40, 80)), 0.02, seeds[1]))),
        kit.logs(noisy(flat(rng.randint(5, 9)), 0.02, seeds[2])),
        kit.other(ECR, "TimedStorage-ByteHrs", "0.10", monthly(45), "GB-Mo"),
        kit.other(S3, "TimedStorage-ByteHrs", "0.023", noisy(monthly(600), 0.02, seeds[3]), "GB-Mo"),
        Kit("sandbox").nodes("t3.large", "0.0832", noisy(hours(2), 0.02, seeds[4])),
    )


def spike_lines(names: Names, today: date) -> tuple[Line, ...]:
    """F8."""
    told, kit = spike(names), Kit()
    kind = told.usage_type.partition(":")[2]
    used = _two(today, told.before, told.after, f"spike/{names.seed}", whole=True)
    return (kit.nodes(kind, str(told.price), used), *around(names, kit))


def cross_zone_lines(names: Names, today: date) -> tuple[Line, ...]:
    """F8b: each GB is billed on both sides, so the bill shows twice what crosses."""
    told, kit = cross_zone(names), Kit()
    half = _two(today, told.before / 2, told.after / 2, f"cross-zone/{names.seed}")
    return (kit.nodes("m5.xlarge", "0.192", hours(6)), *kit.cross_zone(half), *around(names, kit))


def growth_lines(names: Names, today: date) -> tuple[Line, ...]:
    """F8n."""
    before = 168 * 60
    used = _two(today, before, round(before * growth(names)[0]), f"growth/{names.seed}", whole=True)
    return (Kit().nodes("m5.large", "0.096", used), *around(names, Kit()))


def steady_lines(names: Names, today: date) -> tuple[Line, ...]:
    """Two percent more every week, for months."""
    used = growing(today - timedelta(days=120), 300.0, 0.0029)
    line = Kit().nodes("m5.large", "0.096", noisy(used, 0.004, names.seed))
    return (line, *around(names, Kit()))


def log_surge_lines(names: Names, today: date) -> tuple[Line, ...]:
    """Log volume."""
    told, kit = log_surge(names), Kit()
    logs = kit.logs(_two(today, told.before, told.after, f"log-surge/{names.seed}"))
    return (
        kit.nodes("m5.xlarge", "0.192", hours(6)),
        logs,
        *(one for one in around(names, kit) if one.usage_type != logs.usage_type),
    )


def credit_ended_lines(names: Names, today: date) -> tuple[Line, ...]:
    """A credit of so much a day until the last week began."""
    rng = Random(f"credit/{names.seed}")
    kit, (_, second) = Kit(), _weeks(today)
    credit = Line(EC2, "", Decimal(-rng.randint(8, 20)), between(date(2026, 1, 1), second, flat(1.0)))
    credit = replace(credit, unit="", record_type="Credit", tags={TAG: CLUSTER})
    return (kit.nodes("m5.xlarge", "0.192", hours(6)), credit, *around(names, kit))


def spot_lost_lines(names: Names, today: date) -> tuple[Line, ...]:
    """Machines that were Spot run on demand since the last week began."""
    rng = Random(f"spot/{names.seed}")
    kit, (_, second), count = Kit(), _weeks(today), rng.randint(5, 10)
    price = f"{0.192 * rng.uniform(0.3, 0.45):.4f}"
    return (
        kit.nodes("m5.xlarge", price, steps(hours(count), (second, hours(0))), spot=True),
        kit.nodes("m5.xlarge", "0.192", steps(hours(1), (second, hours(count + 1)))),
        *around(names, kit),
    )


def plan_expired_lines(names: Names, today: date) -> tuple[Line, ...]:
    """A Savings Plan that covered the machines ended when the last week began."""
    rng = Random(f"plan/{names.seed}")
    kit, (_, second), count = Kit(), _weeks(today), rng.randint(4, 9)
    covered = kit.nodes("m5.xlarge", "0.192", steps(hours(count), (second, hours(0))))
    plan = kit.savings_plan(f"{0.138 * count:.3f}", covered, "0.138")
    fee = replace(plan[2], quantity=steps(plan[2].quantity, (second, flat(0))), tags={TAG: CLUSTER})
    bare = kit.nodes("m5.xlarge", "0.192", steps(flat(0), (second, hours(count))))
    return (*plan[:2], fee, bare, *around(names, kit))


def by_cluster_lines(names: Names, today: date) -> tuple[Line, ...]:
    """B9: the same services in three clusters."""
    rng = Random(f"by-cluster-lines/{names.seed}")
    made: list[Line] = []
    for place, (cluster, factor) in enumerate(by_cluster(names)):
        kit, before = Kit(cluster), 168 * rng.randint(5, 20)
        used = _two(today, before, round(before * factor), f"b9/{names.seed}/{place}", whole=True)
        made.append(kit.nodes("m5.xlarge", "0.192", used))
    return (*made, *(replace(line, tags={}) for line in around(names, Kit(""))))


# stories


def _billed(bill: Bill, *, unsettled: int = 0) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        del rng
        ledger = stage.aws.area(Ledger)
        ledger.lines = bill(names, today_of(stage))
        ledger.unsettled_days = unsettled

    return build


def today_of(stage: Stage) -> date:
    """The day of T0."""
    return datetime.fromtimestamp(stage.telemetry.t0_s, UTC).date()


def _spike(unsettled: int = 0) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        settle(stage, crowd(names), rng, launches=(12 * DAY_S, 7.4 * DAY_S, 7.4 * DAY_S - 90))
        _billed(spike_lines, unsettled=unsettled)(stage, names, rng)

    return build


def _waits_for_room(names: Names) -> tuple[Expected, ...]:
    """What a diagnosis of the cluster finds: the pool may not grow, and a pod waits."""
    told = crowd(names)
    return (Expected("KARPENTER_LIMIT_REACHED", "NodePool", "", told.pool, "StatefulSet", told.store),)


def _growth(stage: Stage, names: Names, rng: Random) -> None:
    _billed(growth_lines)(stage, names, rng)
    t0_s = stage.telemetry.t0_s
    turn_s = datetime.combine(_weeks(today_of(stage))[1], datetime.min.time(), UTC).timestamp()
    rate = rng.uniform(80, 400)
    told = stepped([(t0_s - 28 * DAY_S, rate), (turn_s, rate * growth(names)[1])])
    route = RouteFacts(names.api, "/", "production", since_s=t0_s - 28 * DAY_S)
    emit_requests(stage.telemetry.signals, route, rate=told, sigma=0.005)


SCENARIOS = (
    Scenario(
        "cost-spike",
        "The bill of a cluster rises by 40 %",
        "Nodes bought for their cores are full of memory: the pool buys more of the same.",
        "F8",
        _spike(),
        _waits_for_room,
        lead_s=3000.0,
    ),
    Scenario(
        "cost-spike-unsettled",
        "The bill rises, and its last day may still change",
        "As the spike; Cost Explorer calls yesterday an estimate.",
        "F8u",
        _spike(unsettled=1),
        _waits_for_room,
        lead_s=3000.0,
    ),
    Scenario(
        "cost-cross-zone",
        "Traffic between zones triples",
        "150 GB between zones become 450; machines stay as they are.",
        "F8b",
        _billed(cross_zone_lines),
    ),
    Scenario(
        "cost-growth",
        "The bill grows as its requests do",
        "Five percent more machines for six percent more requests: nothing is wrong.",
        "F8n",
        _growth,
        lead_s=600.0,
    ),
    Scenario(
        "cost-by-cluster",
        "One of three clusters costs twice as much",
        "The bills of three clusters grow by 5, 120 and 15 %.",
        "B9",
        _billed(by_cluster_lines),
    ),
)
