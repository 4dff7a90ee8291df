"""Why the bill moved: both bills taken apart, the usual weeks, what moved with them, ranked causes.

Called by the change tool through `ports.CostChanges`. The bill is needed; everything else is a fact that may
be missing, read side by side, each with its own deadline.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import anyio

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.change_case import Case, Measured, Seen, Voice
from aiops_cost.analysis.cost_causes import causes_of
from aiops_cost.analysis.decomposition import decompose
from aiops_cost.analysis.usual_week import Usual, usual
from aiops_cost.clients import change_wording as words
from aiops_cost.clients.change_bills import ChangeBills, Spans, TwoBills, Wanted, settled_spans, wanted
from aiops_cost.clients.change_cluster import seen
from aiops_cost.clients.change_metrics import measured
from aiops_cost.clients.change_picture import pictured
from aiops_cost.clients.change_voices import voices
from aiops_cost.models.bills import BillQuestion, Spent
from aiops_cost.models.changes import ChangeAsk, CostChange
from aiops_cost.models.money import to_cents
from aiops_shared.clock import Clock
from aiops_shared.errors import ClusterNotFoundError, InvalidInputError
from aiops_shared.kube.choosing import is_glob
from aiops_shared.kube.nearest import nearest
from aiops_shared.results import Cell, Evidence, Table
from aiops_shared.results.wording import quotable, sayable
from aiops_shared.settings import CostSettings

if TYPE_CHECKING:
    from aiops_cost.clients.cost_explorer import CostExplorer
    from aiops_shared.kube.clusters import ClusterDirectory
    from aiops_shared.metrics.directory import MetricsDirectory

MOST_CHANGES: Final = 20
MOST_CHARS: Final = 200
MOST_CLUSTERS: Final = 40
NO_TAG: Final = (
    "no bill carries the cluster's tag: activate aws:eks:cluster-name as a cost allocation tag in Billing (it"
    " takes a day and is not retroactive), or name another one in AIOPS_COST_CLUSTER_TAGS"
)


@dataclass(slots=True)
class _Facts:
    """What moved with the bill; None: nobody could say."""

    measured: Measured | None = None
    seen: Seen | None = None
    voices: tuple[Voice, ...] = ()
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Mover:
    """The cluster that moved most among several, and the table of all."""

    cluster: str
    table: Table
    said: str


class ChangeReader:
    """Fulfils `ports.CostChanges`."""

    def __init__(
        self,
        explorer: "CostExplorer",
        clusters: "ClusterDirectory",
        metrics: "MetricsDirectory",
        clock: Clock,
        settings: CostSettings,
    ) -> None:
        self._explorer = explorer
        self._clusters = clusters
        self._metrics = metrics
        self._clock = clock
        self._settings = settings

    async def explain(self, ask: ChangeAsk) -> CostChange:
        """One comparison.

        Raises InvalidInputError for spans that are none, ClusterNotFoundError for a cluster that no bill
        knows, and what Cost Explorer raises.
        """
        require_changes(ask.changes)
        now = await self._clock.now()
        asked = wanted(ask.period, ask.baseline, now.date())
        spent = Spent()
        mover: _Mover | None = None
        if isinstance(ask.clusters, tuple) or (ask.clusters and is_glob(ask.clusters)):
            names = (ask.clusters,) if isinstance(ask.clusters, str) else ask.clusters
            mover = await self._mover(asked, names, spent)
        cluster = mover.cluster if mover else _name(ask.clusters)
        bills = await ChangeBills(self._explorer, spent).compare(asked, now.date(), cluster)
        if cluster and not bills.usages and not bills.charges:
            named, _ = await self._by_cluster(asked, spent)
            if named:
                raise _nobody((cluster,), named)
            return self._untagged(cluster, bills, spent)
        word = ask.clusters if isinstance(ask.clusters, str) and mover is None else cluster or None
        facts = await self._facts(word, bills.spans, now, spent)
        case = self._case(ask, bills, facts)
        title = cluster or "The account"
        drawn = await pictured(title, bills, case.parts, chart=ask.chart)
        facts.warnings += drawn
        return self._answer(ask, cluster, bills, facts, (spent, mover, case))

    async def _facts(self, cluster: str | None, spans: Spans, now: datetime, spent: Spent) -> _Facts:
        found = _Facts()
        since = datetime.combine(spans.period[0], time(), UTC) - timedelta(days=1)
        days = spans.period[0], spans.period[-1] + timedelta(days=1)

        async def measure() -> None:
            found.measured, said = await measured(self._metrics, cluster, (spans.baseline, spans.period), now)
            found.warnings += said

        async def look() -> None:
            found.seen, said = await seen(self._clusters, cluster, (since, now))
            found.warnings += said

        async def hear() -> None:
            found.voices, said = await voices(self._explorer, spent, days, now.date())
            found.warnings += said

        async with anyio.create_task_group() as tasks:
            for act in (measure, look, hear):
                tasks.start_soon(act)
        return found

    async def _mover(self, asked: Wanted, names: tuple[str, ...], spent: Spent) -> _Mover:
        """Which of several clusters moved most. Raises ClusterNotFoundError when no bill names any."""
        days, spans = await self._by_cluster(asked, spent)
        short = [_name(name) for name in names]
        chosen = [name for name in sorted(days) if any(fnmatchcase(name, word) for word in short)]
        if not chosen or spans is None:
            raise _nobody(names, days)
        return _moved_most({name: days[name] for name in chosen[:MOST_CLUSTERS]}, spans)

    async def _by_cluster(
        self, asked: Wanted, spent: Spent
    ) -> tuple[dict[str, dict[date, int]], Spans | None]:
        """What each cluster cost by the day; one billed request for each tag that names clusters."""
        days: dict[str, dict[date, int]] = {}
        spans: Spans | None = None
        for tag in self._settings.cluster_tags:
            question = BillQuestion(asked.first, asked.end, (f"TAG:{tag}",))
            bill = await self._explorer.bill(question, spent)
            spans = spans or settled_spans(asked, bill)
            for name in {key[0] for key in bill.keys} - {""}:
                one = days.setdefault(name, {})
                for day, amount in _settled(bill, name).items():
                    one[day] = one.get(day, 0) + amount
        return days, spans

    def _case(self, ask: ChangeAsk, bills: TwoBills, facts: _Facts) -> Case:
        parts = decompose(bills.usages, bills.charges, bills.spans.baseline, bills.spans.period)
        return Case(
            parts=parts,
            total=usual(_whole(bills.by_day, bills.spans), bills.spans.period),
            services={
                name: usual(_whole(days, bills.spans), bills.spans.period)
                for name, days in bills.services.items()
            },
            measured=facts.measured,
            seen=facts.seen,
            voices=facts.voices,
            changes=ask.changes,
            cpu_target=self._settings.cpu_target,
            memory_target=self._settings.memory_target,
            currency=bills.currency,
        )

    def _answer(
        self,
        ask: ChangeAsk,
        cluster: str,
        bills: TwoBills,
        facts: _Facts,
        around: tuple[Spent, _Mover | None, Case],
    ) -> CostChange:
        spent, mover, case = around
        told = words.judged(case, causes_of(case))
        period, baseline = words.spans_words(bills.spans.period, bills.spans.baseline)
        what = f"{mover.said} {quotable(cluster)}" if mover else cluster or "The account"
        said = f"{period.partition(' ')[0]} beside {baseline.partition(' ')[0]}"
        return CostChange(
            summary=words.summary_of(told, what, said),
            verdict=told.verdict,
            period=period,
            baseline=baseline,
            currency=bills.currency,
            effects=words.effects_table(case.parts),
            drivers=words.drivers_table(case.parts, full=ask.full),
            cells=words.cells_table(case.parts, full=ask.full),
            causes=words.cause_models(told, full=ask.full),
            facts=words.facts_table(case),
            clusters=mover.table if mover else None,
            usual=words.usual_words(case.total, bills.currency),
            unsettled_days=tuple(str(day) for day in bills.spans.left_out),
            billed_requests=spent.requests,
            evidence=(Evidence(source="Cost Explorer", query=_question(bills.spans, cluster)),),
            warnings=(*_unsettled(bills.spans), *spent.notes, *dict.fromkeys(facts.warnings)),
            untrusted=("drivers", "cells", "facts", "causes", "clusters"),
        )

    def _untagged(self, cluster: str, bills: TwoBills, spent: Spent) -> CostChange:
        """Nothing on the bill carries the cluster's name."""
        period, baseline = words.spans_words(bills.spans.period, bills.spans.baseline)
        empty = decompose((), (), bills.spans.baseline, bills.spans.period)
        return CostChange(
            summary=f"{cluster}: no line of the bill carries its tag in {period}; nothing can be compared.",
            verdict="insufficient",
            period=period,
            baseline=baseline,
            currency=bills.currency,
            effects=words.effects_table(empty),
            drivers=words.drivers_table(empty, full=False),
            cells=words.cells_table(empty, full=False),
            billed_requests=spent.requests,
            hint=f"{NO_TAG}; or leave cluster out to compare the whole account",
            warnings=tuple(spent.notes),
        )


