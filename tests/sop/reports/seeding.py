"""Writes runs, incidents, drills into a store, as the parts that own them do: what reports stand on."""

from datetime import datetime, timedelta
from typing import Any

from aiops_shared.state import StateStore
from aiops_shared.state.sop_schema import drills, incidents, outcomes, sop_runs


def run_row(number: int, digest: str, at: datetime, **more: Any) -> dict[str, Any]:
    """One run of a SOP that succeeded under supervision, unless told otherwise."""
    return {
        "id": f"run_{number:04d}",
        "sop": "pod-crashloop",
        "version": 1,
        "digest": digest,
        "document": "",
        "params": "{}",
        "mode": "supervised",
        "pattern": "prompt",
        "caller": "anna",
        "caller_kind": "human",
        "target": "my-cluster/production/api",
        "state": "succeeded",
        "created_at": at,
        "ended_at": at + timedelta(minutes=2),
        **more,
    }


async def seed_runs(store: StateStore, rows: list[dict[str, Any]]) -> None:
    """Runs as the engine leaves them."""
    await store.run(lambda conn: conn.execute(sop_runs.insert(), rows))


async def seed_drill(store: StateStore, at: datetime, digest: str, *, passed: bool = True) -> None:
    """A guardrail drill."""
    row = {"id": f"drl_{at:%Y%m%d%H%M%S}{passed:d}", "at": at, "passed": int(passed), "policy_digest": digest}
    await store.run(lambda conn: conn.execute(drills.insert().values(**row)))


async def seed_outcome(store: StateStore, run_id: str, digest: str, at: datetime, *, effective: bool) -> None:
    """What somebody said of a run."""
    row = {"id": f"out_{run_id}", "run_id": run_id, "digest": digest, "effective": int(effective), "at": at}
    await store.run(lambda conn: conn.execute(outcomes.insert().values(**row)))


def incident_row(number: int, detected_at: datetime, **more: Any) -> dict[str, Any]:
    """One incident that was resolved; every one is its own unless told otherwise."""
    return {
        "id": f"inc_{number:05d}",
        "fingerprint": f"fp-{number}",
        "cluster": "my-cluster",
        "target": "production/api",
        "title": "api is down",
        "state": "resolved",
        "onset_at": detected_at - timedelta(minutes=5),
        "detected_at": detected_at,
        "resolved_at": detected_at + timedelta(minutes=30),
        "last_event_at": detected_at,
        "alerts": 1,
        **more,
    }


async def seed_incidents(store: StateStore, rows: list[dict[str, Any]]) -> None:
    """Incidents of the journal."""
    await store.run(lambda conn: conn.execute(incidents.insert(), rows))
