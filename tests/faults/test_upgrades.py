"""An upgrade while runs are in flight: the newer program ends what the older one began, or says no (R23)."""

import signal
import sqlite3
from pathlib import Path

import anyio
import pytest
from sqlalchemy import Connection, select, update

from aiops_shared.errors import NotConfiguredError
from aiops_shared.state.sop_schema import sop_runs
from tests.faults.test_sop_runs import EFFECTS, child, ended, house_on

pytestmark = [pytest.mark.timeout(60), pytest.mark.slow]
# What schema 5 added. Taken away, and the run sealed without it, the file is as schema 4 left it.
SINCE_4 = (
    *("sop_runs.caller_scopes", "sop_runs.caller_groups"),
    *("events.sender_scopes", "events.sender_groups"),
)


def as_schema_4_left_it(folder: Path, run_id: str) -> None:
    ledger = house_on(folder).desk.ledger

    def resealed(conn: Connection) -> None:
        mine = sop_runs.c.id == run_id
        row = conn.execute(select(sop_runs).where(mine)).one()
        older = {**row._mapping, "caller_scopes": "", "caller_groups": ""}
        conn.execute(update(sop_runs).where(mine).values(seal=ledger.seal(older)))

    ledger.store.run_now(resealed)
    ledger.store.close()
    with sqlite3.connect(folder / "state" / "state.db") as old:
        for place in SINCE_4:
            table, _, column = place.partition(".")
            old.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        old.execute("DELETE FROM schema_version WHERE version = 4")
        old.execute("UPDATE schema_version SET version = 4 WHERE version = 5")
    old.close()


@pytest.mark.fault("R23")
async def test_a_run_of_an_older_schema_is_carried_to_its_end_by_the_newer_program(tmp_path: Path) -> None:
    dying = child(tmp_path, "--start", "two", "web", "--point", "after_effect", "second")
    said, wrong = await anyio.to_thread.run_sync(lambda: dying.communicate(timeout=40))
    assert dying.returncode == -signal.SIGKILL, wrong[-2000:]
    run_id = said.split()[1]
    as_schema_4_left_it(tmp_path, run_id)
    async with house_on(tmp_path).running(looking=True) as house:
        assert await ended(house, run_id) == "succeeded"
        assert house.hands.effects() == EFFECTS
        assert (await house.seen(run_id)).audit_chain.startswith("valid")


@pytest.mark.fault("R23")
async def test_an_older_program_says_no_to_the_runs_of_a_newer_one_and_changes_nothing(
    tmp_path: Path,
) -> None:
    house = house_on(tmp_path)
    house.store.run_now(lambda conn: None)
    house.store.close()
    file = tmp_path / "state" / "state.db"
    with sqlite3.connect(file) as newer:
        newer.execute("INSERT INTO schema_version SELECT MAX(version) + 1, applied_at FROM schema_version")
    newer.close()
    house = house_on(tmp_path)
    async with house.running():
        with pytest.raises(NotConfiguredError, match="schema"):
            await house.start("two")
    assert house.hands.effects() == []
