"""One lab for a module of the observatory, and a client of each room."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest_asyncio

from aiops_lab.run import Lab
from tests.lab_fixture import running_lab


@dataclass
class Room:
    """One backend of a lab."""

    lab: Lab
    client: httpx.AsyncClient

    @property
    def now_s(self) -> float:
        """World time."""
        return self.lab.clock.now().timestamp()

    async def ask(self, path: str, **params: Any) -> httpx.Response:
        """GET a path of the API; `match` stands for `match[]`."""
        given = {("match[]" if name == "match" else name): value for name, value in params.items()}
        return await self.client.get(f"api/v1/{path}", params=given)

    async def data(self, path: str, **params: Any) -> Any:
        """The data of an answer that must succeed."""
        answer = await self.ask(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def query(self, text: str, **params: Any) -> list[dict[str, Any]]:
        """The vector of an instant query."""
        found: list[dict[str, Any]] = (await self.data("query", query=text, **params))["result"]
        return found

    async def number(self, text: str) -> float:
        """The value of an instant query with one series."""
        (one,) = await self.query(text)
        return float(one["value"][1])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room() -> AsyncIterator[Room]:
    """The Prometheus of a healthy world; tests that change its telemetry reset it."""
    # A little after noon, of yesterday: by night the world's CronJobs end, which a real Prometheus without
    # staleness markers sees five minutes late; and what is older than its retention it would drop.
    start = datetime.now(UTC).replace(hour=13, minute=40, second=12, microsecond=0) - timedelta(days=1)  # noqa: TID251
    async with running_lab(start=start) as lab:
        url = f"{lab.observatory.url}/prometheus/"
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
            yield Room(lab, client)


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(room: Room) -> AsyncIterator[Room]:
    """The same for a test that changes the world, which is told anew afterwards."""
    yield room
    room.lab.reset("healthy", 0)
