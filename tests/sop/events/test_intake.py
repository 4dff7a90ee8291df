"""The queue of events: one incident of what is one, nothing lost, nothing without bound."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from aiops_shared.errors import NotFoundError, QueueFullError
from aiops_shared.settings import EventsSettings, StateSettings
from aiops_shared.state import StateStore
from aiops_shared.state.sop_schema import events, incidents
from aiops_sop.clients.incident_store import IncidentStore
from aiops_sop.clients.intake import LEASE_S, EventQueue
from aiops_sop.models.events import Taken
from tests.fakes.clocks import FakeClock
from tests.sop.events.samples import Named, alarm, alertmanager, forwarded, seed_shape


class Desk:
    """A store, a queue on it, and what was made of what was sent."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.clock = FakeClock()
        self.store = StateStore(StateSettings(dir=folder))
        self.settings = EventsSettings.model_validate(settings)
        self.queue = self.process("a")
        self.incidents = IncidentStore(self.store)

    def process(self, name: str) -> EventQueue:
        return EventQueue(self.store, self.clock, self.settings, name)

    async def send(self, sent: object, sender: str = "alarms") -> Taken:
        (taken,) = await self.queue.submit(sent, sender)
        return taken

    async def rows(self) -> Sequence[tuple[str, int]]:
        query = select(events.c.state, events.c["count"]).order_by(events.c["count"].desc())
        return await self.store.read(lambda conn: [(row[0], row[1]) for row in conn.execute(query)])

    async def incident_count(self, state: str = "open") -> int:
        query = select(func.count()).select_from(incidents).where(incidents.c.state == state)
        return await self.store.read(lambda conn: int(conn.execute(query).scalar_one()))


@pytest.mark.row("S25")
async def test_twenty_equal_events_are_one_that_waits_and_all_are_counted(tmp_path: Path) -> None:
    desk, who = Desk(tmp_path), Named(0)
    taken = [await desk.send(forwarded(who, count=n)) for n in range(1, 21)]
    assert [one.became for one in taken] == ["queued", *["folded"] * 19]
    assert len({one.incident_id for one in taken}) == 1
    assert await desk.rows() == [("queued", 20)]
    incident = await desk.incidents.get(taken[0].incident_id)
    assert (incident.alerts, incident.state) == (20, "open")
    assert who.pod in incident.title
    work = await desk.queue.take()
    assert work is not None
    assert work.event.count == 1
    assert (await desk.send(forwarded(who))).became == "folded"  # also while it is worked on
    await desk.queue.done(work.event_id)
    assert (await desk.send(forwarded(who))).became == "folded"  # and after, as long as it is open
    assert await desk.queue.take() is None
    desk.clock.world += timedelta(minutes=31)
    assert (await desk.send(forwarded(who))).became == "queued"


async def test_an_alarm_that_ends_resolves_its_incident_and_one_that_flaps_stays_one(tmp_path: Path) -> None:
    desk, who = Desk(tmp_path), Named(1)
    first = await desk.send(alarm(who))
    over = await desk.send(alarm(who, value="OK"))
    assert (over.became, over.incident_id) == ("resolved", first.incident_id)
    incident = await desk.incidents.get(first.incident_id)
    assert (incident.state, incident.resolved_at) == ("resolved", desk.clock.world)
    again = await desk.send(alarm(who))
    assert (again.became, again.incident_id) == ("folded", first.incident_id)
    assert (await desk.incidents.get(first.incident_id)).state == "open"
    unknown = await desk.send(alarm(Named(2), value="OK"))
    assert (unknown.became, unknown.incident_id) == ("resolved", "")
    assert await desk.incident_count() == 1


@pytest.mark.threat("T10")
async def test_the_queue_is_bounded_and_says_so_and_folds_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path, queue=2)
    for seed in (0, 1):
        await desk.send(seed_shape(Named(seed)))
    with pytest.raises(QueueFullError):
        await desk.send(seed_shape(Named(2)))
    assert (await desk.send(seed_shape(Named(0)))).became == "folded"
    with pytest.raises(QueueFullError):  # of several at once all are refused: their sender sends all again
        await desk.queue.submit(alertmanager(Named(3), "A", "B", "C"), "am")
    assert await desk.rows() == [("queued", 2), ("queued", 1)]


