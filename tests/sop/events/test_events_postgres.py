"""The queue and full text on PostgreSQL: the same answers, several processes at once."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from aiops_shared.settings import EventsSettings, StateSettings
from aiops_shared.state import StateStore
from aiops_sop.clients.incident_store import IncidentStore
from aiops_sop.clients.intake import EventQueue
from aiops_sop.models.events import Taken
from tests.fakes.clocks import FakeClock
from tests.shared.state.postgres import running
from tests.sop.events.samples import Named, alertmanager, seed_shape


@pytest.fixture
def url() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        base.chmod(0o755)  # the server runs as another user
        (base / "server").mkdir()
        with running(base / "server") as found:
            yield found


@pytest.mark.timeout(60)
async def test_two_processes_share_a_queue_and_find_incidents(url: str) -> None:
    clock = FakeClock()
    stores = [StateStore(StateSettings.model_validate({"url": url})) for _ in range(2)]
    one, two = (EventQueue(store, clock, EventsSettings(), f"w{n}") for n, store in enumerate(stores))
    taken: list[Taken] = []

    async def send(queue: EventQueue, seed: int) -> None:
        taken.extend(await queue.submit(seed_shape(Named(seed)), "alarms"))

    async with anyio.create_task_group() as tasks:
        for n in range(20):
            tasks.start_soon(send, (one, two)[n % 2], n % 4)
    assert len({each.incident_id for each in taken}) == 4
    assert sorted(each.became for each in taken) == ["folded"] * 16 + ["queued"] * 4
    works = [await queue.take() for queue in (one, two, one, two, one)]
    assert len({work.event_id for work in works if work}) == 4
    assert works[4] is None
    (more,) = await two.submit(alertmanager(Named(4), "Disk full"), "am")
    assert more.became == "queued"
    incidents = IncidentStore(stores[0])
    found = await incidents.search(f"{Named(2).workload} & ' | !", 5)
    assert found[0].incident_id == next(
        work.incident_id for work in works if work and work.event.name == Named(2).pod
    )
    similar = await incidents.similar(fingerprint=taken[0].fingerprint, text="disk")
    assert next(past.score for past in similar) == 1.0
    assert more.incident_id in {past.incident_id for past in similar}
    await incidents.change(more.incident_id, lambda _: {"cause": "NODE_DISK_PRESSURE"})
    assert (await incidents.search("NODE_DISK_PRESSURE", 3))[0].incident_id == more.incident_id
    for store in stores:
        store.close()
