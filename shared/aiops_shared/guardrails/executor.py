"""The one executor (D1): takes a plan through every check, starts its action once, and carries it to its end.

`execute_plan` and `undo_action` call it; any process on the same store may carry on what another one left.
Runs live in a task group of the server's lifespan, so they outlive the call that started them.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from aiops_shared.auth.acting import acting, carried
from aiops_shared.errors import (
    ActionNotFoundError,
    ActionRefusedError,
    AiopsError,
    ApprovalInvalidError,
    ApprovalPendingError,
    ConfirmMismatchError,
    InvalidInputError,
    PlanStaleError,
    UndoRefusedError,
)
from aiops_shared.guardrails.approvals import Approvals
from aiops_shared.guardrails.asking_people import approve_command
from aiops_shared.guardrails.bindings import stale
from aiops_shared.guardrails.gate import Cleared, Gate
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.journal import LIVE, Entry, Lease, LeaseLostError, rows_of
from aiops_shared.guardrails.lifetimes import HandOverError, Lifetime
from aiops_shared.guardrails.models import ActionRecord, Approval, Caller, Plan
from aiops_shared.guardrails.permits import Permit
from aiops_shared.guardrails.plans import PlanStore, may_see
from aiops_shared.guardrails.ports import Asker, Effects
from aiops_shared.guardrails.repeats import bind_in
from aiops_shared.guardrails.run_context import Hands, RunContext
from aiops_shared.guardrails.runs import Run
from aiops_shared.guardrails.undoing import UndoHand
from aiops_shared.results.progress import progress
from aiops_shared.state import StateStore

_log = logging.getLogger(__name__)
ASK_S = 40.0
FIRST_POLL_S, LAST_POLL_S = 0.02, 0.5
EffectsFor = Callable[[str], Awaitable[Effects]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What the executor is built from."""

    store: StateStore
    plans: PlanStore
    approvals: Approvals
    gate: Gate
    hands: Hands
    effects_for: EffectsFor
    shadow: bool = False
    orphans_every_s: float = 2.0
    approve_by: Callable[[str], str] = approve_command


