"""A page of a ranked list as rows of an answer: which columns, how many fit, what is said of the worst.

Called by `inventory` for one cluster and by `inventory_several` for several.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.inventory_rows import Row, kind_word
from aiops_eks.clients.inventory_suspects import exact_health
from aiops_eks.clients.wording import counted, cut
from aiops_eks.models.answers import ListAsk
from aiops_eks.models.health import IMPAIRED, UNDERWAY
from aiops_eks.ports import Kube
from aiops_shared.errors import AiopsError, NotFoundError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.models import Kind
from aiops_shared.results import Cell, Table

MOST_LOOKED_AT = {False: 30, True: 100}  # suspects read whole, by unhealthy_only
CELL_CHARS = 160
DEFAULT_ROWS = 50
ROW_CHARS, MOST_CHARS = 3_500, 30_000  # of a default page, and of one that was asked to be longer

# kubectl's default columns where the API also sends wide ones; other kinds show the first eight.
COLUMNS_OF = {
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


async def explained(
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


def fitting(rows: list[Row]) -> list[Row]:
    """As many of the worst rows as a default answer takes; a page asked to be longer takes more."""
    left = ROW_CHARS if len(rows) <= DEFAULT_ROWS else MOST_CHARS
    for at, row in enumerate(rows):
        left -= row_chars(row)
        if left < 0 and at:
            return rows[:at]
    return rows


def row_chars(row: Row) -> int:
    """About how much of an answer a row takes, characters."""
    return len(row.namespace) + sum(len(str(cell)) + 4 for cell in list(row.cells.values())[:MOST_COLUMNS])


def table_of(kind: Kind, page: Sequence[Row], *, show_namespace: bool) -> Table:
    """The rows as a table, in kubectl's default columns."""
    given = list(page[0].cells) if page else ["name"]
    wanted = [name for name in COLUMNS_OF.get(kind.kind, given[:MOST_COLUMNS]) if name in given]
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


def worst_said(row: Row, ask: ListAsk) -> str:
    """One bad row in words of a summary."""
    place = row.name if ask.namespace or not row.namespace else f"{row.namespace}/{row.name}"
    health = row.health
    restarts = f", {counted(health.restarts, 'restart')}" if health and health.restarts else ""
    return f"{place} {health.word if health else ''}{restarts}"


def labelled(ask: ListAsk) -> str:
    """The selector in words."""
    return f" with labels {ask.selector}" if ask.selector else ""
