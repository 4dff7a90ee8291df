"""One list over several clusters: each ranks its own, the worst of all come first, one cursor for all.

Called by `inventory` when more than one cluster is meant. A page takes from every cluster what a page of it
alone would hold, merges, cuts to the room of one answer, and remembers how far it got in each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from itertools import groupby

import anyio

from aiops_eks.clients.fanout import GONE, Fanout
from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.inventory_rows import Listed, Reading, Row, kind_word
from aiops_eks.clients.inventory_suspects import (
    COLUMNS,
    ROOM,
    WIDE_ROOM,
    Group,
    Page,
    Place,
    Room,
    SuspectReader,
)
from aiops_eks.clients.inventory_tables import (
    DEFAULT_ROWS,
    MOST_CHARS,
    ROW_CHARS,
    explained,
    labelled,
    row_chars,
    table_of,
    worst_said,
)
from aiops_eks.clients.namespaces import require_namespace
from aiops_eks.clients.paging import DONE, cursor_of, digest, offsets_of
from aiops_eks.clients.wording import brief, counted, cut
from aiops_eks.models.answers import ListAsk, ResourceList
from aiops_eks.models.health import IMPAIRED
from aiops_eks.models.reasons import Reasons
from aiops_eks.models.several import Heard, best_first, said_once, with_cluster
from aiops_eks.ports import Clusters, Kube, SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.choosing import Choice
from aiops_shared.kube.models import Kind
from aiops_shared.results import Evidence, Table

EXPLAIN_S = 8.0  # for reading the suspects of the page; later ones keep what their Table row says


@dataclass(frozen=True)
class _Part:
    """What one cluster has for the page. `listed` keeps its counts; its rows are in `rows` or `page`."""

    kube: Kube
    kind: Kind
    now: datetime
    listed: Listed
    offset: int
    rows: tuple[Row, ...] = ()
    left: bool = False  # rows beyond `rows`
    page: Page | None = None

    @property
    def unhealthy(self) -> int:
        """How many of its objects are not healthy, as far as was looked."""
        return self.listed.unhealthy + (self.page.more if self.page else 0)

    def rest(self, taken: int) -> int:
        """Where this cluster goes on when so many of its rows or groups were shown."""
        if self.page is None:
            return self.offset + taken if self.left or taken < len(self.rows) else DONE
        if taken < len(self.page.groups):
            return Place(self.page.begins.start, self.page.begins.shown + taken).offset
        return self.page.rest.offset if self.page.rest else DONE


@dataclass(frozen=True)
class _Shown:
    """The rows of the page with their clusters, and how far each cluster got."""

    table: Table
    rows: tuple[tuple[str, Row], ...]
    taken: Sequence[int]
    change: int = 0


@dataclass(frozen=True)
class SeveralInventory:
    """Lists of several clusters."""

    known: Clusters
    clock: Clock
    sensitive: SensitiveReads
    fanout: Fanout

    async def page(self, ask: ListAsk, choice: Choice) -> ResourceList:
        """Objects of one kind in all clusters of a choice, worst first over all.

        Raises InvalidInputError for a foreign cursor, before any request; an error when no cluster answers.
        """
        question = digest(ask.cluster, ask.kind, ask.namespace, ask.selector, ask.unhealthy_only)
        offsets, gone = offsets_of(ask.cursor, question, [one.word for one in choice.clusters])
        heard = await self.fanout.each(choice, lambda word: self._part(ask, word, offsets.get(word, 0)))
        gaps = (*heard.gaps, *([GONE.format(gone)] if gone else []))
        shown = await self._shown(ask, heard, sum(map(len, gaps)))
        rests = {one.word: one.answer.rest(taken) for one, taken in zip(heard.said, shown.taken, strict=True)}
        more = any(rest != DONE for rest in rests.values())
        return ResourceList(
            summary=_said(ask, heard, shown),
            total=sum(one.answer.listed.total for one in heard.said),
            unhealthy=_unhealthy(heard) + shown.change,
            resources=shown.table,
            evidence=(_evidence(ask, heard),),
            warnings=(*gaps, *_warnings(heard)),
            hint="" if shown.rows else _empty(ask, heard),
            truncated=more,
            next_cursor=cursor_of(offsets | rests, question) if more else "",
            untrusted=("resources",),
        )

    async def _part(self, ask: ListAsk, word: str, offset: int) -> _Part:
        kube = await self.known.open(word)
        kind = await kube.kind(ask.kind)
        if kind.kind == "Event":
            await self.sensitive.allow("events")
        now = await self.clock.now()
        listed = await Reading(kube, kind, ask, now).listed()
        if not listed.total and kind.namespaced:
            await require_namespace(kube, ask.namespace)
        rows, listed = listed.rows, replace(listed, rows=[])
        part = _Part(kube, kind, now, listed, offset)
        if offset == DONE:
            return part
        if kind.kind == "Pod" and ask.unhealthy_only:
            reader = SuspectReader(kube, kind, now, self.sensitive, Reasons(redact))
            wide = ask.limit > DEFAULT_ROWS
            return replace(part, page=await reader.page(rows, Place.at(offset), ask.limit, wide=wide))
        end = offset + ask.limit
        return replace(part, rows=tuple(rows[offset:end]), left=len(rows) > end)

    async def _shown(self, ask: ListAsk, heard: Heard[_Part], gap_chars: int) -> _Shown:
        if any(one.answer.page is not None for one in heard.said):
            return _groups_shown(ask, heard, gap_chars)
        return await _rows_shown(ask, heard, gap_chars)


def _groups_shown(ask: ListAsk, heard: Heard[_Part], gap_chars: int) -> _Shown:
    """Pods that are not well; equal ones of one owner share a row, in one cluster only."""
    tokens, size = WIDE_ROOM if ask.limit > DEFAULT_ROWS else ROOM
    room = Room(max(tokens // 3, tokens - gap_chars // 4), max(size // 3, size - gap_chars))
    parts = [one.answer.page.groups if one.answer.page else () for one in heard.said]
    labels = heard.labels

    def takes(place: int, group: Group) -> bool:
        namespace, *cells = group.cells()
        return room.rows < ask.limit and room.takes((f"{labels[place]} {namespace}", *cells))

    taken, counts = best_first(parts, lambda group: group.first.row.order, takes)
    at = 1 if ask.namespace else 0
    cells = tuple((labels[place], *group.cells()[at:]) for place, group in taken)
    return _Shown(
        Table(columns=("cluster", *COLUMNS[at:]), rows=cells),
        tuple((labels[place], group.first.row) for place, group in taken),
        counts,
    )


async def _rows_shown(ask: ListAsk, heard: Heard[_Part], gap_chars: int) -> _Shown:
    """Objects of any kind; the suspects among the chosen are read whole."""
    room = MOST_CHARS if ask.limit > DEFAULT_ROWS else max(ROW_CHARS // 3, ROW_CHARS - gap_chars)
    labels = heard.labels
    left = [ask.limit, room]

    def takes(place: int, row: Row) -> bool:
        left[0] -= 1
        left[1] -= row_chars(row) + len(labels[place]) + 4
        return left[0] >= 0 and (left[1] >= 0 or left[0] == ask.limit - 1)

    chosen, counts = best_first([one.answer.rows for one in heard.said], lambda row: row.order, takes)
    rows, gone = await _explained(ask, heard, chosen)
    return _Shown(_rows_table(ask, heard, rows), tuple((labels[at], row) for at, row in rows), counts, -gone)


async def _explained(
    ask: ListAsk, heard: Heard[_Part], chosen: Sequence[tuple[int, Row]]
) -> tuple[list[tuple[int, Row]], int]:
    """The chosen rows with exact health, ranked again; those of a cluster that is late stay as they are."""
    by_place = {
        place: [row for _, row in rows]
        for place, rows in groupby(sorted(chosen, key=lambda one: one[0]), key=lambda one: one[0])
    }
    exact: dict[int, tuple[list[Row], int]] = {place: (rows, 0) for place, rows in by_place.items()}

    async def look(place: int) -> None:
        part = heard.said[place].answer
        exact[place] = await explained(part.kube, part.kind, by_place[place], part.now, ask.unhealthy_only)

    with anyio.move_on_after(EXPLAIN_S):
        await gathered([partial(look, place) for place in by_place])
    rows = [(place, row) for place, (kept, _) in exact.items() for row in kept]
    return sorted(rows, key=lambda one: (one[1].order, one[0])), sum(gone for _, gone in exact.values())


def _rows_table(ask: ListAsk, heard: Heard[_Part], rows: Sequence[tuple[int, Row]]) -> Table:
    kind = heard.said[0].answer.kind
    table = table_of(kind, [row for _, row in rows], show_namespace=kind.namespaced and not ask.namespace)
    labels = heard.labels
    cells = tuple((labels[place], *row) for (place, _), row in zip(rows, table.rows, strict=True))
    return Table(columns=with_cluster(table, "").columns, rows=cells)


def _unhealthy(heard: Heard[_Part]) -> int:
    return sum(one.answer.unhealthy for one in heard.said)


def _warnings(heard: Heard[_Part]) -> tuple[str, ...]:
    each = [(one.label, one.answer) for one in heard.said]
    return said_once(
        (label, (*part.listed.warnings, *(part.page.warnings if part.page else ()))) for label, part in each
    )


def _said(ask: ListAsk, heard: Heard[_Part], shown: _Shown) -> str:
    kind = heard.said[0].answer.kind
    counts = [one.answer.listed for one in heard.said]
    total, unhealthy = sum(one.total for one in counts), _unhealthy(heard) + shown.change
    where = f" in {ask.namespace}" if ask.namespace and kind.namespaced else ""
    noun = counted(total, kind.singular or kind.kind.lower(), kind.plural)
    head = f"{noun}{where} of {counted(len(counts), 'cluster')}"
    if heard.gaps:
        head += " (some did not answer)"
    if not any(one.judged for one in counts):
        return cut(f"{head}.")
    if not unhealthy:
        return cut(f"{head}, all healthy.")
    worst = [f"{label} {worst_said(row, ask)}" for label, row in shown.rows if row.badness >= IMPAIRED][:3]
    bad = [(one.label, one.answer.unhealthy) for one in heard.said]
    where_bad = [f"{label} {number}" for label, number in bad if number]
    named = f": {'; '.join(worst)}" if worst else ""
    more = f"; {unhealthy - len(worst)} more" if worst and unhealthy > len(worst) else ""
    return cut(f"{head}, {unhealthy} not healthy ({brief(where_bad)}){named}{more}.")


def _evidence(ask: ListAsk, heard: Heard[_Part]) -> Evidence:
    kind = heard.said[0].answer.kind
    where = f" -n {ask.namespace}" if ask.namespace else " -A"
    label = f" -l '{ask.selector}'" if ask.selector else ""
    return Evidence(
        source=f"Kubernetes APIs of {brief(heard.labels, 8)}",
        query=f"kubectl get {kind_word(kind)}{where if kind.namespaced else ''}{label}",
        says=brief([f"{one.label} {counted(one.answer.listed.total, 'row')}" for one in heard.said], 8),
    )


def _empty(ask: ListAsk, heard: Heard[_Part]) -> str:
    kind = heard.said[0].answer.kind
    total = sum(one.answer.listed.total for one in heard.said)
    if ask.unhealthy_only and total:
        return f"{counted(total, kind.singular or kind.kind.lower(), kind.plural)} looked at, none unhealthy."
    return f"No {kind.plural}{labelled(ask)} in any of these clusters."
