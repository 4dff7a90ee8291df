"""Cost Explorer's cost and usage, computed from the account's ledger up to the lab's now.

Shapes are the service model's; behaviour as in
https://docs.aws.amazon.com/aws-cost-management/latest/APIReference/API_GetCostAndUsage.html. Every request
that is answered stands in `Ledger.asked`: AWS bills each of them, and each page. The net metrics are the
gross ones (the lab's account has no private discount).
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from aiops_lab.aws.account import Account
from aiops_lab.aws.cost_explorer_asking import Asker, Period, invalid
from aiops_lab.aws.errors import AwsError
from aiops_lab.aws.overlay import Call, Operations
from aiops_lab.billing.everyday import everyday
from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.sheet import SCALE, Codes, Mask, Real, Whole, part_of_day
from aiops_lab.places import CLUSTER

MOST_ROWS = 5_000  # groups a page
NOT_ENABLED = "User not enabled for cost explorer access"
NO_DATA = (
    "Data is not available. Please try to adjust the time period. If just enabled Cost Explorer, data might "
    "not be ingested yet"
)
_COSTS = {
    "UnblendedCost": "unblended",
    "BlendedCost": "unblended",
    "NetUnblendedCost": "unblended",
    "AmortizedCost": "amortized",
    "NetAmortizedCost": "amortized",
}
METRICS = (*_COSTS, "UsageQuantity", "NormalizedUsageAmount")
_SNAKE = {
    "".join(f"_{one}" if one.isupper() and place else one for place, one in enumerate(name)).upper(): name
    for name in METRICS
}
# Normalization factors: EC2 guide, "How Reserved Instance discounts are applied".
_FACTORS = {"nano": 0.25, "micro": 0.5, "small": 1, "medium": 2, "large": 4, "xlarge": 8}
Answer = Mapping[str, Any]
Act = Callable[[Asker, Mapping[str, Any]], Answer]


def ledger_of(account: Account) -> Ledger:
    """The account's ledger; the everyday bill is the one of its own cluster."""
    ledger = account.area(Ledger)
    if ledger.lines is everyday() and account.cluster != CLUSTER:
        ledger.lines = everyday(account.cluster)
    return ledger


def asking(account: Account, name: str, act: Act, call: Call) -> Answer:
    """One billed request: refused where Cost Explorer is not open, else answered and counted."""
    ledger = ledger_of(account)
    if not ledger.enabled:
        raise AwsError("AccessDeniedException", NOT_ENABLED, 400)
    if ledger.ingesting:
        raise AwsError("DataUnavailableException", NO_DATA, 400)
    asker = Asker(ledger, account.now(), name == "GetCostAndUsageWithResources")
    answer = act(asker, call.params)
    ledger.asked.append(name)
    return answer


def cost_explorer_operations(account: Account) -> Operations:
    """The operations of service `ce` about costs, bound to one account."""
    served: dict[str, Act] = {
        "GetCostAndUsage": get_cost_and_usage,
        "GetCostAndUsageWithResources": get_cost_and_usage,
    }
    return {("ce", name): partial(asking, account, name, act) for name, act in served.items()}


def get_cost_and_usage(asker: Asker, params: Mapping[str, Any]) -> Answer:
    """One page of costs by period and group."""
    if asker.resources and not asker.ledger.resources_enabled:
        raise AwsError("DataUnavailableException", NO_DATA, 400)
    mark = _mark(asker, params)
    start = _start(params.get("NextPageToken"), mark)
    found = asker.sheet.kept(mark, partial(_asked, asker, params))  # the next pages are cut from it
    answer: dict[str, Any] = {
        "ResultsByTime": found.page(start, MOST_ROWS),
        "DimensionValueAttributes": _attributes(asker, params),
    }
    if definitions := params.get("GroupBy"):
        answer["GroupDefinitions"] = list(definitions)
    if start + MOST_ROWS < found.rows:
        answer["NextPageToken"] = _token(start + MOST_ROWS, mark)
    return answer


@dataclass(frozen=True, slots=True)
class Grouped:
    """Lines put together: `order` sorts the kept lines by group, `starts` are the groups' places in it."""

    keys: tuple[tuple[str, ...], ...]
    order: NDArray[np.intp]
    starts: NDArray[np.intp]

    def lines(self, group: int) -> NDArray[np.intp]:
        """The lines of one group."""
        stop = self.starts[group + 1] if group + 1 < len(self.starts) else len(self.order)
        return self.order[self.starts[group] : stop]

    def added(self, values: Any) -> Any:
        """Sums by group of an array lines x days."""
        if not len(self.starts):
            return np.zeros((0, values.shape[1]), dtype=values.dtype)
        return np.add.reduceat(values[self.order], self.starts, axis=0)


