"""The rows of one list: every page of the server-side Table, each row judged as soon as it is read.

Called by the inventory. Rows are Tables without objects (D30), so an all-namespace list asks namespace by
namespace. Every row is judged, and the worst are kept: of a list of the unhealthy, rows that are well are
counted and forgotten as their page is read, so that 150,000 pods cost the memory of those that are not (R20).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import anyio

from aiops_eks.clients.gathering import gathered
from aiops_eks.models.answers import ListAsk
from aiops_eks.models.fields import name_of, namespace_of
from aiops_eks.models.health import IMPAIRED, UNDERWAY, Health, judge_object, judge_row
from aiops_eks.ports import Kube
from aiops_shared.errors import AiopsError, AnswerTooLargeError, UpstreamTimeoutError
from aiops_shared.kube.models import Kind, TablePage
from aiops_shared.results import Cell

MOST_ROWS = 20_000  # kept, worst first
MOST_READ = 200_000  # read and judged
PAGE = 500
WITHIN_S = 35.0  # for all namespaces, of the 50 s that a call has
JUDGED_WHOLE, MOST_WHOLE = frozenset({"Node", "CronJob"}), 10_000


@dataclass(frozen=True, slots=True)
class Row:
    """One object as its Table row shows it, and the judgement."""

    namespace: str
    columns: tuple[str, ...]  # lower case
    values: tuple[Cell, ...]
    health: Health | None

    @property
    def cells(self) -> dict[str, Cell]:
        """The values by column."""
        return dict(zip(self.columns, self.values, strict=False))

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.cells.get("name") or "")

    @property
    def badness(self) -> int:
        """0 for what is well or not judged."""
        return self.health.badness if self.health else 0

    @property
    def order(self) -> tuple[int, int, str, str]:
        """Worst first, then most restarts."""
        restarts = self.health.restarts if self.health and self.badness else 0
        return -self.badness, -restarts, self.namespace, self.name


@dataclass(slots=True)
class Listed:
    """What was read: the rows worth keeping, and counts of all."""

    rows: list[Row] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    total: int = 0
    unhealthy: int = 0
    underway: int = 0
    judged: bool = False
    cut: bool = False  # not every row that was to be kept was

    def take(self, row: Row, *, broken_only: bool) -> None:
        """Count a row, and keep it unless it is well and only the others were asked for.

        A pod on its way out is kept too: its Table row does not say since when.
        """
        self.total += 1
        self.judged = self.judged or row.health is not None
        self.unhealthy += row.badness >= IMPAIRED
        self.underway += row.badness == UNDERWAY
        leaving = row.health is not None and row.health.word == "terminating"
        if not broken_only or row.badness >= IMPAIRED or leaving:
            self.rows.append(row)

    def join(self, part: "Listed") -> None:
        """Add the rows of one namespace; of all the worst are kept."""
        self.rows += part.rows
        self.total += part.total
        self.unhealthy += part.unhealthy
        self.underway += part.underway
        self.judged, self.cut = self.judged or part.judged, self.cut or part.cut
        self.bound()

    def bound(self) -> None:
        """Let go of the best when there are many more than are kept."""
        if len(self.rows) > MOST_ROWS + MOST_ROWS // 4:
            self.rank()

    def rank(self) -> None:
        """Worst first, and no more than are kept."""
        self.rows.sort(key=lambda row: row.order)
        self.cut = self.cut or len(self.rows) > MOST_ROWS
        del self.rows[MOST_ROWS:]


def kind_word(kind: Kind) -> str:
    """The word that means this kind and no other of the same name."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


