"""A run that its own process does not carry on is set free: nobody else takes it while that process lives."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from dbos._sys_db_sqlite import SQLiteSystemDatabase
from sqlalchemy import select

from aiops_shared.clock import SystemClock
from aiops_shared.state.sop_schema import sop_runs
from tests.fakes.runhouses import ByHand, RunHouse, change, front, step

pytestmark = pytest.mark.fault("R8")
ONE = front("one") + step(1, "first", change("a"))


@dataclass
class Locked(ByHand):
    """Workflows whose database cannot be written the first time."""

    fails: int = 1

    def start(self, run_id: str, generation: int) -> None:
        if self.fails:
            self.fails -= 1
            raise sqlite3.OperationalError("database is locked")
        super().start(run_id, generation)


class Flaky:
    """A look that fails once."""

    def __init__(self, real: Any) -> None:
        self.real, self.looks, self.again = real, 0, anyio.Event()

    async def look(self, executor: str) -> Any:
        self.looks += 1
        if self.looks == 1:
            raise sqlite3.OperationalError("database is locked")
        self.again.set()
        return await self.real.look(executor)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


async def test_an_engine_whose_first_launch_broke_off_is_launched_anew_and_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away while DBOS makes its tables: half of them are no start."""
    real, left = SQLiteSystemDatabase.run_migrations, [sqlite3.OperationalError("disk I/O error")]

    def breaks_off(self: SQLiteSystemDatabase) -> None:
        if left:
            raise left.pop()
        real(self)

    monkeypatch.setattr(SQLiteSystemDatabase, "run_migrations", breaks_off)
    house = RunHouse(tmp_path, clock=SystemClock(), workflows=None)
    house.library.add(ONE)
    async with house.running(looking=True):
        with pytest.raises(sqlite3.OperationalError):
            await house.start("one")
        state = ""
        for _ in range(400):  # a thread of DBOS carries it on
            (state,) = await house.store.read(
                lambda conn: conn.execute(select(sop_runs.c.state)).scalars().all()
            )
            if state == "succeeded":
                break
            await anyio.sleep(0.05)
        assert (state, house.hands.effects()) == ("succeeded", ["do web-a"])


async def test_a_workflow_that_could_not_be_started_is_started_anew(tmp_path: Path) -> None:
    house = RunHouse(tmp_path, workflows=Locked())
    async with house.running():
        house.library.add(ONE)
        with pytest.raises(sqlite3.OperationalError):
            await house.start("one")
        for _ in range(3):  # seen left, seen left again and set free, claimed
            await house.runner.look()
        assert isinstance(house.workflows, Locked)
        ((run_id, generation),) = house.workflows.started
        assert (await house.drive(run_id)).state == "succeeded"
        assert generation > 0
        assert house.hands.effects() == ["do web-a"]


async def test_a_workflow_that_ended_without_its_run_is_followed_by_another(tmp_path: Path) -> None:
    house = RunHouse(tmp_path)
    async with house.running():
        house.library.add(ONE)
        run = await house.start("one")
        record = await house.desk.ledger.load(run.run_id)
        held = await house.runner.begin(run.run_id, record.generation)
        assert held is not None
        await house.runner.end(held, "running")  # as when DBOS could not record a step
        for _ in range(3):
            await house.runner.look()
        assert (await house.drive(run.run_id)).state == "succeeded"
        assert (await house.desk.ledger.load(run.run_id)).generation > record.generation


async def test_a_run_that_is_carried_on_is_left_alone(tmp_path: Path) -> None:
    house = RunHouse(tmp_path)
    async with house.running():
        house.library.add(ONE)
        run = await house.start("one")
        record = await house.desk.ledger.load(run.run_id)
        held = await house.runner.begin(run.run_id, record.generation)
        assert held is not None
        for _ in range(4):
            await house.runner.look()
        assert (await house.desk.ledger.load(run.run_id)).generation == record.generation
        await house.runner.end(held, "handed_over")


async def test_who_looks_goes_on_looking_whatever_a_look_raises(tmp_path: Path) -> None:
    house = RunHouse(tmp_path)
    async with house.running():
        flaky = Flaky(house.runner.waker)
        house.runner.waker = flaky  # type: ignore[assignment]  # one that fails once
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(house.runner.look_forever)
            with anyio.fail_after(15):
                await flaky.again.wait()
            tasks.cancel_scope.cancel()
    assert flaky.looks >= 2
