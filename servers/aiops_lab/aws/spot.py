"""EC2's Spot prices of the lab: a function of time, zone and type, whose mean over any whole week is fixed.

moto answers one price for everything. Here a price changes every few hours, at other moments in each zone and
for each type, by a pattern that repeats after seven days and adds up to nothing: over seven days the mean,
weighed by time, is exactly `PriceTable.spot_mean`. Nothing is recorded.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import Any

from aiops_lab.aws.account import REGION, Account
from aiops_lab.aws.ec2_asking import filtered, in_pages
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.billing.price_table import REGIONS, PriceTable
from aiops_lab.instance_types import TYPES

STEP_S = 6 * 3600
STEPS = 7 * 24 * 3600 // STEP_S
KEPT = timedelta(days=90)
SWING = 0.12  # of the mean, at most, up or down
_SYSTEMS = {"Linux/UNIX": Decimal(1), "Windows": Decimal("1.7")}
_FILTERS = {
    "availability-zone": "AvailabilityZone",
    "instance-type": "InstanceType",
    "product-description": "ProductDescription",
    "spot-price": "SpotPrice",
}
_ZONE_IDS = {"us-east-1": "use1-az", "eu-central-1": "euc1-az"}
Answer = Mapping[str, Any]


def spot_operations(account: Account) -> Operations:
    """The operations of service `ec2` about Spot."""
    served = {
        "DescribeSpotPriceHistory": describe_spot_price_history,
        "GetSpotPlacementScores": get_spot_placement_scores,
    }
    return {("ec2", name): partial(act, account) for name, act in served.items()}


def describe_spot_price_history(account: Account, call: Call) -> Answer:
    """Changes within a time, and the one before it, which held when it began; the newest first."""
    now = account.now()
    start = max(_moment(call.params.get("StartTime")) or now - KEPT, now - KEPT)
    end = min(_moment(call.params.get("EndTime")) or now, now)
    wanted = [str(one) for one in call.params.get("InstanceTypes") or []]
    sold = account.area(PriceTable).spot_means.get(call.region, {})
    rows = [
        row
        for name in (wanted or sorted(sold))
        if name in sold
        for zone in zones_of(account, call.region)
        if call.params.get("AvailabilityZone") in {None, "", zone}
        for system in call.params.get("ProductDescriptions") or _SYSTEMS
        if system in _SYSTEMS
        for row in _rows(name, zone, system, sold[name], (start, end))
    ]
    rows.sort(key=lambda row: row["Timestamp"], reverse=True)
    return in_pages("SpotPriceHistory", filtered(rows, call, _FILTERS), call)


def get_spot_placement_scores(account: Account, call: Call) -> Answer:
    """From 1 to 10: low for one or two types, and for very much capacity. Raises AwsError."""
    del account
    types = [str(one) for one in call.params.get("InstanceTypes") or []]
    if any(one not in TYPES for one in types):
        raise AwsError("InvalidParameterValue", "One or more of the instance types is not valid")
    target = int(call.params.get("TargetCapacity") or 0)
    if target < 1:
        raise AwsError("InvalidParameterValue", "TargetCapacity must be at least 1")
    single = bool(call.params.get("SingleAvailabilityZone"))
    told = []
    for region in call.params.get("RegionNames") or REGIONS:
        places = [f"{_ZONE_IDS.get(region, 'zone-')}{place}" for place in (1, 2, 3)] if single else [""]
        for place in places:
            drawn = random.Random(f"{region} {place} {sorted(types)}").randint(0, 3)
            score = max(1, min(10, (3 if 0 < len(types) < 3 else 9) - drawn - target // 500))
            row: dict[str, Any] = {"Region": region, "Score": score}
            told.append(row | ({"AvailabilityZoneId": place} if place else {}))
    told.sort(key=lambda row: -row["Score"])
    return in_pages("SpotPlacementScores", told, call)


def zones_of(account: Account, region: str) -> tuple[str, ...]:
    """The zones of a region: at home where the subnets are."""
    if region == REGION:
        return tuple(sorted({one.zone for one in account.subnets.values()}))
    return tuple(f"{region}{letter}" for letter in "abc") if region in REGIONS else ()


def price_at(name: str, zone: str, mean: Decimal, step: int) -> Decimal:
    """The price within one step of time."""
    micro = int(mean * 1_000_000)
    return Decimal(micro + _swings(name, zone, micro)[step % STEPS]) / 1_000_000


@cache
def _swings(name: str, zone: str, micro: int) -> Sequence[int]:
    """What each step of a week adds to the mean, millionths of a dollar: together nothing."""
    draw = random.Random(f"spot {name} {zone}")
    most = int(micro * SWING)
    # Each value and its opposite, shuffled: the sum is zero whatever is drawn.
    half = [draw.randint(0, most) for _ in range(STEPS // 2)]
    made = [*half, *(-one for one in half)]
    draw.shuffle(made)
    return made


def _rows(
    name: str, zone: str, system: str, mean: Decimal, window: tuple[datetime, datetime]
) -> Iterator[dict[str, Any]]:
    offset = random.Random(f"when {name} {zone}").randrange(STEP_S)
    first, last = (int((moment.timestamp() - offset) // STEP_S) for moment in window)
    for step in range(first, last + 1):
        price = price_at(name, zone, mean, step)
        if step > first and price == price_at(name, zone, mean, step - 1):
            continue
        yield {
            "AvailabilityZone": zone,
            "InstanceType": name,
            "ProductDescription": system,
            "SpotPrice": f"{price * _SYSTEMS[system]:.6f}",
            "Timestamp": datetime.fromtimestamp(step * STEP_S + offset, UTC),
        }


def _moment(given: Any) -> datetime | None:
    if given is None:
        return None
    found = (
        given if isinstance(given, datetime) else datetime.fromisoformat(str(given).replace("Z", "+00:00"))
    )
    return found if found.tzinfo else found.replace(tzinfo=UTC)