def _nobody(names: Sequence[str], billed: Iterable[str]) -> ClusterNotFoundError:
    """No bill names these clusters; what it does name is near."""
    known = sorted(billed)
    near = ", ".join(sayable(nearest(_name(names[0]), known) or known[:10]))
    thing = f"cluster {', '.join(map(quotable, names))}"[:120]
    return ClusterNotFoundError(thing, "no bill names it", f"nearest: {near}" if near else NO_TAG)


def require_changes(changes: tuple[str, ...]) -> None:
    """The caller's changes are short texts. Raises InvalidInputError."""
    if len(changes) > MOST_CHANGES or any(len(one) > MOST_CHARS for one in changes):
        raise InvalidInputError(
            "changes", f"takes at most {MOST_CHANGES} texts of {MOST_CHARS} characters", "name the largest"
        )


def _name(word: object) -> str:
    """A cluster's name as tags have it: the end of `account/region/name` or an ARN."""
    return word.rpartition("/")[2] if isinstance(word, str) else ""


def _settled(bill: Bill, name: str) -> dict[date, int]:
    one = bill.where(lambda key: key[0] == name)
    rows = zip(one.days, one.of_days(), one.unsettled, strict=True)
    return {day: amount for day, amount, may in rows if not may}


def _whole(days: Mapping[date, int], spans: Spans) -> dict[date, int]:
    """Days by amount; a compared day on which nothing was billed is zero."""
    return dict.fromkeys(spans.period, 0) | dict(days)


