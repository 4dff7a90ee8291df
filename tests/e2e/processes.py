"""The real server process over stdio on a lab in this test's loop, as a user's client would start it."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from aiops_lab.run import Lab
from aiops_shared.settings import inherited
from tests.e2e.stage import Era, Person

SERVER = ("-m", "eks_aiops", "eks")
_KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")  # of AIOPS_, AWS_ and agents' marks nothing


def environment(lab: Lab, folder: Path, identity: str = "lab-admin", **more: str) -> dict[str, str]:
    """Everything that the server process gets; it finds its cluster through the lab's AWS."""
    given = lab.export(identity)
    del given["KUBECONFIG"]
    return {
        **inherited(*_KEPT),
        **given,
        "HOME": str(folder),
        "AIOPS_STATE_DIR": str(folder / "state"),
        "AIOPS_CALLER_NAME": "anna",
        "AIOPS_SENSITIVE_READS": "true",
        **more,
    }


@asynccontextmanager
async def served(
    lab: Lab, folder: Path, person: Person | None = None, era: Era = "auto", **more: str
) -> AsyncIterator[Client[StdioTransport]]:
    """A FastMCP client of a server process; its stderr is in `folder/server.log`."""
    transport = StdioTransport(
        sys.executable,
        list(SERVER),
        env=environment(lab, folder, **more),
        cwd=str(folder),
        keep_alive=False,
        log_file=folder / "server.log",
    )
    handler: Any = person.answer if person is not None else None
    async with Client(transport, mode=era, elicitation_handler=handler) as client:
        yield client