@dataclass(frozen=True, slots=True)
class Found:
    """An answer as numbers: values[metric][group, period]; `present` are the cells that have records."""

    pieces: tuple[tuple[date, date], ...]
    estimated: tuple[bool, ...]
    keys: tuple[tuple[str, ...], ...]
    values: Mapping[str, NDArray[Any]]
    units: Mapping[str, tuple[str, ...]]  # by group
    cells: NDArray[np.intp]  # period, group: in the order of the answer
    grouped: bool

    @property
    def rows(self) -> int:
        """How many groups all pages have together."""
        return len(self.cells) if self.grouped else 1

    def page(self, start: int, count: int) -> list[Answer]:
        """The periods with the groups of one page. A page may end within a period."""
        if not self.grouped:
            return [self._period(place, [], total=True) for place in range(len(self.pieces))]
        cells = self.cells[start : start + count]
        if not len(cells):
            return [self._period(place, [], total=False) for place in range(len(self.pieces))]
        first, last = int(cells[0][0]), int(cells[-1][0])
        low = 0 if start == 0 else first
        high = len(self.pieces) - 1 if start + count >= len(self.cells) else last
        by_period: dict[int, list[int]] = {place: [] for place in range(low, high + 1)}
        for period, group in cells.tolist():
            by_period[period].append(group)
        return [self._period(place, groups, total=False) for place, groups in by_period.items()]

    def _period(self, place: int, groups: list[int], *, total: bool) -> Answer:
        first, end = self.pieces[place]
        return {
            "TimePeriod": {"Start": first.isoformat(), "End": end.isoformat()},
            "Total": dict(self._metrics(0, place)) if total else {},
            "Groups": [
                {"Keys": list(self.keys[group]), "Metrics": dict(self._metrics(group, place))}
                for group in groups
            ],
            "Estimated": self.estimated[place],
        }

    def _metrics(self, group: int, place: int) -> Iterator[tuple[str, Answer]]:
        for name, values in self.values.items():
            written = decimal(int(values[group, place])) if name in _COSTS else number(values[group, place])
            yield name, {"Amount": written, "Unit": self.units[name][group]}


def decimal(amount: int) -> str:
    """Ten-billionths as AWS writes an amount: no exponent, no zeros at the end."""
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    rest = f"{amount % SCALE:010d}".rstrip("0")
    return f"{sign}{amount // SCALE}" + (f".{rest}" if rest else "")


def number(value: float) -> str:
    """A quantity as AWS writes it: at most ten decimals."""
    return decimal(round(float(value) * SCALE))


def metric_names(asked: list[str]) -> list[str]:
    """The asked metrics in Cost Explorer's spelling; both spellings are taken. Raises AwsError."""
    names = [_SNAKE.get(one, one) for one in asked]
    if not names or any(one not in METRICS for one in names):
        raise invalid(f"Metrics are invalid. Valid values are {', '.join(METRICS)}.")
    return list(dict.fromkeys(names))


def billed(asker: Asker, period: Period) -> tuple[Real, dict[str, Whole]]:
    """Quantities and amounts of all lines, as far as they are on the bill now."""
    columns = asker.sheet.columns(period.first, period.end)
    quantities = columns.quantities.copy()
    amounts = {"unblended": columns.unblended.copy(), "amortized": columns.amortized.copy()}
    for place, (day, _) in enumerate(Period(period.first, period.end, "DAILY").pieces()):
        hours = asker.ledger.hours_billed(day, asker.now)
        if hours < 24:
            quantities[:, place] *= hours / 24
            for each in amounts.values():
                each[:, place] = part_of_day(each[:, place], hours)
    return quantities, amounts


def grouped(groups: list[tuple[str, Codes]], mask: Mask) -> Grouped:
    """The kept lines by their keys, keys sorted."""
    kept = np.flatnonzero(mask)
    codes = np.zeros(len(kept), dtype=np.intp)
    for _, one in groups:
        codes = codes * len(one.values) + one.of_lines[kept]
    order = np.argsort(codes, kind="stable")
    there, starts = np.unique(codes[order], return_index=True)
    keys = []
    for code in there.tolist() if groups else [0] * len(there):
        parts = []
        for before, one in reversed(groups):
            code, place = divmod(code, len(one.values))
            parts.append(before + one.values[place])
        keys.append(tuple(reversed(parts)))
    return Grouped(tuple(keys), kept[order], starts.astype(np.intp))