def _moved_most(days: dict[str, dict[date, int]], spans: Spans) -> _Mover:
    rows: list[tuple[Cell, ...]] = []
    moves: dict[str, tuple[float, int]] = {}
    for name, amounts in days.items():
        before = sum(amounts.get(day, 0) for day in spans.baseline)
        after = sum(amounts.get(day, 0) for day in spans.period)
        found: Usual = usual(_whole(amounts, spans), spans.period)
        share = round(100 * (after - before) / before, 1) if before else None
        word = "unknown" if not found.known else "unusual" if found.unusual else "usual"
        cents = to_cents(before), to_cents(after)
        rows.append((name, cents[0] / 100, cents[1] / 100, (cents[1] - cents[0]) / 100, share, word))
        moves[name] = (float(found.unusual), abs(after - before))
    rows.sort(key=lambda row: -abs(float(row[3] or 0)))
    mover = max(moves, key=lambda name: moves[name])
    columns = ("cluster", "before", "after", "change", "change_pct", "beside_usual")
    return _Mover(mover, Table(columns=columns, rows=tuple(rows)), f"Of {len(days)} clusters most of all")


def _unsettled(spans: Spans) -> tuple[str, ...]:
    if not spans.left_out:
        return ()
    days = ", ".join(str(day) for day in spans.left_out[:6])
    return (f"left out, since amounts may still change or have no settled counterpart: {days}",)


def _question(spans: Spans, cluster: str) -> str:
    told = f", cluster tag {quotable(cluster)}" if cluster else ""
    return (
        f"GetCostAndUsage DAILY UnblendedCost by SERVICE and USAGE_TYPE (usage), by SERVICE and RECORD_TYPE,"
        f" {spans.baseline[0]}..{spans.period[-1]}{told}"
    )
