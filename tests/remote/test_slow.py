"""Slow clients: whoever takes too long with a head, a body or an answer is cut off, others are answered."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import pytest_asyncio

from bench.http_client import HANDSHAKE, Client, call_body
from tests.remote.ending import Process, process

SLOW = 60


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def impatient(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    folder: Path = tmp_path_factory.mktemp("state")
    settings: dict[str, Any] = {
        "AIOPS_HTTP_HEAD_S": "1",
        "AIOPS_HTTP_WRITE_S": "1",
        "AIOPS_HTTP_CONCURRENCY": "4",
        "AIOPS_HTTP_QUEUE": "4",
        "AIOPS_HTTP_MAX_REQUEST_BYTES": "20000",
    }
    async with process(folder, **settings) as one:
        yield one


async def opened(one: Process) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    at = httpx.URL(one.url)
    return await asyncio.open_connection(at.host, at.port)


async def ended(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """What came until the server closed the connection."""
    with anyio.fail_after(15):
        try:
            found = await reader.read()
        except ConnectionError:
            found = b""
    writer.transport.abort()
    return found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.threat("T11")
async def test_heads_that_come_byte_by_byte_are_cut_off_and_keep_nobody_out(impatient: Process) -> None:
    """BI-122."""
    slow = [await opened(impatient) for _ in range(SLOW)]
    for number, (_, writer) in enumerate(slow):
        writer.write(b"P" if number % 2 else b"")  # some do not even begin
    client = Client(impatient.url)
    assert (await client.call("seen")).good
    client.abort()
    for reader, writer in slow:
        assert await ended(reader, writer) == b""


@pytest.mark.asyncio(loop_scope="module")
async def test_a_body_that_does_not_come_holds_no_place(impatient: Process) -> None:
    head = b"POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100\r\n\r\n{"
    slow = [await opened(impatient) for _ in range(12)]  # more than places and queue
    for _, writer in slow:
        writer.write(head)
    client = Client(impatient.url)
    for _ in range(3):
        assert (await client.call("seen")).good
    client.abort()
    for _, writer in slow:
        writer.transport.abort()


@pytest.mark.asyncio(loop_scope="module")
async def test_an_answer_that_nobody_reads_gives_its_place_back(impatient: Process) -> None:
    body = call_body("talk", {"kilobytes": 12_000}, 1, HANDSHAKE)
    deaf = [Client(impatient.url, HANDSHAKE) for _ in range(4)]
    for client in deaf:
        _, writer = await client.connected()
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # of a socket's transport
        await client.send(body)
    client = Client(impatient.url)
    began = time.monotonic()
    with anyio.fail_after(15):
        while not (await client.call("seen")).good:
            await anyio.sleep(0.2)
            assert time.monotonic() - began < 15
    client.abort()
    for one in deaf:
        one.abort()


@pytest.mark.asyncio(loop_scope="module")
async def test_request_line_headers_and_body_are_bounded(impatient: Process) -> None:
    reader, writer = await opened(impatient)
    writer.write(b"GET /healthz?" + b"a" * 40_000 + b" HTTP/1.1\r\nhost: 127.0.0.1\r\n")
    assert b" 400 " in (await ended(reader, writer)).split(b"\r\n")[0] + b" "
    client = Client(impatient.url)
    assert (await client.post(b"{" + b" " * 20_000)).status == 413
    client.abort()
