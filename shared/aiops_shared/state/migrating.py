"""Brings a database to this program's schema: numbered steps, forward only, safe when two start at once.

A new database gets all tables at once and the latest number; an older one gets the steps it lacks, in
order, in one transaction. A newer one is refused: an older program could not read what it says.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, MetaData, func, inspect, select, text

from aiops_shared.errors import NotConfiguredError
from aiops_shared.state.schema import metadata as shipped
from aiops_shared.state.schema import schema_version
from aiops_shared.state.times import database_now, exclusive

BASE = 1  # the number of the schema that the first release made whole


@dataclass(frozen=True, slots=True)
class Migration:
    """One step forward. `statements` run on both databases, so they keep to common SQL."""

    number: int
    says: str
    statements: tuple[str, ...]


MIGRATIONS: tuple[Migration, ...] = ()


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
        _stamp(conn, step.number)
