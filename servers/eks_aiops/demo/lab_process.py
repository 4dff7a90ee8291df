"""The lab as a child process, and what its export file says."""

import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import Process

from aiops_shared.errors import UpstreamTimeoutError

START_WITHIN_S = 60.0


def exported(text: str) -> dict[str, str]:
    """The variables of an export file (`export NAME='value'` lines)."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if len(words) == 2 and words[0] == "export":
            name, _, value = words[1].partition("=")
            found[name] = value
    return found


async def _appears(file: Path, process: Process) -> None:
    """Wait for the file that a child writes when it is ready, or for the child's end."""
    while True:
        if await anyio.Path(file).exists() or process.returncode is not None:
            return
        await anyio.sleep(0.05)


@asynccontextmanager
async def lab(scenario: str, seed: int, folder: Path) -> AsyncIterator[dict[str, str]]:
    """Start `eks-aiops lab up`, wait until everything answers, stop it at the end."""
    export = folder / "lab.env"
    command = [sys.executable, "-m", "eks_aiops", "lab", "up"]
    command += ["--scenario", scenario, "--seed", str(seed), "--export", str(export)]
    process = await anyio.open_process(command, stdout=subprocess.DEVNULL, stderr=None)
    try:
        with anyio.move_on_after(START_WITHIN_S):
            await _appears(export, process)
        if not export.exists():
            raise UpstreamTimeoutError(
                "lab", f"did not start within {START_WITHIN_S:.0f} s", "see the lines above"
            )
        yield exported(export.read_text(encoding="utf-8"))
    finally:
        if process.returncode is None:
            process.terminate()
        with anyio.move_on_after(10, shield=True):
            await process.wait()
        if process.returncode is None:
            process.kill()
        await process.aclose()
