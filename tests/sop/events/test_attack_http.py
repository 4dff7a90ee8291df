"""POST /events under attack: who is slow, unclear, huge or many is refused with a code, and costs little."""

import gzip
import json
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.abc
import httpx
import pytest

from aiops_sop.clients.events_http import EventsApp, Tokens, hosts_of, listen
from tests.sop.events.samples import Named, seed_shape
from tests.sop.events.test_events_http import OTHER, TOKEN, door
from tests.sop.events.test_intake import Desk

EVENT = json.dumps(seed_shape(Named(0))).encode()
HEAD = f"POST /events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"


@asynccontextmanager
async def port_of(folder: Path, head_s: float) -> AsyncIterator[tuple[int, Desk]]:
    """A listening app whose patience is short."""
    desk, file = Desk(folder), folder / "tokens"
    await anyio.Path(file).write_text(f"eventbridge:{TOKEN}\n")
    app, told = EventsApp(desk.queue, Tokens.of(file), hosts_of("127.0.0.1")), anyio.Event()
    port: list[int] = []

    def started(number: int) -> None:
        port.append(number)
        told.set()

    async with anyio.create_task_group() as tasks:

        async def serve() -> None:
            await listen(app, "127.0.0.1", 0, started=started, head_s=head_s, connections=64)

        tasks.start_soon(serve)
        await told.wait()
        yield port[0], desk
        tasks.cancel_scope.cancel()


async def said(client: httpx.AsyncClient, raw: bytes) -> bytes:
    """What the server answers to these bytes, until it closes or has answered for a moment."""
    found = b""
    async with await anyio.connect_tcp("127.0.0.1", client.base_url.port or 0) as stream:
        await stream.send(raw)
        with anyio.move_on_after(0.5):
            while True:
                try:
                    found += await stream.receive()
                except (anyio.EndOfStream, anyio.BrokenResourceError):
                    break
    return found


