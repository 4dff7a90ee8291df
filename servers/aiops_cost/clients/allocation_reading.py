"""What each namespace or workload costs: asks the sources in order and shows the first that knows.

Fulfils `ports.Costs` for `group_by` namespace and workload. The rows sum to the cluster's bill: what is of no
workload (idle, system, control plane, …) has rows of its own, in parentheses; what rounding to cents leaves
over is one too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from aiops_cost.analysis.allocation import Allocation, Owner
from aiops_cost.analysis.periods import period_of
from aiops_cost.clients.allocation_source import Asked, Divided, Source
from aiops_cost.models.bills import Spent
from aiops_cost.models.costs import CostAsk, CostReport
from aiops_cost.models.money import share, shown, to_cents, worded
from aiops_shared.clock import Clock
from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    ClusterNotFoundError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
)
from aiops_shared.kube.choosing import is_glob
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.kube.nearest import nearest
from aiops_shared.results import Cell, Table
from aiops_shared.results.wording import MOST, cut, quotable, sayable

if TYPE_CHECKING:
    from aiops_shared.kube.clusters import ClusterDirectory

AT_ONCE = 4
MOST_CLUSTERS = 50
MOST_SAID = 300
COMPUTE = ("cpu", "memory")
PARTS = ("compute", "storage", "logs", "network", "other")


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the answer, billionths."""

    cluster: str
    owner: Owner
    parts: dict[str, int]

    @property
    def amount(self) -> int:
        return sum(self.parts.values())

    @property
    def is_shared(self) -> bool:
        return not self.owner[1] and not self.owner[0]

    def part(self, name: str) -> int:
        if name == "compute":
            return sum(self.parts.get(one, 0) for one in COMPUTE)
        return self.parts.get(name, 0)


class AllocationReader:
    """Costs by namespace and workload. Raises `AiopsError` only."""

    def __init__(self, clusters: "ClusterDirectory", clock: Clock, sources: Sequence[Source]) -> None:
        self._clusters = clusters
        self._clock = clock
        self._sources = sources

    async def costs(self, ask: CostAsk) -> CostReport:
        """The rows of one period. Raises InvalidInputError, ClusterNotFoundError, NotFoundError for a
        namespace without costs, AccessDeniedError.
        """
        now = await self._clock.now()
        period = period_of(ask.period, now.date())
        _require(ask)
        counted = Spent()
        words, gaps = await self._words(ask.cluster)
        asked = [
            await self._asked(word, Asked(word, "", None, period, now, ask.metric, counted, len(words) == 1))
            for word in words
        ]
        outcomes = await gather_outcomes(self._divided, asked, at_once=AT_ONCE)
        found = [
            (one, outcome)
            for one, outcome in zip(asked, outcomes, strict=True)
            if outcome is not None and not isinstance(outcome, AiopsError)
        ]
        failed = [
            (one, outcome)
            for one, outcome in zip(asked, outcomes, strict=True)
            if isinstance(outcome, AiopsError)
        ]
        if not found:
            raise failed[0][1]
        gaps += [f"{one.name} is missing: {error.wire()}"[:MOST_SAID] for one, error in failed]
        return _Report(ask, found, gaps, str(period), counted).made()

    async def _words(self, cluster: str | None) -> tuple[list[str | None], list[str]]:
        """The clusters meant, as words that open them."""
        words = [word.strip() for word in (cluster or "").split(",") if word.strip()]
        if not words:
            return [None], []
        if len(words) == 1 and not is_glob(words[0]):
            return [words[0]], []
        choice = await self._clusters.choose(words)
        if len(choice.clusters) > MOST_CLUSTERS:
            raise InvalidInputError(
                "cluster", f"means {len(choice.clusters)} clusters; {MOST_CLUSTERS} is the most", "name fewer"
            )
        return [one.word for one in choice.clusters], list(choice.gaps)

    async def _asked(self, word: str | None, asked: Asked) -> Asked:
        kube = await self._clusters.open(word)
        try:
            eks = await self._clusters.eks(word)
        except NotConfiguredError:
            eks = None
        return Asked(
            word,
            eks.name if eks is not None else kube.cluster,
            eks,
            asked.period,
            asked.now,
            asked.metric,
            asked.counted,
            asked.alone,
        )

    async def _divided(self, asked: Asked) -> Divided:
        """The first source that knows; why those before it did not is a warning."""
        said: list[str] = []
        first: AiopsError | None = None
        for source in self._sources:
            try:
                found = await source.divided(asked)
            except (ClusterNotFoundError, InvalidInputError):
                raise
            except AiopsError as error:
                first = error if first is None or isinstance(error, AccessDeniedError) else first
                said.append(f"{source.name} gave nothing: {error.wire()}"[:MOST_SAID])
                continue
            return _with(found, said)
        raise first or NotConfiguredError("costs by workload", "no source is configured")


