"""Many callers with equal request ids at once: nobody is answered for another (T12, T4)."""

import json
import os
from typing import Any

import anyio
import httpx
import pytest
from fastmcp import FastMCP
from fastmcp.tools import Tool

from aiops_shared.app import build
from aiops_shared.app.lazily import lazily
from aiops_shared.auth.acting import Acting, acting, as_itself, as_nobody, carried
from aiops_shared.auth.callers import CallerIdentity, alone, called_by
from aiops_shared.clock import SystemClock
from aiops_shared.guardrails.lifetimes import Lifetime
from aiops_shared.remote.application import around
from aiops_shared.remote.bearers import Bearers
from aiops_shared.settings import Settings
from tests.remote.issuer import modern, modern_headers

ROUNDS = int(os.environ.get("AIOPS_TEST_ROUNDS", "300"))  # noqa: TID251  # 10,000: docs/identity.md
CALLERS = 20


def _who() -> str:
    now = acting()
    return now.who.name if now else ""


class Part:
    """Made by the first call, used by all."""

    def name(self) -> str:
        return _who()


def echo_server() -> FastMCP:
    part = lazily(Part)

    async def whoami(nonce: str) -> dict[str, Any]:
        """Who asks, seen from everywhere that work of a call may be done."""
        found = [_who(), part.name()]
        await anyio.lowlevel.checkpoint()

        async def in_a_task() -> None:
            await anyio.lowlevel.checkpoint()
            found.append(_who())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(in_a_task)
        found.append(_who())
        if nonce.endswith("0"):
            found.append(await anyio.to_thread.run_sync(_who))
        return {"summary": nonce, "seen": sorted(set(found))}

    tools = [Tool.from_function(whoami, tags={"read"}, output_schema=None)]
    return build("eks", tools, settings=Settings(), instructions="x")


class NamedByToken:
    """Stands for `tokens.Tokens`, which tests/remote/test_tokens holds: the token is the name."""

    async def caller(self, token: str) -> CallerIdentity:
        await anyio.lowlevel.checkpoint()
        return CallerIdentity(token, scopes=frozenset({"aiops:read"}))


def answer_of(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    text = response.text
    if "data:" in text:
        text = next(line[5:] for line in text.splitlines() if line.startswith("data:"))
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.timeout(600 if ROUNDS > 1000 else 60)
@pytest.mark.threat("T12")
async def test_interleaved_rounds_of_equal_ids_give_no_foreign_answer() -> None:
    settings = Settings()
    server = echo_server()
    app = around(server, settings, {"whoami": "aiops:read"})
    layer: Any = app.outermost
    while not isinstance(layer, Bearers):
        layer = layer.inner
    object.__setattr__(layer, "tokens", NamedByToken())
    foreign: list[str] = []
    answered = 0

    async def rounds_of(number: int, client: httpx.AsyncClient) -> None:
        nonlocal answered
        name = f"caller-{number}"
        for turn in range(ROUNDS // CALLERS):
            nonce = f"{name}/{turn}"
            body = modern("tools/call", {"name": "whoami", "arguments": {"nonce": nonce}})
            headers = modern_headers(body)
            if (number + turn) % 2:  # the older protocol, without the headers of 2026-07-28
                body["params"].pop("_meta")
                headers = {
                    "content-type": "application/json",
                    "accept": "application/json, text/event-stream",
                    "mcp-protocol-version": "2025-06-18",
                }
            headers["authorization"] = f"Bearer {name}"
            found = answer_of(await client.post("/mcp", json=body, headers=headers))
            said = json.loads(found["result"]["content"][0]["text"])
            answered += 1
            if found["id"] != 1 or said["summary"] != nonce or said["seen"] != [name]:
                foreign.append(f"{name}: {found}")

    transport = httpx.ASGITransport(app)
    async with (
        running(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        anyio.create_task_group() as tasks,
    ):
        for number in range(CALLERS):
            tasks.start_soon(rounds_of, number, client)
    assert not foreign, foreign[:3]
    assert answered == ROUNDS // CALLERS * CALLERS


class running:  # noqa: N801  # read as a verb
    """The lifespan of an ASGI application, which httpx's transport does not speak."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __aenter__(self) -> None:
        self._send, receive = anyio.create_memory_object_stream[dict[str, str]](4)
        send, self._receive = anyio.create_memory_object_stream[dict[str, str]](4)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._theirs = (receive, send)
        self._tasks.start_soon(self._app, {"type": "lifespan", "state": {}}, receive.receive, send.send)
        await self._send.send({"type": "lifespan.startup"})
        said = await self._receive.receive()
        assert said["type"] == "lifespan.startup.complete", said

    async def __aexit__(self, *error: object) -> None:
        await self._send.send({"type": "lifespan.shutdown"})
        await self._receive.receive()
        await self._tasks.__aexit__(None, None, None)
        for stream in (self._send, self._receive, *self._theirs):
            await stream.aclose()


async def test_work_that_outlives_its_request_does_not_keep_its_caller_by_accident() -> None:
    seen: dict[str, str] = {}
    lifetime = Lifetime(SystemClock())
    done = anyio.Event()

    async def adopted() -> None:
        seen["launched in anna's request"] = _who()
        with carried(Acting(CallerIdentity("bob"), "run_1")):
            now = acting()
            assert now is not None
            seen["carried for bob"] = f"{now.who.name} in {now.run}"
            seen["in a thread"] = await anyio.to_thread.run_sync(_who)
        seen["afterwards"] = _who()
        done.set()

    async with lifetime.open():
        with called_by(CallerIdentity("anna")):
            lifetime.launch(adopted)
            await done.wait()
            seen["anna's request"] = _who()
            with as_nobody():
                seen["nobody"] = _who()
                assert not alone()
            with as_itself():
                assert alone()
                seen["itself"] = _who()
                with called_by(CallerIdentity("eve")):  # a caller named inside is that caller again
                    assert not alone()
            assert _who() == "anna"
    assert seen == {
        "launched in anna's request": "",
        "carried for bob": "bob in run_1",
        "in a thread": "bob",
        "afterwards": "",
        "anna's request": "anna",
        "nobody": "",
        "itself": "",
    }
