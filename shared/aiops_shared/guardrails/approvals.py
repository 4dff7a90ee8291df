"""A person's yes: bound to exactly what was reviewed, by the right person, once, for a while (D3-D5, T9).

An approval is never an argument of a tool. It is recorded pending by `execute_plan`, given by a person
through the client (with our nonce), in a terminal, or over HTTP, and used up in the very transaction that
starts the action. The row carries a seal made with the key file, so that one edited by hand is found.
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.exc import IntegrityError

from aiops_shared.clock import Clock
from aiops_shared.errors import ApprovalInvalidError
from aiops_shared.guardrails.canonical import mac_of, sha256_of
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.models import Approval, Approver, Caller, Plan
from aiops_shared.guardrails.plans import APPROVE, PlanStore
from aiops_shared.guardrails.ports import Trail
from aiops_shared.guardrails.safety_time import safe_now
from aiops_shared.state import Keys, StateStore
from aiops_shared.state.schema import approvals as table
from aiops_shared.state.schema import nonces

Via = Literal["client", "terminal", "http"]
_AGAIN = "execute the plan again to ask anew"
_HALF = 32  # hex digits: 128 bits of the binding and 128 of the seal share one column


def binding_of(plan: Plan, policy_digest: str) -> str:
    """What an approval covers: targets with UIDs, everything written, requester, SOP and policy bundle."""
    targets = [target.model_dump(mode="json") for target in plan.targets]
    return sha256_of(
        {
            "plan_id": plan.plan_id,
            "action": plan.action,
            "targets": targets,
            "waves": plan.waves,
            "requester": plan.requester.name,
            "sop": plan.sop_digest,
            "policy": policy_digest,
        }
    )


@dataclass(frozen=True, slots=True)
class Approvals:
    """Records, gives and uses up approvals. Times are safety time, never virtual."""

    store: StateStore
    keys: Keys
    clock: Clock
    plans: PlanStore
    trail: Trail
    ttl_s: int
    policy_digest: Callable[[], str]

    async def ask(self, plan: Plan, needs: Approver) -> Approval:
        """The plan's open approval, recorded if there is none yet."""
        binding = binding_of(plan, self.policy_digest())

        def work(conn: Connection) -> Approval:
            now = safe_now(conn, self.clock)
            for row in conn.execute(select(table).where(table.c.plan_id == plan.plan_id)):
                same = row.digest[:_HALF] == binding[:_HALF] and row.approver_class == needs
                if same and row.state in {"pending", "approved"} and now < row.expires_at:
                    return _shown(row)
            mine = (table.c.plan_id == plan.plan_id) & (table.c.state == "pending")
            conn.execute(update(table).where(mine).values(state="expired"))  # asked under other rules
            return self._record(conn, plan, needs, binding, now)

        return await self.store.run(work)

    def _record(self, conn: Connection, plan: Plan, needs: Approver, binding: str, now: datetime) -> Approval:
        approval_id, expires_at = new_id("apr_"), min(now + timedelta(seconds=self.ttl_s), plan.expires_at)
        fields = {"state": "pending", "approver": "", "via": "", "expires_at": expires_at}
        conn.execute(
            table.insert().values(
                id=approval_id,
                plan_id=plan.plan_id,
                digest=self._sealed(approval_id, binding, needs, fields),
                approver_class=needs,
                requester=plan.requester.name,
                created_at=now,
                **fields,
            )
        )
        says = {"plan_id": plan.plan_id, "needs": needs, "binding": binding}
        self.trail.note_in(conn, plan.requester, approval_id, "approval_asked", says)
        return _shown(conn.execute(select(table).where(table.c.id == approval_id)).one())

    def issue_nonce(self, approval_id: str) -> str:
        """A nonce for one question to the client; an accept must carry it, once."""
        nonce = secrets.token_urlsafe(24)
        return f"{nonce}.{self._nonce_mac(approval_id, nonce)}"

    async def approve(
        self, approval_id: str, approver: Caller, via: Via, nonce: str | None = None
    ) -> Approval:
        """A person says yes. Raises ApprovalInvalidError saying why not; audited either way."""

        def work(conn: Connection) -> Approval:
            row, plan = self._open(conn, approval_id)
            self._may(row, approver, via)
            if via == "client":
                self._spend(conn, approval_id, nonce)
            binding = binding_of(plan, self.policy_digest())
            if row.digest[:_HALF] != binding[:_HALF]:
                raise _invalid(approval_id, "the policy changed since it was asked for", _AGAIN)
            self._decide(conn, row, binding, approver, via)
            says = {"plan_id": plan.plan_id, "via": via, "binding": binding}
            self.trail.note_in(conn, approver, approval_id, "approved", says)
            return _shown(conn.execute(select(table).where(table.c.id == approval_id)).one())

        return await self._audited(approval_id, approver, work)

    async def decline(
        self, approval_id: str, approver: Caller, via: Via, nonce: str | None = None
    ) -> Approval:
        """A person says no or cancels: audited, the nonce is spent, and it stays pending (D4)."""

        def work(conn: Connection) -> Approval:
            row, _ = self._open(conn, approval_id)
            if via == "client":
                self._spend(conn, approval_id, nonce)
            self.trail.note_in(conn, approver, approval_id, "declined", {"via": via})
            return _shown(row)

        return await self._audited(approval_id, approver, work)

    async def refuse(self, approval_id: str, approver: Caller, why: str) -> ApprovalInvalidError:
        """The error of an attempt that is not even looked at, audited."""
        error = _invalid(approval_id, why)
        await self._note(approval_id, approver, error)
        return error

    async def pending(self) -> tuple[Approval, ...]:
        """Approvals that wait for a person, oldest first."""

        def work(conn: Connection) -> tuple[Approval, ...]:
            now = safe_now(conn, self.clock)
            waiting = (table.c.state == "pending") & (table.c.expires_at > now)
            rows = conn.execute(select(table).where(waiting).order_by(table.c.created_at, table.c.id))
            return tuple(_shown(row) for row in rows)

        return await self.store.read(work)

    async def seen(self, approval_id: str) -> Approval | None:
        """One, whatever became of it; one whose time is over is `expired`. None for an unknown id."""

        def work(conn: Connection) -> Approval | None:
            row = conn.execute(select(table).where(table.c.id == approval_id)).one_or_none()
            if row is None:
                return None
            late = row.state in {"pending", "approved"} and safe_now(conn, self.clock) >= row.expires_at
            return _shown(row).model_copy(update={"state": "expired"}) if late else _shown(row)

        return await self.store.read(work)

    async def given(self, plan: Plan) -> Approval | None:
        """The plan's newest approval that was given and not yet used."""
        query = (
            select(table)
            .where(table.c.plan_id == plan.plan_id, table.c.state == "approved")
            .order_by(table.c.decided_at.desc())
        )
        row = await self.store.read(lambda conn: conn.execute(query).first())
        return None if row is None else _shown(row)

    def consume_in(self, conn: Connection, approval_id: str, plan: Plan, needs: Approver) -> Approval:
        """Use a given approval up, in the transaction that starts the action. Raises ApprovalInvalidError."""
        row = self._row(conn, approval_id)
        if row.plan_id != plan.plan_id:
            raise _invalid(approval_id, "it is for another plan")
        if row.state != "approved":
            raise _invalid(approval_id, _WHY_NOT.get(row.state, f"it is {row.state}"), _AGAIN)
        binding = binding_of(plan, self.policy_digest())
        if row.digest[:_HALF] != binding[:_HALF]:
            raise _invalid(approval_id, "the policy changed since it was given", _AGAIN)
        if not self._seal_holds(row, binding):
            raise _invalid(approval_id, "it was not given by the suite: its seal does not match", _AGAIN)
        if safe_now(conn, self.clock) >= row.expires_at:
            raise _invalid(approval_id, "it expired", _AGAIN)
        if needs == "other" and row.approver == plan.requester.name:
            raise _invalid(approval_id, "its requester gave it, and the rule asks for somebody else")
        self._turn(conn, row, binding, {"state": "used"})
        return _shown(row)

    async def void(self, approval_id: str) -> None:
        """Take an approval that no longer holds out of the way, so that the plan can be asked for anew."""
        change = update(table).where(table.c.id == approval_id, table.c.state == "approved")
        await self.store.run(lambda conn: conn.execute(change.values(state="expired")))

    def _open(self, conn: Connection, approval_id: str) -> tuple[Row[Any], Plan]:
        row = self._row(conn, approval_id)
        if row.state != "pending":
            raise _invalid(approval_id, _WHY_NOT.get(row.state, f"it is {row.state}"))
        if safe_now(conn, self.clock) >= row.expires_at:
            raise _invalid(approval_id, "it expired", _AGAIN)
        plan = self.plans.load_in(conn, row.plan_id, None, False)
        if not self._seal_holds(row, row.digest):
            raise _invalid(approval_id, "it was not recorded by the suite: its seal does not match", _AGAIN)
        return row, plan

    def _row(self, conn: Connection, approval_id: str) -> Row[Any]:
        row = conn.execute(select(table).where(table.c.id == approval_id).with_for_update()).one_or_none()
        if row is None:
            raise _invalid(approval_id, "no approval of that id", "see `eks-aiops approve`")
        return row

    def _may(self, row: Row[Any], approver: Caller, via: Via) -> None:
        if approver.kind != "human":
            raise _invalid(row.id, f"{approver.name} is an agent; only a person approves")
        if via == "http" and APPROVE not in approver.scopes:
            raise _invalid(row.id, f"{approver.name} lacks the scope {APPROVE}")
        if row.approver_class == "other" and approver.name == row.requester:
            raise _invalid(row.id, f"{approver.name} asked for it; the rule wants somebody else (four eyes)")
        if (
            row.approver_class == "requester"
            and approver.name != row.requester
            and APPROVE not in approver.scopes
        ):
            raise _invalid(row.id, f"{approver.name} neither asked for it nor has the scope {APPROVE}")

    def _spend(self, conn: Connection, approval_id: str, nonce: str | None) -> None:
        if not nonce:
            raise _invalid(approval_id, "the client's answer carries no nonce")
        value, _, mac = nonce.partition(".")
        if not hmac.compare_digest(mac, self._nonce_mac(approval_id, value)):
            raise _invalid(approval_id, "the nonce was not issued for it")
        row = {"nonce": sha256_of(value), "approval_id": approval_id, "used_at": safe_now(conn, self.clock)}
        try:
            with conn.begin_nested():
                conn.execute(nonces.insert().values(row))
        except IntegrityError as error:
            raise _invalid(approval_id, "the nonce was used already") from error

    def _decide(self, conn: Connection, row: Row[Any], binding: str, approver: Caller, via: Via) -> None:
        changes = {"state": "approved", "approver": approver.name, "via": via}
        self._turn(conn, row, binding, {**changes, "decided_at": safe_now(conn, self.clock)})

    def _turn(self, conn: Connection, row: Row[Any], binding: str, changes: dict[str, Any]) -> None:
        fields = {name: getattr(row, name) for name in _SEALED} | changes
        digest = self._sealed(row.id, binding, row.approver_class, fields)
        conn.execute(update(table).where(table.c.id == row.id).values(**changes, digest=digest))

    def _seal_holds(self, row: Row[Any], binding: str) -> bool:
        fields = {name: getattr(row, name) for name in _SEALED}
        return hmac.compare_digest(row.digest, self._sealed(row.id, binding, row.approver_class, fields))

    def _sealed(self, approval_id: str, binding: str, needs: str, fields: dict[str, Any]) -> str:
        said = [approval_id, binding[:_HALF], needs, *(_spelled(fields[name]) for name in _SEALED)]
        return binding[:_HALF] + mac_of(self.keys.derive("approvals"), ["approval", *said])[:_HALF]

    def _nonce_mac(self, approval_id: str, nonce: str) -> str:
        return mac_of(self.keys.derive("approvals"), ["nonce", approval_id, nonce])

    async def _audited(self, about: str, who: Caller, work: Callable[[Connection], Approval]) -> Approval:
        try:
            return await self.store.run(work)
        except ApprovalInvalidError as error:
            await self._note(about, who, error)
            raise

    async def _note(self, about: str, who: Caller, error: ApprovalInvalidError) -> None:
        said = {"code": error.code, "says": str(error)[:300]}
        await self.store.run(lambda conn: self.trail.note_in(conn, who, about[:64], "refusal", said))


_SEALED = ("state", "approver", "via", "expires_at")
_WHY_NOT = {
    "approved": "it was given already",
    "used": "it was used already",
    "expired": "it no longer holds",
    "pending": "nobody approved it yet",
    "declined": "it was declined",
}


def _spelled(value: str | datetime) -> str:
    return value if isinstance(value, str) else value.astimezone(UTC).isoformat()


def _invalid(approval_id: str, reason: str, hint: str = "") -> ApprovalInvalidError:
    return ApprovalInvalidError(f"approval {approval_id[:40]}", reason, hint)


def _shown(row: Row[Any]) -> Approval:
    return Approval(
        approval_id=row.id,
        plan_id=row.plan_id,
        approver_class=row.approver_class,
        requester=row.requester,
        state=row.state,
        approver=row.approver,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
