"""Questions of `ask` steps: recorded with a seal, answered by a person at a terminal, once, in time (T9).

A yes is never an argument of a tool. The row carries a MAC over run, step, question, document and answer
with the key file, so that one edited by hand is found; it lives as long as an approval does (safety time).
"""

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from aiops_shared.clock import Clock
from aiops_shared.errors import ApprovalInvalidError
from aiops_shared.guardrails import Caller
from aiops_shared.guardrails.asking_people import approve_command
from aiops_shared.guardrails.canonical import mac_of, sha256_of
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.repeats import bind_in
from aiops_shared.guardrails.safety_time import safe_now
from aiops_shared.results import Frozen
from aiops_shared.state import Keys, StateStore
from aiops_sop.engine.records import Held
from aiops_sop.models.runs import Waiting

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from aiops_shared.guardrails.audit import Audit

Yes = Literal["yes", "no"]
MOST_CHARACTERS: Final = 2000
_SEALED: Final = ("state", "approver", "via")


class Question(Frozen):
    """An open question as a person sees it."""

    ask_id: str
    run_id: str
    path: str
    sop: str
    target: str
    question: str
    requester: str
    expires_at: datetime
    state: str = "pending"
    approver: str = ""

    @property
    def digest(self) -> str:
        """sha256 over what is answered, for who answers it elsewhere than it was shown."""
        return sha256_of([self.ask_id, self.run_id, self.path, self.sop, self.target, self.question])


