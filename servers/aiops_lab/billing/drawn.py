"""Bills drawn at random from a seed, and sums of them that are obviously right: for tests of everything else.

    ledger.lines, ledger.currency = drawn(seed), currency(seed)
    assert answer == total(ledger.lines, first, end, ("service", "instance_type"))

A drawn bill has several accounts, services, regions and tags, prices that change on a day, machines that
come and go, negative lines (credits, refunds), taxes on a month's first day, a savings plan, free usage and
amounts far below a cent.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from aiops_lab.billing.fleets import Kit
from aiops_lab.billing.lines import EC2, Line, Price, Quantity
from aiops_lab.billing.quantities import at, between, hours, noisy, steps

NEWEST = date(2026, 11, 22)  # what changes, changes in the two months before it
ACCOUNTS = ("111122223333", "222233334444", "333344445555", "444455556666")
_TYPES = ("c5.4xlarge", "m5.xlarge", "m5.2xlarge", "r5.2xlarge", "m7g.large", "t3.medium", "g5.xlarge")
_SERVICES = (
    "Amazon Relational Database Service",
    "Amazon Simple Storage Service",
    "Amazon DynamoDB",
    "Amazon Simple Queue Service",
    "AWS Lambda",
    "AWS Secrets Manager",
    "Amazon ElastiCache",
)
_CURRENCIES = ("USD", "USD", "USD", "EUR", "CNY")
Group = Callable[[Line], Hashable] | tuple[str, ...]


def currency(seed: int) -> str:
    """The currency of a drawn bill: not always dollars."""
    return Random(f"currency/{seed}").choice(_CURRENCIES)


def drawn(seed: int, *, newest: date = NEWEST) -> tuple[Line, ...]:
    """A bill. `newest`: the day before which its changes happen."""
    rng = Random(f"bill/{seed}")
    accounts = ACCOUNTS[: rng.randint(1, len(ACCOUNTS))]
    made: list[Line] = []
    for place, account in enumerate(accounts):
        region = rng.choice(("us-east-1", "us-east-1", "eu-west-1", "us-west-2"))
        cluster = rng.choice(("my-cluster", "my-cluster", "batch", "")) if place else "my-cluster"
        team = {"team": rng.choice(("shop", "data", "platform"))} if rng.random() < 0.7 else {}
        kit = Kit(cluster, account, region, team)
        made += _machines(rng, kit, newest) + _around(rng, kit, newest) + _others(rng, kit, newest)
        made += _corrections(rng, kit, newest)
    return tuple(made)


def large(accounts: int = 400, services: int = 20, seed: int = 0) -> tuple[Line, ...]:
    """A bill of an organization, one line for each account and service: for benches and limits."""
    rng = Random(f"large/{seed}")
    made = []
    for account in range(accounts):
        kit = Kit("", f"{100_000_000_000 + account}")
        for service in range(services):
            base, phase = rng.uniform(1, 500), rng.random()
            price = _price(rng, 0.01, 2)
            made.append(kit.other(f"Service {service:02d}", "Usage", price, _wave(base, phase), "Hrs"))
    return tuple(made)


def _wave(base: float, phase: float) -> Quantity:
    """Up and down by a tenth, without a random number a day: millions of days are asked for."""
    return lambda day: round(base * (1 + 0.1 * ((day.toordinal() * phase) % 1)), 3)


def total(
    lines: tuple[Line, ...], first: date, end: date, group: Group = (), *, amortized: bool = False
) -> Mapping[Hashable, Decimal]:
    """What the days from `first` up to, not including, `end` cost, by group; keys without usage are absent.

    `group` are names of a line's fields (a key is a tuple of their values) or a function of a line. Nothing
    is shared with Cost Explorer's columns: price times quantity, ten decimals, added up one by one.
    """
    found: dict[Hashable, Decimal] = {}
    for line in lines:
        key = group(line) if callable(group) else tuple(str(getattr(line, name)) for name in group)
        price: Price = line.price_usd
        if amortized and line.amortized_usd is not None:
            price = line.amortized_usd
        for away in range((end - first).days):
            day = first + timedelta(days=away)
            quantity = Decimal(repr(float(line.quantity(day))))
            cost = (price(day) if callable(price) else price) * quantity
            if quantity or cost:
                found[key] = found.get(key, Decimal()) + cost.quantize(Decimal("1e-10"))
    return found


def _price(rng: Random, low: float, high: float, digits: int = 4) -> str:
    return f"{rng.uniform(low, high):.{digits}f}"


def _day(rng: Random, newest: date, back: int = 60) -> date:
    return newest - timedelta(days=rng.randint(1, back))


def _machines(rng: Random, kit: Kit, newest: date) -> list[Line]:
    made = []
    for kind in rng.sample(_TYPES, rng.randint(1, 4)):
        before, after = rng.randint(0, 12), rng.randint(0, 12)
        amount = steps(hours(before), (_day(rng, newest), hours(after)))
        spot = rng.random() < 0.25
        if rng.random() < 0.5:
            amount = noisy(amount, rng.uniform(0, 0.1), rng.randrange(10_000))
        node = kit.nodes(kind, _price(rng, 0.03, 1.2), amount, zone=rng.choice("abc"), spot=spot)
        if rng.random() < 0.4:
            node = replace(node, price_usd=_changed(rng, newest))
        made.append(node)
    return made


def _changed(rng: Random, newest: date) -> Price:
    """A price that changes on one day."""
    day, old, new = _day(rng, newest), Decimal(_price(rng, 0.05, 1)), Decimal(_price(rng, 0.05, 1, 6))
    return lambda when: new if when >= day else old


def _around(rng: Random, kit: Kit, newest: date) -> list[Line]:
    made = [kit.control_plane(), kit.disks(rng.randint(10, 3000), rng.choice(("gp2", "gp3")))]
    if rng.random() < 0.6:
        made += kit.nat(_usage(rng, newest, 300))
    if rng.random() < 0.6:
        made += kit.cross_zone(_usage(rng, newest, 500))
    if rng.random() < 0.6:
        made += [kit.logs(_usage(rng, newest, 80)), kit.log_storage(rng.randint(1, 900))]
    if rng.random() < 0.3:
        made.append(kit.control_plane(extended=True))
    return made


def _others(rng: Random, kit: Kit, newest: date) -> list[Line]:
    made = []
    for service in rng.sample(_SERVICES, rng.randint(1, 5)):
        price = rng.choice((_price(rng, 0.01, 5), _price(rng, 0, 0.00001, 10), "0"))
        made.append(kit.other(service, f"Usage-{rng.randint(1, 9)}", price, _usage(rng, newest, 900)))
    return made


def _usage(rng: Random, newest: date, most: float) -> Quantity:
    """Something measured: all the time, only for a while, or with a step."""
    amount = rng.uniform(0.001, most)
    smooth = noisy(lambda day: amount, rng.uniform(0, 0.3), rng.randrange(10_000))
    chance = rng.random()
    if chance < 0.2:
        first = _day(rng, newest, 45)
        return between(first, first + timedelta(days=rng.randint(1, 20)), smooth)
    if chance < 0.4:
        return steps(smooth, (_day(rng, newest), lambda day: round(smooth(day) * 3, 6)))
    return smooth


def _corrections(rng: Random, kit: Kit, newest: date) -> list[Line]:
    made: list[Line] = []
    if rng.random() < 0.6:
        made.append(kit.credit(EC2, f"-{_price(rng, 0.01, 400, 2)}", _day(rng, newest)))
    if rng.random() < 0.4:
        made.append(
            kit.refund("Amazon Simple Storage Service", f"-{_price(rng, 0.01, 90, 2)}", _day(rng, newest))
        )
    if rng.random() < 0.5:
        made.append(kit.tax(_price(rng, 1, 300, 2)))
    if rng.random() < 0.4:
        nodes = kit.nodes("m5.large", "0.096", hours(rng.randint(1, 9)))
        made += kit.savings_plan(_price(rng, 0.05, 0.9), nodes, "0.06")
    if rng.random() < 0.3:
        made += kit.reserved(kit.nodes("r5.large", "0.126", hours(rng.randint(1, 4))), "0.079", 4)
    if rng.random() < 0.3:  # usage of one day only
        made.append(kit.other("AWS Glue", "Crawler-Hour", "0.44", at({_day(rng, newest): 2.5}), "Hrs"))
    return made
