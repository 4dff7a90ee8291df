"""Cost Explorer, asked once for each day: what was billed is kept and never paid for again.

Made once in `Wiring.explorer()`; everything of this server that reads the bill calls `bill`. Each request, a
page is one, costs 0.01 USD: they are counted in `Spent`, bounded by `AIOPS_COST_MAX_BILLED_REQUESTS`, and
kept for each question month by month, so that a longer question asks only for the days that are missing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from weakref import WeakValueDictionary

import anyio
import numpy as np
import orjson

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.periods import earliest
from aiops_cost.analysis.settling import good_until, next_month, unsettled_days
from aiops_cost.clients.cost_errors import explained
from aiops_cost.clients.cost_pages import Pages
from aiops_cost.clients.cost_queries import METRICS, QUANTITY, filter_of, groups_of, require_dims
from aiops_cost.clients.cost_slabs import MIXED, Joining, Slab, UnreadableError, joined, unpacked
from aiops_cost.clients.kept_answers import UNREADABLE, kept, recalled
from aiops_cost.models.bills import BillQuestion, Spent
from aiops_shared.auth import CallerIdentity
from aiops_shared.aws.clients import AwsClients
from aiops_shared.aws.target import AwsTarget
from aiops_shared.clock import Clock
from aiops_shared.errors import (
    AccessDeniedError,
    ActionRefusedError,
    AiopsError,
    InvalidInputError,
    NotConfiguredError,
    ThrottledError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from aiops_shared.kube.cluster_sources import account_target
from aiops_shared.settings import Settings
from aiops_shared.state.answers import Answers, key_of

ROOM: Final = "cost-explorer"
PATIENCE_S: Final = 30.0  # of one call's paging; the page that is under way may take AIOPS_AWS_TIMEOUT_S more
MOST_REASON: Final = 120  # characters of an error in a warning
WITHOUT: Final = (
    "Without them only a bill that was kept can be read, if AIOPS_COST_ACCOUNT names its account; kept prices"
    " still answer list_prices and estimate_cost"
)
REGION: Final = "us-east-1"  # Cost Explorer, Budgets and prices have no other endpoint
# Refused before anything was computed. A time-out or an error of AWS's may have been billed.
NEVER_BILLED: Final = (
    AccessDeniedError,
    InvalidInputError,
    NotConfiguredError,
    ThrottledError,
    UnreachableError,
)
# One request over kept days is cheaper than two around them, unless that makes it page.
WORTH_ASKING_AGAIN_DAYS: Final = 31


class CostExplorer:
    """The bill of the account that `AIOPS_COST_ACCOUNT` names. Safe to share between tasks."""

    def __init__(
        self, settings: Settings, aws: AwsClients, answers: Answers, clock: Clock, who: CallerIdentity
    ) -> None:
        self._settings = settings
        self._aws = aws
        self._answers = answers
        self._clock = clock
        self._who = who
        self._account = settings.cost.account
        self._turns: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()

    async def bill(self, question: BillQuestion, counted: Spent) -> Bill:
        """The bill in the currency that most of it has; any other one is noted in `counted`, never added.

        Raises InvalidInputError for days that Cost Explorer does not have, ActionRefusedError when it would
        take too many requests, NotConfiguredError when it is not enabled, AccessDeniedError.
        """
        first, *others = await self.bills(question, counted)
        for other in others:
            counted.note(f"the bill has amounts in {other.currency} too: they are not in these figures")
        return first

    async def bills(self, question: BillQuestion, counted: Spent) -> tuple[Bill, ...]:
        """The bill as one for each currency, the one with most amounts first."""
        require_dims(question)
        today = (await self._clock.now()).date()
        end = min(question.end, today + timedelta(days=1))
        if not earliest(today) <= question.first < end:
            raise InvalidInputError(
                f"days {question.first}..{question.end - timedelta(days=1)}",
                f"Cost Explorer has days from {earliest(today)} to {today}",
                "ask for days between them",
            )
        question = replace(question, end=end)
        filtered = filter_of(question, self._settings.cost.cluster_tags)
        name = key_of(await self.account(), question.dims, repr(filtered), question.metric)
        turn = self._turns.setdefault(name, anyio.Lock())
        async with turn:
            slab = await self._slab(name, question, filtered, counted)
        return _bills(slab, question, today)

    async def account(self) -> str:
        """Whose bill it is: kept answers of one account are not another's. Not billed."""
        if not self._account:
            try:
                who = await self._aws.call(self.target(), "sts", "get_caller_identity")
            except NotConfiguredError as error:
                raise NotConfiguredError(error.thing, error.reason, f"{error.hint}. {WITHOUT}") from error
            self._account = str(who.get("Account") or "")
        return self._account

    def target(self) -> AwsTarget:
        """Where Cost Explorer and Budgets are asked. Raises NotConfiguredError."""
        return account_target(self._settings, self._settings.cost.account, REGION, self._who)

    async def ask(self, operation: str, counted: Spent, **parameters: Any) -> Mapping[str, Any]:
        """One billed request of any operation of Cost Explorer, counted. Raises ActionRefusedError."""
        self._afford(counted, 1)
        counted.requests += 1  # before the answer: others of the same call ask meanwhile
        try:
            answer = await self._aws.call(self.target(), "ce", operation, **parameters)
        except AiopsError as error:
            told = explained(error, operation)
            counted.requests -= isinstance(told, NEVER_BILLED)
            raise told from error
        return dict(answer)

    async def remembered(self, operation: str, counted: Spent, **parameters: Any) -> Mapping[str, Any]:
        """`ask` for what is no bill (forecasts, anomalies): an answer is good for `AIOPS_COST_KEEP_H`."""
        name = key_of(await self.account(), operation, orjson.dumps(parameters, option=orjson.OPT_SORT_KEYS))
        async with self._turns.setdefault(name, anyio.Lock()):
            held = await recalled(
                self._answers, name, _remembered, timedelta(hours=self._settings.cost.keep_h)
            )
            if held.value is not None:
                return held.value
            counted.note(held.note)
            answer = await self.ask(operation, counted, **parameters)
            said = {key: value for key, value in answer.items() if key != "ResponseMetadata"}
            counted.note(await kept(self._answers, name, orjson.dumps(said)))
            return said

    def _afford(self, counted: Spent, more: int) -> None:
        most = self._settings.cost.max_billed_requests
        if counted.requests + 1 <= most:
            return
        raise ActionRefusedError(
            "Cost Explorer",
            f"the answer takes about {counted.requests + more} billed requests, one call may make {most}",
            "a shorter period or coarser groups, or raise AIOPS_COST_MAX_BILLED_REQUESTS",
        )

    async def _slab(
        self, name: str, question: BillQuestion, filtered: Mapping[str, Any] | None, counted: Spent
    ) -> Slab:
        held = await self._held(name, question, counted)
        now = await self._clock.now()
        good = _good(held, now, self._settings.cost.keep_h)
        missing = gaps(question.first, question.end, good)
        if not missing:
            return held
        spare: list[Slab] = []  # what was billed and could not be kept
        for first, end in missing:
            part = replace(question, first=first, end=end)
            try:
                await self._fetch(name, part, filtered, counted, spare)
            except AiopsError as error:
                counted.note(_as_of(held, first, end, error))
        return await self._held(name, question, counted, spare)

    async def _held(
        self, name: str, question: BillQuestion, counted: Spent, spare: Sequence[Slab] = ()
    ) -> Slab:
        months = _months(question)
        joining = Joining(len(months) * 31)
        for month in months:
            if (slab := await self._kept(name, month, counted)) is not None:
                joining.add(slab)
        for slab in spare:
            joining.add(slab)
        return joining.slab()

    async def _kept(self, name: str, month: date, counted: Spent) -> Slab | None:
        try:
            found = await self._answers.get(key_of(name, month.isoformat()))
            return None if found is None else unpacked(found.body)
        except UnreadableError:
            counted.note(UNREADABLE)
        except AiopsError as error:
            counted.note(f"kept answers cannot be read, every question is billed: {error.reason}")
        return None

    async def _fetch(
        self,
        name: str,
        question: BillQuestion,
        filtered: Mapping[str, Any] | None,
        counted: Spent,
        spare: list[Slab],
    ) -> None:
        asked_at = await self._clock.now()
        pages = Pages(question.first, question.end, question.dims, question.metric)
        complete = False
        try:
            token, seen = "", set[str]()
            while not complete:
                token = await self._page(pages, question, filtered, counted, token)
                complete = not token
                if token in seen:
                    raise UpstreamError("Cost Explorer", "its pages lead back to one that was read")
                seen.add(token)
        finally:
            slab = pages.whole(asked_at, complete=complete) if pages.read else None
            if slab is not None:
                with anyio.CancelScope(shield=True):
                    spare += await self._keep(name, slab, counted)

    async def _page(
        self,
        pages: Pages,
        question: BillQuestion,
        filtered: Mapping[str, Any] | None,
        counted: Spent,
        token: str,
    ) -> str:
        needed = pages.pages_needed()
        self._afford(counted, needed - pages.read)
        counted.until = counted.until or anyio.current_time() + PATIENCE_S
        if anyio.current_time() > counted.until:
            raise UpstreamTimeoutError(
                "Cost Explorer",
                f"{pages.read} of about {needed} pages within {PATIENCE_S:g} s",
                "ask again: what came is kept, it goes on from there",
            )
        words: dict[str, Any] = {
            "TimePeriod": {"Start": question.first.isoformat(), "End": question.end.isoformat()},
            "Granularity": "DAILY",
            "Metrics": [METRICS[question.metric], QUANTITY],
        }
        if question.dims:
            words["GroupBy"] = groups_of(question.dims)
        if filtered:
            words["Filter"] = filtered
        if token:
            words["NextPageToken"] = token
        page = await self.ask("get_cost_and_usage", counted, **words)
        pages.add(page)
        return str(page.get("NextPageToken") or "")

    async def _keep(self, name: str, slab: Slab, counted: Spent) -> list[Slab]:
        """Put the days into their months, in place of what was kept of them. Returns what could not be kept:
        it was billed, so this call answers with it.
        """
        months: dict[date, list[int]] = {}
        for row, day in enumerate(slab.days):
            months.setdefault(day.replace(day=1), []).append(row)
        try:
            for month, rows in months.items():
                before = await self._kept(name, month, counted)
                both = joined([*([before] if before else []), slab.taken(rows)])
                await self._answers.put(key_of(name, month.isoformat()), both.packed())
        except AiopsError as error:
            counted.note(f"answers cannot be kept, every question is billed: {error.reason}")
            return [slab]
        return []


