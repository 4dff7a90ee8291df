"""Which SOPs have earned mode auto in production: supervised runs and a fresh guardrail drill (S58).

Fulfils `ports.Promotion`. Counted are runs of the very document that would run: an edited file has to earn it
again, whatever its version says. A run that somebody recorded as not effective does not count. Called by the
engine when a run starts, and by `eks-aiops autonomy`, which says what is missing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import anyio.to_thread

from aiops_shared.clock import Clock
from aiops_shared.settings.procedures import SopSettings
from aiops_shared.state import StateStore
from aiops_sop.clients.report_store import GOOD, DrillRow, ReportStore

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from aiops_sop.models.documents import Sop


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a SOP has come. `missing` says why it is not promoted; empty when it is."""

    sop: str
    version: int
    supervised: int
    succeeded: int
    needed: int
    missing: tuple[str, ...] = ()

    @property
    def promoted(self) -> bool:
        """Whether it may run auto in production."""
        return not self.missing


@dataclass(frozen=True, slots=True)
class StorePromotion:
    """Reads what was recorded. `policy_digest`: of the bundle in force."""

    store: StateStore
    clock: Clock
    settings: SopSettings
    policy_digest: Callable[[], str]

    async def promoted(self, sop: "Sop") -> bool:
        """Enough supervised runs of this document succeeded, and a guardrail drill passed lately."""
        return (await self.standing(sop)).promoted

    async def standing(self, sop: "Sop") -> Standing:
        """The same with its reasons."""
        runs, good = await self.store.read(lambda conn: _counted(conn, sop.digest))
        missing = []
        if sop.guided:
            missing.append("it is guided: nothing of it is executed")
        if good < self.settings.supervised_runs:
            missing.append(f"{good} of {self.settings.supervised_runs} supervised runs succeeded")
        if why := await self.drill_missing():
            missing.append(why)
        return Standing(sop.id, sop.version, runs, good, self.settings.supervised_runs, tuple(missing))

    async def drill_missing(self) -> str:
        """Why the newest guardrail drill does not count; empty when it does."""
        drill = await ReportStore(self.store).newest_drill()
        if drill is None:
            return "no guardrail drill was recorded (eks-aiops drill)"
        digest = await anyio.to_thread.run_sync(self.policy_digest)
        return _why_not(drill, digest, await self.clock.now(), self.settings.drill_days)


def _why_not(drill: DrillRow, digest: str, now: datetime, most_days: int) -> str:
    if not drill.passed:
        return f"the guardrail drill {drill.id} failed"
    if drill.policy_digest != digest:
        return "the policy changed since the last guardrail drill"
    days = (now - drill.at).total_seconds() / 86_400
    return f"the last guardrail drill is older than {most_days} days" if days > most_days else ""


def _counted(conn: "Connection", digest: str) -> tuple[int, int]:
    """Supervised runs of a document, and those of them that succeeded and that nobody called ineffective."""
    from sqlalchemy import select

    from aiops_shared.state.sop_schema import outcomes, sop_runs

    ours = (sop_runs.c.digest == digest) & (sop_runs.c.mode == "supervised")
    rows = conn.execute(select(sop_runs.c.id, sop_runs.c.state).where(ours)).all()
    in_vain = select(outcomes.c.run_id).where((outcomes.c.digest == digest) & (outcomes.c.effective == 0))
    failed = {row.run_id for row in conn.execute(in_vain).all()}
    return len(rows), sum(1 for row in rows if row.state == GOOD and row.id not in failed)
