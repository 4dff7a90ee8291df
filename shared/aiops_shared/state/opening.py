"""Opens the database as the settings say. The only place that knows SQLite's and PostgreSQL's switches.

SQLite: WAL, so that readers and one writer do not wait for each other; BEGIN IMMEDIATE, so that two writers
cannot both read before either writes; `synchronous=FULL` where a commit must survive a power cut (D15).
"""

import sqlite3
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from aiops_shared.errors import NotConfiguredError
from aiops_shared.state.places import private_directory, private_file, refuse_network_filesystem

BUSY_TIMEOUT_MS = 10_000
CONNECT_TIMEOUT_S = 5
WRITE, DURABLE = "aiops_write", "aiops_durable"  # execution options of a transaction
_WAL_TRIES, _WAL_PAUSE_S = 200, 0.05


def parsed(url: str) -> URL:
    """The URL, checked. Raises `NotConfiguredError` without the URL, which may hold a password."""
    try:
        found = make_url(url)
    except ArgumentError as error:
        raise NotConfiguredError(
            "AIOPS_STATE_URL", "it is not a database URL", "use postgresql+psycopg://USER@HOST/NAME"
        ) from error
    if found.drivername == "postgresql":
        return found.set(drivername="postgresql+psycopg")
    if found.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
        raise NotConfiguredError(
            "AIOPS_STATE_URL",
            f"{found.drivername} is not served",
            "use postgresql+psycopg://…, or leave it empty for SQLite",
        )
    if found.get_backend_name() == "sqlite" and not found.database:
        raise NotConfiguredError(
            "AIOPS_STATE_URL", "a database in memory cannot be shared", "name a file: sqlite:////DIR/state.db"
        )
    return found


def _set_wal(raw: sqlite3.Connection) -> None:
    # Two processes that start at once may refuse each other here without the busy timeout being waited for.
    for _ in range(_WAL_TRIES):
        try:
            if raw.execute("PRAGMA journal_mode=WAL").fetchone()[0] == "wal":
                return
        except sqlite3.OperationalError:
            threading.Event().wait(_WAL_PAUSE_S)
    raise sqlite3.OperationalError("database is locked")


def _on_sqlite_connect(raw: sqlite3.Connection, _record: Any) -> None:
    raw.isolation_level = None  # transactions are begun below, not by the driver
    raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    raw.execute("PRAGMA foreign_keys=ON")
    if raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _set_wal(raw)


def _on_sqlite_begin(conn: Connection) -> None:
    options = conn.get_execution_options()
    if not options.get(WRITE):
        conn.exec_driver_sql("BEGIN")
        return
    conn.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options.get(DURABLE) else 'NORMAL'}")
    conn.exec_driver_sql("BEGIN IMMEDIATE")


def _on_postgres_begin(conn: Connection) -> None:
    options = conn.get_execution_options()
    if not options.get(WRITE):
        conn.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return
    conn.exec_driver_sql(f"SET LOCAL synchronous_commit = {'on' if options.get(DURABLE) else 'off'}")


def open_sqlite(url: URL) -> Engine:
    """An engine over a private file, which is made when it is missing."""
    path = Path(url.database or "")
    private_directory(path.parent)
    refuse_network_filesystem(path.parent)
    private_file(path)
    engine = create_engine(url, pool_size=5, max_overflow=40, hide_parameters=True)
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def open_postgres(url: URL) -> Engine:
    """An engine whose connections are tested before use, so that a restarted server is met again."""
    engine = create_engine(
        url,
        hide_parameters=True,  # neither in logs nor in the text of an error
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=35,  # all stores of a process share it: as many as there are worker threads
        pool_timeout=CONNECT_TIMEOUT_S,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
    )
    event.listen(engine, "begin", _on_postgres_begin)
    return engine


def open_engine(url: str) -> Engine:
    """The engine of a database URL."""
    found = parsed(url)
    return open_sqlite(found) if found.get_backend_name() == "sqlite" else open_postgres(found)
