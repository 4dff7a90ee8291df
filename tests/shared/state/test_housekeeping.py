"""What an operator does to a store: a copy under load is whole; a sweep takes what ended and nothing else."""

import itertools
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from aiops_shared.errors import NotConfiguredError
from aiops_shared.settings import StateSettings
from aiops_shared.state import StateStore
from aiops_shared.state.housekeeping import copy_sqlite, counted, sqlite_files, sweepable, swept
from aiops_shared.state.schema import action_steps, actions, approvals, leases, nonces, plans
from aiops_shared.state.sop_schema import events, sop_asks, sop_runs, sop_steps

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OLD, LIMIT = NOW - timedelta(days=100), NOW - timedelta(days=90)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    store = StateStore(StateSettings(dir=tmp_path / "state"))
    yield store
    store.close()


def plan(conn: Connection, name: str, at: datetime, action: str = "", ended: datetime | None = None) -> None:
    row = {
        "digest": "",
        "body": "",
        "requester": "ann",
        "cluster": "c",
        "action": "scale",
        "state": "planned",
    }
    conn.execute(plans.insert().values(id=f"pln_{name}", created_at=at, expires_at=at, **row))
    asked = {"digest": "", "approver_class": "other", "requester": "ann", "state": "used", "expires_at": at}
    conn.execute(approvals.insert().values(id=f"apr_{name}", plan_id=f"pln_{name}", created_at=at, **asked))
    conn.execute(nonces.insert().values(nonce=name, approval_id=f"apr_{name}", used_at=at))
    if action:
        acted = {"id": f"act_{name}", "plan_id": f"pln_{name}", "state": action, "started_at": at}
        conn.execute(actions.insert().values(ended_at=ended, **acted))
        conn.execute(
            action_steps.insert().values(
                action_id=f"act_{name}", seq=0, target="x", step="x", state="applied"
            )
        )


def run(conn: Connection, name: str, state: str, ended: datetime | None) -> None:
    told = {"sop": "x", "version": 1, "digest": "", "document": "", "params": "{}", "mode": "auto"}
    who = {"pattern": "spec", "caller": "ann", "caller_kind": "human", "created_at": OLD}
    conn.execute(sop_runs.insert().values(id=name, state=state, ended_at=ended, **told, **who))
    conn.execute(sop_steps.insert().values(run_id=name, path="a", seq=0, state="done"))
    asked = {"digest": "", "question": "?", "requester": "ann", "needs": "requester", "state": "yes"}
    times = {"asked_at": OLD, "expires_at": OLD}
    conn.execute(sop_asks.insert().values(id=f"ask_{name}", run_id=name, path="a", **asked, **times))


def filled(conn: Connection) -> None:
    plan(conn, "old", OLD, "succeeded", OLD)
    plan(conn, "never_executed", OLD)
    plan(conn, "long_one", OLD, "running", None)
    plan(conn, "ended_lately", OLD, "undone", NOW)
    plan(conn, "new", NOW, "succeeded", NOW)
    run(conn, "run_old", "succeeded", OLD)
    run(conn, "run_waiting", "waiting", None)
    run(conn, "run_new", "succeeded", NOW)
    for name, state in (("evt_old", "done"), ("evt_queued", "queued")):
        told = {"sender": "s", "source": "s", "kind": "k", "fingerprint": "f", "state": state, "body": "{}"}
        conn.execute(events.insert().values(id=name, at=OLD, received_at=OLD, **told))


def test_a_sweep_takes_what_ended_long_ago_and_leaves_what_somebody_needs(store: StateStore) -> None:
    store.run_now(filled)
    told = store.read_now(lambda conn: sweepable(conn, LIMIT))
    gone = store.run_now(lambda conn: swept(conn, LIMIT))
    assert gone == told
    assert {name: count for name, count in gone.items() if count} == {
        "plans": 2,
        "approvals": 2,
        "nonces": 2,
        "actions": 1,
        "action_steps": 1,
        "sop_runs": 1,
        "sop_steps": 1,
        "sop_asks": 1,
        "events": 1,
    }

    def left(conn: Connection) -> set[str]:
        return {*conn.execute(select(plans.c.id)).scalars(), *conn.execute(select(sop_runs.c.id)).scalars()}

    kept = {"pln_long_one", "pln_ended_lately", "pln_new", "run_waiting", "run_new"}
    assert store.read_now(left) == kept
    assert store.run_now(lambda conn: swept(conn, LIMIT)) == dict.fromkeys(gone, 0)


def test_a_count_names_what_is_under_way(store: StateStore) -> None:
    store.run_now(filled)
    found = store.read_now(counted)
    assert (found.actions_under_way, found.runs_open, found.rows["plans"]) == (1, 1, 5)
    assert found.schema >= 5


def test_a_copy_that_is_taken_while_others_write_is_one_moment_of_the_store(
    store: StateStore, tmp_path: Path
) -> None:
    stop = threading.Event()

    def pair(conn: Connection, number: int) -> None:
        for half in "ab":
            conn.execute(leases.insert().values(name=f"{number}/{half}", owner="me", fence=1, expires_at=NOW))

    def write() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            store.run_now(partial(pair, number=number), durable=False)

    store.run_now(lambda conn: None)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = [copy_sqlite(tmp_path / "state/state.db", tmp_path / f"copy{turn}.db") for turn in range(3)]
    finally:
        stop.set()
        writer.join()
    for turn, size in enumerate(sizes):
        copy = tmp_path / f"copy{turn}.db"
        assert (copy.stat().st_mode & 0o777, copy.stat().st_size) == (0o600, size)
        with closing(sqlite3.connect(copy)) as here:
            assert here.execute("SELECT count(*) FROM leases").fetchone()[0] % 2 == 0
    assert not list(tmp_path.glob("copy*-wal"))


def test_a_copy_overwrites_nothing_and_a_postgres_is_sent_to_its_own_tool(
    store: StateStore, tmp_path: Path
) -> None:
    store.run_now(lambda conn: conn.execute(select(func.count()).select_from(leases)))
    (tmp_path / "there.db").write_text("mine")
    with pytest.raises(FileExistsError):
        copy_sqlite(tmp_path / "state/state.db", tmp_path / "there.db")
    with pytest.raises(NotConfiguredError, match="pg_dump"):
        sqlite_files("postgresql+psycopg://u@h/db", "postgresql+psycopg://u@h/db")
    own = f"sqlite:///{tmp_path}/state"
    assert sqlite_files(f"{own}/state.db", f"{own}/runs.db") == (tmp_path / "state/state.db",)
