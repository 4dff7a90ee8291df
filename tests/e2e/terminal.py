"""Commands of ours as an operator types them: without a terminal, or in a real one (a pseudo terminal)."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import anyio
import anyio.to_thread

_CODE = re.compile(r"Type ([A-Z0-9]{5}) to approve")
_AT_MOST_S = 40.0


@dataclass(frozen=True)
class Ran:
    """What a command said, and its exit code."""

    code: int
    text: str


async def piped(environment: Mapping[str, str], *words: str) -> Ran:
    """In a shell without a terminal, as a model's tool runs it."""
    done = await anyio.run_process(
        [sys.executable, "-m", "eks_aiops", *words],
        env=dict(environment),
        input=b"YES\n",
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode() + done.stderr.decode())


async def in_terminal(environment: Mapping[str, str], *words: str, right_code: bool = True) -> Ran:
    """In a terminal of its own; types the code that the screen shows, or a wrong one."""
    return await anyio.to_thread.run_sync(_in_terminal, dict(environment), words, right_code)


def _in_terminal(environment: dict[str, str], words: tuple[str, ...], right_code: bool) -> Ran:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "eks_aiops", *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        return Ran(*_played(process, ours, right_code))
    finally:
        os.close(ours)
        if process.poll() is None:
            process.kill()
        process.wait()


def _played(process: subprocess.Popen[bytes], screen: int, right_code: bool) -> tuple[int, str]:
    text, typed, until = "", False, time.monotonic() + _AT_MOST_S
    while time.monotonic() < until:
        ready, _, _ = select.select([screen], [], [], 0.2)
        if ready:
            try:
                piece = os.read(screen, 65_536)
            except OSError:  # the terminal is closed once its last process is gone
                break
            if not piece:
                break
            text += piece.decode("utf-8", "replace")
        if not typed and (asked := _CODE.search(text)):
            os.write(screen, (asked[1] if right_code else "WRONG").encode() + b"\n")
            typed = True
    return process.wait(timeout=10), text
