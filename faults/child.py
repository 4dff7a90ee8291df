"""One process of the suite that may die: the sop server with the other three in it, as one replica.

All four in one process, so that a kill takes the engine and the executor at the same instant; apart from that
they are what a user runs. It starts a run when told to, and carries on what others left.
"""

import json
import signal
from pathlib import Path
from typing import Any

import anyio
from fastmcp import Client

from aiops_cost.server import make as make_cost
from aiops_eks.server import make as make_eks
from aiops_observability.server import make as make_observability
from aiops_shared.settings import Settings, StateSettings
from aiops_sop.clients.promotion import StorePromotion
from aiops_sop.models.documents import Sop
from aiops_sop.server import make
from faults.points import Fuse, install


def live(wish: dict[str, Any]) -> None:
    """Until the file `stop` is there, or the fuse says otherwise."""
    fuse = wish.get("fuse") or {}
    files = {name: Path(fuse[name]) for name in ("trace", "once") if fuse.get(name)}
    install(Fuse(**{**fuse, **files}))
    StorePromotion.promoted = _earned  # type: ignore[method-assign]  # who is asked is not what is tried here
    anyio.run(_serve, wish)


async def _earned(self: StorePromotion, sop: Sop) -> bool:
    return True


def warm(folder: Path) -> None:
    """Start the suite once and end it: what it makes of its models then is there for every replica."""
    settings = Settings(write=True, state=StateSettings(dir=folder), time_source="system")
    anyio.run(_visit, settings)


async def _visit(settings: Settings) -> None:
    for server in (make(settings), make_eks(settings), make_observability(settings), make_cost(settings)):
        async with Client(server) as client:
            await client.list_tools()


async def _serve(wish: dict[str, Any]) -> None:
    settings = Settings()
    given = {
        "eks": lambda: make_eks(settings),
        "observability": lambda: make_observability(settings),
        "cost": lambda: make_cost(settings),
    }
    async with Client(make(settings, given)) as client:
        said: dict[str, Any] = {"error": "nothing was started"}
        if wish.get("run"):
            answer = await client.call_tool("start_run", wish["run"], raise_on_error=False)
            text = "".join(getattr(block, "text", "") for block in answer.content)
            said = {"error": text} if answer.is_error else dict(answer.structured_content or {})
            await anyio.Path(wish["started"]).write_text(json.dumps(said), encoding="utf-8")
        if wish.get("back") and "error" not in said:
            await _taken_back(client, str(said["run_id"]))
        await _until_stopped(anyio.Path(wish["stop"]))


async def _taken_back(client: "Client[Any]", run_id: str) -> None:
    """Once it succeeded, undo it."""
    state = "queued"
    while state in {"queued", "running", "waiting"}:
        await anyio.sleep(0.1)
        answer = await client.call_tool("get_run", {"run_id": run_id})
        state = str((answer.structured_content or {})["state"])
    if state == "succeeded":
        await client.call_tool("control_run", {"run_id": run_id, "action": "undo"})


async def _until_stopped(stop: anyio.Path) -> None:
    """Until the file is there (its writer is no parent of ours), or a SIGTERM, which ends a life in order."""

    async def told(scope: anyio.CancelScope) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM) as signals:
            async for _ in signals:
                scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(told, tasks.cancel_scope)
        while not await stop.exists():
            await anyio.sleep(0.05)
        tasks.cancel_scope.cancel()
