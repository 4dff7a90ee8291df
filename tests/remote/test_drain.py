"""The end of a server (R22): what it says, what it finishes, what it cuts; and clients that leave (R18)."""

import re
import signal
import socket
from pathlib import Path

import anyio
import httpx
import pytest

from aiops_shared.remote.running import ECHO_S
from bench.http_client import HANDSHAKE, MODERN, Client, GoneError, call_body
from tests.remote.ending import Process, process


def get(one: Process, path: str) -> httpx.Response:
    return httpx.get(one.url.replace("/mcp", path), timeout=10, trust_env=False)


async def probe(one: Process, path: str) -> httpx.Response:
    return await anyio.to_thread.run_sync(get, one, path)


@pytest.mark.fault("R22")
async def test_at_sigterm_nothing_new_is_taken_what_is_under_way_finishes_and_the_code_is_0(
    tmp_path: Path,
) -> None:
    gate = tmp_path / "go-on"
    with socket.create_server(("127.0.0.1", 0)) as free:
        beside = f"127.0.0.1:{free.getsockname()[1]}"
    async with process(tmp_path, AIOPS_HTTP_DRAIN_S="60", AIOPS_HTTP_METRICS_LISTEN=beside) as one:
        page = await anyio.to_thread.run_sync(lambda: httpx.get(f"http://{beside}/metrics", trust_env=False))
        assert "aiops_http_connections 0" in page.text
        assert (await probe(one, "/readyz")).status_code == 200
        answers: list[tuple[int, str]] = []

        async def call(client: Client) -> None:
            answer = await client.call("hold", until=str(gate))
            client.abort()
            answers.append((answer.status, answer.body.decode()))

        idle, late = Client(one.url), Client(one.url)
        assert (await idle.call("seen")).good
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, Client(one.url))
            tasks.start_soon(call, Client(one.url, HANDSHAKE))  # an answer that streams
            await one.heard("holding", 2)
            one.signal()
            ready = await not_ready(one)
            assert (ready.status_code, ready.json()["process"]) == (503, "draining")
            assert (await probe(one, "/healthz")).status_code == 200
            for client in (late, idle):
                refused = await client.call("seen")
                assert (refused.status, refused.headers["retry-after"]) == (503, "1")
                assert refused.headers["connection"] == "close"
                assert b"shutting_down" in refused.body
            gate.touch()
        assert [status for status, _ in answers] == [200, 200]
        assert all("held" in body for _, body in answers)
        assert await one.code() == 0
        assert "'ended': 2" in await one.heard("lifespan ended")  # it outlived the requests


@pytest.mark.fault("R22")
async def test_runs_are_handed_over_beside_the_drain_and_not_after_it(tmp_path: Path) -> None:
    """A drain and the longest step do not add up: both begin at the signal."""
    gate = tmp_path / "go-on"
    async with process(tmp_path, AIOPS_HTTP_DRAIN_S="60") as one:
        client, answers = Client(one.url), []

        async def call() -> None:
            answers.append((await client.call("hold", until=str(gate))).status)
            client.abort()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await one.heard("holding")
            one.signal()
            with anyio.move_on_after(15):
                await one.heard("the run is handed over")
            handed_over, answered = any("handed over" in line for line in one.lines), list(answers)
            gate.touch()
        assert (handed_over, answered) == (True, [])  # a request was under way still
        assert answers == [200]
        assert await one.code() == 0


@pytest.mark.fault("R22")
async def test_what_takes_longer_than_the_drain_is_cut_and_told_so(tmp_path: Path) -> None:
    async with process(tmp_path, AIOPS_HTTP_DRAIN_S="0.3") as one:
        plain, streamed = Client(one.url), Client(one.url, HANDSHAKE)
        found: dict[str, tuple[int, str]] = {}

        async def call(client: Client, name: str) -> None:
            answer = await client.call("rest", number=41, seconds=60)
            client.abort()
            found[name] = (answer.status, answer.body.decode())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, plain, "plain")
            tasks.start_soon(call, streamed, "streamed")
            await one.heard("resting", 2)
            one.signal(signal.SIGINT)
        assert found["plain"][0] == 503
        assert "another one answers" in found["plain"][1]
        assert found["streamed"][0] == 200
        assert '"id":41' in found["streamed"][1]
        assert "another one answers" in found["streamed"][1]
        assert await one.code() == 0
        assert "'cancelled': 2" in await one.heard("lifespan ended")
        assert "2 requests were cut" in await one.heard("were cut")


@pytest.mark.fault("R22")
async def test_a_second_signal_ends_the_process_at_once(tmp_path: Path) -> None:
    async with process(tmp_path) as one:
        client = Client(one.url)
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                with pytest.raises((GoneError, OSError)):
                    await client.call("rest", seconds=60)
                client.abort()

            tasks.start_soon(call)
            await one.heard("resting")
            one.signal()
            one.signal()  # a launcher passes on what the terminal sent as well
            await not_ready(one)
            await anyio.sleep(ECHO_S)
            one.signal()
            assert await one.code() == -signal.SIGTERM


@pytest.mark.fault("R18")
async def test_clients_that_leave_take_their_calls_with_them_and_leave_nothing_behind(tmp_path: Path) -> None:
    """BI-120; the thousand calls are in `bench.http_load`."""
    async with process(tmp_path, AIOPS_HTTP_CONCURRENCY="8", AIOPS_HTTP_QUEUE="0") as one:
        for version in ("2026-07-28", HANDSHAKE):
            for round_ in range(2):
                leaving = [Client(one.url, version) for _ in range(8)]
                async with anyio.create_task_group() as tasks:
                    for client in leaving:
                        tasks.start_soon(begin, client)
                    begun = (round_ + 1) * 8 + (16 if version == HANDSHAKE else 0)
                    await one.heard("resting", begun)
                for client in leaving:
                    client.abort()
                await emptied(one)
        staying = Client(one.url)
        seen = (await staying.call("seen")).result()["structuredContent"]
        assert seen == {"begun": 32, "cancelled": 32}
        staying.abort()


async def not_ready(one: Process) -> httpx.Response:
    """What the probe says once it says no."""
    with anyio.fail_after(10):
        while True:
            ready = await probe(one, "/readyz")
            if ready.status_code != 200:
                return ready
            await anyio.sleep(0.02)


async def begin(client: Client) -> None:
    more = {"mcp-method": "tools/call", "mcp-name": "rest"} if client.version == MODERN else {}
    await client.send(call_body("rest", {"seconds": 60}, 1, client.version), more)


async def emptied(one: Process) -> None:
    """Wait until no place is taken."""
    with anyio.fail_after(10):
        while True:
            page = (await probe(one, "/metrics")).text
            if re.search(r"^aiops_http_places_taken 0$", page, re.MULTILINE):
                return
            await anyio.sleep(0.05)
