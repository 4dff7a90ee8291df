"""Brings a database to this program's schema: numbered steps, forward only, safe when two start at once.

A new database gets all tables at once and the latest number; an older one gets the steps it lacks, in
order, in one transaction. A newer one is refused: an older program could not read what it says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, func, inspect, select, text

from aiops_shared.errors import NotConfiguredError
from aiops_shared.state import migration_rights, migration_sops
from aiops_shared.state import sop_schema as sop_schema  # its tables join the one MetaData
from aiops_shared.state.schema import metadata as shipped
from aiops_shared.state.schema import schema_version
from aiops_shared.state.times import database_now, exclusive

BASE = 1  # the number of the schema that the first release made whole


@dataclass(frozen=True, slots=True)
class Migration:
    """One step forward. `statements` run on both databases, so they keep to common SQL; what only one knows
    stands in `by_dialect`.
    """

    number: int
    says: str
    statements: tuple[str, ...] = ()
    by_dialect: tuple[tuple[str, str], ...] = ()


_CHANGES = """CREATE TABLE journal_changes (
    cluster VARCHAR(256) NOT NULL, uid VARCHAR(64) NOT NULL, version VARCHAR(64) NOT NULL,
    verb VARCHAR(16) NOT NULL, kind VARCHAR(128) NOT NULL, namespace VARCHAR(256) NOT NULL,
    name VARCHAR(256) NOT NULL, at BIGINT NOT NULL, within_s INTEGER NOT NULL, client VARCHAR(256) NOT NULL,
    what TEXT NOT NULL, digest_before VARCHAR(64) NOT NULL, digest_after VARCHAR(64) NOT NULL,
    PRIMARY KEY (cluster, uid, version, verb))"""
_OBJECTS = """CREATE TABLE journal_objects (
    cluster VARCHAR(256) NOT NULL, uid VARCHAR(64) NOT NULL, kind VARCHAR(128) NOT NULL,
    namespace VARCHAR(256) NOT NULL, name VARCHAR(256) NOT NULL, version VARCHAR(64) NOT NULL,
    view TEXT NOT NULL, digest VARCHAR(64) NOT NULL, PRIMARY KEY (cluster, uid))"""
_EVENTS = """CREATE TABLE journal_events (
    cluster VARCHAR(256) NOT NULL, uid VARCHAR(64) NOT NULL, kind VARCHAR(128) NOT NULL,
    namespace VARCHAR(256) NOT NULL, name VARCHAR(256) NOT NULL, reason VARCHAR(256) NOT NULL,
    message TEXT NOT NULL, count INTEGER NOT NULL, first_at BIGINT NOT NULL, last_at BIGINT NOT NULL,
    PRIMARY KEY (cluster, uid))"""
_WATCHES = """CREATE TABLE journal_watches (
    cluster VARCHAR(256) NOT NULL, kind VARCHAR(128) NOT NULL, since_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL, PRIMARY KEY (cluster, kind))"""

# BYTEA: PostgreSQL's name of bytes; SQLite keeps bytes as they are under any name.
_ANSWERS = """CREATE TABLE answers (
    room VARCHAR(64) NOT NULL, key VARCHAR(64) NOT NULL, made_at BIGINT NOT NULL, bytes BIGINT NOT NULL,
    body BYTEA NOT NULL, PRIMARY KEY (room, key))"""

MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        2,
        "the watch journal of `eks-aiops forward`",
        (
            _CHANGES,
            "CREATE INDEX journal_changes_at ON journal_changes (cluster, at)",
            _OBJECTS,
            "CREATE INDEX journal_objects_kind ON journal_objects (cluster, kind)",
            _EVENTS,
            "CREATE INDEX journal_events_at ON journal_events (cluster, last_at)",
            _WATCHES,
        ),
    ),
    Migration(
        3,
        "answers that were billed, kept",
        (_ANSWERS, "CREATE INDEX answers_made ON answers (room, made_at)"),
    ),
    Migration(
        4,
        "procedures: runs, questions, events, incidents, outcomes, drills",
        migration_sops.STATEMENTS,
        sop_schema.INCIDENT_SEARCH,
    ),
    Migration(5, "the rights of who started a run or sent an event", migration_rights.STATEMENTS),
)


def latest(migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """The schema number that a program with these migrations knows."""
    return migrations[-1].number if migrations else BASE


def _found(conn: Connection) -> int | None:
    if not inspect(conn).has_table(schema_version.name):
        return None
    version: int | None = conn.execute(select(func.max(schema_version.c.version))).scalar_one()
    return version


def _stamp(conn: Connection, version: int) -> None:
    conn.execute(schema_version.insert().values(version=version, applied_at=database_now(conn)))


def migrate(
    conn: Connection, tables: MetaData = shipped, migrations: Sequence[Migration] = MIGRATIONS
) -> None:
    """Make the schema current, in a write transaction. Raises `NotConfiguredError` when it is newer."""
    exclusive(conn, "schema")
    found = _found(conn)
    if found is None:
        tables.create_all(conn)
        _stamp(conn, latest(migrations))
        return
    if found > latest(migrations):
        raise NotConfiguredError(
            "state store",
            f"a newer version made it (schema {found}, this one knows {latest(migrations)})",
            "upgrade eks-aiops, or give this version another AIOPS_STATE_DIR",
        )
    for step in (migration for migration in migrations if migration.number > found):
        for statement in step.statements:
            conn.execute(text(statement))
        for dialect, statement in step.by_dialect:
            if dialect == conn.dialect.name:
                conn.exec_driver_sql(statement)
        _stamp(conn, step.number)
