"""What whole runs are played through: hands that fail at their k-th call, a store that cannot be written.

The errors of the store are SQLite's own, met by every store of the process: also the guardrails'.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import Connection

from aiops_shared.auth.behalf import Behalf
from aiops_shared.errors import AiopsError, AuditDownError, UnreachableError
from aiops_shared.state import StateStore
from aiops_sop.models.runs import RunStatus
from tests.fakes.procedures import FakeHands, Obj
from tests.fakes.runhouses import RunHouse
from tests.faults.sop_child import TWO

CALLS = 8  # of an undisturbed run of TWO: for each of two steps plan, execute, follow up, verify
Broken = Literal["full", "read_only"]


@dataclass
class Stormy(FakeHands):
    """From the k-th call on (from 0) the next `left` calls fail; where answers are `lost`, after the effect.

    Actions run on when `execute_plan` answers: their end is looked at.
    """

    at: int = -1
    error: Callable[[], AiopsError] = lambda: UnreachableError("eks", "no connection")
    left: int = 0
    lost: bool = False  # the effect happens, its answer does not come
    happens: Callable[[], None] = lambda: None  # at the k-th call
    made: int = field(default=-1)

    def storm(self, at: int, error: Callable[[], AiopsError], left: int, lost: bool = False) -> None:
        """From here on calls count anew, and these fail."""
        self.at, self.error, self.left, self.lost, self.made = at, error, left, lost, -1

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], behalf: Behalf | None = None
    ) -> Obj:
        self.made += 1
        if self.made == self.at:
            self.happens()
        if not 0 <= self.at <= self.made or self.left <= 0:
            answer = await super().call(server, tool, arguments, behalf)
            return {**answer, "state": "running"} if tool == "execute_plan" else answer
        self.left -= 1
        if self.lost:
            await super().call(server, tool, arguments, behalf)
        raise self.error()


def stormy_house(folder: Path) -> tuple[RunHouse, Stormy]:
    """A house whose hands fail as told."""
    house = RunHouse(folder, hands_of=Stormy)
    assert isinstance(house.hands, Stormy)
    house.library.add(TWO)
    return house, house.hands


async def weathered(house: RunHouse, run_id: str, *, rest_s: float = 601.0) -> RunStatus:
    """Carry it on until it ends; where it waits for evidence, the time passes after which it tries again."""
    run = await house.drive(run_id)
    for _ in range(40):
        if run.state != "waiting":
            return run
        assert run.waiting is not None
        assert run.waiting.kind == "evidence", run.waiting
        await house.runner.look()  # sets the hour
        house.clock.pass_safely(rest_s)
        await house.runner.look()
        run = await house.drive(run_id)
    return run


async def books_are_right(house: RunHouse, run_id: str, name: str = "web") -> None:
    """I1, I3, I4: each effect once and under a recorded plan, the chain holds, nobody holds the run."""
    mine = [effect for effect in house.hands.effects() if f" {name}-" in effect]
    assert mine == [f"do {name}-a", f"do {name}-b"]
    run = await house.seen(run_id)
    assert run.audit_chain.startswith("valid"), run.audit_chain
    record = await house.desk.ledger.load(run_id)
    assert record.worker == ""
    assert sum(bool(row.plan_id) for row in record.steps.values()) == len(mine)


@dataclass
class BrokenStore:
    """While `on`, every write transaction meets SQLite's own error; it heals after `lasts` of them."""

    how: Broken
    lasts: int = 4
    on: bool = False
    refused: int = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From here on in every store of this process."""
        real = StateStore.run_now

        def run_now(store: StateStore, work: Callable[[Connection], Any], *, durable: bool = True) -> Any:
            if not self.on:
                return real(store, work, durable=durable)
            try:
                return real(store, lambda conn: self._broken(conn, work), durable=durable)
            except (UnreachableError, AuditDownError):
                self.refused += 1
                self.on = self.refused < self.lasts
                raise

        monkeypatch.setattr(StateStore, "run_now", run_now)

    def breaks(self) -> None:
        """From now on, for `lasts` transactions."""
        self.on, self.refused = True, 0

    def _broken(self, conn: Connection, work: Callable[[Connection], Any]) -> Any:
        most = conn.exec_driver_sql("PRAGMA max_page_count").scalar_one()
        pages = conn.exec_driver_sql("PRAGMA page_count").scalar_one()
        try:
            if self.how == "full":
                conn.exec_driver_sql(f"PRAGMA max_page_count={pages}")
                conn.exec_driver_sql("CREATE TABLE filler AS SELECT zeroblob(1000000) AS fills")
            conn.exec_driver_sql("PRAGMA query_only=ON")
            return work(conn)
        finally:
            conn.exec_driver_sql("PRAGMA query_only=OFF")
            conn.exec_driver_sql(f"PRAGMA max_page_count={most}")
