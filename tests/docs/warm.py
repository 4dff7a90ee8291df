"""A process that has the suite loaded and forks for each command of a page: a hundred cost what one does.

    with warm(tmp_path) as stand:              # starts it, and ends all that it started
        stand.link(folder / "bin")             # one small file for each program of `programs.PROGRAMS`

A file in that folder hands its arguments, folder, environment and streams over a socket; a fork with exactly
these then is the program: ours for real, one of others as its checker in `programs` says. Bash sees an
ordinary program with an exit code.
"""

import array
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contracts.repository import ROOT

READY_S = 240.0
_CLIENT = """#!{python} -IS
import array, json, os, signal, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
asked = [{name!r}, sys.argv, os.getcwd(), dict(os.environ)]
line.sendmsg([b"?"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
line.sendall(json.dumps(asked).encode() + b"\\n")
told = line.makefile()
child = int(told.readline())
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda one, frame: os.kill(child, one))
sys.exit(int(told.readline() or 1))
"""


@dataclass(frozen=True)
class Stand:
    """A warm process."""

    address: str

    def link(self, folder: Path) -> None:
        """Put the programs where a PATH can find them."""
        from tests.docs.programs import PROGRAMS

        folder.mkdir(parents=True)
        for name in PROGRAMS:
            text = _CLIENT.format(python=sys.executable, address=self.address, name=name)
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o755)


@contextmanager
def warm(folder: Path) -> Iterator[Stand]:
    """Start it, wait until it listens; at the end nothing that it started runs on."""
    address = str(folder / "warm.sock")
    command = [sys.executable, "-m", "tests.docs.warm", address]
    with (folder / "warm.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said == b"ready\n", (folder / "warm.log").read_text("utf-8")
        yield Stand(address)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        if process.stdout is not None:
            process.stdout.close()


def _become(asked: list[Any], streams: Sequence[int]) -> int:
    """Be the program in this fork; its exit code."""
    from tests.docs.programs import PROGRAMS

    name, arguments, folder, environment = asked
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()  # noqa: TID251 - this process is somebody else's from here on
    os.environ.update(environment)  # noqa: TID251
    sys.argv = arguments  # by which path it was called
    try:
        code = PROGRAMS[name](arguments[1:])
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001 - a checker's assertion is what a page is told
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _answer(line: socket.socket) -> None:
    """Fork for one command and tell its exit code."""
    streams = array.array("i")
    _, sent, _, _ = line.recvmsg(1, socket.CMSG_SPACE(3 * streams.itemsize))
    streams.frombytes(sent[0][2])
    asked = json.loads(line.makefile().readline())
    child = os.fork()
    if child == 0:
        line.close()
        os._exit(_become(asked, streams))
    line.sendall(f"{child}\n".encode())
    _, status = os.waitpid(child, 0)
    line.sendall(f"{os.waitstatus_to_exitcode(status) & 255}\n".encode())


def _reap() -> None:
    """Take leave of those that ended, so that what they cost is counted with this process."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def main(address: str) -> None:
    """Load everything once, then fork for each that asks."""
    from tests.docs.programs import load

    load()
    gc.freeze()
    door = socket.socket(socket.AF_UNIX)
    door.bind(address)
    door.listen(8)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    while True:
        line, _ = door.accept()
        _reap()
        if os.fork() == 0:
            door.close()
            _answer(line)
            os._exit(0)
        line.close()


if __name__ == "__main__":
    main(sys.argv[1])