def statuses(raw: bytes) -> list[int]:
    """Of the answers that stand one after the other."""
    return [int(part[:3]) for part in raw.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.threat("T3")
@pytest.mark.threat("T11")
async def test_what_two_readers_could_read_differently_is_refused(tmp_path: Path) -> None:
    async with door(tmp_path) as (client, desk):
        length = f"Content-Length: {len(EVENT)}\r\n"
        chunked = f"Transfer-Encoding: chunked\r\n\r\n{len(EVENT):x}\r\n".encode() + EVENT + b"\r\n0\r\n\r\n"
        hidden = f"POST /events HTTP/1.1\r\nHost: x\r\n{length}\r\n".encode() + EVENT
        for head, body in (
            (HEAD + f"Authorization: Bearer {OTHER}\r\n{length}\r\n", EVENT),  # whose event is it?
            (HEAD.replace("Bearer ", "Bearer x") + f"Authorization: Bearer {TOKEN}\r\n{length}\r\n", EVENT),
            (HEAD + f"Host: evil.example\r\n{length}\r\n", EVENT),
            (HEAD + f"{length}Content-Length: 3\r\n\r\n", EVENT),
            (HEAD + "Content-Length: -1\r\n\r\n", EVENT),
            (HEAD + "Content-Length: ²\r\n\r\n", EVENT),
            (HEAD + "Content-Length: 99999999999999999999\r\n\r\n", EVENT),
            (HEAD + "Transfer-Encoding: chunked, identity\r\n\r\n", EVENT),
            (HEAD + "Transfer-Encoding : chunked\r\n\r\n", EVENT),
            (HEAD + "X: a\r\n\tb\x00\r\n\r\n", EVENT),
            (HEAD + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", EVENT),
            (HEAD + "X: " + "a" * 100_000 + "\r\n\r\n", EVENT),
        ):
            codes = statuses(await said(client, head.encode("latin-1") + body))
            assert codes, head[-80:]
            assert all(400 <= code < 500 for code in codes), (head[-80:], codes)
        assert await desk.rows() == []
        # Both lengths: it counts as chunked, and what stands behind is no request with anybody's rights.
        both = HEAD.encode() + b"Content-Length: 5\r\n" + chunked + hidden
        codes = statuses(await said(client, both))
        assert 202 not in codes[1:], codes
        assert len(await desk.rows()) <= 1


@pytest.mark.threat("T14")
async def test_nothing_is_unpacked_and_no_form_is_read(tmp_path: Path) -> None:
    async with door(tmp_path) as (client, desk):
        bomb = gzip.compress(b'{"reason": "' + b"x" * 200_000_000 + b'"}', 1)[:1_000_000]
        for kind in ("gzip", "deflate", "br", "gzip, identity", "compress"):
            more = {"content-encoding": kind, "content-type": "application/json"}
            assert (await client.post("/events", content=bomb, headers=more)).status_code == 415
        for kind in (
            *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/html"),
            *("application/xml", "application/octet-stream", "*/*", "application/json\x7f"),
        ):
            answer = await client.post("/events", content=EVENT, headers={"content-type": kind})
            assert answer.status_code == 415, kind
        assert await desk.rows() == []
        for number, kind in enumerate(
            ("application/json; charset=utf-8", "text/plain", "application/cloudevents+json")
        ):
            sent = json.dumps(seed_shape(Named(number)))
            answer = await client.post("/events", content=sent, headers={"content-type": kind})
            assert answer.status_code == 202, (kind, answer.text)


@pytest.mark.threat("T14")
async def test_an_upload_without_an_end_is_cut_off(tmp_path: Path) -> None:
    """A hundred megabytes in chunks, by a stranger and by a sender: refused, and not kept."""
    async with door(tmp_path) as (client, desk):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for token, status in ((TOKEN, 413), ("nobody" * 5, 401)):
            head = HEAD.replace(TOKEN, token) + "Transfer-Encoding: chunked\r\n\r\n"
            chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
            async with await anyio.connect_tcp("127.0.0.1", client.base_url.port or 0) as stream:
                await stream.send(head.encode())
                sent = 0
                with anyio.move_on_after(10):
                    try:
                        while sent < 1600:
                            await stream.send(chunk)
                            sent += 1
                    except (anyio.BrokenResourceError, anyio.EndOfStream):
                        pass
                    assert statuses(await stream.receive()) == [status]
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown_kb < 30_000, grown_kb
        assert await desk.rows() == []


@pytest.mark.threat("T10")
async def test_slow_connections_do_not_keep_the_others_out(tmp_path: Path) -> None:
    """More of them than may be open: some silent, some with a byte now and then, some that were refused."""
    async with port_of(tmp_path, head_s=0.4) as (port, desk):
        silent = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(80)]
        for number, stream in enumerate(silent):
            if number % 3 == 1:
                await stream.send(HEAD[: 20 + number % 7].encode())
            if number % 3 == 2:  # kept alive by an answer, then slow
                await stream.send(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nPOST /ev")
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
            with anyio.fail_after(10):
                while True:
                    answer = await client.post("/events", content=EVENT)
                    if answer.status_code == 202:
                        break
                    assert answer.status_code == 503
                    for stream in silent:
                        await trickled(stream)
                    await anyio.sleep(0.1)
        for stream in silent:
            await stream.aclose()
        assert len(await desk.rows()) == 1


async def trickled(stream: anyio.abc.ByteStream) -> None:
    """One more byte, if anybody still listens."""
    try:
        await stream.send(b"x")
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        return


@pytest.mark.threat("T10")
async def test_five_hundred_at_once_are_taken_or_told_to_come_again(tmp_path: Path) -> None:
    async with door(tmp_path, queue=100) as (client, desk):
        found: list[int] = []
        limits = httpx.Limits(max_connections=500, max_keepalive_connections=0)
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=client.base_url, headers=headers, limits=limits) as many:

            async def one(number: int) -> None:
                body = {"reason": "Odd", "cluster": "c", "namespace": "a", "name": f"web-{number % 150}"}
                found.append((await many.post("/events", json=body, timeout=25)).status_code)

            async with anyio.create_task_group() as tasks:
                for number in range(500):
                    tasks.start_soon(one, number)
        assert len(found) == 500
        assert set(found) <= {202, 429, 503}
        assert found.count(202) >= 64
        assert len(await desk.rows()) <= 151  # each once, and the storm that they are
