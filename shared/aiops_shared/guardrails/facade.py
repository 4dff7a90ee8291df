"""Everything the guardrails do, as a server's tools and the command line call it; built on first use.

`server.py` makes one, keeps `running()` open for its lifespan, and hands it to the tools. Nothing heavy is
imported before the first call that needs it (D31).
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import anyio.to_thread

from aiops_shared.auth.behalf import current
from aiops_shared.clock import Clock
from aiops_shared.errors import ActionRefusedError, ApprovalInvalidError, NotConfiguredError
from aiops_shared.guardrails.behalves import under_its_run
from aiops_shared.guardrails.lifetimes import Lifetime
from aiops_shared.guardrails.models import (
    ActionName,
    ActionRecord,
    Approval,
    Caller,
    PendingApproval,
    Plan,
    Request,
    Verdict,
)
from aiops_shared.guardrails.ports import Asker, Effects
from aiops_shared.guardrails.speaking import caller_of
from aiops_shared.settings import Settings

if TYPE_CHECKING:
    from aiops_shared.guardrails.audit import Audit
    from aiops_shared.guardrails.books import Books
    from aiops_shared.guardrails.freezing import Freeze
    from aiops_shared.guardrails.history import PastAction
    from aiops_shared.guardrails.wiring import Wired

_log = logging.getLogger("aiops.guardrails")
ADOPT_AFTER_S = 2.0  # a server answers its first questions before it looks for orphans
Via = Literal["client", "terminal", "http"]


@dataclass
class Guardrails:
    """One per process. `who` says who calls right now: over HTTP the token's subject."""

    settings: Settings
    clock: Clock
    effects_for: Callable[[str], Awaitable[Effects]]
    who: Callable[[], Caller]
    lifetime: Lifetime = field(init=False)

    def __post_init__(self) -> None:
        self.lifetime = Lifetime(self.clock)

    @classmethod
    def open(
        cls,
        settings: Settings,
        clock: Clock,
        effects_for: Callable[[str], Awaitable[Effects]],
        caller: Caller | Callable[[], Caller],
    ) -> "Guardrails":
        """Wire everything lazily. `effects_for` gives the adapter of a cluster by its canonical name."""
        return cls(settings, clock, effects_for, _always(caller) if isinstance(caller, Caller) else caller)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Guardrails"]:
        """Carry actions on while the block runs, also those that a dead process left. For the lifespan."""
        async with self.lifetime.open():
            if self.settings.write:
                self.lifetime.launch(self._adopt)
            try:
                yield self
            finally:
                self.lifetime.stop()

    @property
    def caller(self) -> Caller:
        """Who calls: whom a verified statement names, else who started the process or whose token it is."""
        behalf = current()
        return self.who() if behalf is None else caller_of(behalf.identity)

    @property
    def policy_digest(self) -> str:
        """Digest of the policy bundle in force. Raises NotConfiguredError for a wrong bundle."""
        return self._wired.policy.digest

    @property
    def audit(self) -> "Audit":
        """The audit, for `eks-aiops audit` and for reads of sensitive data."""
        return self._books.audit

    async def judge(self, request: Request, owner: str = "") -> Verdict:
        """The policy's advice on a change, with limits and freezes as they are now. Refuses nothing."""
        return await self._wired.gate.judge(request, owner)

    async def past(
        self, action: ActionName, cluster: str, owner: str, back: timedelta
    ) -> "tuple[PastAction, ...]":
        """What was done to an owner within that time, as the repeat limit counts it; newest first."""
        from aiops_shared.guardrails.history import past_actions

        now = await self.clock.now()
        return await self._wired.store.read(
            lambda conn: past_actions(conn, action, cluster, owner, now, back)
        )

    async def refuse(self, request: Request, verdict: Verdict) -> ActionRefusedError:
        """The error of a verdict that denies, audited: `raise await guard.refuse(request, verdict)`."""
        return await self._wired.gate.refuse(request, verdict)

    async def save_plan(self, plan: Plan) -> Plan:
        """Store a plan, with an encrypted snapshot of every target as it is now.

        Raises PlanStaleError when a target moved while it was planned, InvalidInputError for a plan that
        could not be carried out.
        """
        return await self._wired.keeper.save(under_its_run(plan))

    async def public_plan(self, plan_id: str) -> dict[str, object]:
        """What `plan://{id}` shows. Raises PlanNotFoundError, PlanTamperedError."""
        from aiops_shared.guardrails.plans import public_view

        return public_view(await self._wired.plans.load(plan_id, self.caller, even_expired=True))

    async def read_plan(self, plan_id: str) -> Plan:
        """A plan of this caller, for who only reads it.

        Raises PlanNotFoundError, PlanExpiredError, PlanTamperedError.
        """
        return await self._wired.plans.load(plan_id, self.caller)

    async def execute(
        self,
        plan_id: str,
        confirm: str,
        *,
        idempotency_key: str | None = None,
        asker: Asker | None = None,
        wait_s: float = 45.0,
    ) -> ActionRecord:
        """Execute a plan once; see `Executor.start`."""
        return await self._wired.executor.start(
            plan_id, confirm, self.caller, idempotency_key=idempotency_key, asker=asker, wait_s=wait_s
        )

    async def get_action(self, action_id: str) -> ActionRecord:
        """One action of this caller. Raises ActionNotFoundError."""
        return await self._wired.executor.get(action_id, self.caller)

    async def undo(
        self, action_id: str, *, idempotency_key: str | None = None, wait_s: float = 45.0
    ) -> ActionRecord:
        """Give back what an action wrote; see `Executor.undo`."""
        return await self._wired.executor.undo(
            action_id, self.caller, idempotency_key=idempotency_key, wait_s=wait_s
        )

    async def pending_approvals(self) -> tuple[PendingApproval, ...]:
        """What waits for a person, oldest first, with diff and digest."""
        waiting = await self._wired.approvals.pending()
        shown = [await self._wired.keeper.shown(approval) for approval in waiting]
        return tuple(one for one in shown if one is not None)

    async def pending_for(self, plan_id: str) -> PendingApproval | None:
        """The open approval of one plan."""
        return next((one for one in await self.pending_approvals() if one.plan_id == plan_id), None)

    async def approval(self, approval_id: str) -> Approval | None:
        """One approval, whatever became of it; None for an unknown id."""
        return await self._wired.approvals.seen(approval_id)

    async def approval_shown(self, approval: Approval) -> PendingApproval | None:
        """With all that a person should see; None when its plan can no longer be executed."""
        return await self._wired.keeper.shown(approval)

    async def nonce_for(self, approval_id: str) -> str:
        """A nonce for one question to the client; only an accept that carries it counts."""
        return self._wired.approvals.issue_nonce(approval_id)

    async def approve_by_client(self, approval_id: str, nonce: str) -> Approval:
        """The caller's own yes, given through the client. Raises ApprovalInvalidError."""
        return await self.approve(approval_id, self.caller, "client", nonce)

    async def approve(
        self, approval_id: str, approver: Caller, via: Via, nonce: str | None = None
    ) -> Approval:
        """A person's yes. Raises ApprovalInvalidError saying which rule it breaks."""
        return await self._wired.approvals.approve(approval_id, approver, via, nonce)

    async def decline(
        self, approval_id: str, approver: Caller, via: Via, nonce: str | None = None
    ) -> Approval:
        """A person's no: audited, the nonce is spent, and it stays pending."""
        return await self._wired.approvals.decline(approval_id, approver, via, nonce)

    async def refuse_approval(self, approval_id: str, approver: Caller, why: str) -> ApprovalInvalidError:
        """Audit an attempt to approve that is not even looked at (no terminal, an agent's shell: D5)."""
        return await self._wired.approvals.refuse(approval_id, approver, why)

    async def freeze_on(self, by: str, reason: str = "", scope: str = "all") -> None:
        """The kill switch: nothing is written from the next step on, in any process on this store."""
        await self._wired.freezer.freeze(by, reason, scope)

    async def freeze_off(self, by: str, scope: str = "all") -> int:
        """Lift a freeze; returns how many were lifted."""
        return await self._wired.freezer.lift(by, scope)

    async def freeze_status(self) -> tuple["Freeze", ...]:
        """Every freeze that holds now."""
        return await self._wired.freezer.holding()

    def close(self) -> None:
        """Give the database connections back."""
        if "_books" in self.__dict__:
            self._books.store.close()

    @cached_property
    def _books(self) -> "Books":
        from aiops_shared.guardrails.books import Books

        return Books.of(self.settings.state, self.clock)

    @cached_property
    def _wired(self) -> "Wired":
        from aiops_shared.guardrails.wiring import wire

        return wire(self.settings, self.clock, self.effects_for, self.lifetime, self._books)

    async def _adopt(self) -> None:
        if not await self.lifetime.rest(ADOPT_AFTER_S):
            return
        try:
            await anyio.to_thread.run_sync(lambda: self._wired)  # the imports take a while
        except NotConfiguredError as error:  # reads go on; every change is refused with the same words
            _log.warning("nothing can be changed, and what others left is not carried on: %s", error)
            return
        await self._wired.executor.adopt_forever()


def _always(caller: Caller) -> Callable[[], Caller]:
    return lambda: caller
