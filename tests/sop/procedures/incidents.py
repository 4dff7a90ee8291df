"""What the tests of the incident procedures share: another day for every story, and what the lab says."""

import sqlite3
from collections.abc import Iterable

import pytest

from aiops_lab.kube.wire import Obj as Manifest
from tests.e2e.stage import Obj
from tests.sop.procedures.playing import begun, states, step
from tests.sop.stage import Stage

PAUSE_S = 0.05


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine looks around more often than in life: a person's yes is seen at once."""
    monkeypatch.setattr("aiops_sop.clients.carrying.LOOK_EVERY_S", PAUSE_S)
    monkeypatch.setattr("aiops_sop.clients.carrying.IDLE_LOOK_S", PAUSE_S)
    monkeypatch.setattr("aiops_sop.engine.acting.LAST_POLL_S", 2 * PAUSE_S)


def anew(stage: Stage, scenario: str, seed: int = 0) -> None:
    """Another story on another day: neither actions nor runs of the one before count."""
    begun(stage, scenario, seed)
    yesterday(stage)


def yesterday(stage: Stage) -> None:
    """The runs that ended were long ago."""
    book = stage.settings.state.dir / "state.db"
    if not book.exists():
        return
    with sqlite3.connect(book, timeout=10) as connection:
        known = {row[0] for row in connection.execute("select name from sqlite_master where type='table'")}
        if "sop_runs" in known:
            connection.execute("update sop_runs set created_at = 0 where ended_at is not null")
    connection.close()


def live(stage: Stage, kind: str, namespace: str | None, name: str) -> Manifest:
    """An object as it is now."""
    found = stage.lab.store.get(kind, namespace, name)
    assert found is not None, f"{kind} {namespace}/{name}"
    return found


def said(run: Obj, name: str) -> str:
    """What a `notify` step said."""
    return str((step(run, name).get("output") or {}).get("text", ""))


def acted(run: Obj) -> list[str]:
    """The steps that made an action."""
    return [one["id"] for one in run["steps"] if one.get("action_id")]


def told(run: Obj) -> str:
    """For a test that fails: how it ended, and what each step said."""
    steps: Iterable[Obj] = run["steps"]
    return "\n".join(
        [
            f"{run['state']}: {run['summary']}",
            *(f"{s['id']}: {s['state']}: {s.get('says', '')}" for s in steps),
        ]
    )


def verbs(stage: Stage, since: int = 0) -> set[tuple[str, str]]:
    """What was written since a mark in the lab's log: verb and resource."""
    return {(one.verb, one.resource) for one in stage.lab.requests.writes()[since:]}


def mark(stage: Stage) -> int:
    """How many writes there were so far."""
    return len(stage.lab.requests.writes())


__all__ = [
    "acted", "anew", "live", "mark", "quick", "said", "states", "step", "told", "verbs", "yesterday",
]  # fmt: skip
