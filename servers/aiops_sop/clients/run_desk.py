"""Starts runs, shows them, takes wishes for them; fulfils `ports.Runs` and `ports.RunControl`.

Everything that can be refused is refused before the run is written: unknown parameters, a missing server, a
freeze, too many runs. What must not happen twice is decided inside one transaction.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from aiops_shared.clock import Clock
from aiops_shared.errors import (
    ActionRefusedError,
    ConflictError,
    FrozenError,
    InvalidInputError,
    NotConfiguredError,
    ReadOnlyError,
    RunNotFoundError,
)
from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.canonical import canonical
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.plans import may_see
from aiops_sop.clients.carrying import Runner
from aiops_sop.clients.held_rights import rights_in
from aiops_sop.clients.run_limits import check_limits_in
from aiops_sop.clients.run_store import OPEN, RunStore
from aiops_sop.clients.run_views import RunViews
from aiops_sop.documents.expressions import evaluate
from aiops_sop.engine.arguments import arguments_of
from aiops_sop.engine.records import RunRecord
from aiops_sop.models.documents import Sop
from aiops_sop.models.runs import ENDED, RunStatus
from aiops_sop.ports import Library, Peers, RunWish

if TYPE_CHECKING:
    from sqlalchemy import Connection

Json = Any
KEY_LENGTH: Final = 200
FrozenNow = Callable[[], Awaitable[str]]


@dataclass
class RunDesk:
    """One per process."""

    ledger: RunStore
    library: Library
    peers: Peers
    runner: Runner
    views: RunViews
    frozen: FrozenNow
    may_write: bool

    @cached_property
    def clock(self) -> Clock:
        """World and safety time."""
        return self.ledger.clock

    async def start(self, wish: RunWish) -> RunStatus:
        """Start one; see `ports.Runs`."""
        sop = self.library.get(wish.sop)
        params = arguments_of(sop, wish.params)
        await self._may_start(sop, wish)
        target = _target(sop, params)
        await self.runner.ready()
        world = await self.clock.now()
        claim = _Claim(sop, wish, params, target, world, self.runner.executor)
        found = await self._written(claim)
        if found == claim.run_id:
            await self.runner.start(found, 0)
        return await self._given(found, wish, mine=found == claim.run_id)

    async def status(self, run_id: str, caller: Caller) -> RunStatus:
        """One run. Raises RunNotFoundError, also for another caller's."""
        return await self.views.status(await self._seen(run_id, caller))

    async def shown(self, run_id: str, caller: Caller, *, full: bool) -> RunStatus:
        """One run with its audit; `full` with what each step was given and answered."""
        return await self.views.shown(await self._seen(run_id, caller), full=full)

    async def control(self, run_id: str, action: str, caller: Caller) -> RunStatus:
        """Cancel, resume or undo; see `ports.RunControl`."""
        record = await self._seen(run_id, caller)
        if not self.may_write and record.mode != "plan":
            raise ReadOnlyError(
                f"control_run {action}", "this server runs read-only", "AIOPS_WRITE=true allows it"
            )
        if action != "cancel" and record.mode != "plan" and (why := await self.frozen()):
            raise FrozenError(f"run {run_id}", why, "eks-aiops freeze off")
        if record.state in ENDED:
            await self._again(record, action, caller)
        else:
            await self._wish(record, action, caller)
        return await self.status(run_id, caller)

    async def _may_start(self, sop: Sop, wish: RunWish) -> None:
        if len(wish.idempotency_key) > KEY_LENGTH:
            raise InvalidInputError(
                "idempotency_key", f"it is longer than {KEY_LENGTH} characters", "shorten it"
            )
        if sop.guided:
            raise ActionRefusedError(
                f"sop {sop.id}", "it is guided: it has no steps that an engine runs", "follow its prompt"
            )
        if wish.mode == "plan":
            await self._there(sop, planning=True)
            return
        if not self.may_write:
            raise ReadOnlyError(
                f"run of {sop.id}",
                "this server runs read-only",
                "mode=plan works; AIOPS_WRITE=true allows more",
            )
        if why := await self.frozen():
            raise FrozenError(f"run of {sop.id}", why, "mode=plan works; eks-aiops freeze off lifts it")
        await self._there(sop, planning=False)

    async def _there(self, sop: Sop, *, planning: bool) -> None:
        """Every server and tool that its steps ask. Raises NotConfiguredError."""
        missing = await self.peers.missing([*sorted(tools_of(sop, planning)), *sorted(servers_of(sop))])
        if missing:
            name, why = next(iter(missing.items()))
            if "." in name:
                raise NotConfiguredError(f"sop {sop.id}"[:200], f"it needs {name}: {why}"[:400])
            raise NotConfiguredError(
                f"sop {sop.id}", f"it needs the {name} server: {why}"[:400], f"try eks-aiops {name}"
            )

    async def _written(self, claim: "_Claim") -> str:
        """The id of the run that is there now: ours, the key's, or the one that holds the target."""
        from sqlalchemy.exc import IntegrityError

        try:
            return await self.ledger.store.run(lambda conn: self._write_in(conn, claim))
        except IntegrityError:  # another process was faster by a moment
            return await self.ledger.store.run(lambda conn: self._write_in(conn, claim))

    def _write_in(self, conn: "Connection", claim: "_Claim") -> str:
        from aiops_shared.state.sop_schema import sop_runs

        if found := _of_key(conn, claim, self.clock):
            return found
        holds = _holds(conn, claim)
        if holder := _holder(conn, holds):
            return holder
        check_limits_in(conn, claim.sop, claim.wish, claim.target, claim.world)
        row = claim.row(holds)
        conn.execute(sop_runs.insert().values(**row, seal=self.ledger.seal(row)))
        says = {
            "sop": claim.sop.id,
            "version": claim.sop.version,
            "digest": claim.sop.digest,
            "mode": claim.wish.mode,
            "pattern": claim.wish.pattern,
            "target": claim.target,
            "params": claim.params,
            "parent": claim.wish.parent_id,
        }
        self.ledger.audit().note_in(conn, claim.wish.caller, claim.run_id, "run_started", says)
        return claim.run_id

    async def _given(self, run_id: str, wish: RunWish, *, mine: bool) -> RunStatus:
        record = await self.ledger.load(run_id)
        same_key = bool(wish.idempotency_key) and _key_of(wish) == str(record.body.get("key", ""))
        status = await self.views.status(record)
        if mine or same_key:
            return status
        held = status.model_copy(update={"already_running": True, "steps": (), "waiting": None})
        says = f"already running for {record.target}: {run_id}; nothing was started"
        return held.model_copy(update={"summary": says[:400]})

    async def _seen(self, run_id: str, caller: Caller) -> RunRecord:
        record = await self.ledger.load(run_id)
        # What an event started belongs to whoever is on duty at this store.
        if record.pattern != "event" and not may_see(record.caller.name, caller):
            raise RunNotFoundError(f"run {run_id[:40]}", "no run of that id", "see `find_sops`, start one")
        return record

    async def _wish(self, record: RunRecord, action: str, caller: Caller) -> None:
        if action == "undo":
            raise ActionRefusedError(
                f"run {record.run_id}", f"it is {record.state}", "cancel it first, then undo"
            )
        if action == "resume" and record.state != "waiting":
            raise ActionRefusedError(
                f"run {record.run_id}", f"it is {record.state}: nothing to resume", "poll get_run"
            )
        if record.state == "undoing":
            raise ActionRefusedError(
                f"run {record.run_id}", "it is undoing", "poll get_run until it is undone"
            )
        await self.ledger.wish(record, action, caller)
        self.runner.nudge(record.run_id)
        await self.runner.hear()

    async def _again(self, record: RunRecord, action: str, caller: Caller) -> None:
        """A run that ended goes on: from the step that failed, or back."""
        if action == "cancel":
            raise ActionRefusedError(f"run {record.run_id}", f"it ended {record.state}", "nothing to cancel")
        if action == "resume" and record.state in {"succeeded", "undone"}:
            raise ActionRefusedError(f"run {record.run_id}", f"it ended {record.state}", "start a new one")
        if action == "undo" and not any(row.action_id for row in record.steps.values()):
            raise ActionRefusedError(f"run {record.run_id}", "it changed nothing", "nothing to undo")
        if action == "undo" and record.state == "undone":
            return
        await self.runner.ready()
        generation = await self.ledger.reopen(record, action, caller, self.runner.executor)
        if generation is None:
            raise ConflictError(f"run {record.run_id}", f"another run holds {record.target}", "poll that one")
        await self.runner.start(record.run_id, generation)


