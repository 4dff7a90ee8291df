"""Lists of clusters and of objects: cheap rows first, ranked worst first, then cut, then explained.

Called by the list tools through `ports.Inventory`. `inventory_rows` reads and judges, `inventory_suspects`
explains the pods that are not well; of any other list only the suspects on the page are read whole.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from aiops_eks.clients.cluster_rows import cluster_list
from aiops_eks.clients.fanout import Fanout, warned
from aiops_eks.clients.inventory_rows import Listed, Reading, Row, kind_word
from aiops_eks.clients.inventory_suspects import Page, Place, SuspectReader
from aiops_eks.clients.inventory_tables import (
    DEFAULT_ROWS,
    explained,
    fitting,
    labelled,
    table_of,
    worst_said,
)
from aiops_eks.clients.namespaces import require_namespace
from aiops_eks.clients.paging import cursor_at, digest, offset_of
from aiops_eks.clients.wording import counted, cut
from aiops_eks.models.answers import ClusterList, ListAsk, ResourceList
from aiops_eks.models.health import IMPAIRED
from aiops_eks.models.reasons import Reasons
from aiops_eks.ports import Clusters, Kube, SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.models import Kind
from aiops_shared.results import Evidence, Table


@dataclass(frozen=True)
class InventoryReader:
    """Fulfils `ports.Inventory`."""

    known: Clusters
    clock: Clock
    sensitive: SensitiveReads

    async def clusters(self) -> ClusterList:
        """Every cluster that may be named, with version, support end, health and whether it answers."""
        return cluster_list(await self.known.known(), await self.clock.now())

    async def resources(self, ask: ListAsk) -> ResourceList:
        """Objects of one kind, worst first, then cut.

        Raises InvalidInputError for a foreign cursor, before any request.
        """
        if isinstance(ask.cluster, tuple):
            return await self._several(ask, ask.cluster)
        question = digest(ask.cluster, ask.kind, ask.namespace, ask.selector, ask.unhealthy_only)
        offset = offset_of(ask.cursor, question)
        kube = await self.known.open(ask.cluster)
        kind = await kube.kind(ask.kind)
        if kind.kind == "Event":
            await self.sensitive.allow("events")
        now = await self.clock.now()
        listed = await Reading(kube, kind, ask, now).listed()
        if not listed.total and kind.namespaced:
            await require_namespace(kube, ask.namespace)
        shown = await self._shown(kube, kind, ask, listed, (offset, now))
        unhealthy = listed.unhealthy + shown.change
        return ResourceList(
            summary=_said(kind, ask, listed, shown.rows, unhealthy),
            total=listed.total,
            unhealthy=unhealthy,
            resources=shown.table,
            evidence=(_evidence(kube, kind, ask, listed.total),),
            warnings=(*listed.warnings, *shown.warnings),
            hint="" if shown.rows else _empty(kind, ask, listed.total),
            truncated=shown.rest is not None,
            next_cursor=cursor_at(shown.rest, question) if shown.rest is not None else "",
            untrusted=("resources",),
        )

    async def _several(self, ask: ListAsk, words: tuple[str, ...]) -> ResourceList:
        """The question to the clusters that the words mean; where that is one, it is asked as one."""
        from aiops_eks.clients.inventory_several import SeveralInventory

        fanout = Fanout(self.known)
        choice = await fanout.choose(words)
        if len(choice.clusters) != 1:
            return await SeveralInventory(self.known, self.clock, self.sensitive, fanout).page(ask, choice)
        answer = await self.resources(replace(ask, cluster=choice.clusters[0].word))
        return warned(answer, choice.gaps)

    async def _shown(
        self, kube: Kube, kind: Kind, ask: ListAsk, listed: Listed, at: tuple[int, datetime]
    ) -> "_Shown":
        offset, now = at
        show_namespace = kind.namespaced and not ask.namespace
        if kind.kind == "Pod" and ask.unhealthy_only:
            reader = SuspectReader(kube, kind, now, self.sensitive, Reasons(redact))
            found = await reader.page(listed.rows, Place.at(offset), ask.limit, wide=ask.limit > DEFAULT_ROWS)
            return _Shown.of(found, show_namespace=show_namespace)
        page = fitting(listed.rows[offset : offset + ask.limit])
        end = offset + len(page)
        rows, gone = await explained(kube, kind, page, now, ask.unhealthy_only)
        return _Shown(
            rows,
            table_of(kind, rows, show_namespace=show_namespace),
            -gone,
            end if end < len(listed.rows) else None,
        )


@dataclass(frozen=True, slots=True)
class _Shown:
    """The page of an answer. `rest` is the offset of the next, `change` corrects the unhealthy's count."""

    rows: list[Row]
    table: Table
    change: int
    rest: int | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, page: Page, *, show_namespace: bool) -> "_Shown":
        rest = page.rest.offset if page.rest else None
        return cls(page.rows, page.table(show_namespace=show_namespace), page.more, rest, page.warnings)


def _said(kind: Kind, ask: ListAsk, listed: Listed, page: list[Row], unhealthy: int) -> str:
    where = f"in {ask.namespace}" if ask.namespace and kind.namespaced else ""
    noun = kind.singular or kind.kind.lower()
    head = " ".join(part for part in (counted(listed.total, noun, kind.plural), where) if part)
    if not listed.judged:
        return cut(f"{head}.")
    tail = f"; {listed.underway} under way" if listed.underway else ""
    if not unhealthy:
        return cut(f"{head}, all healthy{tail}.")
    worst = [worst_said(row, ask) for row in page if row.badness >= IMPAIRED][:3]
    named = f": {'; '.join(worst)}" if worst else ""
    more = f"; {unhealthy - len(worst)} more" if worst and unhealthy > len(worst) else ""
    return cut(f"{head}, {unhealthy} not healthy{named}{more}{tail}.")


def _evidence(kube: Kube, kind: Kind, ask: ListAsk, rows: int) -> Evidence:
    where = (
        f" -n {ask.namespace}" if ask.namespace and kind.namespaced else (" -A" if kind.namespaced else "")
    )
    label = f" -l '{ask.selector}'" if ask.selector else ""
    return Evidence(
        source=f"Kubernetes API of {kube.cluster}",
        query=f"kubectl get {kind_word(kind)}{where}{label}",
        says=counted(rows, "row"),
    )


def _empty(kind: Kind, ask: ListAsk, total: int) -> str:
    if ask.unhealthy_only and total:
        return f"{counted(total, kind.singular or kind.kind.lower(), kind.plural)} looked at, none unhealthy."
    if not kind.namespaced:
        return f"The cluster serves {kind.plural}, but has none{labelled(ask)}."
    where = f"namespace {ask.namespace}" if ask.namespace else "any namespace that may be read"
    return f"No {kind.plural}{labelled(ask)} in {where}. Check the selector and the namespace's name."
