"""Every table of the suite: plans, actions, approvals, limits, the audit, and what keeps processes apart.

One MetaData on SQLite and PostgreSQL. The rooms of the guardrails query these tables inside
`StateStore.run`; nobody else opens the database. A change here needs a migration (`migrating.py`).

Bodies are canonical JSON text, so that a digest is over the very bytes that are stored. Times are UTC and
come back aware (`UtcTime`). `*_at` of approvals, leases and plans are safety time, `world_at` is world time.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcTime(TypeDecorator[datetime]):
    """A UTC time as whole microseconds since 1970: exact, sortable and equal on both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Refuses a naive time: nobody could say what it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored time needs a time zone")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The same time, aware."""
        return None if value is None else _EPOCH + int(value) * _MICROSECOND


metadata = MetaData()

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("applied_at", UtcTime, nullable=False),
)

# The audit: a chain per store (D15). `body` is the canonical JSON that `mac` covers together with the
# previous mac; the other columns repeat parts of it for searching and are compared by `verify`.
audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),  # 2026-11-22T02:11:05.123Z, safety time
    Column("event", String(32), nullable=False),  # intent | outcome | refusal | sensitive_read | note
    Column("intent_seq", BigInteger),  # of an outcome: the intent that it ends
    Column("actor", String(256), nullable=False),
    Column("action_id", String(64), nullable=False, default=""),
    Column("body", Text, nullable=False),
    Column("prev", String(64), nullable=False),
    Column("mac", String(64), nullable=False),
    Index("audit_intent", "intent_seq"),
    Index("audit_action", "action_id"),
)

# One row, id 1: where the chain ends. Locked while a record is appended.
audit_head = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("mac", String(64), nullable=False),
    Column("sealed", String(64), nullable=False),  # mac over (seq, mac): the head cannot be set back by hand
    Column("exported_seq", BigInteger, nullable=False),
)

