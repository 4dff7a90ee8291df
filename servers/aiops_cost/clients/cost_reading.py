"""What things cost, by the bill's own groups: the reader behind `get_costs`.

One question to Cost Explorer covers the period, the one before and the month under way; the month's forecast,
anomalies and budgets stand beside it, and what of them cannot be had is a warning. By namespace and workload
the bill is divided in `allocation_reading`.
"""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

import anyio

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.cost_filters import word_of
from aiops_cost.analysis.cost_rows import apart, settled_mean
from aiops_cost.analysis.settling import next_month
from aiops_cost.clients.cost_asking import Asked, asked_of, refuse_unknown
from aiops_cost.clients.cost_clusters import by_cluster
from aiops_cost.clients.cost_explorer import CostExplorer
from aiops_cost.clients.cost_month import month_end
from aiops_cost.clients.cost_outlook import Anomaly, Budget, Forecast, anomalies, budgets, forecast
from aiops_cost.clients.cost_picture import pictured
from aiops_cost.clients.cost_queries import filter_of
from aiops_cost.clients.cost_tables import (
    Told,
    anomaly_table,
    budget_table,
    by_day,
    by_month,
    told,
)
from aiops_cost.clients.cost_wording import Words, summary
from aiops_cost.models.bills import Spent
from aiops_cost.models.costs import Compared, CostAsk, CostReport, InCurrency
from aiops_cost.models.money import shown
from aiops_shared.aws.clients import AwsClients
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.results import Evidence, Table
from aiops_shared.results.wording import cut
from aiops_shared.settings import Settings

Result = TypeVar("Result")
MOST_OTHER_ROWS: Final = 5
MOST_REASON: Final = 120  # characters of why something beside the bill is missing


@dataclass(slots=True)
class Beside:
    """What AWS says beside the bill; None: not asked, or not to be had."""

    forecast: Forecast | None = None
    anomalies: Sequence[Anomaly] | None = None
    budgets: Sequence[Budget] | None = None


@dataclass(frozen=True, slots=True)
class View:
    """One currency's bill as it is asked for."""

    whole: Bill  # all days that were asked, with record types
    now: Bill
    before: Bill | None


