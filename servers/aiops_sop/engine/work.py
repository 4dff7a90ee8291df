"""One run in hand: its record, its document, what its expressions see, and the ports that its steps use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from aiops_shared.auth.behalf import Behalf
from aiops_shared.clock import Clock
from aiops_sop.engine.needs import Asks, Crash, HandOverError, Ledger, Stops, WishedError
from aiops_sop.engine.records import Held, RunRecord, StepRow
from aiops_sop.models.documents import Sop, SopStep
from aiops_sop.ports import Peers, Promotion, Runs, Teller

Json = Any
Obj = dict[str, Any]
BEHALF_LASTS: Final = timedelta(minutes=4)
PHASES: Final = ("evidence", "decide", "act", "verify")


@dataclass(frozen=True)
class Ports:
    """The outside of the engine."""

    ledger: Ledger
    asks: Asks
    peers: Peers
    clock: Clock
    teller: Teller
    runs: Runs
    promotion: Promotion
    crash: Crash


@dataclass
class Work:
    """What the steps of one run share. `rows` is what the ledger has, kept up by `put`."""

    ports: Ports
    held: Held
    record: RunRecord
    sop: Sop
    stops: Stops
    promoted: bool = False
    rows: dict[str, StepRow] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)  # world seconds by phase, of this step

    @property
    def planning(self) -> bool:
        """Whether this run plans and executes nothing."""
        return self.record.mode == "plan"

    def check(self, *, acting: bool = False) -> None:
        """Called where a run may be laid down. Raises HandOverError when this process ends, WishedError when
        a person asked for something else; an action that is under way is not left for a wish.
        """
        if self.stops.stopping:
            raise HandOverError
        if self.stops.wished and not acting:
            raise WishedError

    async def pause(self, seconds: float) -> None:
        """Wait in world time. Raises as `check`."""
        await self.stops.pause(seconds)
        self.check()

    def row(self, path: str) -> StepRow | None:
        """A step as it stands."""
        return self.rows.get(path)

    async def put(self, row: StepRow, *, durable: bool = False) -> StepRow:
        """Write a step."""
        await self.ports.ledger.put(self.held, row, durable=durable)
        self.rows[row.path] = row
        return row

    def note(self, row: StepRow) -> StepRow:
        """Keep a step in hand without writing it: what is lost with the process is found out again."""
        self.rows[row.path] = row
        return row

    async def call(self, step: SopStep, path: str, what: str, arguments: Mapping[str, Json]) -> Obj:
        """One tool of a server, for whom the run is. Raises the AiopsError that it answers."""
        server, _, tool = what.partition(".")
        return await self.ports.peers.call(server, tool, arguments, self._behalf(step, path, server))

    def _behalf(self, step: SopStep, path: str, server: str) -> Behalf:
        record = self.record
        return Behalf(
            caller=record.caller.name,
            kind=record.caller.kind,
            scopes=record.caller.scopes,
            groups=record.caller.groups,
            run_id=record.run_id,
            step=path[:200],
            sop=record.sop,
            sop_digest=record.digest,
            mode=record.mode,
            always_ask=step.approval == "always",
            promoted=self.promoted,
            confidence_pct=record.confidence_pct,
            audience=server,
            until=self.ports.clock.safe_now() + BEHALF_LASTS,
        )

    async def now(self) -> datetime:
        """World time."""
        return await self.ports.clock.now()

    def context(self, now: datetime, **more: Json) -> Obj:
        """What an expression sees: params, steps, now, event; `result`, `item`, `index` where there are."""
        return {
            "params": self.record.params,
            "steps": {step.id: self.seen(step.id) for step in self.sop.steps},
            "event": self.record.body.get("event") or {},
            "now": now,
            **more,
        }

    def seen(self, path: str) -> Obj:
        """A step as expressions see it; one that was not reached has every field too."""
        row = self.rows.get(path)
        body: Mapping[str, Json] = row.body if row else {}
        state = row.state if row else "pending"
        return {
            "result": body.get("output"),
            "ok": state in {"done", "planned"},
            "verified": bool(body.get("verified")),
            "state": state,
            "plan": body.get("plan"),
            "action": body.get("action"),
            "answer": body.get("answer", ""),
            "skipped": state == "skipped",
        }

    def spend(self, phase: str, began: datetime, ended: datetime) -> None:
        """World time that a phase took."""
        took = max(0.0, (ended - began).total_seconds())
        self.spent[phase] = round(self.spent.get(phase, 0.0) + took, 3)
