"""Starts `tests.remote.loaded` (or any server that says where it listens) and reads what it says."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio

from aiops_shared.settings import inherited

LOADED = (sys.executable, "-m", "tests.remote.loaded")
ROOT = Path(__file__).resolve().parents[2]


class Process:
    """A server in a process: its URL, its lines, its end."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process, self.url = process, ""
        self.lines: list[str] = []
        self._said = asyncio.Condition()

    async def read(self) -> None:
        """Every line that it says, until it ends."""
        assert self.process.stderr is not None
        while line := (await self.process.stderr.readline()).decode():
            async with self._said:
                self.lines.append(line.strip())
                self._said.notify_all()

    async def heard(self, text: str, times: int = 1) -> str:
        """The line with this text, once it was said so often."""

        def found() -> list[str]:
            return [line for line in self.lines if text in line]

        with anyio.fail_after(25):
            async with self._said:
                await self._said.wait_for(lambda: len(found()) >= times)
        return found()[times - 1]

    def signal(self, number: int = signal.SIGTERM) -> None:
        """As the kubelet would."""
        self.process.send_signal(number)

    async def code(self) -> int:
        """How it ended."""
        with anyio.fail_after(25):
            return await self.process.wait()


@asynccontextmanager
async def process(
    folder: Path, /, *, command: tuple[str, ...] = LOADED, **env: str
) -> AsyncIterator[Process]:
    """The server, listening; killed at the end if it still runs."""
    own = {"AIOPS_HTTP_PORT": "0", "AIOPS_STATE_DIR": str(folder), "FASTMCP_LOG_LEVEL": "ERROR"}
    every = {**inherited("PATH", "HOME", "LANG", "PYTHONPATH"), **own, **env}
    started = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=every,
        stderr=asyncio.subprocess.PIPE,
    )
    one = Process(started)
    reading = asyncio.get_running_loop().create_task(one.read())
    try:
        one.url = (await one.heard("listening on")).split()[-1]
        yield one
    finally:
        with suppress(ProcessLookupError):
            started.kill()
        await started.wait()
        await reading
