"""`eks-aiops state check|backup|sweep` behind the command line."""

import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.settings import Settings
from aiops_shared.state import StateStore
from aiops_shared.state.housekeeping import copy_sqlite, counted, sqlite_files, sweepable, swept
from aiops_sop.clients.durable import database_url
from eks_aiops.guarding import guardrails

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")
SHORTEST_DAYS = 30  # snapshots live as long, and so can an action be undone
_AGE = re.compile(r"(\d{1,5})d")


async def check() -> int:
    """Say what the store holds, whether the key fits it and the chain holds; 1 when it does not."""
    settings = Settings()
    async with guardrails(settings) as guard:
        report = await guard.audit.verify()
    found = await _read(settings, counted)
    sys.stdout.write(
        f"store      {_place(settings)}, schema {found.schema}\n"
        f"key        {settings.state.key_path}\n"
        f"audit      {report.records} records, "
        + ("the chain holds\n" if report.holds else f"BROKEN at {report.first_bad}: {report.reason}\n")
        + f"under way  {found.actions_under_way} actions, {found.runs_open} open runs, "
        f"{found.approvals_waiting} approvals that wait\n"
        f"rows       {_rows(found.rows)}\n"
    )
    return 0 if report.holds else 1


async def backup(folder: Path) -> int:
    """Copy a SQLite store into a new folder, while it is in use. The key file is not copied."""
    settings = Settings()
    files = sqlite_files(settings.state.database_url, database_url(settings))
    try:
        await anyio.Path(folder).mkdir(mode=0o700, parents=True)
    except FileExistsError as error:
        hint = "name a new folder: no backup is overwritten"
        raise InvalidInputError(str(folder), "it is there already", hint) from error
    for file in files:
        size = await anyio.to_thread.run_sync(copy_sqlite, file, folder / file.name)
        sys.stdout.write(f"{folder / file.name}  {size} bytes\n")
    sys.stdout.write(
        f"not copied: {settings.state.key_path}; keep a copy of it elsewhere, it opens this one\n"
    )
    return 0


async def sweep(older_than: str, *, delete: bool) -> int:
    """Count, or delete and audit, what ended before then."""
    days = _AGE.fullmatch(older_than)
    if days is None or int(days[1]) < SHORTEST_DAYS:
        raise InvalidInputError(
            "--older-than", f"{older_than[:20]} is no such age", f"from {SHORTEST_DAYS}d on"
        )
    settings = Settings()
    async with guardrails(settings) as guard:
        before = guard.clock.safe_now() - timedelta(days=int(days[1]))
        gone = await (
            _deleted(guard, before) if delete else _read(settings, lambda conn: sweepable(conn, before))
        )
    sys.stdout.write(f"{'deleted' if delete else 'would go, with --delete'}: {_rows(gone) or 'nothing'}\n")
    return 0


async def _deleted(guard: Guardrails, before: datetime) -> Mapping[str, int]:
    def work(conn: "Connection") -> Mapping[str, int]:
        gone = swept(conn, before)
        says = {"what": "state swept", "before": before.isoformat(), "rows": gone}
        guard.audit.note_in(conn, guard.caller, "state", "state_swept", says)
        return gone

    return await guard.audit.run(work)


async def _read(settings: Settings, work: "Callable[[Connection], T]") -> T:
    store = StateStore(settings.state)
    try:
        return await store.read(work)
    finally:
        store.close()


def _rows(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in rows.items() if count)


def _place(settings: Settings) -> str:
    """Where it is, without a password."""
    return settings.state.database_url.rpartition("@")[2]
