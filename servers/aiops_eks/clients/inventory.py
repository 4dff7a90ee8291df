"""Lists of clusters and of objects: cheap rows first, ranked worst first, then cut, then explained.

Called by the list tools through `ports.Inventory`. Rows are server-side Tables without objects (D30), so an
all-namespace list asks namespace by namespace; only the suspects on the page are read whole.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.namespaces import require_namespace
from aiops_eks.clients.paging import cursor_at, digest, offset_of
from aiops_eks.clients.wording import brief, counted, cut
from aiops_eks.models.answers import ClusterList, ListAsk, ResourceList
from aiops_eks.models.fields import controller_of, name_of, namespace_of, text
from aiops_eks.models.health import IMPAIRED, UNDERWAY, Health, judge_object, judge_row
from aiops_eks.ports import Clusters, Kube, Obj, SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, NotFoundError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.models import Kind
from aiops_shared.results import Cell, Evidence, Table

MOST_ROWS = 20_000
PAGE = 500
MOST_LOOKED_AT = {False: 30, True: 100}  # suspects read whole, by unhealthy_only
JUDGED_WHOLE, MOST_WHOLE = frozenset({"Node", "CronJob"}), 2_000
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


@dataclass(frozen=True, slots=True)
class _Row:
    namespace: str
    cells: dict[str, Cell]
    health: Health | None

    @property
    def name(self) -> str:
        return str(self.cells.get("name") or "")

    @property
    def badness(self) -> int:
        return self.health.badness if self.health else 0

    @property
    def order(self) -> tuple[int, int, str, str]:
        restarts = self.health.restarts if self.health and self.badness else 0
        return -self.badness, -restarts, self.namespace, self.name


@dataclass(frozen=True, slots=True)
class _Rows:
    rows: list[_Row]
    warnings: list[str]


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
        read = await _Reading(kube, kind, ask, now).rows()
        if not read.rows and kind.namespaced:
            await require_namespace(kube, ask.namespace)
        shown = [row for row in read.rows if row.badness >= IMPAIRED] if ask.unhealthy_only else read.rows
        page = _fitting(shown[offset : offset + ask.limit])
        end = offset + len(page)
        page, gone = await _explained(kube, kind, page, now, ask.unhealthy_only)
        unhealthy = _unhealthy(read.rows) - gone
        return ResourceList(
            summary=_said(kind, ask, read.rows, page, unhealthy),
            total=len(read.rows),
            unhealthy=unhealthy,
            resources=_table(kind, page, show_namespace=kind.namespaced and not ask.namespace),
            evidence=(_evidence(kube, kind, ask, len(read.rows)),),
            warnings=tuple(read.warnings),
            hint="" if page else _empty(kind, ask, len(read.rows)),
            truncated=end < len(shown),
            next_cursor=cursor_at(end, question) if end < len(shown) else "",
            untrusted=("resources",),
        )


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


@dataclass(frozen=True)
class _Reading:
    """One list being read: all pages, in every namespace asked for."""

    kube: Kube
    kind: Kind
    ask: ListAsk
    now: datetime

    @property
    def _namespace(self) -> str:
        return self.ask.namespace if self.kind.namespaced else ""

    async def rows(self) -> _Rows:
        exact = await self._exact_health() if self.kind.kind in JUDGED_WHOLE else {}
        found, warnings = await self._tables()
        rows = []
        for namespace, cells in found[:MOST_ROWS]:
            known = exact.get((namespace, str(cells.get("name"))))
            rows.append(_Row(namespace, cells, known or judge_row(self.kind.kind, cells)))
        if len(found) >= MOST_ROWS:
            warnings.append(
                f"only the first {MOST_ROWS} rows were read and ranked; narrow by namespace or selector"
            )
        return _Rows(sorted(rows, key=lambda row: row.order), warnings)

    async def _tables(self) -> tuple[list[tuple[str, dict[str, Cell]]], list[str]]:
        if self.kind.namespaced and not self.ask.namespace:
            return await self._every_namespace()
        namespace = self._namespace
        warnings = (
            [f"{self.kind.kind} is cluster-wide: namespace ignored"]
            if self.ask.namespace != namespace
            else []
        )
        return await self._one(namespace), warnings

    async def _every_namespace(self) -> tuple[list[tuple[str, dict[str, Cell]]], list[str]]:
        names = await _table_rows(self.kube, "Namespace", "")
        calls = [partial(self._one, str(cells.get("name"))) for _, cells in names]
        results = await gathered(calls)
        failed = [each for each in results if isinstance(each, AiopsError)]
        if failed and len(failed) == len(results):
            raise failed[0]
        said = (
            [f"{len(failed)} of {len(results)} namespaces could not be read: {failed[0]}"] if failed else []
        )
        return [row for each in results if not isinstance(each, AiopsError) for row in each], said

    async def _one(self, namespace: str) -> list[tuple[str, dict[str, Cell]]]:
        return await _table_rows(self.kube, _word(self.kind), namespace, self.ask.selector)

    async def _exact_health(self) -> dict[tuple[str, str], Health]:
        """A node's pressure and a CronJob's last success are in no Table column."""
        found = {}
        every = self.kube.every(
            _word(self.kind), self._namespace, selector=self.ask.selector, at_most=MOST_WHOLE
        )
        async for obj in every:
            health = judge_object(self.kind.kind, obj, self.now)
            if health:
                found[namespace_of(obj), name_of(obj)] = health
        return found


def _word(kind: Kind) -> str:
    """The word that means this kind and no other of the same name."""
    return f"{kind.plural}.{kind.group}" if kind.group else kind.plural


async def _table_rows(
    kube: Kube, kind: str, namespace: str, selector: str = ""
) -> list[tuple[str, dict[str, Cell]]]:
    found: list[tuple[str, dict[str, Cell]]] = []
    cursor = ""
    while len(found) < MOST_ROWS:
        page = await kube.table(kind, namespace, selector=selector, limit=PAGE, cursor=cursor)
        columns = [column.lower() for column in page.columns]
        if page.relisted:  # the list moved on while it was paged (410): this is its first page again
            found.clear()
        found.extend((namespace, dict(zip(columns, row, strict=False))) for row in page.rows)
        cursor = page.cursor
        if not cursor:
            break
    return found


async def _explained(
    kube: Kube, kind: Kind, page: list[_Row], now: datetime, thorough: bool
) -> tuple[list[_Row], int]:
    """The page with exact reasons for its suspects, ranked again, and how many proved not unhealthy.

    A row whose object cannot be read keeps its Table judgement; one whose object is gone leaves the page.
    """
    suspects = [at for at, row in enumerate(page) if row.badness >= UNDERWAY][: MOST_LOOKED_AT[thorough]]
    looked = await gathered([partial(_looked_at, kube, kind, page[at], now) for at in suspects])
    exact: dict[int, _Row | None] = dict(enumerate(page))
    exact |= {at: row for at, row in zip(suspects, looked, strict=True) if not isinstance(row, AiopsError)}
    kept = [row for row in exact.values() if row and (not thorough or row.badness >= IMPAIRED)]
    gone = _unhealthy(page) - _unhealthy([row for row in exact.values() if row])
    return sorted(kept, key=lambda row: row.order), gone


def _unhealthy(rows: list[_Row]) -> int:
    return sum(row.badness >= IMPAIRED for row in rows)


async def _looked_at(kube: Kube, kind: Kind, row: _Row, now: datetime) -> _Row | None:
    try:
        obj = await kube.get(_word(kind), row.namespace, row.name)
    except NotFoundError:
        return None
    health = judge_object(kind.kind, obj, now)
    if health and health.unhealthy and text(obj, "status", "phase") == "Failed":
        health = await _retried(kube, row.namespace, obj, now) or health
    return replace(row, health=health) if health else row


async def _retried(kube: Kube, namespace: str, pod: Obj, now: datetime) -> Health | None:
    """A failed pod whose Job then completed is no trouble."""
    _, kind, name = controller_of(pod) or ("", "", "")
    if kind != "Job":
        return None
    job = judge_object("Job", await kube.get("jobs.batch", namespace, name), now)
    return Health(job.badness, "failed, its Job completed") if job and not job.badness else None


def _fitting(rows: list[_Row]) -> list[_Row]:
    """As many of the worst rows as a default answer takes; a page asked to be longer takes more."""
    left = ROW_CHARS if len(rows) <= DEFAULT_ROWS else MOST_CHARS
    for at, row in enumerate(rows):
        left -= len(row.namespace) + sum(
            len(str(cell)) + 4 for cell in list(row.cells.values())[:MOST_COLUMNS]
        )
        if left < 0 and at:
            return rows[:at]
    return rows


def _table(kind: Kind, page: list[_Row], *, show_namespace: bool) -> Table:
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


def _said(kind: Kind, ask: ListAsk, rows: list[_Row], page: list[_Row], unhealthy: int) -> str:
    where = f"in {ask.namespace}" if ask.namespace and kind.namespaced else ""
    noun = kind.singular or kind.kind.lower()
    head = " ".join(part for part in (counted(len(rows), noun, kind.plural), where) if part)
    if not any(row.health for row in rows):
        return cut(f"{head}.")
    underway = sum(row.badness == UNDERWAY for row in rows)
    tail = f"; {underway} under way" if underway else ""
    if not unhealthy:
        return cut(f"{head}, all healthy{tail}.")
    worst = [_worst_said(row, ask) for row in page if row.badness >= IMPAIRED][:3]
    named = f": {'; '.join(worst)}" if worst else ""
    more = f"; {unhealthy - len(worst)} more" if worst and unhealthy > len(worst) else ""
    return cut(f"{head}, {unhealthy} not healthy{named}{more}{tail}.")


def _worst_said(row: _Row, ask: ListAsk) -> str:
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
        query=f"kubectl get {_word(kind)}{where}{label}",
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