class CostReader:
    """Fulfils the port `Costs` for the bill's own groups."""

    def __init__(
        self,
        settings: Settings,
        explorer: CostExplorer,
        aws: AwsClients,
        clusters: ClusterDirectory,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._explorer = explorer
        self._aws = aws
        self._clusters = clusters
        self._clock = clock

    async def costs(self, ask: CostAsk) -> CostReport:
        """The rows of one period. Raises InvalidInputError, NotFoundError, what Cost Explorer raises."""
        counted = Spent()
        asked = asked_of(ask, (await self._clock.now()).date())
        tags = self._settings.cost.cluster_tags
        if ask.group_by == "cluster":
            bills = await by_cluster(self._explorer, asked.question, tags, counted)
        else:
            bills = await self._explorer.bills(asked.question, counted)
        views = [_view(bill, asked, ask) for bill in bills]
        if asked.filtered and not any(view.whole.amounts.any() for view in views):
            await refuse_unknown(self._explorer, asked, tags, counted)
        beside = await self._beside(asked, counted)
        warnings = await self._remarks(ask, views[0])
        return await _report(ask, asked, views, beside, counted, warnings)

    async def _beside(self, asked: Asked, counted: Spent) -> Beside:
        """Forecast, anomalies and budgets, at once."""
        found = Beside()
        today = asked.today

        async def ask_forecast() -> None:
            filtered = filter_of(asked.question, self._settings.cost.cluster_tags)
            days = (today, next_month(today))
            metric = asked.question.metric
            act = forecast(self._explorer, days, filtered, metric, counted)
            found.forecast = await _or_note(act, "no forecast of Cost Explorer's", counted)

        async def ask_anomalies() -> None:
            days = (asked.period.first, asked.period.end)
            act = anomalies(self._explorer, days, today, counted)
            found.anomalies = await _or_note(act, "anomalies unknown", counted)

        async def ask_budgets() -> None:
            act = budgets(self._explorer, self._aws, today)
            found.budgets = await _or_note(act, "budgets unknown", counted)

        wanted: list[Callable[[], Coroutine[Any, Any, None]]] = [ask_anomalies]
        if asked.current:
            wanted += [ask_forecast, ask_budgets]
        async with anyio.create_task_group() as group:
            for one in wanted:
                group.start_soon(one)
        return found

    async def _remarks(self, ask: CostAsk, view: View) -> list[str]:
        """Clusters that are known and have no cost under their name."""
        if ask.group_by != "cluster" or ask.cluster:
            return []
        try:
            choice = await self._clusters.choose(("*",))
        except AiopsError as error:
            return [f"which clusters there are is unknown: {error.reason}"]
        billed = {key[0] for key in view.whole.keys}
        missing = sorted({one.label.rsplit("/", 1)[-1] for one in choice.clusters} - billed)
        return [f"no cost carries the tag of {', '.join(missing[:5])}"] if missing else []


async def _or_note(act: Awaitable[Result], what: str, counted: Spent) -> Result | None:
    try:
        return await act
    except AiopsError as error:
        counted.note(f"{what}: {cut(error.reason, MOST_REASON)}")
        return None


def _view(bill: Bill, asked: Asked, ask: CostAsk) -> View:
    rows = bill if ask.group_by == "record_type" else apart(bill)
    before = asked.before
    return View(
        bill,
        rows.between(asked.period.first, asked.period.end),
        rows.between(before.first, before.end) if before is not None else None,
    )


async def _report(
    ask: CostAsk,
    asked: Asked,
    views: Sequence[View],
    beside: Beside,
    counted: Spent,
    remarks: Sequence[str],
) -> CostReport:
    view = views[0]
    columns = _columns(ask, view)
    before = None if view.before is None else _folded(view.before, columns)
    shown_rows = told(_folded(view.now, columns), before, columns, ask.limit)
    month = month_end(view.whole, asked.today, beside.forecast) if asked.current else None
    compared = _compared(view, asked)
    days, days_cut = _series(ask, view.now, shown_rows, columns)
    warnings = [*counted.notes, *remarks, *_cautions(asked, view, len(views))]
    if asked.filtered and (beside.anomalies or beside.budgets):
        warnings.append("anomalies and budgets are of the whole account")
    if days_cut:
        warnings.append(f"{days_cut} older days are in total and rows, not in series: ask by month")
    warnings += await pictured(f"Costs {asked.period}", _folded(view.now, columns), chart=ask.chart)
    unsettled = [
        day.isoformat() for day, open_ in zip(view.now.days, view.now.unsettled, strict=True) if open_
    ]
    mean = settled_mean(view.now)
    words = Words(ask, asked, view.now, shown_rows, compared, month, len(unsettled), beside.anomalies or ())
    return CostReport(
        summary=summary(words),
        period=str(asked.period),
        currency=view.now.currency,
        total=shown(view.now.total),
        per_day=None if mean is None else shown(round(mean)),
        rows=shown_rows.table,
        unsettled=tuple(unsettled),
        previous=compared,
        month=month,
        series=days,
        anomalies=anomaly_table(beside.anomalies) if beside.anomalies else None,
        budgets=budget_table(beside.budgets) if beside.budgets else None,
        other_currencies=tuple(_other(one, columns) for one in views[1:]),
        billed_requests=counted.requests,
        billed_usd=counted.usd,
        evidence=(_evidence(asked, counted),),
        warnings=tuple(warnings),
        hint=words.hint,
        truncated=bool(shown_rows.left_out or days_cut),
        untrusted=("rows", "series", "anomalies", "budgets"),
    )


def _columns(ask: CostAsk, view: View) -> tuple[str, ...]:
    if ask.group_by == "cluster":
        accounts = {key[1] for key in view.whole.keys if key[0]}
        return ("cluster", "account") if len(accounts) > 1 else ("cluster",)
    return (word_of(f"TAG:{ask.tag}"),) if ask.group_by == "tag" else (ask.group_by,)


def _folded(bill: Bill, columns: Sequence[str]) -> Bill:
    """A bill by cluster alone where there is but one account."""
    return bill.by(bill.dims[0]) if len(bill.dims) > len(columns) else bill


def _compared(view: View, asked: Asked) -> Compared | None:
    if view.before is None or asked.before is None:
        return None
    now, before = settled_mean(view.now), settled_mean(view.before)
    return Compared(
        period=str(asked.before),
        total=shown(view.before.total),
        per_day=shown(round(before or 0)),
        change_pct=round(100 * (now / before - 1), 1) if now is not None and before else None,
    )


def _series(ask: CostAsk, bill: Bill, rows: Told, columns: Sequence[str]) -> tuple[Table | None, int]:
    folded = _folded(bill, columns)
    if ask.granularity == "day":
        return by_day(folded, rows.rows)
    if ask.granularity == "month":
        return by_month(folded, rows.rows)
    return None, 0


def _cautions(asked: Asked, view: View, currencies: int) -> list[str]:
    said: list[str] = []
    if asked.before is None:
        said.append("no comparison: the days before are older than Cost Explorer keeps")
    elif view.before is not None:
        now, then = int((~view.now.unsettled).sum()), int((~view.before.unsettled).sum())
        if now != then and now:
            said.append(f"changes compare the mean of {now} settled days with that of {then}")
    if not (~view.now.unsettled).any():
        said.append("no day is settled yet: no mean, no change")
    if currencies > 1:
        said.append("several currencies: each has its own table, nothing is added up across them")
    return said


def _other(view: View, columns: Sequence[str]) -> InCurrency:
    rows = told(_folded(view.now, columns), None, columns, MOST_OTHER_ROWS)
    return InCurrency(currency=view.now.currency, total=shown(view.now.total), rows=rows.table)


def _evidence(asked: Asked, counted: Spent) -> Evidence:
    question = asked.question
    parts = [
        f"{question.first}..{question.end - timedelta(days=1)} DAILY {question.metric}",
        f"by {', '.join(question.dims)}" if question.dims else "by cluster tag, LINKED_ACCOUNT, RECORD_TYPE",
        f"cluster {question.cluster}" if question.cluster else "",
        *(f"{dim} = {'|'.join(values)}" for dim, values in question.only),
        *(f"{dim} != {'|'.join(values)}" for dim, values in question.without),
    ]
    said = f"{counted.requests} billed requests" if counted.requests else "kept, nothing was asked"
    return Evidence(source="Cost Explorer GetCostAndUsage", query="; ".join(filter(None, parts)), says=said)