def _with(found: Divided, said: Sequence[str]) -> Divided:
    return Divided(
        found.source,
        found.method,
        found.allocation,
        found.unsettled,
        found.currency,
        found.evidence,
        (*said, *found.warnings),
    )


def _require(ask: CostAsk) -> None:
    """Filters of the bill's own groups say nothing about pods."""
    named = [dim.lower() for dim, _ in (*ask.only, *ask.without)] + (["tag"] if ask.tag else [])
    if named:
        raise InvalidInputError(
            named[0], f"does not go with group_by={ask.group_by}", "leave it out, or group_by=service"
        )


class _Report:
    """One answer."""

    def __init__(
        self,
        ask: CostAsk,
        found: Sequence[tuple[Asked, Divided]],
        gaps: Sequence[str],
        period: str,
        counted: Spent,
    ) -> None:
        self._ask, self._found, self._period, self._counted = ask, found, period, counted
        self._currency = found[0][1].currency
        others = [one for one in found if one[1].currency != self._currency]
        self._found = [one for one in found if one[1].currency == self._currency]
        self._warnings = [*gaps, *counted.notes]
        if ask.granularity != "total":
            self._warnings.append(f"granularity: {ask.group_by} is told of the whole period only")
        self._warnings += [
            f"{one.name} is billed in {got.currency} and not in these rows" for one, got in others
        ]
        self._several = len(self._found) > 1
        rows = [row for one, got in self._found for row in self._grouped(one.name, got.allocation)]
        self._whole = sum(row.amount for row in rows)
        self._rows = sorted(self._inside(rows), key=lambda row: (-row.amount, row.owner, row.cluster))
        self._total = sum(row.amount for row in self._rows)

    def _grouped(self, cluster: str, allocation: Allocation) -> list[_Row]:
        if self._ask.group_by != "namespace":
            return [_Row(cluster, owner, parts) for owner, parts in allocation.rows.items()]
        merged: dict[Owner, dict[str, int]] = {}
        for (namespace, _, name), parts in allocation.rows.items():
            row = merged.setdefault((namespace, "", "" if namespace else name), {})
            for part, amount in parts.items():
                row[part] = row.get(part, 0) + amount
        return [_Row(cluster, owner, parts) for owner, parts in merged.items()]

    def _inside(self, rows: Sequence[_Row]) -> list[_Row]:
        wanted = self._ask.namespace
        if not wanted:
            return list(rows)
        inside = [row for row in rows if row.owner[0] == wanted]
        if not inside:
            known = sorted({row.owner[0] for row in rows if row.owner[0]})
            near = sayable(nearest(wanted, known) or known[:5])
            raise NotFoundError(
                f"costs of namespace {wanted}",
                "nothing of the bill is attributed to it (DaemonSets and kube-system are the row (system))",
                f"nearest: {', '.join(near)}" if near else "",
            )
        return inside

    def made(self) -> CostReport:
        shown_rows = self._rows[: self._ask.limit]
        parts = [part for part in PARTS if any(row.part(part) for row in self._rows)]
        table = [self._cells(row, parts) for row in shown_rows]
        left = self._rows[len(shown_rows) :]
        if left:
            table.append(self._extra(f"({len(left)} more)", sum(row.amount for row in left), parts))
        cents = sum(to_cents(row.amount) for row in shown_rows) + to_cents(sum(row.amount for row in left))
        if rest := to_cents(self._total) - cents:
            table.append(self._extra("(rounding)", rest * 10_000_000, parts))
        divided = [got for _, got in self._found]
        return CostReport(
            summary=self._summary(),
            period=self._period,
            currency=self._currency,
            total=shown(self._total),
            rows=Table(columns=self._columns(parts), rows=tuple(table)),
            unsettled=tuple(
                day.isoformat() for day in sorted({day for got in divided for day in got.unsettled})
            ),
            method="; ".join(dict.fromkeys(got.method for got in divided)),
            evidence=tuple(dict.fromkeys(one for got in divided for one in got.evidence))[:4],
            warnings=tuple(
                dict.fromkeys([*self._warnings, *(one for got in divided for one in got.warnings)])
            ),
            truncated=bool(left),
            hint=f"{len(left)} more rows: limit={min(1000, len(self._rows))}" if left else "",
            billed_requests=self._counted.requests,
            billed_usd=self._counted.usd,
            untrusted=("rows",),
        )

    def _columns(self, parts: Sequence[str]) -> tuple[str, ...]:
        of = ("workload", "kind", "namespace") if self._ask.group_by == "workload" else ("namespace",)
        return (*(("cluster",) if self._several else ()), *of, "cost", "share_pct", *parts)

    def _cells(self, row: _Row, parts: Sequence[str]) -> tuple[Cell, ...]:
        namespace, kind, name = row.owner
        label = f"({name})" if row.is_shared else name
        of: tuple[Cell, ...] = (label, kind, namespace)
        if self._ask.group_by == "namespace":
            of = (label if row.is_shared else namespace,)
        where: tuple[Cell, ...] = (row.cluster,) if self._several else ()
        return (
            *where,
            *of,
            shown(row.amount),
            self._share(row.amount),
            *(shown(row.part(part)) or None for part in parts),
        )

    def _extra(self, label: str, amount: int, parts: Sequence[str]) -> tuple[Cell, ...]:
        blanks = 2 if self._ask.group_by == "workload" else 0
        where: tuple[Cell, ...] = ("",) if self._several else ()
        return (*where, label, *([""] * blanks), shown(amount), self._share(amount), *([None] * len(parts)))

    def _share(self, amount: int) -> float | None:
        return share(amount, self._total)

    def _summary(self) -> str:
        where = quotable(self._found[0][0].name) if not self._several else f"{len(self._found)} clusters"
        money = partial(worded, currency=self._currency)
        if self._ask.namespace:
            where = f"{quotable(self._ask.namespace)} in {where}"
        text = f"{where}: {money(self._total)} in {self._period}"
        top = next((row for row in self._rows if not row.is_shared), None)
        if top is not None:
            name = quotable(top.owner[2] or top.owner[0])
            parts = ", ".join(f"{part} {money(top.part(part))}" for part in PARTS if top.part(part))
            whole = f"{where}'s {money(self._total)} in {self._period}"
            text = f"{name} costs {money(top.amount)}, {self._share(top.amount) or 0:g} % of {whole}: {parts}"
        idle = sum(row.amount for row in self._rows if row.is_shared and row.owner[2] == "idle")
        if idle:
            text += f"; idle {money(idle)} ({self._share(idle) or 0:g} %)"
        if self._ask.namespace:
            text += f"; all namespaces and shared rows: {money(self._whole)}"
        return cut(f"{text}. Source: {', '.join(dict.fromkeys(got.source for _, got in self._found))}.", MOST)
