"""Places and turns: exact bounds, nobody takes them all, who leaves leaves nothing behind."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from aiops_shared.auth.callers import CallerIdentity, called_by
from aiops_shared.remote.asgi import Message, Receive, Scope, Send
from aiops_shared.remote.intake import Intake
from aiops_shared.remote.shedding import Shedding
from aiops_shared.remote.turns import BusyError, Turns
from aiops_shared.settings import HttpSettings

SCOPE: Scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": []}


class Slow:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.go_on, self.entered = anyio.Event(), 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.entered += 1
        await receive()
        await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


class Exchange:
    """A client of an ASGI application: what it hears, and when it leaves."""

    def __init__(self, caller: str = "ann") -> None:
        self.caller, self.left = caller, anyio.Event()
        self.status, self.answered = 0, anyio.Event()
        self.headers: dict[bytes, bytes] = {}
        self._sent = False

    async def receive(self) -> Message:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": b"{}", "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
            self.answered.set()

    async def through(self, app: Any) -> None:
        with called_by(CallerIdentity(self.caller)):
            await app({**SCOPE}, self.receive, self.send)


def layer(inner: Any, **settings: Any) -> tuple[Shedding, list[str]]:
    shed: list[str] = []
    return Shedding(inner, HttpSettings(**settings), True, shed.append), shed


async def settle() -> None:
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def under_way(app: Any, *exchanges: Exchange) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        for one in exchanges:
            tasks.start_soon(one.through, app)
            await settle()
        yield


async def test_places_and_queue_are_exact_and_one_more_is_told_when_to_come_again() -> None:
    slow = Slow()
    app, shed = layer(slow, concurrency=2, queue=1, queue_s=30, caller_share=1)
    every = [Exchange() for _ in range(4)]
    async with under_way(app, *every):
        assert (slow.entered, app.turns.under_way, app.turns.waiting) == (2, 2, 1)
        assert (every[3].status, every[3].headers[b"retry-after"]) == (503, b"2")
        slow.go_on.set()
    assert [one.status for one in every] == [200, 200, 200, 503]
    assert (app.turns.under_way, app.turns.waiting, shed) == (0, 0, ["overloaded"])


async def test_without_a_queue_nobody_waits() -> None:
    slow = Slow()
    app, _ = layer(slow, concurrency=1, queue=0, queue_s=30)
    first, second = Exchange(), Exchange()
    async with under_way(app, first, second):
        assert second.status == 503
        slow.go_on.set()
    assert first.status == 200


@pytest.mark.fault("R18")
async def test_who_leaves_while_waiting_frees_the_queue_and_takes_no_place() -> None:
    slow = Slow()
    app, shed = layer(slow, concurrency=1, queue=1, queue_s=30)
    first, second, third = Exchange(), Exchange(), Exchange()
    async with under_way(app, first, second):
        second.left.set()
        await settle()
        assert (app.turns.waiting, second.status, shed) == (0, 0, ["left"])
        async with under_way(app, third):
            assert app.turns.waiting == 1
            slow.go_on.set()
    assert (third.status, slow.entered) == (200, 2)


async def test_one_caller_leaves_places_for_others_and_hears_that_it_is_its_own_doing() -> None:
    slow = Slow()
    app, shed = layer(slow, concurrency=4, queue=10, queue_s=0.05, caller_share=0.75)
    greedy = [Exchange("greedy") for _ in range(5)]
    other = Exchange("other")
    async with under_way(app, *greedy, other):
        assert app.turns.held == {"greedy": 3, "other": 1}
        await anyio.sleep(0.1)
        slow.go_on.set()
    assert [one.status for one in greedy] == [200, 200, 200, 503, 503]  # by then nothing was free either
    assert other.status == 200

    app, shed = layer(Slow(), concurrency=4, queue=10, queue_s=0.02, caller_share=0.5)
    greedy = [Exchange("greedy") for _ in range(3)]
    async with anyio.create_task_group() as tasks:
        for one in greedy:
            tasks.start_soon(one.through, app)
        await greedy[2].answered.wait()
        tasks.cancel_scope.cancel()
    assert (greedy[2].status, shed, app.turns.under_way) == (429, ["caller_busy"], 0)


async def test_the_queue_is_shared_too_and_who_holds_least_is_next() -> None:
    turns = Turns(places=1, most_waiting=2)
    assert turns.take("greedy")
    order: list[str] = []

    async def want(caller: str) -> None:
        try:
            await turns.wait(caller, 30)
            order.append(caller)
            turns.leave(caller)
        except BusyError:
            order.append(f"{caller} shed")

    async with anyio.create_task_group() as tasks:
        for caller in ("greedy", "greedy", "modest"):
            tasks.start_soon(want, caller)
            await settle()
        assert (order, turns.waiting) == (["greedy shed"], 2)
        turns.leave("greedy")
    assert order[1:] in (["greedy", "modest"], ["modest", "greedy"])
    assert (turns.under_way, turns.waiting) == (0, 0)


async def test_a_cancelled_waiter_gives_back_even_a_place_that_it_was_just_given() -> None:
    app, _ = layer(Slow(), concurrency=1, queue=1, queue_s=30)
    assert app.turns.take("ann")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Exchange("bob").through, app)
        await settle()
        app.turns.leave("ann")  # given to bob, who is cancelled before he runs again
        tasks.cancel_scope.cancel()
    assert (app.turns.under_way, app.turns.waiting) == (0, 0)


@pytest.mark.parametrize("told", [b"900", b""])
async def test_bodies_are_bounded_together(told: bytes) -> None:
    shed: list[str] = []
    slow = Slow()
    app = Intake(slow, most_bytes=1_000, most_connections=10, shed=shed.append)
    app.held_bytes = 999
    one = Exchange()
    await app({**SCOPE, "headers": [(b"content-length", told)] if told else []}, one.receive, one.send)
    assert (one.status, one.headers[b"retry-after"], shed) == (503, b"2", ["bodies"])
    assert app.held_bytes == 999
    app.connections = lambda: 11
    two = Exchange()
    await app({**SCOPE}, two.receive, two.send)
    assert (two.status, two.headers[b"connection"], shed[1:]) == (503, b"close", ["connections"])
