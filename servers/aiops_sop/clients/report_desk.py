"""Makes reports: gathers facts of the store and of the other servers side by side, and has them told.

Called by `get_report` and `eks-aiops report`. A server that does not answer is a warning, and what
it would have told is missing from the report; the store must answer.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatch
from typing import Any

from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, ClusterNotFoundError
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.results.progress import progress
from aiops_shared.results.wording import brief, cut
from aiops_shared.settings import Settings
from aiops_sop.analysis.reports.facts import Paid
from aiops_sop.analysis.reports.figures import Ledger
from aiops_sop.analysis.reports.maturity import NAMES, maturity
from aiops_sop.analysis.reports.money import Yearly, money, rates_of
from aiops_sop.analysis.reports.noise import noise
from aiops_sop.analysis.reports.operations import Operations, operations
from aiops_sop.analysis.reports.roi import Side, roi
from aiops_sop.analysis.reports.windows import Window, window_of
from aiops_sop.clients.maturity_facts import MaturityFacts
from aiops_sop.clients.report_costs import paid_in
from aiops_sop.clients.report_store import ReportStore
from aiops_sop.models.reports import NextStep, Report, ReportAsk
from aiops_sop.ports import Peers

PERIODS = {"maturity": "7d", "roi": "90d", "noise": "7d", "ops": "7d"}
MOST_CLUSTERS, MOST_WHOLE = 8, 3  # of these so many with their evidence
MOST_HISTORY = 30  # days of alarms: what CloudWatch keeps


@dataclass(slots=True)
class _Page:
    """A report in the making."""

    ask: ReportAsk
    now: datetime
    window: Window
    ledger: Ledger = field(default_factory=Ledger)
    warnings: list[str] = field(default_factory=list)
    untrusted: tuple[str, ...] = ()
    asked: int = 0

    def told(self) -> int:
        """One more question; how many it were."""
        self.asked += 1
        return self.asked

    @property
    def cluster(self) -> str:
        """The one cluster asked about, or nothing."""
        return self.ask.clusters[0] if len(self.ask.clusters) == 1 else ""

    def answer(
        self, headline: str, lines: list[str], steps: tuple[NextStep, ...] = (), **more: Any
    ) -> Report:
        """The report."""
        title = f"# {TITLES[self.ask.kind]}"
        where = f" of {brief(list(self.ask.clusters))}" if self.ask.clusters else ""
        return Report(
            summary=cut(headline),
            period=str(self.window),
            text="\n".join([f"{title}{where}", "", f"Period: {self.window}", "", *lines]),
            figures=self.ledger.table(),
            next_steps=steps,
            evidence=tuple(self.ledger.sources),
            warnings=tuple(self.warnings),
            untrusted=self.untrusted,
            **more,
        )


TITLES = {
    "maturity": "Maturity of operation",
    "roi": "What it brought",
    "noise": "Alert noise",
    "ops": "Operations",
}


@dataclass(frozen=True)
class ReportDesk:
    """Fulfils `ports.Reports`."""

    settings: Settings
    peers: Peers
    rows: ReportStore
    clock: Clock
    guard: Callable[[], Guardrails]

    async def report(self, ask: ReportAsk) -> Report:
        """One report. Raises InvalidInputError before anything is asked, ClusterNotFoundError."""
        now = await self.clock.now()
        page = _Page(ask, now, window_of(ask.period or PERIODS[ask.kind], now))
        rates = rates_of(ask.rates)
        baseline = window_of(ask.baseline, now, "baseline") if ask.baseline else page.window.before()
        match ask.kind:
            case "maturity":
                return await self._maturity(page)
            case "roi":
                return await self._roi(page, baseline, rates)
            case "noise":
                return await self._noise(page)
            case _:
                return await self._operations(page, baseline)

    async def _asked(self, page: _Page, server: str, tool: str, **arguments: Any) -> dict[str, Any] | None:
        """A tool's answer; None and a warning where there is none."""
        progress(page.told(), None, f"asks {server}.{tool}")
        try:
            return await self.peers.call(
                server, tool, {k: v for k, v in arguments.items() if v not in ("", None)}
            )
        except ClusterNotFoundError:
            raise
        except AiopsError as error:
            said = f"coverage_gap: {server}.{tool}: {cut(error.wire(), 200)}"
            if said not in page.warnings:  # the two periods fail alike
                page.warnings.append(said)
            return None

    # Maturity.

    async def _maturity(self, page: _Page) -> Report:
        names = await self._clusters(page.ask.clusters)
        facts = MaturityFacts(self.settings, self.peers, self.rows, self.guard, page.now)
        found = [await facts.of(name, only=len(names) == 1) for name in names[:MOST_CLUSTERS]]
        if len(names) > MOST_CLUSTERS:
            page.warnings.append(
                f"only {MOST_CLUSTERS} of {len(names)} clusters were looked at; name the others"
            )
        told = [(one, maturity(page.ledger, one, whole=len(found) <= MOST_WHOLE)) for one in found]
        page.warnings += [f"coverage_gap: {one.name}: {gap}" for one in found for gap in one.gaps]
        lines = [line for _, text in told for line in text.lines]
        head = "; ".join(f"{one.name} is at level {text.level} ({NAMES[text.level]})" for one, text in told)
        steps = tuple(step for _, text in told for step in text.steps)
        if steps:
            lines += ["", "## Next", "", *(f"- {step.missing}: `{step.do}`" for step in steps)]
        return page.answer(
            f"{head or 'No cluster is known'}.",
            lines,
            steps,
            levels={one.name: text.level for one, text in told},
        )

    async def _clusters(self, asked: tuple[str, ...]) -> tuple[str, ...]:
        """The clusters that are meant: as named, or those of the table that a glob fits."""
        if asked and not any(set(one) & set("*?[") for one in asked):
            return asked
        answer = await self.peers.call("eks", "list_clusters", {})
        table = answer["clusters"]
        place = table["columns"].index("name")
        known = [str(row[place]) for row in table["rows"] if row[place]]
        return tuple(name for name in known if not asked or any(fnmatch(name, glob) for glob in asked))

    # Return.

    async def _roi(self, page: _Page, baseline: Window, rates: dict[str, Any]) -> Report:
        before, after = await self._sides(page, baseline, ("before", "after"), used=True)
        told = roi(page.ledger, before, after)
        year = None
        if rates:
            closed = next(one for one in page.ledger.figures if one.name == "closed incidents, after")
            days = next(one for one in page.ledger.figures if one.name == "days, after")
            year = Yearly(told.pairs, closed, days)
        lines = [f"Before: {baseline}", "", *told.lines, *money(page.ledger, rates, year)]
        significant = "" if told.significant else "Not significant (too few closed incidents): "
        return page.answer(f"{significant}{told.headline or 'nothing to compare'}.", lines)

    async def _sides(
        self, page: _Page, baseline: Window, names: tuple[str, str], *, used: bool
    ) -> tuple[Side, Side]:
        async def side(name: str, window: Window) -> Side:
            journal = await self.rows.journal(window, page.cluster)
            return Side(name, window, journal, await self._paid(page, window, used=used))

        return await side(names[0], baseline), await side(names[1], page.window)

    async def _paid(self, page: _Page, window: Window, *, used: bool) -> Paid | None:
        ask = {"period": window.as_days, "cluster": page.cluster, "limit": 50}
        if used and page.cluster:
            ask["group_by"] = "namespace"
        answer = await self._asked(page, "cost", "get_costs", **ask)
        return None if answer is None else paid_in(answer, window, ask)

    # Noise.

    async def _noise(self, page: _Page) -> Report:
        days = min(page.window.days, MOST_HISTORY)
        history = f"-{max(1, round(days * 24))}h"
        query = f"group=true, history={history}"
        answer = await self._asked(
            page, "observability", "list_alarms", group=True, history=history, limit=500, cluster=page.cluster
        )
        if answer is None:
            return page.answer("Alarms could not be read.", ["Alarms could not be read; see the warnings."])
        page.untrusted = ("text",)
        page.warnings += [f"list_alarms: {one}" for one in answer.get("warnings", ())][:5]
        told = noise(page.ledger, answer, query, days, page.cluster or "every cluster")
        lines = [*told.lines]
        if told.steps:
            lines += ["", "## Next", "", *(f"- {step.missing}: {step.do}" for step in told.steps)]
        return page.answer(f"{told.headline}.", lines, told.steps)

    # Operations.

    async def _operations(self, page: _Page, baseline: Window) -> Report:
        since = f"-{max(1, round(page.window.days * 24))}h"
        query = f"mode=impact, since={since}"
        before, now = await self._sides(page, baseline, ("the period before", "this period"), used=False)
        alarms = await self._asked(
            page, "observability", "list_alarms", state="ALARM", cluster=page.cluster, limit=10
        )
        errors = None
        if page.ask.audience != "executive":
            errors = await self._asked(
                page, "observability", "analyze_logs", mode="impact", since=since, cluster=page.cluster
            )
        facts = Operations(
            now=now,
            before=before,
            runs=await self.rows.runs(page.window, page.cluster),
            actions=await self.rows.actions(page.window, page.cluster),
            refusals=await self.rows.refusals(page.window),
            alarms=alarms,
            errors=errors,
            errors_query=query,
        )
        told = operations(page.ledger, facts, page.ask.audience)
        page.untrusted = ("text",) if told.untrusted else ()
        return page.answer(f"{told.headline}.", told.lines)
