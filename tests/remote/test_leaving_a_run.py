"""A client that leaves over HTTP while its run goes on: the run ends, once, and the next call finds it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiops_shared.app import build
from aiops_shared.auth.behalf import Behalf
from aiops_shared.clock import SystemClock
from aiops_shared.remote.application import around
from aiops_shared.remote.running import configured
from aiops_shared.settings import HttpSettings
from aiops_sop.clients.run_answers import StoredAnswers
from aiops_sop.tools.runs import RunTools
from bench.http_client import Client, call_body
from tests.fakes.procedures import FakeHands, Obj
from tests.fakes.runhouses import ANNA, RunHouse
from tests.faults.sop_child import TWO
from tests.remote.test_leaving_a_write import Quiet, got

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]
WISH = {"sop": "two", "params": {"name": "web"}, "mode": "auto", "idempotency_key": "leaving-0001"}


@dataclass
class Held(FakeHands):
    """The first change is under way until a test lets it go on."""

    begun: anyio.Event = field(default_factory=anyio.Event)
    go_on: anyio.Event = field(default_factory=anyio.Event)

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], behalf: Behalf | None = None
    ) -> Obj:
        if tool == "execute_plan":
            self.begun.set()
            await self.go_on.wait()
        return await super().call(server, tool, arguments, behalf)


@asynccontextmanager
async def listening(house: RunHouse) -> AsyncIterator[str]:
    """The house's run tools behind every layer of HTTP."""
    tools = RunTools(house.desk, lambda: ANNA, StoredAnswers(house.asks, house.guard))
    server = build("sop", tools.tools(), settings=house.settings, instructions="Runs.")
    http = Quiet(configured(around(server, house.settings, {}), HttpSettings(port=0)))
    task = asyncio.get_running_loop().create_task(http.serve())
    while not http.started:
        await asyncio.wait([task], timeout=0.01)
    yield f"http://127.0.0.1:{http.servers[0].sockets[0].getsockname()[1]}/mcp"
    http.should_exit = True
    await task


@pytest.mark.fault("R18")
async def test_a_run_whose_client_leaves_over_http_goes_on_ends_and_was_started_once(tmp_path: Path) -> None:
    house = RunHouse(tmp_path, clock=SystemClock(), workflows=None, hands_of=Held)
    house.library.add(TWO)
    hands = house.hands
    assert isinstance(hands, Held)
    async with house.running(looking=True), listening(house) as url:
        leaving = Client(url)
        more = {"mcp-method": "tools/call", "mcp-name": "start_run"}
        await leaving.send(call_body("start_run", WISH, 2, leaving.version), more)
        with anyio.fail_after(20):
            await hands.begun.wait()
        leaving.abort()
        hands.go_on.set()
        staying = Client(url)
        again = await got(staying, "start_run", **WISH)  # its answer was lost: the same key, the same run
        with anyio.fail_after(20):
            while (run := await got(staying, "get_run", run_id=again["run_id"]))["state"] != "succeeded":
                assert run["state"] in {"queued", "running"}, run
                await anyio.sleep(0.05)
        assert hands.effects() == ["do web-a", "do web-b"]
        assert run["audit_chain"].startswith("valid")
        staying.abort()
