"""Many events at once: one run of what is one, nothing lost, the work shared by several processes."""

from pathlib import Path

import anyio
import pytest

from aiops_shared.guardrails.lifetimes import Lifetime
from aiops_sop.clients.event_desk import EventDesk
from tests.sop.events.samples import Named, Obj, seed_shape
from tests.sop.events.test_pipeline import House


def flood(different: int, repeated: int) -> list[Obj]:
    """Interleaved, as senders send."""
    base = seed_shape(Named(1))
    each = [
        {**base, "detail": {**base["detail"], "cluster": f"c{n % 5}", "pod": f"api-{n:03d}x-6c9d7f5b8-x2k4q"}}
        for n in range(different)
    ]
    return each * repeated


@pytest.mark.threat("T10")
@pytest.mark.timeout(60)
async def test_five_hundred_events_with_twenty_of_each_are_one_run_each(tmp_path: Path) -> None:
    house = House(tmp_path, staging="auto-safe")
    house.evidence.root = {"code": "APP_ERROR", "confidence": 0.9}
    desk = house.desk
    lifetime = Lifetime(desk.clock)
    doors = [
        EventDesk(queue, desk.incidents, house.pipeline, lifetime)
        for queue in (desk.queue, desk.queue)  # two doors of one process; processes are told by their leases
    ]
    sent = flood(25, 20)
    async with lifetime.open():
        async with anyio.create_task_group() as tasks:

            async def send(part: list[Obj], door: EventDesk) -> None:
                for one in part:
                    await door.submit(one, "alarms")

            for n in range(10):
                tasks.start_soon(send, sent[n::10], doors[n % 2])
        with anyio.fail_after(30):
            while await desk.queue.waiting():  # noqa: ASYNC110  # the store is the only one that knows
                await anyio.sleep(0.05)
    rows = await desk.rows()
    assert (len(rows), sum(count for _, count in rows)) == (25, 500)
    assert {state for state, _ in rows} == {"done"}
    assert len(house.runs.runs) == 25
    assert len(house.runs.wishes) == 25
    assert await desk.incident_count() == 25