def _asked(asker: Asker, params: Mapping[str, Any]) -> Found:
    period = asker.period(params)
    names = metric_names([str(one) for one in params.get("Metrics") or ()])
    groups = asker.grouped(params.get("GroupBy") or ())
    by = grouped(groups, asker.mask(params.get("Filter")))
    pieces = period.pieces()
    places = np.array([(first - period.first).days for first, _ in pieces])
    quantities, amounts = billed(asker, period)
    there = np.add.reduceat(
        by.added((quantities != 0) | (amounts["unblended"] != 0)).astype(np.int64), places, axis=1
    )
    values: dict[str, NDArray[Any]] = {}
    units: dict[str, tuple[str, ...]] = {}
    for name in names:
        of_days = by.added(_numbers(asker, name, quantities, amounts))
        values[name] = _whole(np.add.reduceat(of_days, places, axis=1), grouped=bool(groups))
        units[name] = _units(asker, name, by)
    newest = [asker.ledger.unsettled(end - timedelta(days=1), asker.now) for _, end in pieces]
    return Found(
        pieces=tuple(pieces),
        estimated=tuple(newest),
        keys=by.keys,
        values=values,
        units=units,
        cells=np.argwhere(there.T > 0),
        grouped=bool(groups),
    )


def _whole(values: NDArray[Any], *, grouped: bool) -> NDArray[Any]:
    """An ungrouped question has one row, also when nothing fits."""
    return values if grouped or len(values) else np.zeros((1, values.shape[1]), dtype=values.dtype)


def _numbers(asker: Asker, name: str, quantities: Real, amounts: Mapping[str, Whole]) -> NDArray[Any]:
    if name in _COSTS:
        return amounts[_COSTS[name]]
    if name == "UsageQuantity":
        return quantities
    factors = np.array([_factor(line.instance_type) for line in asker.ledger.lines])
    units: Real = quantities * factors.reshape(-1, 1)
    return units


def _factor(instance_type: str) -> float:
    """Normalized units an hour; none for what is no instance."""
    size = instance_type.partition(".")[2]
    if size.endswith("xlarge") and size != "xlarge":
        return 8.0 * int(size.removesuffix("xlarge")) if size[:-6].isdecimal() else 0.0
    return _FACTORS.get(size, 0.0)


def _units(asker: Asker, name: str, by: Grouped) -> tuple[str, ...]:
    """The unit of each group: a currency, one unit of usage, or `N/A` where units are mixed."""
    if name == "NormalizedUsageAmount":
        return ("NormalizedUnits",) * max(1, len(by.keys))
    lines, usual = asker.ledger.lines, asker.ledger.currency
    units = [(line.currency or usual) if name in _COSTS else line.unit for line in lines]
    found = [{units[place] for place in by.lines(group)} for group in range(len(by.keys))]
    none = usual if name in _COSTS else "N/A"
    return tuple(one.pop() if len(one) == 1 else "N/A" for one in found) or (none,)


def _attributes(asker: Asker, params: Mapping[str, Any]) -> list[Answer]:
    """Names of the accounts, where the answer is grouped by account."""
    if not any(one.get("Key") == "LINKED_ACCOUNT" for one in params.get("GroupBy") or ()):
        return []
    names = asker.ledger.account_names
    return [
        {"Value": one, "Attributes": {"description": names.get(one, one)}}
        for one in asker.dimension("LINKED_ACCOUNT").values
    ]


def _mark(asker: Asker, params: Mapping[str, Any]) -> str:
    """One request, whatever its page."""
    ledger = asker.ledger
    asked = {name: value for name, value in params.items() if name != "NextPageToken"}
    state = [
        asker.now.isoformat()[:13],
        asker.resources,
        ledger.unsettled_days,
        ledger.late_h,
        ledger.currency,
    ]
    rest = [sorted(ledger.tags_active), ledger.since.isoformat(), str(ledger.cost_categories)]
    body = orjson.dumps([asked, state, rest], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(body).hexdigest()[:24]


def _token(start: int, mark: str) -> str:
    return urlsafe_b64encode(f"{start}/{mark}".encode()).decode()


def _start(token: Any, mark: str) -> int:
    """Where the page begins. Raises AwsError InvalidNextTokenException, RequestChangedException."""
    if not token:
        return 0
    try:
        start, _, asked = urlsafe_b64decode(str(token)).decode().partition("/")
        place = int(start)
    except ValueError as error:
        raise AwsError("InvalidNextTokenException", "The pagination token is invalid.", 400) from error
    if asked != mark:
        words = (
            "Your request parameters changed between pages. Try again with the old parameters or without a "
            "pagination token."
        )
        raise AwsError("RequestChangedException", words, 400)
    return place
