"""An audit over a real store, for the audit's tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from aiops_shared.guardrails.audit import Audit
from aiops_shared.guardrails.models import Caller
from aiops_shared.settings import StateSettings
from aiops_shared.state import Keys, StateStore
from tests.fakes.clocks import FakeClock

ANN = Caller(name="ann")
BOT = Caller(name="bot", kind="agent")


@dataclass(frozen=True)
class Books:
    """The audit and what lies under it."""

    audit: Audit
    store: StateStore
    clock: FakeClock

    async def actions(self, count: int) -> None:
        """So many actions: an intent and an outcome each."""
        for number in range(count):
            seq = await self.audit.intent(ANN, f"act-{number}", {"step": "scale", "replicas": number})
            await self.audit.outcome(seq, ANN, f"act-{number}", {"says": "done"})

    def tamper(self, *statements: str) -> None:
        """Change the database behind the audit's back, as somebody with the file could."""

        def work(conn: Connection) -> None:
            for statement in statements:
                conn.exec_driver_sql(statement)

        self.store.run_now(work)


@contextmanager
def books(directory: Path, store: StateStore | None = None) -> Iterator[Books]:
    """An open audit on this directory."""
    settings = StateSettings(dir=directory)
    used = store or StateStore(settings)
    clock = FakeClock()
    try:
        yield Books(Audit(used, Keys(settings), clock), used, clock)
    finally:
        used.close()