def _remembered(body: bytes) -> Mapping[str, Any]:
    return dict(orjson.loads(body))


def _as_of(held: Slab, first: date, end: date, error: AiopsError) -> str:
    """What is said when days that may have changed could not be asked again. Raises `error` where one of them
    was never answered.
    """
    asked = [at for day, at in zip(held.days, held.asked_at, strict=True) if first <= day < end]
    if len(asked) < (end - first).days:
        raise error
    reason = error.reason if len(error.reason) <= MOST_REASON else f"{error.reason[:MOST_REASON]}…"
    return f"{first}..{end - timedelta(days=1)} as answered on {min(asked):%Y-%m-%d %H:%M} UTC: {reason}"


def gaps(first: date, end: date, good: frozenset[date]) -> list[tuple[date, date]]:
    """The spans of days to ask for; two with few kept days between them become one."""
    found: list[tuple[date, date]] = []
    for at in range((end - first).days):
        day = first + timedelta(days=at)
        if day in good:
            continue
        if found and (day - found[-1][1]).days < WORTH_ASKING_AGAIN_DAYS:
            found[-1] = (found[-1][0], day + timedelta(days=1))
        else:
            found.append((day, day + timedelta(days=1)))
    return found


def _good(held: Slab, now: datetime, keep_h: float) -> frozenset[date]:
    unsettled = unsettled_days(held.days, held.estimated, now.date())
    rows = zip(held.days, held.asked_at, held.estimated, unsettled, strict=True)
    return frozenset(
        day
        for day, asked_at, estimated, open_ in rows
        if asked_at <= now < good_until(day, asked_at, estimated=estimated, unsettled=open_, keep_h=keep_h)
    )


