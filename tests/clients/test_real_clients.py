"""Every client gets the same from our server, over stdio and over HTTP, with and without a bearer token."""

from collections.abc import AsyncIterator
from importlib.metadata import version

import anyio
import pytest
import pytest_asyncio

from tests.clients.drivers import DRIVERS, UNLISTED, Seen
from tests.clients.packages import INSPECTOR, NPM, SDK_1, packages, sdk_1
from tests.clients.places import CAUSE, How, Place, standing
from tests.contracts.repository import ROOT
from tests.contracts.snapshots import listed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),
    pytest.mark.asyncio(loop_scope="module"),
]
PAGE = ROOT / "docs" / "clients.md"
WRITES = {"execute_plan", "undo_action"}
WAYS: tuple[How, ...] = ("stdio", "http", "bearer")
NAMED = {"stdio": "stdio", "http": "HTTP", "bearer": "HTTP, bearer"}
# The inspector is a process for each question, and a server for each over stdio: each era one way, one token.
TRIED: tuple[tuple[str, How], ...] = (
    *((client, how) for client in DRIVERS if "inspector" not in client for how in WAYS),
    ("inspector, modern", "stdio"),
    ("inspector, legacy", "http"),
    ("inspector, modern", "bearer"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    async with standing(tmp_path_factory.mktemp("place")) as found:
        yield found


@pytest.mark.row("S10")
@pytest.mark.parametrize(("client", "how"), TRIED, ids=[f"{client} {how}" for client, how in TRIED])
async def test_a_client_lists_diagnoses_and_is_refused_a_write(client: str, how: How, place: Place) -> None:
    await anyio.to_thread.run_sync(lambda: (packages(), sdk_1()))
    seen = await DRIVERS[client](place, how)
    assert seen.tools == {tool["name"] for tool in (await listed())["eks"]} - WRITES
    assert seen.findings == CAUSE
    assert seen.refused.startswith("[read_only]") or (seen.refused == UNLISTED and "inspector" in client)
    assert place.lab.requests.writes() == []
    assert row(client, how, seen) in PAGE.read_text(encoding="utf-8")


def row(client: str, how: How, seen: Seen) -> str:
    """Its line of docs/clients.md."""
    name, _, mode = client.partition(", ")
    package, number = {
        "fastmcp": ("fastmcp", version("fastmcp")),
        "mcp": ("mcp", version("mcp")),
        "mcp 1.x": ("mcp", SDK_1),
        "inspector": (INSPECTOR, NPM[INSPECTOR]),
    }[name]
    agreed = seen.protocol or {"modern": "2026-07-28", "legacy": "2025-11-25"}[mode]
    return f"| `{package}` {number} | {mode or 'default'} | {NAMED[how]} | {agreed} |"