class Executor:
    """Starts, carries on, undoes and shows actions."""

    def __init__(self, parts: Parts, lifetime: Lifetime) -> None:
        self.parts = parts
        self.lifetime = lifetime

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Executor"]:
        """Carry actions on while the block runs; at its end the current steps finish and are handed over."""
        async with self.lifetime.open():
            self.lifetime.launch(self.adopt_forever)
            yield self

    async def start(
        self,
        plan_id: str,
        confirm: str,
        caller: Caller,
        *,
        idempotency_key: str | None = None,
        asker: Asker | None = None,
        wait_s: float = 45.0,
    ) -> ActionRecord:
        """Execute a plan once; again returns the same action. Answers within `wait_s`.

        Raises PlanNotFoundError, PlanTamperedError, PlanExpiredError, ConfirmMismatchError, PlanStaleError,
        ActionRefusedError and its kin, ApprovalPendingError, ApprovalInvalidError.
        """
        until = anyio.current_time() + wait_s
        plan = await self._known_plan(plan_id, confirm, caller, idempotency_key)
        journal = self.parts.hands.journal
        if (entry := await journal.by_plan(plan_id)) is None:
            try:
                entry = await self._begun(plan, caller, idempotency_key, asker, until)
            except PlanStaleError:
                # What moved the target may be this very plan, begun by another process meanwhile.
                if (entry := await journal.by_plan(plan_id)) is None:
                    raise
        return await self._wait(entry.action_id, until)

    async def _begun(
        self, plan: Plan, caller: Caller, key: str | None, asker: Asker | None, until: float
    ) -> Entry:
        """A new action of the plan, checked, approved and launched."""
        self.lifetime.check()
        effects = await self.parts.effects_for(plan.cluster)
        cleared = await self._check(plan, caller, effects)
        approval_id = ""
        if cleared.verdict.decision == "needs_approval":
            approval_id = await self._approved(cleared, asker, until)
            if asker is not None:  # a person took their time: look again at what they agreed to
                cleared = await self._check(plan, caller, effects)
        return await self._begin(cleared, approval_id, key)

    async def get(self, action_id: str, caller: Caller) -> ActionRecord:
        """One action. Raises ActionNotFoundError, also for another caller's."""
        return (await self._visible(action_id, caller)).record()

    async def undo(
        self, action_id: str, caller: Caller, *, idempotency_key: str | None = None, wait_s: float = 45.0
    ) -> ActionRecord:
        """Give back what an action wrote; again returns the same record.

        Raises ActionNotFoundError, UndoRefusedError, ActionRefusedError and its kin.
        """
        until = anyio.current_time() + wait_s
        entry = await self._visible(action_id, caller)
        if idempotency_key:
            await self._same_key(idempotency_key, caller, ["undo", action_id])
        if entry.state not in {"undoing", "undone"}:
            self.lifetime.check()
            await self._begin_undo(entry, caller)
        return await self._wait(action_id, until)

    async def resume_orphans(self) -> int:
        """Take over actions whose lease ran out; returns how many."""
        taken = 0
        for action_id in await self.parts.hands.journal.orphans():
            lease = await self.parts.hands.journal.take_over(action_id)
            if lease is not None:
                taken += 1
                self._launch(lease)
        return taken

    async def _known_plan(self, plan_id: str, confirm: str, caller: Caller, key: str | None) -> Plan:
        """The plan, if this call may start or see its action."""
        entry = await self.parts.hands.journal.by_plan(plan_id)
        plan = await self.parts.plans.load(plan_id, caller, even_expired=entry is not None)
        if confirm != plan.confirm:
            raise ConfirmMismatchError(
                f"plan {plan_id}",
                "`confirm` is not the plan's own sentence",
                "copy `confirm` from the answer of the plan tool, letter by letter",
            )
        if key:
            await self._same_key(key, caller, ["execute", plan_id])
        return plan

    async def _same_key(self, key: str, caller: Caller, args: list[str]) -> None:
        """Bind an idempotency key to its call (D22). Raises InvalidInputError when it is another's."""
        bound = await self.parts.store.run(
            lambda conn: bind_in(conn, key, caller.name, args, self.parts.hands.clock)
        )
        if not bound:
            raise InvalidInputError("idempotency_key", "it was used with other arguments", "use a new key")

    async def _check(self, plan: Plan, caller: Caller, effects: Effects) -> Cleared:
        """Targets unchanged, facts measured again, the gate asked again."""
        if plan.validation == "schema_only":
            error = ActionRefusedError(
                f"plan {plan.plan_id}",
                "it was never dry-run by the server",
                "get the rights it names, plan again",
            )
            raise await self.parts.gate.noted(plan, caller, error)
        for target in plan.targets:
            snapshots = self.parts.hands.snapshots
            seen = await snapshots.open(target.snapshot_id) if target.snapshot_id else None
            if problem := stale(target, await effects.read(target.ref), seen):
                raise problem
        return await self.parts.gate.clear(plan, await effects.measure(plan), caller)

    async def _approved(self, cleared: Cleared, asker: Asker | None, until: float) -> str:
        """The id of an approval that was given. Raises ApprovalPendingError when there is none yet."""
        plan, needs = cleared.plan, cleared.verdict.approver
        given = await self.parts.approvals.given(plan)
        if given is not None:
            return given.approval_id
        approval = await self.parts.approvals.ask(plan, needs)
        can_ask = asker is not None and needs == "requester" and cleared.caller.kind == "human"
        if asker is not None and can_ask and await self._ask(asker, approval, cleared, until):
            return approval.approval_id
        who = "somebody other than its requester" if needs == "other" else "a person"
        raise ApprovalPendingError(
            f"plan {plan.plan_id}",
            f"{who} must approve it first (rule {cleared.verdict.rule})",
            self.parts.approve_by(approval.approval_id),
        )

    async def _ask(self, asker: Asker, approval: Approval, cleared: Cleared, until: float) -> bool:
        approvals = self.parts.approvals
        nonce = approvals.issue_nonce(approval.approval_id)
        answer = "unavailable"
        with anyio.move_on_after(min(ASK_S, until - anyio.current_time())):
            answer = await asker.ask(approval, cleared.plan, nonce)
        if answer == "accepted":
            await approvals.approve(approval.approval_id, cleared.caller, "client", nonce)
            return True
        if answer == "declined":
            await approvals.decline(approval.approval_id, cleared.caller, "client", nonce)
        return False

    async def _begin(self, cleared: Cleared, approval_id: str, key: str | None) -> Entry:
        """Count, use the approval up and insert the action, all or nothing; then run it."""
        parts, plan = self.parts, cleared.plan
        world, action_id = await parts.hands.clock.now(), new_id("act_")

        def work(conn: Connection) -> Lease | None:
            if parts.hands.journal.by_plan_in(conn, plan.plan_id) is not None:
                return None  # another process was faster: its action is the plan's
            approved_by = ""
            if approval_id:
                needs = cleared.verdict.approver
                approved_by = parts.approvals.consume_in(conn, approval_id, plan, needs).approver
            parts.gate.reserve_in(conn, cleared, action_id, world, approved_by)
            return parts.hands.journal.insert_in(
                conn, self._record(cleared, action_id, approval_id), body, rows
            )

        body: dict[str, Any] = {
            "plan_digest": cleared.plan_digest,
            "reversible": plan.reversible != "none",
            "shadow": parts.shadow,  # kept: another process with other settings may carry it on
            "run": now.run if (now := acting()) else "",
        }
        rows = rows_of(plan)
        try:
            lease = await parts.store.run(work)
        except IntegrityError:
            lease = None
        except ApprovalInvalidError as error:
            await parts.approvals.void(approval_id)
            raise await parts.gate.noted(plan, cleared.caller, error) from error
        except ActionRefusedError as error:
            raise await parts.gate.noted(plan, cleared.caller, error) from error
        entry = await parts.hands.journal.by_plan(plan.plan_id)
        if entry is None:
            raise ActionNotFoundError(f"plan {plan.plan_id}", "its action was not stored", "execute it again")
        if lease is not None:
            self._launch(lease, parts.gate.permit(cleared, action_id, lease.fence))
        return entry

    def _record(self, cleared: Cleared, action_id: str, approval_id: str) -> ActionRecord:
        plan = cleared.plan
        return ActionRecord(
            action_id=action_id,
            plan_id=plan.plan_id,
            cluster=plan.cluster,
            action=plan.action,
            state="running",
            says="started",
            caller=cleared.caller,
            started_at=self.parts.hands.clock.safe_now(),
            approval_id=approval_id,
        )

    async def _begin_undo(self, entry: Entry, caller: Caller) -> None:
        plan = await self.parts.plans.load(entry.plan_id, caller, even_expired=True)
        await self._may_undo(entry, plan)
        cleared = await self.parts.gate.clear_undo(plan, caller)
        context = await self._context(entry, plan, Lease(entry.action_id, "", entry.fence), None)
        for index in reversed(range(len(plan.targets))):
            if problem := await UndoHand(context, index).look():
                raise UndoRefusedError(f"action {entry.action_id}", problem, "plan the way back by hand")
        by = {**entry.body, "undo_by": caller.model_dump(mode="json")}
        body = {**by, "why": f"undo asked by {caller.name}", "asked": True}
        lease = await self.parts.store.run(
            lambda conn: self.parts.hands.journal.begin_undo_in(conn, entry.action_id, entry.state, body)
        )
        if lease is not None:
            self._launch(lease, self.parts.gate.permit(cleared, entry.action_id, lease.fence))

    async def _may_undo(self, entry: Entry, plan: Plan) -> None:
        thing = f"action {entry.action_id}"
        if entry.state in LIVE:
            raise UndoRefusedError(thing, "it is still running", "poll get_action until it ended")
        if plan.reversible == "none":
            raise UndoRefusedError(thing, f"it cannot be given back: {', '.join(plan.lost) or plan.action}")
        if not entry.can_undo():
            raise UndoRefusedError(thing, "it changed nothing")

    async def _visible(self, action_id: str, caller: Caller) -> Entry:
        entry = await self.parts.hands.journal.load(action_id)
        if not may_see(entry.caller.name, caller):
            raise ActionNotFoundError(f"action {action_id[:40]}", "no action of that id")
        return entry

    async def _wait(self, action_id: str, until: float) -> ActionRecord:
        """The record once it ended, or as it is when the time is over."""
        pause_s = FIRST_POLL_S  # another process may carry it, so the store is asked
        while True:
            entry = await self.parts.hands.journal.load(action_id)
            progress(*entry.how_far())
            left = until - anyio.current_time()
            if entry.state not in LIVE or left <= 0:
                return entry.record()
            await anyio.sleep(min(pause_s, left))
            pause_s = min(pause_s * 1.5, LAST_POLL_S)

    def _launch(self, lease: Lease, permit: Permit | None = None) -> None:
        self.lifetime.launch(self._carry, lease, permit)

    async def _carry(self, lease: Lease, permit: Permit | None) -> None:
        """One run as a background task; whatever ends it, the journal says where it stands."""
        try:
            async with anyio.create_task_group() as beating:
                beating.start_soon(self._beat, lease)
                await self._carry_safely(lease, permit)
                beating.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._let_go(lease)

    async def _carry_safely(self, lease: Lease, permit: Permit | None) -> None:
        try:
            entry = await self.parts.hands.journal.load(lease.action_id)
            with carried(entry.for_whom()):
                run = Run(await self._resumed(entry, lease, permit))
        except AiopsError as error:
            _log.error("action %s cannot be carried on: %s", lease.action_id, error.wire())
            return
        try:
            with carried(entry.for_whom()):  # its writes are its caller's, whichever process makes them
                await run.to_the_end()
        except HandOverError:
            _log.info("action %s is handed over", lease.action_id)
        except LeaseLostError:
            _log.warning("action %s is carried on by another process", lease.action_id)
        except AiopsError as error:
            # The store or the audit is away: nothing more is written; whoever takes it over reads back.
            _log.error("action %s rests: %s", lease.action_id, error.wire())
        except Exception as error:  # noqa: BLE001  # a bug in one run must not end the server and all others
            _log.exception("action %s", lease.action_id)
            await run.give_up(type(error).__name__)

    async def _resumed(self, entry: Entry, lease: Lease, permit: Permit | None) -> RunContext:
        plan = await self.parts.store.read(
            lambda conn: self.parts.plans.load_in(conn, entry.plan_id, None, True)
        )
        return await self._context(entry, plan, lease, permit)

    async def _let_go(self, lease: Lease) -> None:
        """Free the lease, so that nobody waits for it to run out; a finished or lost one stays as it is."""
        try:
            await self.parts.hands.journal.release(lease)
        except AiopsError as error:
            _log.error("lease of action %s: %s", lease.action_id, error.wire())

    async def _context(self, entry: Entry, plan: Plan, lease: Lease, permit: Permit | None) -> RunContext:
        effects = await self.parts.effects_for(plan.cluster)
        return RunContext(
            hands=self.parts.hands,
            effects=effects,
            plan=plan,
            entry=entry,
            lease=lease,
            permit=permit or self.parts.gate.permit_again(plan, lease.action_id, lease.fence),
            pause=self.lifetime.wait,
        )

    async def _beat(self, lease: Lease) -> None:
        journal = self.parts.hands.journal
        while True:
            await anyio.sleep(journal.lease_s / 3)
            try:
                await journal.renew(lease)
            except LeaseLostError:
                return  # the run meets it at its next write
            except AiopsError as error:
                _log.warning("lease of action %s: %s", lease.action_id, error.wire())

    async def adopt_forever(self) -> None:
        """Look for orphans again and again until the process stops."""
        going_on = True
        while going_on:
            try:
                await self.resume_orphans()
            except AiopsError as error:
                _log.error("orphans: %s", error.wire())
            except Exception:  # noqa: BLE001  # who looks no more leaves orphans for ever
                _log.exception("orphans: this look failed")
            going_on = await self.lifetime.rest(self.parts.orphans_every_s)
