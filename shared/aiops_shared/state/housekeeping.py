"""What an operator does to a store: count it, copy it while it is in use, throw away what ended long ago.

Called by `eks-aiops state`. The audit is never touched: it is a chain, and lives as long as its store.
"""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from aiops_shared.errors import InvalidInputError, NotConfiguredError
from aiops_shared.state.schema import action_steps, actions, approvals, idempotency, metadata, nonces, plans
from aiops_shared.state.sop_schema import events, notices, sop_asks, sop_runs, sop_steps

LIVE_ACTIONS = ("running", "undoing")
OPEN_RUNS = ("queued", "running", "undoing", "waiting")


@dataclass(frozen=True, slots=True)
class Counted:
    """How full a store is: rows by table, and what somebody still carries or waits for."""

    schema: int
    rows: Mapping[str, int]
    actions_under_way: int
    runs_open: int
    approvals_waiting: int


def counted(conn: Connection) -> Counted:
    """Look, in one transaction."""

    def count(table: Table, *where: ColumnElement[bool]) -> int:
        found: int = conn.execute(select(func.count()).select_from(table).where(*where)).scalar_one()
        return found

    version = metadata.tables["schema_version"].c.version
    return Counted(
        schema=conn.execute(select(func.max(version))).scalar_one(),
        rows={name: count(table) for name, table in sorted(metadata.tables.items())},
        actions_under_way=count(actions, actions.c.state.in_(LIVE_ACTIONS)),
        runs_open=count(sop_runs, sop_runs.c.state.in_(OPEN_RUNS)),
        approvals_waiting=count(approvals, approvals.c.state == "pending"),
    )


def copy_sqlite(source: Path, target: Path) -> int:
    """Copy a database while others write to it; its bytes. Raises InvalidInputError for a copy with faults.

    SQLite's own online backup: the copy is one moment of the source, without its -wal file.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(source, timeout=30)) as there, closing(sqlite3.connect(target)) as here:
        there.backup(here)
        here.execute("PRAGMA journal_mode=DELETE")
        says = here.execute("PRAGMA integrity_check").fetchone()[0]
    if says != "ok":
        raise InvalidInputError(str(target), f"the copy is not whole: {says[:200]}", "check the disk of both")
    return target.stat().st_size


def sqlite_files(database_url: str, runs_url: str) -> tuple[Path, ...]:
    """The files of a SQLite store, in the order in which they are copied: runs first, so that no workflow is
    newer than what was decided. Raises NotConfiguredError for another database.
    """
    from aiops_shared.state.opening import parsed

    found = [parsed(url) for url in (runs_url, database_url)]
    if any(url.get_backend_name() != "sqlite" for url in found):
        raise NotConfiguredError(
            "state store", "it is a PostgreSQL, which has its own backup", "use pg_dump (docs/operations.md)"
        )
    return tuple(Path(url.database or "") for url in found if Path(url.database or "").exists())


def _left(before: datetime) -> tuple[tuple[Table, ColumnElement[bool]], ...]:
    """What may go, children before what they name. A plan stays as long as its action does."""
    old_runs = select(sop_runs.c.id).where(sop_runs.c.ended_at < before, sop_runs.c.state.not_in(OPEN_RUNS))
    stays = actions.c.state.in_(LIVE_ACTIONS) | actions.c.ended_at.is_(None) | (actions.c.ended_at >= before)
    needed = select(actions.c.plan_id).where(stays)
    old_plans = select(plans.c.id).where(plans.c.expires_at < before, plans.c.id.not_in(needed))
    old_approvals = select(approvals.c.id).where(approvals.c.plan_id.in_(old_plans))
    old_actions = select(actions.c.id).where(actions.c.plan_id.in_(old_plans))
    return (
        (sop_asks, sop_asks.c.run_id.in_(old_runs)),
        (sop_steps, sop_steps.c.run_id.in_(old_runs)),
        (sop_runs, sop_runs.c.id.in_(old_runs)),
        (notices, notices.c.at < before),
        (events, (events.c.received_at < before) & events.c.state.in_(("done", "failed"))),
        (nonces, nonces.c.approval_id.in_(old_approvals)),
        (approvals, approvals.c.plan_id.in_(old_plans)),
        (action_steps, action_steps.c.action_id.in_(old_actions)),
        (actions, actions.c.plan_id.in_(old_plans)),
        (plans, plans.c.id.in_(old_plans)),
        (idempotency, idempotency.c.created_at < before),
    )


def sweepable(conn: Connection, before: datetime) -> dict[str, int]:
    """How many rows `swept` would delete, by table."""
    return {
        table.name: conn.execute(select(func.count()).select_from(table).where(which)).scalar_one()
        for table, which in _left(before)
    }


def swept(conn: Connection, before: datetime) -> dict[str, int]:
    """Delete what ended before that moment; rows by table.

    Incidents, outcomes, drills, freezes and the audit are not touched.
    """
    return {table.name: conn.execute(delete(table).where(which)).rowcount for table, which in _left(before)}