@dataclass
class _Claim:
    """A run that is about to be written."""

    sop: Sop
    wish: RunWish
    params: Mapping[str, Json]
    target: str
    world: Any
    executor: str

    def __post_init__(self) -> None:
        self.run_id = new_id("run_")

    def row(self, holds: str | None) -> dict[str, Any]:
        """Its row."""
        sop, wish = self.sop, self.wish
        body = (
            {"key": _key_of(wish), "source": sop.source} if wish.idempotency_key else {"source": sop.source}
        )
        return {
            "id": self.run_id,
            "sop": sop.id,
            "version": sop.version,
            "digest": sop.digest,
            "document": sop.text,
            "params": canonical(dict(self.params)),
            "mode": wish.mode,
            "pattern": wish.pattern,
            "caller": wish.caller.name,
            "caller_kind": wish.caller.kind,
            **rights_in("caller", wish.caller),
            "target": self.target,
            "holds": holds,
            "state": "queued",
            "says": "queued",
            "confidence_pct": wish.confidence_pct,
            "incident_id": wish.incident_id,
            "parent_id": wish.parent_id,
            "idempotency": _key_of(wish),
            "created_at": self.world,
            "worker": self.executor,
            "body": canonical(body),
        }


def servers_of(sop: Sop) -> set[str]:
    """Every server that a document's steps and checks ask."""
    return {what.partition(".")[0] for what in tools_of(sop, planning=False)} - {"sop"}