@dataclass(frozen=True, slots=True)
class RunAsks:
    """Fulfils the engine's `Asks`; `eks-aiops approve` answers through it."""

    store: StateStore
    keys: Keys
    clock: Clock
    audit: "Callable[[], Audit]"
    ttl_s: int
    answer_by: Callable[[str], str] = approve_command

    async def ask(self, held: Held, path: str, question: str) -> Waiting:
        """The open question of a step, recorded if there is none yet."""
        return await self.store.run(lambda conn: self._ask_in(conn, held, path, question[:MOST_CHARACTERS]))

    async def answer(self, held: Held, path: str) -> str:
        """What was said. It is good for this one step: a step that is tried again asks again.

        Raises ApprovalInvalidError for a row that was edited.
        """

        def work(conn: "Connection") -> str:
            row = self._newest(conn, held.run_id, path)
            if row is None:
                return ""
            if row.state not in {"yes", "no"}:
                late = row.state == "pending" and safe_now(conn, self.clock) >= row.expires_at
                return "expired" if late else str(row.state)
            self._unbroken(conn, row)
            return str(row.state)

        return await self.store.read(work)

    async def open(self) -> tuple[Question, ...]:
        """Questions that wait for a person, oldest first."""

        def work(conn: "Connection") -> tuple[Question, ...]:
            from aiops_shared.state.sop_schema import sop_asks

            now = safe_now(conn, self.clock)
            waiting = (sop_asks.c.state == "pending") & (sop_asks.c.expires_at > now)
            query = _questions().where(waiting).order_by(sop_asks.c.asked_at, sop_asks.c.id)
            return tuple(_question(row, now) for row in conn.execute(query))

        return await self.store.read(work)

    async def seen(self, ask_id: str) -> Question | None:
        """One, whatever became of it; one whose time is over is `expired`. None for an unknown id."""

        def work(conn: "Connection") -> Question | None:
            from aiops_shared.state.sop_schema import sop_asks

            row = conn.execute(_questions().where(sop_asks.c.id == ask_id)).one_or_none()
            return None if row is None else _question(row, safe_now(conn, self.clock))

        return await self.store.read(work)

    def issue_nonce(self, ask_id: str) -> str:
        """A nonce for one question to the client; an answer must carry it, once."""
        nonce = secrets.token_urlsafe(24)
        return f"{nonce}.{self._nonce_mac(ask_id, nonce)}"

    async def decide(
        self, ask_id: str, person: Caller, said: Yes | None, via: str, nonce: str | None = None
    ) -> None:
        """A person's yes or no; None: they said neither, so that it stays open and the nonce is spent.

        Through a client only the run's own requester answers, with the nonce. Raises ApprovalInvalidError
        saying which rule it breaks; audited.
        """

        def work(conn: "Connection") -> None:
            row = self._row(conn, ask_id)
            if via == "client":
                self._spend(conn, row, person, nonce)
            if person.kind != "human":
                raise _invalid(ask_id, f"{person.name} is an agent; only a person answers")
            if row.state != "pending":
                raise _invalid(ask_id, f"it is {row.state}: a question is answered once")
            if safe_now(conn, self.clock) >= row.expires_at:
                raise _invalid(ask_id, "it expired", "control_run(action=resume) asks anew")
            self._unbroken(conn, row)
            if row.needs == "other" and row.requester == person.name:
                raise _invalid(ask_id, f"{person.name} asked for the run; somebody else must answer")
            if said is not None:
                changes = {"state": said, "approver": person.name, "via": via}
                self._turn(conn, row, {**changes, "decided_at": safe_now(conn, self.clock)})
            self.audit().note_in(
                conn, person, row.run_id, "answered", {"ask": ask_id, "said": said or "nothing", "via": via}
            )

        try:
            await self.store.run(work)
        except ApprovalInvalidError as error:
            await self.audit().refusal(person, ask_id, {"code": error.code, "reason": error.reason})
            raise

    async def refuse(self, ask_id: str, person: Caller, why: str) -> ApprovalInvalidError:
        """The error of an attempt that is not even looked at, audited (D5)."""
        error = _invalid(ask_id, why)
        await self.audit().refusal(person, ask_id, {"code": error.code, "reason": why})
        return error

    def _spend(self, conn: "Connection", row: Any, person: Caller, nonce: str | None) -> None:
        """Raises ApprovalInvalidError for a nonce that is not this question's, or was used."""
        if row.requester != person.name:
            raise _invalid(row.id, "only who asked for the run answers through a client")
        value, _, mac = (nonce or "").partition(".")
        if not value or not hmac.compare_digest(mac.encode(), self._nonce_mac(row.id, value).encode()):
            raise _invalid(row.id, "the answer carries no nonce that was issued for it")
        # Bound to something that nobody can say again: the second use finds it bound to another.
        if not bind_in(conn, f"nonce/{sha256_of(value)}", row.id, [secrets.token_hex(16)], self.clock):
            raise _invalid(row.id, "the nonce was used already")

    def _nonce_mac(self, ask_id: str, nonce: str) -> str:
        return mac_of(self.keys.derive("asks"), ["nonce", ask_id, nonce])

    def _ask_in(self, conn: "Connection", held: Held, path: str, question: str) -> Waiting:
        from sqlalchemy import update

        from aiops_shared.state.sop_schema import sop_asks

        now = safe_now(conn, self.clock)
        found = self._newest(conn, held.run_id, path)
        if found is not None and found.state == "pending" and now < found.expires_at:
            return self._waiting(found)
        mine = (sop_asks.c.run_id == held.run_id) & (sop_asks.c.path == path)
        conn.execute(update(sop_asks).where(mine, sop_asks.c.state == "pending").values(state="expired"))
        run = self._run(conn, held.run_id)
        ask_id, fields = new_id("ask_"), {"state": "pending", "approver": "", "via": ""}
        row = {
            "id": ask_id,
            "run_id": held.run_id,
            "path": path,
            "question": question,
            "requester": run.caller,
            "needs": "requester",
            "asked_at": now,
            "expires_at": now + timedelta(seconds=self.ttl_s),
            **fields,
        }
        conn.execute(sop_asks.insert().values(**row, digest=self._seal({**row, "sop": run.digest})))
        caller = Caller(name=run.caller, kind=run.caller_kind)
        self.audit().note_in(conn, caller, held.run_id, "question_asked", {"ask": ask_id, "step": path})
        return self._waiting(self._row(conn, ask_id))

    def _waiting(self, row: Any) -> Waiting:
        how = self.answer_by(row.id)
        return Waiting(kind="answer", id=row.id, says=row.question[:400], how=how, until=row.expires_at)

    def _newest(self, conn: "Connection", run_id: str, path: str) -> Any:
        from sqlalchemy import select

        from aiops_shared.state.sop_schema import sop_asks

        mine = (sop_asks.c.run_id == run_id) & (sop_asks.c.path == path) & (sop_asks.c.state != "used")
        return conn.execute(
            select(sop_asks).where(mine).order_by(sop_asks.c.asked_at.desc()).limit(1)
        ).first()

    def _row(self, conn: "Connection", ask_id: str) -> Any:
        from sqlalchemy import select

        from aiops_shared.state.sop_schema import sop_asks

        query = select(sop_asks).where(sop_asks.c.id == ask_id).with_for_update()
        row = conn.execute(query).one_or_none()
        if row is None:
            raise _invalid(ask_id, "no question of that id", "see `eks-aiops approve`")
        return row

    def _run(self, conn: "Connection", run_id: str) -> Any:
        from sqlalchemy import select

        from aiops_shared.state.sop_schema import sop_runs

        columns = (sop_runs.c.caller, sop_runs.c.caller_kind, sop_runs.c.digest)
        return conn.execute(select(*columns).where(sop_runs.c.id == run_id)).one()

    def _turn(self, conn: "Connection", row: Any, changes: dict[str, Any]) -> None:
        from sqlalchemy import update

        from aiops_shared.state.sop_schema import sop_asks

        run = self._run(conn, row.run_id)
        digest = self._seal({**row._mapping, **changes, "sop": run.digest})
        conn.execute(update(sop_asks).where(sop_asks.c.id == row.id).values(**changes, digest=digest))

    def _unbroken(self, conn: "Connection", row: Any) -> None:
        """Raises ApprovalInvalidError for a row that was edited by hand, or whose document was."""
        sealed = self._seal({**row._mapping, "sop": self._run(conn, row.run_id).digest})
        if not hmac.compare_digest(sealed, row.digest):
            raise _invalid(row.id, "its seal does not match: it was not written by the suite")

    def _seal(self, row: Any) -> str:
        names = ("id", "run_id", "path", "question", "requester", "needs", *_SEALED, "sop")
        said = [str(row[name]) for name in names]
        until = row["expires_at"].isoformat()
        return mac_of(self.keys.derive("asks"), [*said, until])


def _questions() -> Any:
    from sqlalchemy import select

    from aiops_shared.state.sop_schema import sop_asks, sop_runs

    joined = sop_asks.join(sop_runs, sop_runs.c.id == sop_asks.c.run_id)
    return select(sop_asks, sop_runs.c.sop, sop_runs.c.target).select_from(joined)


def _question(row: Any, now: datetime) -> Question:
    late = row.state == "pending" and now >= row.expires_at
    return Question(
        ask_id=row.id,
        run_id=row.run_id,
        path=row.path,
        sop=row.sop,
        target=row.target,
        question=row.question,
        requester=row.requester,
        expires_at=row.expires_at,
        state="expired" if late else row.state,
        approver=row.approver,
    )


def _invalid(ask_id: str, reason: str, hint: str = "") -> ApprovalInvalidError:
    return ApprovalInvalidError(f"question {ask_id[:40]}", reason, hint)