plans = Table(
    "plans",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("requester", String(256), nullable=False),
    Column("cluster", String(256), nullable=False),
    Column("action", String(32), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("state", String(32), nullable=False),
    Index("plans_expires", "expires_at"),
)

actions = Table(
    "actions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("plan_id", String(64), ForeignKey("plans.id"), nullable=False, unique=True),
    Column("cluster", String(256), nullable=False, default=""),
    Column("action", String(32), nullable=False, default=""),
    Column("caller", String(256), nullable=False, default=""),
    Column("state", String(32), nullable=False),
    Column("says", Text, nullable=False, default=""),
    Column("body", Text, nullable=False, default="{}"),
    Column("approval_id", String(64), nullable=False, default=""),
    Column("started_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Column("lease_owner", String(128), nullable=False, default=""),
    Column("lease_expires_at", UtcTime),
    Column("fence", BigInteger, nullable=False, default=0),
    Index("actions_state", "state"),
)

action_steps = Table(
    "action_steps",
    metadata,
    Column("action_id", String(64), ForeignKey("actions.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("target", Text, nullable=False),
    Column("step", String(256), nullable=False),
    Column("state", String(32), nullable=False),
    Column("at", UtcTime),
    Column("says", Text, nullable=False, default=""),
    Column("data", Text, nullable=False, default="{}"),
)

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("plan_id", String(64), ForeignKey("plans.id"), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("approver_class", String(16), nullable=False),  # requester | other
    Column("requester", String(256), nullable=False),
    Column("state", String(16), nullable=False),  # pending | approved | declined | used | expired
    Column("approver", String(256), nullable=False, default=""),
    Column("via", String(32), nullable=False, default=""),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
    Column("decided_at", UtcTime),
    Index("approvals_plan", "plan_id"),
)

nonces = Table(
    "nonces",
    metadata,
    Column("nonce", String(128), primary_key=True),
    Column("approval_id", String(64), ForeignKey("approvals.id"), nullable=False),
    Column("used_at", UtcTime, nullable=False),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("plan_id", String(64), nullable=False, default=""),
    Column("ref", Text, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("snapshots_created", "created_at"),
)

# Occurrences counted by the repeat and rate limits (D9). `counted_at` never runs backwards per key (D19).
limits = Table(
    "limits",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("action", String(32), nullable=False),
    Column("owner", String(1024), nullable=False),
    Column("caller", String(256), nullable=False),
    Column("action_id", String(64), nullable=False, default=""),
    Column("world_at", UtcTime, nullable=False),
    Column("counted_at", UtcTime, nullable=False),
    Index("limits_owner", "action", "owner", "counted_at"),
    Index("limits_caller", "caller", "counted_at"),
)

freezes = Table(
    "freezes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scope", Text, nullable=False, default="all"),
    Column("reason", Text, nullable=False, default=""),
    Column("set_by", String(256), nullable=False),
    Column("set_at", UtcTime, nullable=False),
    Column("lifted_by", String(256), nullable=False, default=""),
    Column("lifted_at", UtcTime),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", String(256), primary_key=True),
    Column("caller", String(256), primary_key=True),
    Column("args_digest", String(64), nullable=False),
    Column("result", Text, nullable=False, default=""),
    Column("created_at", UtcTime, nullable=False),
)

# Reads that are not sensitive (D15): kept 7 days, outside the chain.
call_journal = Table(
    "call_journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("caller", String(256), nullable=False),
    Column("trace", String(64), nullable=False, default=""),
    Column("tool", String(64), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("result_digest", String(64), nullable=False, default=""),
    Column("says", Text, nullable=False, default=""),
    Index("call_journal_at", "at"),
    Index("call_journal_caller", "caller", "at"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(256), primary_key=True),
    Column("owner", String(128), nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)

# The watch journal (D25), schema 2: what `eks-aiops forward` saw of a cluster, kept 7 days. Times are world
# time. No value of a Secret is ever here, and every text is redacted before it is written.
journal_changes = Table(
    "journal_changes",
    metadata,
    Column("cluster", String(256), primary_key=True),
    Column("uid", String(64), primary_key=True),
    Column("version", String(64), primary_key=True),  # resourceVersion after it; the last one of a delete
    Column("verb", String(16), primary_key=True),
    Column("kind", String(128), nullable=False),
    Column("namespace", String(256), nullable=False),
    Column("name", String(256), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("within_s", Integer, nullable=False),  # it may have happened so long before `at`
    Column("client", String(256), nullable=False),
    Column("what", Text, nullable=False),
    Column("digest_before", String(64), nullable=False),
    Column("digest_after", String(64), nullable=False),
    Index("journal_changes_at", "cluster", "at"),
)

# How each object stood when it was last seen: a restart tells from it what happened meanwhile.
journal_objects = Table(
    "journal_objects",
    metadata,
    Column("cluster", String(256), primary_key=True),
    Column("uid", String(64), primary_key=True),
    Column("kind", String(128), nullable=False),
    Column("namespace", String(256), nullable=False),
    Column("name", String(256), nullable=False),
    Column("version", String(64), nullable=False),
    Column("view", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Index("journal_objects_kind", "cluster", "kind"),
)

journal_events = Table(
    "journal_events",
    metadata,
    Column("cluster", String(256), primary_key=True),
    Column("uid", String(64), primary_key=True),
    Column("kind", String(128), nullable=False),
    Column("namespace", String(256), nullable=False),
    Column("name", String(256), nullable=False),
    Column("reason", String(256), nullable=False),
    Column("message", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Column("first_at", UtcTime, nullable=False),
    Column("last_at", UtcTime, nullable=False),
    Index("journal_events_at", "cluster", "last_at"),
)

# Answers that were billed, or slow to get, schema 3: kept until they are too old for who asks. Times are
# world time. `room` is who keeps it (`cost-explorer`, `prices`), `key` a digest of the question.
answers = Table(
    "answers",
    metadata,
    Column("room", String(64), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("made_at", UtcTime, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("answers_made", "room", "made_at"),
)

# From when on, and until when, a kind of a cluster was watched.
journal_watches = Table(
    "journal_watches",
    metadata,
    Column("cluster", String(256), primary_key=True),
    Column("kind", String(128), primary_key=True),
    Column("since_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)