def tools_of(sop: Sop, planning: bool) -> set[str]:
    """Every `server.tool` that a document's steps and checks ask; a run that executes needs the hands too."""
    calls = [step.what for step in sop.steps if step.kind in {"call", "plan"}]
    checks = [check.call for step in sop.steps for check in (step.verify, step.gate, step.until) if check]
    undos = [step.undo for step in sop.steps if "." in step.undo]
    hands = {"eks.execute_plan", "eks.get_action", "eks.undo_action"}
    acts = any(step.kind == "plan" for step in sop.steps) and not planning
    return {*calls, *checks, *undos, *(hands if acts else ())}


def _target(sop: Sop, params: Mapping[str, Json]) -> str:
    if not sop.target:
        return f"{sop.id}"
    found = evaluate(sop.target, {"params": dict(params)})
    return str(found)[:1000]


def _key_of(wish: RunWish) -> str:
    return f"{wish.caller.name}/{wish.idempotency_key}"[:256] if wish.idempotency_key else ""


def _of_key(conn: "Connection", claim: _Claim, clock: Clock) -> str:
    """The run of an idempotency key. Raises InvalidInputError when it was used with other arguments (D22)."""
    from sqlalchemy import select

    from aiops_shared.guardrails.repeats import bind_in
    from aiops_shared.state.sop_schema import sop_runs

    wish = claim.wish
    if not wish.idempotency_key:
        return ""
    said = ["start_run", wish.sop, dict(wish.params), wish.mode]
    if not bind_in(conn, wish.idempotency_key, wish.caller.name, said, clock):
        raise InvalidInputError("idempotency_key", "it was used with other arguments", "use a new key")
    query = select(sop_runs.c.id).where(sop_runs.c.idempotency == _key_of(wish))
    return str(conn.execute(query.limit(1)).scalar_one_or_none() or "")


def _holds(conn: "Connection", claim: _Claim) -> str | None:
    """What the run holds: its target; nothing when it only plans, or when its parent holds it already."""
    from sqlalchemy import select

    from aiops_shared.state.sop_schema import sop_runs

    if claim.wish.mode == "plan":
        return None
    parent = claim.wish.parent_id
    while parent:
        query = select(sop_runs.c.parent_id, sop_runs.c.holds).where(sop_runs.c.id == parent)
        row = conn.execute(query).one_or_none()
        if row is None:
            break
        if row.holds == claim.target:
            return None
        parent = row.parent_id
    return claim.target


def _holder(conn: "Connection", holds: str | None) -> str:
    from sqlalchemy import select

    from aiops_shared.state.sop_schema import sop_runs

    if holds is None:
        return ""
    query = select(sop_runs.c.id).where(sop_runs.c.holds == holds, sop_runs.c.state.in_(OPEN))
    return str(conn.execute(query).scalar_one_or_none() or "")
