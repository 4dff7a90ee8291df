"""The schema's numbers: forward only, once, and never by an older program."""

from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Table, inspect, select

from aiops_shared.errors import NotConfiguredError
from aiops_shared.state import sop_schema
from aiops_shared.state.migrating import BASE, MIGRATIONS, Migration, latest, migrate
from aiops_shared.state.opening import open_engine
from aiops_shared.state.schema import metadata, schema_version

STEPS = (
    Migration(2, "pets", ("CREATE TABLE pets (id INTEGER PRIMARY KEY)",)),
    Migration(3, "names", ("ALTER TABLE pets ADD COLUMN name TEXT",)),
)


def engine_in(directory: Path) -> Engine:
    return open_engine(f"sqlite:///{directory / 'state.db'}")


def versions(conn: Connection) -> list[int]:
    return list(conn.execute(select(schema_version.c.version).order_by(schema_version.c.version)).scalars())


def test_a_new_database_gets_every_table_and_the_latest_number(tmp_path: Path) -> None:
    with engine_in(tmp_path).begin() as conn:
        migrate(conn)
        made = {name for name in inspect(conn).get_table_names() if not name.startswith("incidents_fts")}
        assert made == set(metadata.tables)  # full text keeps tables of its own
        assert versions(conn) == [latest()]


def test_an_older_database_gets_what_it_lacks_in_order_and_only_once(tmp_path: Path) -> None:
    engine = engine_in(tmp_path)
    with engine.begin() as conn:
        migrate(conn, metadata, ())
    for _ in range(2):
        with engine.begin() as conn:
            migrate(conn, metadata, STEPS)
    with engine.begin() as conn:
        assert versions(conn) == [BASE, 2, 3]
        assert [column["name"] for column in inspect(conn).get_columns("pets")] == ["id", "name"]


def test_an_older_program_refuses_a_newer_database(tmp_path: Path) -> None:
    engine = engine_in(tmp_path)
    newer = Migration(latest() + 1, "what is still to come", ())
    with engine.begin() as conn:
        migrate(conn, metadata, (*MIGRATIONS, newer))
    with (
        engine.begin() as conn,
        pytest.raises(NotConfiguredError, match=f"schema {newer.number}, this one knows") as caught,
    ):
        migrate(conn)
    assert "upgrade" in caught.value.hint


def test_a_step_that_fails_leaves_the_older_schema_whole(tmp_path: Path) -> None:
    engine = engine_in(tmp_path)
    with engine.begin() as conn:
        migrate(conn, metadata, ())
    broken = (STEPS[0], Migration(3, "broken", ("ALTER TABLE nowhere ADD COLUMN x TEXT",)))
    with pytest.raises(Exception, match="nowhere"), engine.begin() as conn:
        migrate(conn, metadata, broken)
    with engine.begin() as conn:
        assert versions(conn) == [BASE]
        assert not inspect(conn).has_table("pets")


def test_the_shipped_steps_make_of_the_first_schema_what_a_new_database_has(tmp_path: Path) -> None:
    first = MetaData()
    later = {name for name, table in metadata.tables.items() if getattr(sop_schema, name, None) is table}
    for table in metadata.tables.values():
        if not table.name.startswith(("journal_", "answers")) and table.name not in later:
            table.to_metadata(first)
    with engine_in(tmp_path).begin() as conn:
        migrate(conn, first, ())
        migrate(conn)
        assert versions(conn) == list(range(BASE, latest() + 1))
        for table in metadata.tables.values():
            found = {column["name"]: column["nullable"] for column in inspect(conn).get_columns(table.name)}
            assert found == {column.name: column.nullable for column in table.columns}
            keys = inspect(conn).get_pk_constraint(table.name)["constrained_columns"]
            assert keys == [column.name for column in table.primary_key.columns]
            indexes = {index["name"] for index in inspect(conn).get_indexes(table.name)}
            assert indexes >= {index.name for index in table.indexes}


def test_migrations_count_up_from_the_base() -> None:
    assert [step.number for step in MIGRATIONS] == list(range(BASE + 1, BASE + 1 + len(MIGRATIONS)))


def test_another_metadata_can_be_made_too(tmp_path: Path) -> None:
    tables = MetaData()
    Table("pets", tables, Column("id", Integer, primary_key=True))
    Table(
        schema_version.name, tables, *(Column(column.name, column.type) for column in schema_version.columns)
    )
    with engine_in(tmp_path).begin() as conn:
        migrate(conn, tables, STEPS)
        assert versions(conn) == [3]
