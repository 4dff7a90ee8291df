"""Progress of long calls as clients hear it, in both generations, in memory and over HTTP (D34)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from fastmcp import Client, FastMCP
from fastmcp.tools.function_tool import FunctionTool

from aiops_shared.app import build, progressing
from aiops_shared.errors import NotFoundError
from aiops_shared.params import READS
from aiops_shared.results import Answer
from aiops_shared.results.progress import counting, progress
from aiops_shared.settings import Settings
from tests.remote.issuer import remote_settings, served

CANARY = "AKIAIOSFODNN7EXAMPLE"
Heard = list[tuple[float, float | None, str | None]]


async def walk(parts: int = 3) -> Answer:
    """Walk."""
    with counting(parts) as told:
        for part in range(parts):
            progress(99, 100, "inside of a part: not heard")
            told.done(f"part {part}\x1b[31m {CANARY}")
            await anyio.lowlevel.checkpoint()
    return Answer(summary="there")


async def stumble() -> Answer:
    """Stumble."""
    progress(1, 2, "half")
    raise NotFoundError("stone", "it lay there", "")


async def thread() -> Answer:
    """Work in a thread."""
    await anyio.to_thread.run_sync(progress, 1, 2, "from a thread")
    return Answer(summary="there")


async def rest() -> Answer:
    """Say nothing for a while."""
    await anyio.sleep(0.15)
    return Answer(summary="rested")


def server() -> FastMCP:
    tools = [FunctionTool.from_function(one, annotations=READS) for one in (walk, stumble, thread, rest)]
    return build("t", tools, settings=Settings(), instructions="")


@asynccontextmanager
async def clients(folder: Path) -> AsyncIterator[list[Client[Any]]]:
    """One of each generation, in memory and over HTTP."""
    made = server()
    async with (
        served(made, remote_settings(None, folder, public_url="")) as place,
        Client(server()) as modern,
        Client(server(), mode="legacy") as legacy,
        place.client() as far,
        place.client(mode="legacy") as far_legacy,
    ):
        yield [modern, legacy, far, far_legacy]


async def called(client: Client[Any], tool: str) -> tuple[Heard, Any]:
    heard: Heard = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    return heard, await client.call_tool(tool, progress_handler=hear, raise_on_error=False)


async def test_every_client_hears_each_part_redacted_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progressing, "EVERY_S", 0.02)
    monkeypatch.setattr(progressing, "LAST_WORD_S", 10.0)
    async with clients(tmp_path) as every:
        for client in every:
            monkeypatch.setattr(progressing, "BEAT_S", 60.0)
            heard, done = await called(client, "walk")
            assert [(at, of) for at, of, _ in heard] == [(1, 3), (2, 3), (3, 3)]
            assert [str(says)[:6] for _, _, says in heard] == ["part 0", "part 1", "part 2"]
            assert CANARY not in str(heard)
            assert "\x1b" not in str(heard)
            assert done.structured_content["summary"] == "there"
            heard, done = await called(client, "stumble")
            assert heard == [(1, 2, "half")]
            assert done.content[0].text.startswith("[not_found] stone")
            heard, _ = await called(client, "thread")
            assert heard == [(1, 2, "from a thread")]
            monkeypatch.setattr(progressing, "BEAT_S", 0.05)
            heard, _ = await called(client, "rest")
            assert heard, "who says nothing is at work"
            assert "at work for" in str(heard[0][2])
            values = [at for at, _, _ in heard]
            assert values == sorted(set(values))
            plain = await client.call_tool("walk")  # nobody asked: nothing is said, nothing breaks
            assert plain.structured_content == {"summary": "there"}


async def test_a_client_that_cannot_be_told_harms_no_call(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastmcp import Context

    tried: list[float] = []

    async def broken(
        context: Context, at: float, total: float | None = None, says: str | None = None
    ) -> None:
        del context, total, says
        tried.append(at)
        raise ConnectionError("gone")

    monkeypatch.setattr(Context, "report_progress", broken)
    async with Client(server()) as client:
        heard, done = await called(client, "walk")
    assert heard == []
    assert tried == [1]
    assert done.structured_content == {"summary": "there"}
