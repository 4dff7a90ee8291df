"""A server process over HTTP, as `eks-aiops NAME --http` starts it.

async with http_server("gateway", environment, folder) as url:
    ...
"""

import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio

STARTS_WITHIN_S = 90.0  # a busy machine; it takes some seconds otherwise
_SAYS = re.compile(r"listening on (http://\S+)")


@asynccontextmanager
async def http_server(name: str, environment: dict[str, str], folder: Path) -> AsyncIterator[str]:
    """The URL of its MCP endpoint; its stderr is in `folder/NAME.log`."""
    log = folder / f"{name}.log"
    command = [sys.executable, "-m", "eks_aiops", name, "--http", "--port", "0"]
    with log.open("w", encoding="utf-8") as errors:
        process = await anyio.open_process(command, stdout=None, stderr=errors, env=environment, cwd=folder)
        try:
            yield await _url(process, log)
        finally:
            if process.returncode is None:
                process.terminate()
            with anyio.CancelScope(shield=True):
                await process.wait()


async def _url(process: anyio.abc.Process, log: Path) -> str:
    with anyio.fail_after(STARTS_WITHIN_S):
        while not (said := _SAYS.search(text := await anyio.Path(log).read_text("utf-8"))):
            assert process.returncode is None, text[-2000:]
            await anyio.sleep(0.05)
    return said[1]
