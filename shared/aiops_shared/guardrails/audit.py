"""What was done, by whom and why, in a chain that shows every later change (D15).

An intent is committed before its effect and an outcome after it; without the intent there is no effect. Each
record's HMAC covers the record and the one before, with a key that lies outside the database. The end of
the chain is sealed in the store and said in the log every 100 records, so that a cut tail shows too.

Called by the gate, the executor and approvals inside their transactions (`*_in`), by tools through the
async methods, and by `eks-aiops audit`.
"""

import json
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, AuditDownError, NotConfiguredError, UpstreamError
from aiops_shared.guardrails.audit_chain import GENESIS, Anchor, Report, Verifier, seal, signed
from aiops_shared.guardrails.call_journal import Called, CallJournal
from aiops_shared.guardrails.canonical import canonical, mac_of
from aiops_shared.guardrails.models import Caller
from aiops_shared.guardrails.redacting import redact, redact_tree
from aiops_shared.results import Frozen
from aiops_shared.state import Keys, StateStore
from aiops_shared.state.store import after_commit, fails_as

if TYPE_CHECKING:
    from sqlalchemy import Connection

T = TypeVar("T")
LOG: Final = logging.getLogger("aiops.audit")
EXPORT_EVERY: Final = 100
_CHUNK: Final = 500
_ID: Final = re.compile(r"[a-z]{3}_[A-Za-z0-9_-]{20}")
_MOST_SAID: Final = 32_768  # characters of one record's `says`; longer ones keep their hash only


class AuditRecord(Frozen):
    """One record as it is read back."""

    seq: int
    at: str
    event: str
    actor: str
    actor_kind: str
    about: str  # an action, plan or approval id, or the tool of a sensitive read
    intent: int | None = None
    says: dict[str, Any]
    args_mac: str


class Audit:
    """Appends, verifies, shows. Fulfils the executor's `Trail`."""

    def __init__(self, store: StateStore, keys: Keys, clock: Clock) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._calls = CallJournal(store)

    # Inside the caller's transaction: the record and what it is about are committed together or not at all.

    def intent_in(self, conn: "Connection", caller: Caller, action_id: str, says: dict[str, Any]) -> int:
        """Record what is about to happen; returns the record's number."""
        return self._append(conn, "intent", caller, action_id, says)

    def outcome_in(
        self, conn: "Connection", caller: Caller, action_id: str, intent: int, says: dict[str, Any]
    ) -> None:
        """Record how that intent ended."""
        self._append(conn, "outcome", caller, action_id, says, intent)

    def note_in(
        self, conn: "Connection", caller: Caller, about: str, event: str, says: dict[str, Any]
    ) -> None:
        """Record a refusal, an approval or another event that is no effect."""
        self._append(conn, event, caller, about, says)

    # In a durable transaction of their own.

    async def run(self, work: "Callable[[Connection], T]") -> T:
        """`store.run` for a transaction that holds a record: any failure is an `AuditDownError`."""
        try:
            return await self._store.run(work)
        except (UpstreamError, NotConfiguredError) as error:
            raise _down(error) from error

    async def intent(self, caller: Caller, action_id: str, says: dict[str, Any]) -> int:
        """Commit an intent; raises `AuditDownError`, and then nothing may have an effect."""
        return await self.run(lambda conn: self.intent_in(conn, caller, action_id, says))

    async def outcome(self, intent: int, caller: Caller, action_id: str, says: dict[str, Any]) -> None:
        """Commit the outcome of an intent."""
        await self.run(lambda conn: self.outcome_in(conn, caller, action_id, intent, says))

    async def refusal(self, caller: Caller, about: str, says: dict[str, Any]) -> None:
        """Commit a refusal."""
        await self.run(lambda conn: self.note_in(conn, caller, about, "refusal", says))

    async def sensitive_read(self, caller: Caller, tool: str, says: dict[str, Any]) -> None:
        """Commit that sensitive data is about to be read; raises `AuditDownError`, and then it is not."""
        await self.run(lambda conn: self.note_in(conn, caller, tool, "sensitive_read", says))

    async def journal(
        self,
        caller: Caller,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        trace: str = "",
        result_digest: str = "",
        says: str = "",
    ) -> None:
        """Note an ordinary read (kept 7 days, outside the chain). Reads go on when it cannot be written."""
        at = self._clock.safe_now()
        try:
            await self._calls.add(Called(at, caller.name, tool, arguments, trace, result_digest, says))
        except AiopsError as error:
            LOG.warning("call journal: %s", error)

    # Reading.

    async def verify(self, anchors: Sequence[Anchor] = ()) -> Report:
        """Check the chain from its start; names the first bad record.

        `anchors` are ends of the chain as the log said them: they show a tail that was cut off.
        """
        verifier = Verifier(self._keys.derive("audit"), anchors)
        # One transaction: records that are appended meanwhile are not seen half.
        return await self._store.read(lambda conn: _verified(conn, verifier))

    async def lines(self) -> AsyncIterator[str]:
        """The whole audit as JSON lines: record, previous mac, mac."""
        after = 0
        while rows := await self._store.read(partial(_rows, after=after)):
            after = rows[-1].seq
            for row in rows:
                yield canonical({"record": _body_of(row), "prev": row.prev, "mac": row.mac})

    async def show(self, limit: int = 50, about: str = "") -> tuple[AuditRecord, ...]:
        """The latest records, oldest of them first; `about` picks an action, plan or approval."""
        return await self._store.read(lambda conn: _latest(conn, limit, about))

    def _append(
        self,
        conn: "Connection",
        event: str,
        caller: Caller,
        about: str,
        says: Mapping[str, Any],
        intent: int | None = None,
    ) -> int:
        from sqlalchemy.exc import DBAPIError

        fails_as(conn, _down)  # a full disk shows at the commit only
        try:
            return self._chained(conn, event, caller, about, says, intent)
        except DBAPIError as error:
            raise _down(error) from error

    def _chained(
        self,
        conn: "Connection",
        event: str,
        caller: Caller,
        about: str,
        says: Mapping[str, Any],
        intent: int | None,
    ) -> int:
        from aiops_shared.state.schema import audit
        from aiops_shared.state.times import exclusive

        key, about = self._keys.derive("audit"), _named(about)
        exclusive(conn, "audit")
        head = _head(conn)
        last, prev = (head.seq, head.mac) if head else (0, GENESIS)
        seq, at = last + 1, stamp(self._clock.safe_now())
        body = canonical(
            {
                "seq": seq,
                "at": at,
                "event": event,
                "actor": caller.name,
                "actor_kind": caller.kind,
                "about": about,
                "intent": intent,
                "says": _said(says),
                "args_mac": mac_of(
                    key, says
                ),  # of the values before redaction; keyed, so that nobody can guess them
            }
        )
        mac = signed(key, prev, body)
        row = {"seq": seq, "at": at, "event": event, "actor": caller.name, "action_id": about}
        conn.execute(audit.insert().values(**row, intent_seq=intent, body=body, prev=prev, mac=mac))
        _move_head(conn, key, Anchor(seq=seq, mac=mac), head is None)
        return seq


