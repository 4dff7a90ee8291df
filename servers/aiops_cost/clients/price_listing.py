"""Answers `list_prices`: types by name, family, glob or shape, and the other kinds, from the price book."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from aiops_cost.analysis.price_kinds import OTHER
from aiops_cost.analysis.spot_prices import mean_of
from aiops_cost.clients.price_book import PriceBook
from aiops_cost.clients.price_places import place_of
from aiops_cost.models.money import NANO
from aiops_cost.models.prices import Price, PriceAsk, PriceReport, Quotes, Shape, SpotSpan
from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.errors import AiopsError, InvalidInputError, NotFoundError
from aiops_shared.kube.nearest import nearest
from aiops_shared.results import Cell, Evidence, Table
from aiops_shared.results.cursors import cursor_at, digest, offset_of
from aiops_shared.results.wording import brief, counted, cut

if TYPE_CHECKING:
    from aiops_shared.kube.clusters import ClusterDirectory

GIB = 1024**3
EVERY = "*"
KINDS = "kinds"
MOST_WITH_SPOT = 100  # types of one page whose history is read
_GLOB = re.compile(r"[*?]")
TYPE_COLUMNS = (
    "type",
    "vcpus",
    "gib",
    "arch",
    "pods",
    "on_demand",
    "spot_mean",
    "spot_min",
    "spot_max",
    "saving_pct",
    "per_vcpu",
    "per_gib",
)


@dataclass(slots=True)
class _Row:
    name: str
    shape: Shape | None
    price: Price | None


@dataclass(slots=True)
class _Read:
    """What one question has found so far."""

    rows: list[_Row] = field(default_factory=list)
    others: list[Price] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    at: AwsTarget | None = None
    partly: bool = False  # a source did not answer: what is missing may exist


class PriceReader:
    """Lists prices. Raises `AiopsError` only."""

    def __init__(self, book: PriceBook, aws: AwsClients, clusters: "ClusterDirectory") -> None:
        self._book = book
        self._aws = aws
        self._clusters = clusters

    async def listed(self, ask: PriceAsk) -> PriceReport:
        """One page. Raises InvalidInputError, NotFoundError with the nearest names, what AWS says."""
        question = digest("list_prices", ask.model_copy(update={"cursor": "", "limit": 0}))
        offset = offset_of(ask.cursor, question)
        if KINDS in ask.words:
            return _kinds()
        kinds = [word for word in ask.words if word in OTHER]
        words = [word for word in ask.words if word not in OTHER] or ([] if kinds else [EVERY])
        if "inter_region_gb" in kinds:
            raise InvalidInputError("inter_region_gb", "needs two regions", "get_costs shows what was paid")
        # Without a cluster none is looked for: prices are answered where no cluster can be reached.
        place = await place_of(self._clusters, self._aws, ask.cluster) if ask.cluster else None
        region = place.region if place else await self._aws.default_region()
        read = _Read(at=place.at if place else None, warnings=[*(place.warnings if place else ())])
        await self._others(kinds, region, read)
        if words:
            await self._types(words, region, ask, read)
        page = read.rows[offset : offset + ask.limit]
        spot = await self._spot([row.name for row in page if row.price], region, ask.spot_days, read)
        more = offset + len(page) < len(read.rows)
        answer = _report(region, page, spot, read, ask)
        return answer.model_copy(
            update={
                "truncated": more,
                "next_cursor": cursor_at(offset + len(page), question) if more else "",
            }
        )

    async def _others(self, kinds: Sequence[str], region: str, read: _Read) -> None:
        found: dict[str, Price] = {}
        failed: dict[str, AiopsError] = {}

        async def one(kind: str) -> None:
            try:
                found[kind] = await self._book.other(kind, region)
            except AiopsError as error:
                failed[kind] = error

        async with anyio.create_task_group() as tasks:
            for kind in dict.fromkeys(kinds):
                tasks.start_soon(one, kind)
        read.others += [found[kind] for kind in dict.fromkeys(kinds) if kind in found]
        if failed and not found:
            raise next(iter(failed.values()))
        read.warnings += [f"No price of {kind}: {failed[kind].wire()}" for kind in kinds if kind in failed]

    async def _types(self, words: Sequence[str], region: str, ask: PriceAsk, read: _Read) -> None:
        shapes = await self._shapes(words, region, ask, read)
        fits = {name: shape for name, shape in shapes.items() if _fits(shape, words, ask)}
        # Exact names are priced even where nothing is known of their shape.
        exact = [word for word in words if _is_exact(word) and word not in shapes]
        asked = [*fits, *exact]
        prices = await self._book.on_demand(asked, region) if asked else Quotes[str, Price]()
        read.warnings += prices.gaps
        for name in asked:
            if name in prices or name in fits:
                read.rows.append(_Row(name, fits.get(name), prices.get(name)))
        unsold = sorted(name for name in fits if name not in prices)
        if unsold and not prices.gaps:
            read.warnings.append(f"{region} lists no price of {brief(unsold)}")
        read.rows.sort(key=_by_price)
        missing = [word for word in words if not _known(word, shapes) and word not in prices]
        await self._say_missing(missing, shapes, region, read)
        if not read.rows and not read.others and not read.warnings:
            read.warnings.append("No type has that shape; lower min_vcpus or min_memory_gib")

    async def _shapes(
        self, words: Sequence[str], region: str, ask: PriceAsk, read: _Read
    ) -> Mapping[str, Shape]:
        try:
            found = await self._book.instance_shapes(words, region, at=read.at)
        except AiopsError as error:
            if ask.min_vcpus or ask.min_memory_gib or ask.architecture or not all(map(_is_exact, words)):
                raise
            read.warnings.append(f"Sizes of types were not read: {error.wire()}")
            read.partly = True
            return {}
        read.warnings += found.gaps
        read.partly = bool(found.gaps)
        return found

    async def _say_missing(
        self, missing: Sequence[str], shapes: Mapping[str, Shape], region: str, read: _Read
    ) -> None:
        """Raises NotFoundError when nothing that was asked for exists."""
        if not missing or read.partly:
            return
        near = {word: await self._near(word, region) for word in missing}
        said = "; ".join(
            f"{word}: {'the nearest are ' + ', '.join(names) if names else 'nothing like it'}"
            for word, names in near.items()
        )
        if not read.rows and not read.others:
            raise NotFoundError(f"prices of {brief(list(missing))} in {region}", "no such type or kind", said)
        read.warnings.append(cut(f"Not found: {said}", 300))

    async def _near(self, word: str, region: str) -> tuple[str, ...]:
        """The nearest names: kinds, then types of the family, then any type."""
        kinds = nearest(word, OTHER) if "." not in word else ()
        if kinds or _GLOB.search(word):
            return kinds
        try:
            shapes = await self._book.instance_shapes([word.partition(".")[0]], region)
            if not shapes:
                shapes = await self._book.instance_shapes([EVERY], region)
        except AiopsError:
            return nearest(word, await self._book.known_types(region))
        if "." not in word:
            return nearest(word, {one.family for one in shapes.values()})
        return nearest(word, shapes)

    async def _spot(
        self, names: Sequence[str], region: str, days: float, read: _Read
    ) -> Mapping[str, list[SpotSpan]]:
        if not names:
            return {}
        try:
            spans = await self._book.spot_history(names[:MOST_WITH_SPOT], region, days=days, at=read.at)
        except AiopsError as error:
            read.warnings.append(f"Spot prices were not read: {error.wire()}")
            return {}
        read.warnings += spans.gaps
        found: dict[str, list[SpotSpan]] = {}
        for (name, _), span in sorted(spans.items()):
            found.setdefault(name, []).append(span)
        return found


def _is_exact(word: str) -> bool:
    return "." in word and not _GLOB.search(word)


def _known(word: str, shapes: Mapping[str, Shape]) -> bool:
    """Whether some type answers to the word."""
    if word == EVERY or _GLOB.search(word):
        pattern = re.compile("".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in word))
        return any(pattern.fullmatch(name) for name in shapes)
    return word in shapes or any(one.family == word for one in shapes.values())


def _fits(shape: Shape, words: Sequence[str], ask: PriceAsk) -> bool:
    """By what was asked; who names no type is not shown metal, GPUs and old generations."""
    plain = shape.current and not shape.bare_metal and not shape.gpus
    return (
        shape.vcpus >= ask.min_vcpus
        and shape.memory_bytes >= ask.min_memory_gib * GIB
        and ask.architecture in {"", shape.architecture}
        and (plain or EVERY not in words or shape.name in words)
    )


def _by_price(row: _Row) -> tuple[bool, int, str]:
    return row.price is None, row.price.nano_usd if row.price else 0, row.name


def usd(amount: float | None, digits: int = 6) -> float | None:
    """Billionths as dollars, as many digits as a price list has."""
    return None if amount is None else round(amount / NANO, digits)


def _cells(row: _Row, spans: Sequence[SpotSpan]) -> tuple[Cell, ...]:
    shape, price = row.shape, row.price
    hour = price.nano_usd if price else None
    mean = mean_of([span.mean_nano for span in spans]) if spans else None
    return (
        row.name,
        shape.vcpus if shape else None,
        round(shape.memory_bytes / GIB, 2) if shape else None,
        shape.architecture if shape else "",
        shape.max_pods if shape else None,
        usd(hour),
        usd(mean),
        usd(min(span.low_nano for span in spans)) if spans else None,
        usd(max(span.high_nano for span in spans)) if spans else None,
        round(100 * (1 - mean / hour), 1) if mean is not None and hour else None,
        usd(hour / shape.vcpus, 5) if hour and shape and shape.vcpus else None,
        usd(hour / (shape.memory_bytes / GIB), 5) if hour and shape and shape.memory_bytes else None,
    )


def _report(
    region: str, page: Sequence[_Row], spot: Mapping[str, list[SpotSpan]], read: _Read, ask: PriceAsk
) -> PriceReport:
    prices = [row.price for row in page if row.price] + read.others
    return PriceReport(
        summary=cut(_summary(region, page, spot, read)),
        region=region,
        as_of=min((one.as_of for one in prices), default=""),
        types=Table(columns=TYPE_COLUMNS, rows=tuple(_cells(row, spot.get(row.name, ())) for row in page))
        if page
        else None,
        zones=_zones(spot[page[0].name]) if len(read.rows) == 1 and spot else None,
        others=_others_table(read.others) if read.others else None,
        warnings=tuple(dict.fromkeys(read.warnings)),
        evidence=_evidence(region, prices, spot, ask),
    )


def _zones(spans: Sequence[SpotSpan]) -> Table:
    columns = ("zone", "spot_mean", "spot_min", "spot_max", "spot_now")
    rows = tuple(
        (one.zone, usd(one.mean_nano), usd(one.low_nano), usd(one.high_nano), usd(one.last_nano))
        for one in spans
    )
    return Table(columns=columns, rows=rows)


def _others_table(prices: Sequence[Price]) -> Table:
    rows = tuple(
        (
            one.what,
            one.nano_usd / NANO,
            one.unit,
            OTHER[one.what].says,
            "; ".join(f"from {begin:g}: {amount / NANO:g}" for begin, amount in one.tiers),
        )
        for one in prices
    )
    return Table(columns=("kind", "usd", "unit", "says", "tiers"), rows=rows)


def _summary(region: str, page: Sequence[_Row], spot: Mapping[str, list[SpotSpan]], read: _Read) -> str:
    said = []
    first = next((row for row in page if row.price), None)
    if first is not None and first.price is not None:
        words = f"{first.name} ${usd(first.price.nano_usd):g}/h on demand"
        if spans := spot.get(first.name):
            mean = mean_of([one.mean_nano for one in spans])
            share = 100 * (1 - mean / first.price.nano_usd)
            words += f", ${usd(mean):g}/h Spot ({share:.0f} % less)"
        many = f"; the cheapest of {counted(len(read.rows), 'type')}" if len(read.rows) > 1 else ""
        said.append(words + many)
    said += [f"{one.what} ${one.nano_usd / NANO:g} per {one.unit}" for one in read.others[:3]]
    if not said:
        return f"No price found in {region}."
    dates = sorted({one.as_of for one in [*(row.price for row in page if row.price), *read.others]})
    old = [row.price for row in page if row.price] + read.others
    kept = next((one.source for one in old if one.source.startswith("kept")), "")
    return f"{region}: {'; '.join(said)}. List prices, {kept or f'read {dates[0]}'}; without your discounts."


def _evidence(
    region: str, prices: Sequence[Price], spot: Mapping[str, list[SpotSpan]], ask: PriceAsk
) -> tuple[Evidence, ...]:
    said = []
    if prices:
        oldest = min(prices, key=lambda one: one.as_of)
        says = f"{oldest.source}, read {oldest.as_of}"
        query = f"pricing:GetProducts regionCode={region}, Linux, Shared, NA, Used"
        said.append(Evidence(source="AWS Price List", query=query, says=says))
    if spot:
        span = next(iter(spot.values()))[0]
        query = f"ec2:DescribeSpotPriceHistory {region}, Linux/UNIX, {ask.spot_days:g} days"
        said.append(Evidence(source="EC2", query=query, says=f"{span.source}, read {span.as_of}"))
    return tuple(said)


def _kinds() -> PriceReport:
    rows = tuple((one.name, one.group, one.unit, one.says) for one in OTHER.values())
    return PriceReport(
        summary=f"{len(rows)} kinds besides instance types; ask for one by its name.",
        others=Table(columns=("kind", "group", "unit", "says"), rows=rows),
    )
