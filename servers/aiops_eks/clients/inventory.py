"""Lists of clusters and of objects: cheap rows first, ranked worst first, then cut, then explained.

Called by the list tools through `ports.Inventory`. `inventory_rows` reads and judges, `inventory_suspects`
explains the pods that are not well; of any other list only the suspects on the page are read whole.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.inventory_rows import Listed, Reading, Row, kind_word
from aiops_eks.clients.inventory_suspects import Page, Place, SuspectReader, exact_health
from aiops_eks.clients.namespaces import require_namespace
from aiops_eks.clients.paging import cursor_at, digest, offset_of
from aiops_eks.clients.wording import brief, counted, cut
from aiops_eks.models.answers import ClusterList, ListAsk, ResourceList
from aiops_eks.models.health import IMPAIRED, UNDERWAY
from aiops_eks.models.reasons import Reasons
from aiops_eks.ports import Clusters, Kube, SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, NotFoundError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.models import Kind
from aiops_shared.results import Cell, Evidence, Table

MOST_LOOKED_AT = {False: 30, True: 100}  # suspects read whole, by unhealthy_only
CELL_CHARS = 160
DEFAULT_ROWS = 50
ROW_CHARS, MOST_CHARS = 3_500, 30_000  # of a default page, and of one that was asked to be longer

# kubectl's default columns where the API also sends wide ones; other kinds show the first eight.
_COLUMNS = {
    "Pod": ("name", "ready", "restarts", "age"),  # its status is the health
    "Deployment": ("name", "ready", "up-to-date", "available", "age"),
    "StatefulSet": ("name", "ready", "age"),
    "DaemonSet": ("name", "desired", "ready", "up-to-date", "available", "age"),
    "ReplicaSet": ("name", "desired", "ready", "age"),
    "Node": ("name", "status", "version", "age"),
    "Job": ("name", "status", "completions", "duration", "age"),
    "Service": ("name", "type", "cluster-ip", "external-ip", "port(s)", "age"),
    "CronJob": ("name", "schedule", "suspend", "active", "last schedule", "age"),
    "PersistentVolumeClaim": ("name", "status", "capacity", "access modes", "storageclass", "age"),
    "Secret": ("name", "type", "data", "age"),
}
MOST_COLUMNS = 8


@dataclass(frozen=True)
class InventoryReader:
    """Fulfils `ports.Inventory`."""

    known: Clusters
    clock: Clock
    sensitive: SensitiveReads

    async def clusters(self) -> ClusterList:
        """Every cluster that may be named, with version, support end, health and whether it answers."""
        found = await self.known.known()
        columns = (
            "name",
            "region",
            "account_id",
            "version",
            "support_ends_on",
            "status",
            "health",
            "reachable",
        )
        rows = tuple(
            (
                each.name,
                each.region,
                each.account_id,
                each.version,
                each.support_ends_on,
                each.status,
                "; ".join(each.health_issues) or ("ok" if each.status == "ACTIVE" else ""),
                each.problem or {True: "yes", False: "no", None: "not tried"}[each.reachable],
            )
            for each in found
        )
        away = [each.name for each in found if each.problem or each.reachable is False]
        return ClusterList(
            summary=_clusters_said([each.name for each in found], away),
            clusters=Table(columns=columns, rows=rows),
            evidence=(
                Evidence(source="operator's table, kubeconfig and eks:DescribeCluster", query="clusters"),
            ),
            hint="" if found else _NO_CLUSTERS,
            untrusted=("clusters",),
        )

    async def resources(self, ask: ListAsk) -> ResourceList:
        """Objects of one kind, worst first, then cut.

        Raises InvalidInputError for a foreign cursor, before any request.
        """
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

    async def _shown(
        self, kube: Kube, kind: Kind, ask: ListAsk, listed: Listed, at: tuple[int, datetime]
    ) -> "_Shown":
        offset, now = at
        show_namespace = kind.namespaced and not ask.namespace
        if kind.kind == "Pod" and ask.unhealthy_only:
            reader = SuspectReader(kube, kind, now, self.sensitive, Reasons(redact))
            found = await reader.page(listed.rows, Place.at(offset), ask.limit, wide=ask.limit > DEFAULT_ROWS)
            return _Shown.of(found, show_namespace=show_namespace)
        fitting = _fitting(listed.rows[offset : offset + ask.limit])
        end = offset + len(fitting)
        rows, gone = await _explained(kube, kind, fitting, now, ask.unhealthy_only)
        return _Shown(
            rows,
            _table(kind, rows, show_namespace=show_namespace),
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


_NO_CLUSTERS = (
    "No cluster is configured and none was discovered. Give AIOPS_CLUSTERS_FILE (table of accounts and "
    "clusters), AIOPS_KUBE_CONTEXT (a kubeconfig context), or AWS credentials with eks:ListClusters; "
    "`eks-aiops doctor` says what is missing."
)


def _clusters_said(names: list[str], away: list[str]) -> str:
    if not names:
        return "No clusters are known."
    said = f"{counted(len(names), 'cluster')}: {brief(names)}"
    return cut(f"{said}; not reachable: {brief(away)}" if away else said)


async def _explained(
    kube: Kube, kind: Kind, page: list[Row], now: datetime, thorough: bool
) -> tuple[list[Row], int]:
    """The page with exact reasons for its suspects, ranked again, and how many proved not unhealthy.

    A row whose object cannot be read keeps its Table judgement; one whose object is gone leaves the page.
    """
    suspects = [at for at, row in enumerate(page) if row.badness >= UNDERWAY][: MOST_LOOKED_AT[thorough]]
    looked = await gathered([partial(_looked_at, kube, kind, page[at], now) for at in suspects])
    exact: dict[int, Row | None] = dict(enumerate(page))
    exact |= {at: row for at, row in zip(suspects, looked, strict=True) if not isinstance(row, AiopsError)}
    kept = [row for row in exact.values() if row and (not thorough or row.badness >= IMPAIRED)]
    gone = _unhealthy(page) - _unhealthy([row for row in exact.values() if row])
    return sorted(kept, key=lambda row: row.order), gone


def _unhealthy(rows: list[Row]) -> int:
    return sum(row.badness >= IMPAIRED for row in rows)


async def _looked_at(kube: Kube, kind: Kind, row: Row, now: datetime) -> Row | None:
    try:
        obj = await kube.get(kind_word(kind), row.namespace, row.name)
    except NotFoundError:
        return None
    health = await exact_health(kube, kind, obj, now)
    return replace(row, health=health) if health else row


def _fitting(rows: list[Row]) -> list[Row]:
    """As many of the worst rows as a default answer takes; a page asked to be longer takes more."""
    left = ROW_CHARS if len(rows) <= DEFAULT_ROWS else MOST_CHARS
    for at, row in enumerate(rows):
        left -= len(row.namespace) + sum(
            len(str(cell)) + 4 for cell in list(row.cells.values())[:MOST_COLUMNS]
        )
        if left < 0 and at:
            return rows[:at]
    return rows


def _table(kind: Kind, page: list[Row], *, show_namespace: bool) -> Table:
    given = list(page[0].cells) if page else ["name"]
    wanted = [name for name in _COLUMNS.get(kind.kind, given[:MOST_COLUMNS]) if name in given]
    judged = any(row.health for row in page)
    columns = [*(["namespace"] if show_namespace else []), *wanted, *(["health"] if judged else [])]
    rows = []
    for row in page:
        cells: list[Cell] = [row.namespace] if show_namespace else []
        cells += [_shown(row.cells.get(name)) for name in wanted]
        if judged:
            cells.append(row.health.word if row.health else "")
        rows.append(tuple(cells))
    return Table(columns=tuple(columns), rows=tuple(rows))


def _shown(cell: Cell) -> Cell:
    """Numbers as numbers; long texts redacted whole, then cut."""
    if not isinstance(cell, str):
        return cell
    return int(cell) if cell.isdigit() and len(cell) < 10 else cut(redact(cell), CELL_CHARS)


def _said(kind: Kind, ask: ListAsk, listed: Listed, page: list[Row], unhealthy: int) -> str:
    where = f"in {ask.namespace}" if ask.namespace and kind.namespaced else ""
    noun = kind.singular or kind.kind.lower()
    head = " ".join(part for part in (counted(listed.total, noun, kind.plural), where) if part)
    if not listed.judged:
        return cut(f"{head}.")
    tail = f"; {listed.underway} under way" if listed.underway else ""
    if not unhealthy:
        return cut(f"{head}, all healthy{tail}.")
    worst = [_worst_said(row, ask) for row in page if row.badness >= IMPAIRED][:3]
    named = f": {'; '.join(worst)}" if worst else ""
    more = f"; {unhealthy - len(worst)} more" if worst and unhealthy > len(worst) else ""
    return cut(f"{head}, {unhealthy} not healthy{named}{more}{tail}.")


def _worst_said(row: Row, ask: ListAsk) -> str:
    place = row.name if ask.namespace or not row.namespace else f"{row.namespace}/{row.name}"
    health = row.health
    restarts = f", {counted(health.restarts, 'restart')}" if health and health.restarts else ""
    return f"{place} {health.word if health else ''}{restarts}"


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


def _labelled(ask: ListAsk) -> str:
    return f" with labels {ask.selector}" if ask.selector else ""


def _empty(kind: Kind, ask: ListAsk, total: int) -> str:
    if ask.unhealthy_only and total:
        return f"{counted(total, kind.singular or kind.kind.lower(), kind.plural)} looked at, none unhealthy."
    if not kind.namespaced:
        return f"The cluster serves {kind.plural}, but has none{_labelled(ask)}."
    where = f"namespace {ask.namespace}" if ask.namespace else "any namespace that may be read"
    return f"No {kind.plural}{_labelled(ask)} in {where}. Check the selector and the namespace's name."