def stamp(at: datetime) -> str:
    """UTC with milliseconds and Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _down(error: Exception) -> AuditDownError:
    reason = error.reason if isinstance(error, AiopsError) else type(error).__name__
    return AuditDownError(
        "audit",
        f"it cannot be written ({reason})",
        "nothing was changed; make the state store writable, then retry",
    )


def _named(about: str) -> str:
    """An id as it is; words about a read are a caller's own, and may hold a secret (T6)."""
    return about if _ID.fullmatch(about) else redact(about)


def _said(says: Mapping[str, Any]) -> dict[str, Any]:
    clean: dict[str, Any] = redact_tree(dict(says))
    return clean if len(canonical(clean)) <= _MOST_SAID else {"too_long": True, "kept": sorted(clean)[:50]}


def _move_head(conn: "Connection", key: bytes, end: Anchor, first: bool) -> None:
    from aiops_shared.state.schema import audit_head

    exported = end.seq % EXPORT_EVERY == 0
    values: dict[str, object] = {"seq": end.seq, "mac": end.mac, "sealed": seal(key, end)}
    if exported:
        values["exported_seq"] = end.seq
        # A warning, so that the default log level lets it out: the log is the second place of the head.
        after_commit(conn, lambda: LOG.warning("%s", end))
    if first:
        conn.execute(audit_head.insert().values(**{"id": 1, "exported_seq": 0, **values}))
    else:
        conn.execute(audit_head.update().values(**values))


def _head(conn: "Connection") -> Any:
    from aiops_shared.state.schema import audit_head

    return conn.execute(audit_head.select()).first()


def _rows(conn: "Connection", after: int) -> Sequence[Any]:
    from aiops_shared.state.schema import audit

    query = audit.select().where(audit.c.seq > after).order_by(audit.c.seq).limit(_CHUNK)
    return conn.execute(query).all()


def _verified(conn: "Connection", verifier: Verifier) -> Report:
    after = 0
    while rows := _rows(conn, after):
        after = rows[-1].seq
        for row in rows:
            columns = (row.at, row.event, row.actor, row.action_id)
            verifier.take(row.seq, row.body, row.prev, row.mac, columns)
    return verifier.report(_head(conn))


def _latest(conn: "Connection", limit: int, about: str) -> tuple[AuditRecord, ...]:
    from aiops_shared.state.schema import audit

    query = audit.select().order_by(audit.c.seq.desc()).limit(limit)
    rows = conn.execute(query.where(audit.c.action_id == about) if about else query).all()
    return tuple(_record_of(row) for row in reversed(rows))


def _body_of(row: Any) -> Any:
    """What stands in the record, for the export; the very text where it is no JSON any more."""
    try:
        return json.loads(row.body)
    except ValueError:
        return row.body


def _record_of(row: Any) -> AuditRecord:
    """A record; one that was edited beyond reading still shows that it is there."""
    try:
        return AuditRecord.model_validate_json(row.body)
    except ValueError:
        says = {"reason": "edited beyond reading; see eks-aiops audit verify"}
        return AuditRecord(
            seq=row.seq,
            at=str(row.at),
            event="unreadable",
            actor=str(row.actor),
            actor_kind="",
            about=str(row.action_id),
            says=says,
            args_mac="",
        )
