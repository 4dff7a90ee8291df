"""A PostgreSQL of the machine's own, for one test module; skipped where none is installed."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def programs() -> Path | None:
    """The directory that holds initdb and pg_ctl; Debian keeps them out of PATH."""
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in reversed(places) if (place / "pg_ctl").exists()), None)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """A server on loopback, stopped afterwards; gives its SQLAlchemy URL."""
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL is installed")
    owner: dict[str, str] = {}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(directory, "nobody")
        owner = {"user": "nobody"}
    data, port = str(directory / "data"), _free_port()

    def call(program: str, *arguments: str) -> None:
        subprocess.run(
            [str(found / program), "-D", data, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=directory,
            **owner,  # type: ignore[call-overload]  # `user` is POSIX only
        )

    call("initdb", "-A", "trust", "-U", "aiops", "--no-sync")
    options = f"-p {port} -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off"
    call("pg_ctl", "-w", "-l", str(directory / "log"), "-o", options, "start")
    try:
        yield f"postgresql://aiops@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "-w", "-m", "immediate", "stop")