async def test_a_storm_becomes_one_incident_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    desk, who = Desk(tmp_path, storm=10), Named(0)
    sent = [alertmanager(who, f"Alert{n}", pod=f"shop-{n:03d}-a") for n in range(40) for _ in range(3)]
    taken = [await desk.send(one) for one in sent]
    assert {one.became for one in taken} == {"queued", "folded", "storm"}
    assert await desk.incident_count() == 1
    assert await desk.incident_count("closed") == 9  # what waited when it began joined it
    rows = await desk.rows()
    assert sum(count for _, count in rows) == 121  # each one, and the storm's own
    assert sum(state == "queued" for state, _ in rows) == 1
    work = await desk.queue.take()
    assert work is not None
    assert (work.event.reason, work.event.cluster) == ("EventStorm", who.cluster)
    storm = await desk.incidents.get(work.incident_id)
    assert storm.alerts == 121
    assert (await desk.send(seed_shape(Named(1)))).became == "queued"  # another cluster is not in it


@pytest.mark.fault("R7")
async def test_what_a_dead_process_took_is_taken_again_and_a_late_one_does_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    first = await desk.send(seed_shape(Named(0)))
    dead, alive = desk.process("dead"), desk.process("alive")
    work = await dead.take()
    assert work is not None
    assert await alive.take() is None
    desk.clock.pass_safely(LEASE_S - 1)
    assert await dead.renew(work.event_id)
    desk.clock.pass_safely(LEASE_S - 1)
    assert await alive.take() is None
    desk.clock.pass_safely(2)
    again = await alive.take()
    assert again is not None
    assert (again.event_id, again.tries) == (first.event_id, 2)
    assert not await dead.renew(work.event_id)
    await dead.done(work.event_id)
    assert await desk.rows() == [("taken", 1)]
    await alive.done(again.event_id)
    assert await desk.rows() == [("done", 1)]


KILLED = """
import anyio, os, signal, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.sop.events.test_intake import Desk
from tests.sop.events.samples import Named, seed_shape
async def main():
    desk = Desk(Path(sys.argv[1]))
    for seed in range(3):
        await desk.send(seed_shape(Named(seed)))
    await desk.queue.take()
    print("told", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
anyio.run(main)
"""


@pytest.mark.fault("R7")
async def test_a_kill_loses_no_event_that_was_answered(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[3])
    done = subprocess.run(  # noqa: ASYNC221  # the test waits for the other process, nothing else runs
        [sys.executable, "-c", KILLED, str(tmp_path), root], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (-9, "told\n"), done.stderr
    desk = Desk(tmp_path)
    desk.clock.pass_safely(60)
    found = [await desk.queue.take() for _ in range(4)]
    assert [one is not None for one in found] == [True, True, True, False]
    assert len({one.event_id for one in found if one}) == 3


async def test_incidents_are_found_by_words_cause_and_fingerprint(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    ids = {}
    for seed in range(3):
        taken = await desk.send(seed_shape(Named(seed)))
        ids[seed] = taken
    await desk.incidents.change(
        ids[0].incident_id, lambda _: {"cause": "SUBNET_IP_EXHAUSTION", "state": "closed"}
    )
    found = await desk.incidents.search("subnet exhaustion SUBNET_IP_EXHAUSTION", 5)
    assert [one.incident_id for one in found] == [ids[0].incident_id]
    found = await desk.incidents.search(f'"{Named(1).workload}" OR NOT (x* AND "', 5)  # no operators
    assert found[0].incident_id == ids[1].incident_id
    assert await desk.incidents.search("()", 5) == []
    assert len(await desk.incidents.search("", 2)) == 2
    similar = await desk.incidents.similar(
        fingerprint=ids[2].fingerprint, cause="SUBNET_IP_EXHAUSTION", text=Named(1).namespace
    )
    assert [one.incident_id for one in similar] == [ids[n].incident_id for n in (2, 0, 1)]
    assert similar[0].score == 1.0
    with pytest.raises(NotFoundError):
        await desk.incidents.get("inc_nothing")


def everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.threat("T6")
async def test_secrets_of_an_event_are_not_written(tmp_path: Path) -> None:
    canary = "AKIAFAKECANARY123456"
    desk = Desk(tmp_path)
    sent = {"reason": "OOMKilled", "pod": "a-1", "message": f"key {canary}", "password": "hunter2-canary-xyz"}
    taken = await desk.send(sent)
    work = await desk.queue.take()
    assert work is not None
    incident = await desk.incidents.get(taken.incident_id)
    whole = incident.model_dump_json() + work.event.model_dump_json()
    raw = everything_in(tmp_path)
    for secret in (canary, "hunter2-canary-xyz"):
        assert secret not in whole
        assert secret.encode() not in raw
