"""What AWS asks for things, and what instance types hold: read once, kept with its date, used by every tool.

The Price List is asked in us-east-1 and needs no more than `pricing:GetProducts`; Spot prices and shapes are
EC2's, in the region asked about. None of these requests is billed. Prices are list prices: what an account's
own agreement or a Savings Plan takes off is not in them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import orjson

from aiops_cost.analysis.price_kinds import OTHER, PriceKind
from aiops_cost.analysis.price_lists import (
    LINUX_NODE,
    Product,
    Tier,
    attribute,
    first_paid,
    is_linux_node,
    is_product,
    tiers_of,
    used_as,
)
from aiops_cost.analysis.spot_prices import SpotChange, by_place, figures
from aiops_cost.clients.price_keeping import Entry, PriceSheets
from aiops_cost.models.money import nano
from aiops_cost.models.prices import Price, Quotes, Shape, SpotSpan
from aiops_shared.auth.callers import CallerIdentity
from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget, require_region
from aiops_shared.clock import Clock
from aiops_shared.errors import InvalidInputError, NotFoundError, UpstreamError
from aiops_shared.kube.cluster_sources import account_target
from aiops_shared.kube.nearest import nearest
from aiops_shared.settings import Settings
from aiops_shared.state.answers import Answers

PRICE_LIST_REGION = "us-east-1"
SPOT_DAYS = 7.0  # the window of a mean, unless asked otherwise
MOST_SPOT_DAYS = 90.0  # EC2 keeps no more
SPOT_FRESH = timedelta(hours=1)
AT_ONCE = 50  # names in one request: a filter's value takes 1,024 characters
MOST_CHANGES = 200_000
MOST_TYPES = 3000
LINUX = "Linux/UNIX"


class PriceBook:
    """The prices of this server. Every method raises `AiopsError` only."""

    def __init__(
        self, settings: Settings, aws: AwsClients, kept: Answers, clock: Clock, who: CallerIdentity
    ) -> None:
        self._settings = settings
        self._aws = aws
        self._clock = clock
        self._who = who
        self._sheets = PriceSheets(kept, clock)
        self._fresh_for = timedelta(days=settings.cost.prices_keep_days)

    async def on_demand(self, types: Collection[str], region: str) -> Quotes[str, Price]:
        """The hour of a Linux machine of each type, on demand. What the region does not sell is absent.

        Raises what AWS says, when no price of any of them is known or kept.
        """
        require_region(region)

        async def fetch(names: Sequence[str]) -> Mapping[str, Any]:
            return await self._read_on_demand(names, region)

        names = sorted(set(types))
        found = await self._sheets.through(("on_demand", region), names, self._fresh_for, fetch)
        made = {
            name: _price(name, "on_demand", region, "Hrs", ((0.0, int(entry.value)),), entry)
            for name, entry in found.entries.items()
            if entry.value is not None
        }
        return Quotes(made, found.gaps)

    async def spot(
        self,
        types: Collection[str],
        region: str,
        zones: Collection[str] = (),
        *,
        days: float = SPOT_DAYS,
        at: AwsTarget | None = None,
    ) -> Quotes[tuple[str, str], Price]:
        """The mean Spot price of each type in each zone over the last `days`, by (type, zone).

        Zones are named as each account has them: `at` says which is asked, as a cluster's own.
        """
        spans = await self.spot_history(types, region, zones, days=days, at=at)
        made = {
            place: Price(
                what=span.instance_type,
                kind="spot",
                region=region,
                zone=span.zone,
                nano_usd=span.mean_nano,
                unit="Hrs",
                source=span.source,
                as_of=span.as_of,
            )
            for place, span in spans.items()
        }
        return Quotes(made, spans.gaps)

    async def spot_history(
        self,
        types: Collection[str],
        region: str,
        zones: Collection[str] = (),
        *,
        days: float = SPOT_DAYS,
        at: AwsTarget | None = None,
    ) -> Quotes[tuple[str, str], SpotSpan]:
        """Mean, lowest, highest and last Spot price of each type in each zone. Raises as `on_demand`."""
        require_region(region)
        if not 0 < days <= MOST_SPOT_DAYS:
            raise InvalidInputError("days", f"is between 0 and {MOST_SPOT_DAYS:g}", "EC2 keeps 90 days")

        async def fetch(names: Sequence[str]) -> Mapping[str, Any]:
            return await self._read_spot(names, self._target(region, at), days)

        names = sorted(set(types))
        sheet = ("spot", at.account if at else "", region, f"{days:g}")
        found = await self._sheets.through(sheet, names, SPOT_FRESH, fetch)
        made = {
            (name, zone): _span(name, zone, told, entry)
            for name, entry in found.entries.items()
            for zone, told in (entry.value or {}).items()
            if not zones or zone in zones
        }
        return Quotes(made, found.gaps)

    async def instance_shapes(
        self, words: Collection[str], region: str, *, at: AwsTarget | None = None
    ) -> Quotes[str, Shape]:
        """What types have, by name. Words are types, families (`m5`) or globs (`m7?.*`)."""
        require_region(region)

        async def fetch(patterns: Sequence[str]) -> Mapping[str, Any]:
            return await self._read_shapes(patterns, self._target(region, at))

        patterns = sorted({word if "." in word or "*" in word else f"{word}.*" for word in words})
        found = await self._sheets.through(("shapes", region), patterns, self._fresh_for, fetch)
        made = {
            str(told[0]): Shape(*told) for entry in found.entries.values() for told in (entry.value or ())
        }
        return Quotes(made, found.gaps)

    async def other(self, kind: str, region: str, *, to: str = "") -> Price:
        """The price of something else (`analysis.price_kinds.OTHER`); `to`: the other region of traffic.

        Raises NotFoundError for a kind that is none, or that the region does not sell.
        """
        require_region(region)
        found = OTHER.get(kind)
        if found is None:
            near = ", ".join(nearest(kind, OTHER)) or ", ".join(sorted(OTHER))
            raise NotFoundError(f"price of {ascii(kind)[:60]}", "no such kind", f"one of: {near}")
        if kind == "inter_region_gb":
            require_region(to)

        async def fetch(names: Sequence[str]) -> Mapping[str, Any]:
            return {name: await self._read_other(found, region, to) for name in names}

        name = f"{kind}>{to}" if to else kind
        read = await self._sheets.through(("other", region, name), [name], self._fresh_for, fetch)
        entry = read.entries[name]
        if entry.value is None:
            raise NotFoundError(f"price of {kind} in {region}", "the Price List has none", "another region")
        tiers = tuple((float(begin), int(amount)) for begin, amount in entry.value)
        return _price(kind, found.group, region, found.unit, tiers, entry)

    async def known_types(self, region: str) -> tuple[str, ...]:
        """Types whose price was read before: what is near a misspelt one, without a request."""
        return await self._sheets.names(("on_demand", region))

    # reading

    def _target(self, region: str, at: AwsTarget | None = None) -> AwsTarget:
        if at is not None:
            return replace(at, region=region)
        return account_target(self._settings, self._settings.cost.account, region, self._who)

    async def _products(self, service: str, filters: Iterable[tuple[str, str, str]]) -> list[Product]:
        found = await self._aws.every(
            self._target(PRICE_LIST_REGION),
            "pricing",
            "get_products",
            "PriceList",
            at_most=MOST_TYPES,
            ServiceCode=service,
            Filters=[{"Type": kind, "Field": field, "Value": value} for kind, field, value in filters],
        )
        if found.truncated:
            raise UpstreamError("AWS Price List", f"{service} has more than {MOST_TYPES} products that fit")
        try:
            read = [orjson.loads(item) if isinstance(item, str) else item for item in found.items]
        except orjson.JSONDecodeError as error:
            raise UpstreamError("AWS Price List", "a product is no JSON") from error
        if not all(map(is_product, read)):
            raise UpstreamError("AWS Price List", "a product in another form than its own")
        return read

    async def _read_on_demand(self, names: Sequence[str], region: str) -> Mapping[str, int]:
        read: dict[str, set[int]] = {}
        fixed = [("TERM_MATCH", "regionCode", region)]
        fixed += [("TERM_MATCH", field, value) for field, value in LINUX_NODE.items()]
        for start in range(0, len(names), AT_ONCE):
            wanted = names[start : start + AT_ONCE]
            which = ("ANY_OF" if len(wanted) > 1 else "TERM_MATCH", "instanceType", ",".join(wanted))
            for product in await self._products("AmazonEC2", [*fixed, which]):
                if is_linux_node(product) and (amount := first_paid(tiers_of(product))):
                    read.setdefault(attribute(product, "instanceType"), set()).add(amount)
        # Two prices for one machine: which is meant cannot be known, and a guess is no price.
        return {name: amounts.pop() for name, amounts in read.items() if len(amounts) == 1}

    async def _read_spot(self, names: Sequence[str], target: AwsTarget, days: float) -> Mapping[str, Any]:
        end = await self._clock.now()
        start = end - timedelta(days=days)
        changes: list[SpotChange] = []
        for first in range(0, len(names), AT_ONCE):
            found = await self._aws.every(
                target,
                "ec2",
                "describe_spot_price_history",
                "SpotPriceHistory",
                at_most=MOST_CHANGES,
                InstanceTypes=list(names[first : first + AT_ONCE]),
                ProductDescriptions=[LINUX],
                StartTime=start,
            )
            changes += [
                SpotChange(
                    row["InstanceType"], row["AvailabilityZone"], row["Timestamp"], nano(row["SpotPrice"])
                )
                for row in found.items
            ]
        read: dict[str, dict[str, tuple[float, ...]]] = {}
        for (name, zone), held in by_place(changes).items():
            if (told := figures(held, start, end)) is not None:
                read.setdefault(name, {})[zone] = (
                    told.mean_nano,
                    told.low_nano,
                    told.high_nano,
                    told.last_nano,
                    told.days,
                )
        return read

    async def _read_shapes(self, patterns: Sequence[str], target: AwsTarget) -> Mapping[str, Any]:
        rows: list[tuple[Any, ...]] = []
        for first in range(0, len(patterns), AT_ONCE):
            values = list(patterns[first : first + AT_ONCE])
            found = await self._aws.every(
                target,
                "ec2",
                "describe_instance_types",
                "InstanceTypes",
                at_most=MOST_TYPES,
                Filters=[{"Name": "instance-type", "Values": values}],
            )
            rows += [_shape(row) for row in found.items]
        read = {pattern: [row for row in rows if fnmatchcase(row[0], pattern)] for pattern in patterns}
        return {pattern: held for pattern, held in read.items() if held}

    async def _read_other(self, kind: PriceKind, region: str, to: str) -> tuple[Tier, ...] | None:
        filters = [("TERM_MATCH", kind.by, region)]
        filters += [("TERM_MATCH", field, value) for field, value in kind.attributes.items()]
        filters += [("TERM_MATCH", "toRegionCode", to)] if to else []
        products = await self._products(kind.service, filters)
        meant = {tiers_of(one, kind.scale) for one in products if used_as(one, kind.pattern)}
        paid = {tiers for tiers in meant if first_paid(tiers)}
        return paid.pop() if len(paid) == 1 else None


def _price(what: str, kind: str, region: str, unit: str, tiers: tuple[Tier, ...], entry: Entry) -> Price:
    return Price(
        what=what,
        kind=kind,
        region=region,
        nano_usd=first_paid(tiers),
        unit=unit,
        source=entry.source("price list"),
        as_of=f"{entry.at:%Y-%m-%d}",
        tiers=tiers if len(tiers) > 1 else (),
    )


def _span(name: str, zone: str, told: Sequence[Any], entry: Entry) -> SpotSpan:
    mean, low, high, last, days = told
    return SpotSpan(
        name, zone, mean, low, high, last, days, f"{entry.at:%Y-%m-%d}", entry.source("spot history")
    )


def _shape(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """A row of DescribeInstanceTypes, as `Shape` takes it."""
    network, processor = row.get("NetworkInfo") or {}, row.get("ProcessorInfo") or {}
    arm = "arm64" in (processor.get("SupportedArchitectures") or [])
    return (
        str(row["InstanceType"]),
        int((row.get("VCpuInfo") or {}).get("DefaultVCpus") or 0),
        int((row.get("MemoryInfo") or {}).get("SizeInMiB") or 0) * 1024 * 1024,
        "arm64" if arm else "amd64",
        int(network.get("MaximumNetworkInterfaces") or 0),
        int(network.get("Ipv4AddressesPerInterface") or 0),
        sum(int(gpu.get("Count") or 0) for gpu in (row.get("GpuInfo") or {}).get("Gpus") or ()),
        bool(row.get("BurstablePerformanceSupported")),
        bool(row.get("BareMetal")),
        bool(row.get("CurrentGeneration", True)),
    )
