"""One process of the suite that may die: the sop server with the other three in it, as one replica.

All four in one process, so that a kill takes the engine and the executor at the same instant; apart from that
they are what a user runs. It starts a run when told to, and carries on what others left.
"""

import json
from pathlib import Path
from typing import Any

import anyio
from fastmcp import Client

from aiops_cost.server import make as make_cost
from aiops_eks.server import make as make_eks
from aiops_observability.server import make as make_observability
from aiops_shared.settings import Settings
from aiops_sop.clients.promotion import StorePromotion
from aiops_sop.models.documents import Sop
from aiops_sop.server import make
from faults.points import Fuse, install


def live(wish: dict[str, Any]) -> None:
    """Until the file `stop` is there, or the fuse says otherwise."""
    fuse = wish.get("fuse") or {}
    trace = Path(fuse["trace"]) if fuse.get("trace") else None
    install(Fuse(**{**fuse, "trace": trace}))
    StorePromotion.promoted = _earned  # type: ignore[method-assign]  # who is asked is not what is tried here
    anyio.run(_serve, wish)


async def _earned(self: StorePromotion, sop: Sop) -> bool:
    return True


async def _serve(wish: dict[str, Any]) -> None:
    settings = Settings()
    given = {
        "eks": lambda: make_eks(settings),
        "observability": lambda: make_observability(settings),
        "cost": lambda: make_cost(settings),
    }
    async with Client(make(settings, given)) as client:
        if wish.get("run"):
            answer = await client.call_tool("start_run", wish["run"], raise_on_error=False)
            text = "".join(getattr(block, "text", "") for block in answer.content)
            said = {"error": text} if answer.is_error else dict(answer.structured_content or {})
            await anyio.Path(wish["started"]).write_text(json.dumps(said), encoding="utf-8")
        while not await anyio.Path(wish["stop"]).exists():  # a file: who writes it is no parent of ours
            await anyio.sleep(0.05)
