"""The database's own time and its locks, said once for both databases.

Leases and approvals of processes on several machines agree on one clock only if it is the database's (D19).
"""

from datetime import UTC, datetime

from sqlalchemy import Connection, text


def database_now(conn: Connection) -> datetime:
    """Safety time as the database has it, UTC; with SQLite it is this machine's."""
    if conn.dialect.name == "sqlite":
        return datetime.now(UTC)  # noqa: TID251  # SQLite has no clock but this machine's
    now: datetime = conn.execute(text("SELECT clock_timestamp()")).scalar_one()
    return now.astimezone(UTC)


def exclusive(conn: Connection, name: str) -> None:
    """Let one transaction at a time go past this point, until it ends.

    On SQLite a write transaction excludes all others from its start (BEGIN IMMEDIATE).
    """
    if conn.dialect.name == "postgresql":
        conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 29))"), {"name": name})
