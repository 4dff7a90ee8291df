"""Schema 4 as it was first made: the tables of procedures (`sop_schema`). What changes next is a new step."""

_SOP_RUNS = """CREATE TABLE sop_runs (id VARCHAR(64) NOT NULL, sop VARCHAR(128) NOT NULL, version
    INTEGER NOT NULL, digest VARCHAR(64) NOT NULL, document TEXT NOT NULL, params TEXT NOT
    NULL, seal VARCHAR(64) NOT NULL, mode VARCHAR(16) NOT NULL, pattern VARCHAR(16) NOT
    NULL, caller VARCHAR(256) NOT NULL, caller_kind VARCHAR(16) NOT NULL, target
    VARCHAR(1024) NOT NULL, holds VARCHAR(1024), state VARCHAR(16) NOT NULL, says TEXT NOT
    NULL, confidence_pct INTEGER NOT NULL, incident_id VARCHAR(64) NOT NULL, parent_id
    VARCHAR(64) NOT NULL, human_inputs INTEGER NOT NULL, idempotency VARCHAR(256) NOT NULL,
    worker VARCHAR(64) NOT NULL, fence INTEGER NOT NULL, generation INTEGER NOT NULL, wish
    VARCHAR(16) NOT NULL, created_at BIGINT NOT NULL, began_at BIGINT, ended_at BIGINT, body
    TEXT NOT NULL, PRIMARY KEY (id), UNIQUE (holds))"""
_SOP_STEPS = """CREATE TABLE sop_steps (run_id VARCHAR(64) NOT NULL, path VARCHAR(256) NOT NULL, seq
    INTEGER NOT NULL, state VARCHAR(16) NOT NULL, began_at BIGINT, ended_at BIGINT, plan_id
    VARCHAR(64) NOT NULL, action_id VARCHAR(64) NOT NULL, body TEXT NOT NULL, PRIMARY KEY
    (run_id, path), FOREIGN KEY(run_id) REFERENCES sop_runs (id))"""
_SOP_ASKS = """CREATE TABLE sop_asks (id VARCHAR(64) NOT NULL, run_id VARCHAR(64) NOT NULL, path
    VARCHAR(256) NOT NULL, digest VARCHAR(64) NOT NULL, question TEXT NOT NULL, requester
    VARCHAR(256) NOT NULL, needs VARCHAR(16) NOT NULL, state VARCHAR(16) NOT NULL, approver
    VARCHAR(256) NOT NULL, via VARCHAR(32) NOT NULL, asked_at BIGINT NOT NULL, expires_at
    BIGINT NOT NULL, decided_at BIGINT, PRIMARY KEY (id), FOREIGN KEY(run_id) REFERENCES
    sop_runs (id))"""
_EVENTS = """CREATE TABLE events (id VARCHAR(64) NOT NULL, at BIGINT NOT NULL, received_at BIGINT NOT
    NULL, sender VARCHAR(256) NOT NULL, source VARCHAR(64) NOT NULL, kind VARCHAR(128) NOT
    NULL, cluster VARCHAR(256) NOT NULL, fingerprint VARCHAR(64) NOT NULL, state VARCHAR(16)
    NOT NULL, count INTEGER NOT NULL, incident_id VARCHAR(64) NOT NULL, taken_by VARCHAR(64)
    NOT NULL, taken_until BIGINT, tries INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY
    (id))"""
_INCIDENTS = """CREATE TABLE incidents (id VARCHAR(64) NOT NULL, fingerprint VARCHAR(64) NOT NULL,
    cluster VARCHAR(256) NOT NULL, target VARCHAR(1024) NOT NULL, title TEXT NOT NULL, cause
    VARCHAR(64) NOT NULL, confirmed_cause VARCHAR(64) NOT NULL, state VARCHAR(16) NOT NULL,
    run_id VARCHAR(64) NOT NULL, onset_at BIGINT, detected_at BIGINT NOT NULL, resolved_at
    BIGINT, last_event_at BIGINT NOT NULL, alerts INTEGER NOT NULL, body TEXT NOT NULL,
    search TEXT NOT NULL, PRIMARY KEY (id))"""
_OUTCOMES = """CREATE TABLE outcomes (id VARCHAR(64) NOT NULL, run_id VARCHAR(64) NOT NULL, incident_id
    VARCHAR(64) NOT NULL, sop VARCHAR(128) NOT NULL, version INTEGER NOT NULL, digest
    VARCHAR(64) NOT NULL, mode VARCHAR(16) NOT NULL, state VARCHAR(16) NOT NULL, effective
    INTEGER, cause VARCHAR(64) NOT NULL, said_by VARCHAR(256) NOT NULL, at BIGINT NOT NULL,
    note TEXT NOT NULL, PRIMARY KEY (id))"""
_NOTICES = """CREATE TABLE notices (id VARCHAR(128) NOT NULL, channel VARCHAR(32) NOT NULL, run_id
    VARCHAR(64) NOT NULL, state VARCHAR(16) NOT NULL, says TEXT NOT NULL, at BIGINT NOT
    NULL, PRIMARY KEY (id, channel))"""
_DRILLS = """CREATE TABLE drills (id VARCHAR(64) NOT NULL, at BIGINT NOT NULL, passed INTEGER NOT
    NULL, policy_digest VARCHAR(64) NOT NULL, body TEXT NOT NULL, PRIMARY KEY (id))"""

STATEMENTS = (
    _SOP_RUNS,
    "CREATE INDEX sop_runs_sop ON sop_runs (sop, created_at)",
    "CREATE INDEX sop_runs_state ON sop_runs (state)",
    _SOP_STEPS,
    _SOP_ASKS,
    "CREATE INDEX sop_asks_run ON sop_asks (run_id)",
    _EVENTS,
    "CREATE INDEX events_fingerprint ON events (fingerprint, received_at)",
    "CREATE INDEX events_incident ON events (incident_id)",
    "CREATE INDEX events_state ON events (state, received_at)",
    _INCIDENTS,
    "CREATE INDEX incidents_cause ON incidents (cause, detected_at)",
    "CREATE INDEX incidents_cluster ON incidents (cluster, detected_at)",
    "CREATE INDEX incidents_detected ON incidents (detected_at)",
    "CREATE INDEX incidents_fingerprint ON incidents (fingerprint, detected_at)",
    _OUTCOMES,
    "CREATE INDEX outcomes_incident ON outcomes (incident_id)",
    "CREATE INDEX outcomes_sop ON outcomes (sop, at)",
    _NOTICES,
    _DRILLS,
)