@dataclass(frozen=True)
class Reading:
    """One list being read: all pages, in every namespace asked for."""

    kube: Kube
    kind: Kind
    ask: ListAsk
    now: datetime

    async def listed(self) -> Listed:
        """Every row, worst first."""
        found = Listed()
        exact = await self._exact_health(found) if self.kind.kind in JUDGED_WHOLE else {}
        if self.kind.namespaced and not self.ask.namespace:
            await self._every_namespace(found, exact)
        else:
            if self.ask.namespace and not self.kind.namespaced:
                found.warnings.append(f"{self.kind.kind} is cluster-wide: namespace ignored")
            await self._one(found, exact, self._namespace)
        found.rank()
        if found.total >= MOST_READ:
            found.warnings.append(
                f"only the first {found.total} rows were read and ranked; narrow by namespace or selector"
            )
        if found.cut:
            found.warnings.append(
                f"all {found.total} rows were judged; only the first {MOST_ROWS}, worst first, are listed"
            )
        return found

    @property
    def _namespace(self) -> str:
        return self.ask.namespace if self.kind.namespaced else ""

    async def _every_namespace(self, found: Listed, exact: dict[tuple[str, str], Health]) -> None:
        names: list[str] = []
        async for page in _pages(self.kube, "Namespace", ""):
            names = ([] if page.relisted else names) + [str(row[0]) for row in page.rows if row]
        results: list[AiopsError | None] = []
        with anyio.move_on_after(WITHIN_S) as deadline:
            results = await gathered([partial(self._one, found, exact, name) for name in names])
        if deadline.cancelled_caught:
            self._late(found)
            return
        failed = [each for each in results if isinstance(each, AiopsError)]
        if failed and len(failed) == len(results):
            raise failed[0]
        if failed:
            found.warnings.append(
                f"{len(failed)} of {len(results)} namespaces could not be read: {failed[0]}"
            )

    def _late(self, found: Listed) -> None:
        """The namespaces that were read in time are an answer, said to be a part. Raises where none was."""
        if not found.total:
            thing, hint = f"list of {self.kind.plural}", "name a namespace"
            raise UpstreamTimeoutError(thing, f"no namespace was read within {WITHIN_S:g} s", hint)
        found.warnings.append(
            f"only the first {found.total} rows were read and ranked within {WITHIN_S:g} s; name a namespace"
        )

    async def _one(self, found: Listed, exact: dict[tuple[str, str], Health], namespace: str) -> None:
        """The rows of one namespace, or of a cluster-wide kind; a part of them is no answer."""
        read = Listed()
        if found.total >= MOST_READ:
            return
        async for page in _pages(self.kube, kind_word(self.kind), namespace, self.ask.selector):
            if page.relisted:  # the list moved on while it was paged (410): this is its first page again
                read = Listed()
            for row in self._judged(page, exact, namespace):
                read.take(row, broken_only=self.ask.unhealthy_only)
            read.bound()
            if found.total + read.total >= MOST_READ:
                break
        found.join(read)

    def _judged(self, page: TablePage, exact: dict[tuple[str, str], Health], namespace: str) -> list[Row]:
        columns = tuple(column.lower() for column in page.columns)
        rows = []
        for values in page.rows:
            cells = dict(zip(columns, values, strict=False))
            known = exact.get((namespace, str(cells.get("name")))) if exact else None
            rows.append(Row(namespace, columns, values, known or judge_row(self.kind.kind, cells)))
        return rows

    async def _exact_health(self, listed: Listed) -> dict[tuple[str, str], Health]:
        """A node's pressure and a CronJob's last success are in no Table column."""
        found: dict[tuple[str, str], Health] = {}
        every = self.kube.every(
            kind_word(self.kind), self._namespace, selector=self.ask.selector, at_most=MOST_WHOLE
        )
        try:
            async for obj in every:
                health = judge_object(self.kind.kind, obj, self.now)
                if health:
                    found[namespace_of(obj), name_of(obj)] = health
        except AnswerTooLargeError as error:
            listed.warnings.append(
                f"{error.reason}: only the first {len(found)} were read whole, the rest by their rows"
            )
        return found


async def _pages(kube: Kube, kind: str, namespace: str, selector: str = "") -> AsyncIterator[TablePage]:
    read, cursor = 0, ""
    while read < MOST_READ:
        page = await kube.table(kind, namespace, selector=selector, limit=PAGE, cursor=cursor)
        read = len(page.rows) if page.relisted else read + len(page.rows)
        yield page
        cursor = page.cursor
        if not cursor:
            return
