"""Two spans of one bill, settled days only, and the days before them.

Two billed requests at most when nothing is kept: services by kind of record over all weeks (what is usage and
what is not, and what is usual), and usage types over both spans. The second is asked for usage alone, so that
a credit or a refund of a service is never taken for a price.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.decomposition import Charge, Effect, Side, Usage, effect_of_record
from aiops_cost.analysis.periods import Period, earliest, period_of
from aiops_cost.analysis.usual_week import MOST_WEEKS
from aiops_cost.models.bills import BillQuestion, Spent
from aiops_shared.errors import InvalidInputError

if TYPE_CHECKING:
    from aiops_cost.clients.cost_explorer import CostExplorer

ARRIVING: Final = 4  # days: a span of "the last n days" moves back over unsettled ones by at most so many
TOGETHER: Final = 31  # days between two spans that are worth one request
RECORDS: Final = ("SERVICE", "RECORD_TYPE")
USAGE: Final = ("SERVICE", "USAGE_TYPE")


@dataclass(frozen=True, slots=True)
class Spans:
    """The days that are compared; `left_out` may still change or have no counterpart."""

    period: tuple[date, ...]
    baseline: tuple[date, ...]
    left_out: tuple[date, ...] = ()


@dataclass(frozen=True, slots=True)
class TwoBills:
    """What `decompose` takes, and each day's amounts for the usual weeks."""

    spans: Spans
    usages: tuple[Usage, ...]
    charges: tuple[Charge, ...]
    by_day: Mapping[date, int]
    services: Mapping[str, Mapping[date, int]]
    currency: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for: `rolling` moves back to the last settled day."""

    period: Period
    baseline: Period
    rolling: bool

    @property
    def first(self) -> date:
        """The oldest day that is read: weeks before, to know what is usual."""
        return min(self.period.first - timedelta(days=7 * MOST_WEEKS + ARRIVING), self.oldest)

    @property
    def oldest(self) -> date:
        """The oldest day that may be compared."""
        return min(self.period.first, self.baseline.first) - timedelta(days=ARRIVING if self.rolling else 0)

    @property
    def end(self) -> date:
        """After the newest day."""
        return max(self.period.end, self.baseline.end)


def wanted(period: str, baseline: str, today: date) -> Wanted:
    """The spans in words. Raises InvalidInputError for what is none, or overlaps."""
    first = period_of(period, today)
    rolling = period.strip().lower().endswith("d") and not first.monthly and not baseline
    second = period_of(baseline, today) if baseline else first.before()
    if second.first < first.end and first.first < second.end:
        raise InvalidInputError("baseline", f"{second} overlaps the period {first}", "give days before it")
    if second.first < earliest(today):
        raise InvalidInputError(
            "baseline", f"{second} is older than the bill", f"Cost Explorer has days from {earliest(today)}"
        )
    return Wanted(first, second, rolling)


class ChangeBills:
    """Reads them for one call."""

    def __init__(self, explorer: "CostExplorer", spent: Spent) -> None:
        self._explorer, self._spent = explorer, spent

    async def compare(self, asked: Wanted, today: date, cluster: str = "") -> TwoBills:
        """Both spans. Raises InvalidInputError when no settled day is left, what Cost Explorer raises."""
        first = max(asked.first, earliest(today))
        records = await self._explorer.bill(BillQuestion(first, asked.end, RECORDS, cluster), self._spent)
        spans = settled_spans(asked, records)
        usage = await self._usage(asked, records, cluster)
        return TwoBills(
            spans,
            _usages(usage, spans),
            _charges(records, spans),
            _by_day(records),
            {name: _by_day(records.where(_of(name))) for name in {key[0] for key in records.keys}},
            records.currency,
        )

    async def _usage(self, asked: Wanted, records: Bill, cluster: str) -> Sequence[Bill]:
        """The usage of the days that may be compared; a filter only where there is something else."""
        kinds = sorted({key[1] for key in records.keys})
        used = tuple(kind for kind in kinds if effect_of_record(kind) is Effect.QUANTITY)
        only = (("RECORD_TYPE", used),) if len(used) < len(kinds) else ()
        asks = [BillQuestion(*days, USAGE, cluster, only) for days in _stretches(asked)] if used else []
        return [await self._explorer.bill(one, self._spent) for one in asks]


def _stretches(asked: Wanted) -> list[tuple[date, date]]:
    early, late = sorted((asked.baseline, asked.period), key=lambda span: span.first)
    if (late.first - early.end).days <= TOGETHER:
        return [(asked.oldest, asked.end)]
    return [(early.first, early.end), (late.first, late.end)]


def settled_spans(asked: Wanted, records: Bill) -> Spans:
    """The settled days of both spans. A rolling period ends with the last settled day, so that its weekdays
    stay those of the baseline; of fixed spans of equal length the opposite day is left out too.
    """
    open_days = {day for day, may in zip(records.days, records.unsettled, strict=True) if may}
    period, baseline = asked.period, asked.baseline
    if asked.rolling:
        end = period.end
        while end - timedelta(days=1) in open_days and (period.end - end).days < ARRIVING:
            end -= timedelta(days=1)
        back = period.end - end
        skipped = tuple(end + timedelta(days=day) for day in range(back.days))
        period, baseline = _moved(period, back), _moved(baseline, back)
    else:
        skipped = ()
    pairs = _days(period), _days(baseline)
    gone = [place for place, day in enumerate(pairs[0]) if day in open_days]
    other = gone if len(pairs[0]) == len(pairs[1]) else []
    late = tuple(day for day in pairs[0] if day not in open_days)
    early = tuple(day for place, day in enumerate(pairs[1]) if place not in other and day not in open_days)
    if not late or not early:
        raise InvalidInputError(
            f"period {asked.period}", "every day of it may still change", "ask for days that are over"
        )
    left = (*(pairs[1][place] for place in other), *(pairs[0][place] for place in gone), *skipped)
    return Spans(late, early, tuple(sorted(set(left) | (open_days & set(pairs[1])))))


def _moved(span: Period, back: timedelta) -> Period:
    return Period(span.first - back, span.end - back)


def _days(span: Period) -> tuple[date, ...]:
    return tuple(span.first + timedelta(days=day) for day in range(span.days))


def _usages(bills: Sequence[Bill], spans: Spans) -> tuple[Usage, ...]:
    sides: dict[tuple[str, ...], tuple[set[str], list[Side]]] = {}
    for place, days in enumerate((spans.baseline, spans.period)):
        for bill in bills:
            for key, unit, side in _summed(bill, days):
                units, both = sides.setdefault(key, (set(), [Side(), Side()]))
                if not side.empty:
                    units.add(unit)
                    both[place] = Side(both[place].amount + side.amount, both[place].quantity + side.quantity)
    return tuple(
        Usage(key[0], key[1], next(iter(units)) if len(units) == 1 else "", both[0], both[1])
        for key, (units, both) in sides.items()
        if units
    )


def _summed(bill: Bill, days: Sequence[date]) -> list[tuple[tuple[str, ...], str, Side]]:
    rows = [place for place, day in enumerate(bill.days) if day in set(days)]
    amounts, quantities = bill.amounts[rows].sum(axis=0), bill.quantities[rows].sum(axis=0)
    return [
        (key, bill.units[place], Side(int(amounts[place]), float(quantities[place])))
        for place, key in enumerate(bill.keys)
    ]


def _charges(records: Bill, spans: Spans) -> tuple[Charge, ...]:
    found: dict[tuple[str, ...], list[int]] = {}
    for place, days in enumerate((spans.baseline, spans.period)):
        for key, _, side in _summed(records, days):
            if effect_of_record(key[1]) is not Effect.QUANTITY:
                found.setdefault(key, [0, 0])[place] += side.amount
    return tuple(Charge(key[0], key[1], *both) for key, both in found.items() if any(both))


def _by_day(bill: Bill) -> dict[date, int]:
    """Settled days only."""
    return {
        day: amount
        for day, amount, may in zip(bill.days, bill.of_days(), bill.unsettled, strict=True)
        if not may
    }


def _of(service: str) -> Callable[[tuple[str, ...]], bool]:
    return lambda key: key[0] == service