def _months(question: BillQuestion) -> Sequence[date]:
    found = [question.first.replace(day=1)]
    while (after := next_month(found[-1])) < question.end:
        found.append(after)
    return found


def _bills(slab: Slab, question: BillQuestion, today: date) -> tuple[Bill, ...]:
    """The days asked for, keys without any amount left out, split by currency."""
    wanted = [at for at, day in enumerate(slab.days) if question.first <= day < question.end]
    rows = slice(wanted[0], wanted[-1] + 1) if wanted else slice(0)  # days have no holes: a view, no copy
    unsettled = np.array(unsettled_days(slab.days, slab.estimated, today), dtype=np.bool_)
    amounts, quantities = slab.amounts[rows], slab.quantities[rows]
    used = amounts.any(axis=0) | (quantities != 0).any(axis=0)
    currencies: dict[str, list[int]] = {}
    for place in np.flatnonzero(used):
        currencies.setdefault(slab.keys[place][-1], []).append(int(place))
    bills = [
        Bill(
            days=slab.days[rows],
            dims=question.dims,
            keys=tuple(slab.keys[place][:-1] for place in places),
            amounts=_columns(amounts, places),
            quantities=_told(_columns(quantities, places), [slab.units[place] for place in places]),
            units=tuple(slab.units[place] for place in places),
            unsettled=unsettled[rows],
            currency=currency,
            names=slab.names,
        )
        for currency, places in (currencies or {"USD": []}).items()
    ]
    return tuple(sorted(bills, key=lambda bill: -int(np.abs(bill.amounts).sum())))


def _columns(values: Any, places: Sequence[int]) -> Any:
    return values if len(places) == values.shape[1] else values[:, places]


def _told(quantities: Any, units: Sequence[str]) -> Any:
    quantities[:, [unit == MIXED for unit in units]] = np.nan
    return quantities
