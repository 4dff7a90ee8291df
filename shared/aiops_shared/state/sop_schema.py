"""Tables of procedures, since schema 4: runs and their steps, questions, events, incidents, outcomes, drills.

Owned by the sop server; here because one MetaData and one migration path hold for the whole store. Bodies are
canonical JSON text, redacted before they are written. `*_at` are world time but where a comment says safety.
"""

from sqlalchemy import DDL, Column, ForeignKey, Index, Integer, String, Table, Text
from sqlalchemy.event import listen

from aiops_shared.state.schema import UtcTime, metadata

sop_runs = Table(
    "sop_runs",
    metadata,
    Column("id", String(64), primary_key=True),  # run_…
    Column("sop", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("document", Text, nullable=False),  # the pinned file, whole
    Column("params", Text, nullable=False),
    # MAC over what a run is (not how it stands), with the key file: a row written by hand is not carried on.
    Column("seal", String(64), nullable=False, default=""),
    Column("mode", String(16), nullable=False),
    Column("pattern", String(16), nullable=False),  # prompt | spec | event
    Column("caller", String(256), nullable=False),
    Column("caller_kind", String(16), nullable=False),
    Column("target", String(1024), nullable=False, default=""),
    # The target while the run lives, NULL once it ended: unique, so one run per target at a time.
    Column("holds", String(1024), unique=True),
    Column("state", String(16), nullable=False),
    Column("says", Text, nullable=False, default=""),
    Column("confidence_pct", Integer, nullable=False, default=100),
    Column("incident_id", String(64), nullable=False, default=""),
    Column("parent_id", String(64), nullable=False, default=""),
    Column("human_inputs", Integer, nullable=False, default=0),
    Column("idempotency", String(256), nullable=False, default=""),
    # Who carries it on (executor id, "" nobody), the fence that grows with every take-over, and which of its
    # workflows that is: a run that paused goes on in a new one.
    Column("worker", String(64), nullable=False, default=""),
    Column("fence", Integer, nullable=False, default=0),
    Column("generation", Integer, nullable=False, default=0),
    Column("wish", String(16), nullable=False, default=""),  # cancel | resume | undo, asked by a person
    Column("created_at", UtcTime, nullable=False),
    Column("began_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("body", Text, nullable=False, default="{}"),  # phases, duties, what is waited for
    # JSON lists, sealed: what the starter held, so that a run never has more. "": a row of schema 4.
    Column("caller_scopes", Text, nullable=False, default=""),
    Column("caller_groups", Text, nullable=False, default=""),
    Index("sop_runs_state", "state"),
    Index("sop_runs_sop", "sop", "created_at"),
)

sop_steps = Table(
    "sop_steps",
    metadata,
    Column("run_id", String(64), ForeignKey("sop_runs.id"), primary_key=True),
    Column("path", String(256), primary_key=True),  # step id, with [k] inside a foreach, "undo/<id>"
    Column("seq", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("began_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("plan_id", String(64), nullable=False, default=""),
    Column("action_id", String(64), nullable=False, default=""),
    Column("body", Text, nullable=False, default="{}"),
)

# Questions of `ask` steps: answered by a person at a terminal or over HTTP, once, in safety time.
sop_asks = Table(
    "sop_asks",
    metadata,
    Column("id", String(64), primary_key=True),  # ask_…
    Column("run_id", String(64), ForeignKey("sop_runs.id"), nullable=False),
    Column("path", String(256), nullable=False),
    Column("digest", String(64), nullable=False),  # mac over run, step, question, SOP digest
    Column("question", Text, nullable=False),
    Column("requester", String(256), nullable=False),
    Column("needs", String(16), nullable=False),  # requester | other
    Column("state", String(16), nullable=False),  # pending | yes | no | used | expired
    Column("approver", String(256), nullable=False, default=""),
    Column("via", String(32), nullable=False, default=""),
    Column("asked_at", UtcTime, nullable=False),  # safety
    Column("expires_at", UtcTime, nullable=False),  # safety
    Column("decided_at", UtcTime),  # safety
    Index("sop_asks_run", "run_id"),
)

events = Table(
    "events",
    metadata,
    Column("id", String(64), primary_key=True),  # evt_…
    Column("at", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("sender", String(256), nullable=False),
    Column("source", String(64), nullable=False),
    Column("kind", String(128), nullable=False),
    Column("cluster", String(256), nullable=False, default=""),
    Column("fingerprint", String(64), nullable=False),
    Column("state", String(16), nullable=False),  # queued | taken | done | failed
    Column("count", Integer, nullable=False, default=1),  # duplicates folded into it
    Column("incident_id", String(64), nullable=False, default=""),
    Column("taken_by", String(64), nullable=False, default=""),  # the process that works on it
    Column("taken_until", UtcTime),  # safety: after it another process takes it again
    Column("tries", Integer, nullable=False, default=0),
    Column("body", Text, nullable=False),
    Column("sender_scopes", Text, nullable=False, default=""),  # JSON lists; "": a sender of the token file
    Column("sender_groups", Text, nullable=False, default=""),
    Index("events_state", "state", "received_at"),
    Index("events_fingerprint", "fingerprint", "received_at"),
    Index("events_incident", "incident_id"),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", String(64), primary_key=True),  # inc_…
    Column("fingerprint", String(64), nullable=False),
    Column("cluster", String(256), nullable=False, default=""),
    Column("target", String(1024), nullable=False, default=""),
    Column("title", Text, nullable=False),
    Column("cause", String(64), nullable=False, default=""),  # a finding code
    Column("confirmed_cause", String(64), nullable=False, default=""),
    Column("state", String(16), nullable=False),  # open | resolved | escalated | closed
    Column("run_id", String(64), nullable=False, default=""),
    Column("onset_at", UtcTime),
    Column("detected_at", UtcTime, nullable=False),
    Column("resolved_at", UtcTime),
    Column("last_event_at", UtcTime, nullable=False),
    Column("alerts", Integer, nullable=False, default=1),
    Column("body", Text, nullable=False, default="{}"),  # evidence, actions, the hand-off record (B30)
    Column("search", Text, nullable=False, default=""),  # what full text finds it by
    Index("incidents_fingerprint", "fingerprint", "detected_at"),
    Index("incidents_detected", "detected_at"),
    Index("incidents_cause", "cause", "detected_at"),
    Index("incidents_cluster", "cluster", "detected_at"),
)

# Full text of incidents: FTS5 on SQLite, kept by triggers; an index over tsvector on PostgreSQL.
_ON_CHANGE = """CREATE TRIGGER incidents_fts_changed AFTER UPDATE OF search ON incidents
    WHEN old.search <> new.search BEGIN DELETE FROM incidents_fts WHERE id = old.id;
    INSERT INTO incidents_fts (id, search) VALUES (new.id, new.search); END"""
INCIDENT_SEARCH = (
    ("sqlite", "CREATE VIRTUAL TABLE incidents_fts USING fts5(id UNINDEXED, search)"),
    (
        "sqlite",
        """CREATE TRIGGER incidents_fts_new AFTER INSERT ON incidents BEGIN
        INSERT INTO incidents_fts (id, search) VALUES (new.id, new.search); END""",
    ),
    ("sqlite", _ON_CHANGE),
    (
        "sqlite",
        """CREATE TRIGGER incidents_fts_gone AFTER DELETE ON incidents BEGIN
        DELETE FROM incidents_fts WHERE id = old.id; END""",
    ),
    ("postgresql", "CREATE INDEX incidents_search ON incidents USING gin (to_tsvector('simple', search))"),
)
for _dialect, _statement in INCIDENT_SEARCH:
    _made = DDL(_statement)  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it unannotated
    listen(incidents, "after_create", _made.execute_if(dialect=_dialect))

outcomes = Table(
    "outcomes",
    metadata,
    Column("id", String(64), primary_key=True),  # out_…
    Column("run_id", String(64), nullable=False, default=""),
    Column("incident_id", String(64), nullable=False, default=""),
    Column("sop", String(128), nullable=False, default=""),
    Column("version", Integer, nullable=False, default=0),
    Column("digest", String(64), nullable=False, default=""),
    Column("mode", String(16), nullable=False, default=""),
    Column("state", String(16), nullable=False, default=""),  # how the run ended
    Column("effective", Integer),  # 1 yes, 0 no, NULL not said
    Column("cause", String(64), nullable=False, default=""),
    Column("said_by", String(256), nullable=False, default=""),
    Column("at", UtcTime, nullable=False),
    Column("note", Text, nullable=False, default=""),
    Index("outcomes_sop", "sop", "at"),
    Index("outcomes_incident", "incident_id"),
)

# What was said to people: one row per notice and channel, so that a resumed run says it once.
notices = Table(
    "notices",
    metadata,
    Column("id", String(128), primary_key=True),
    Column("channel", String(32), primary_key=True),
    Column("run_id", String(64), nullable=False, default=""),
    Column("state", String(16), nullable=False),  # intended | sent | failed
    Column("says", Text, nullable=False, default=""),
    Column("at", UtcTime, nullable=False),
)

drills = Table(
    "drills",
    metadata,
    Column("id", String(64), primary_key=True),  # drl_…
    Column("at", UtcTime, nullable=False),
    Column("passed", Integer, nullable=False),
    Column("policy_digest", String(64), nullable=False, default=""),
    Column("body", Text, nullable=False, default="{}"),
)
