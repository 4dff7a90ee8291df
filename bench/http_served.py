"""A lab behind a network, and our server over HTTP on it: what the load of `http_load` is put upon."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from threading import Event
from typing import Any, Final

from bench.talking import talking

LATENCY_MS: Final = 20
START_S: Final = 180.0


@dataclass(frozen=True)
class Served:
    """Our server over HTTP."""

    url: str
    pid: int
    process: "subprocess.Popen[str]"

    def at_rest(self) -> tuple[int, int, int]:
        """Its threads, its sockets, its places taken: what a leak would add to."""
        here = Path(f"/proc/{self.pid}")
        threads = len(list((here / "task").iterdir()))
        links = [link for link in (here / "fd").iterdir() if _is_socket(link)]
        return threads, len(links), int(self.metric("aiops_http_places_taken"))

    def metric(self, name: str) -> float:
        """One value of its /metrics."""
        import httpx

        page = httpx.get(self.url.replace("/mcp", "/metrics"), timeout=30, trust_env=False).text
        return float(next(line.split()[-1] for line in page.splitlines() if line.startswith(f"{name} ")))


def _is_socket(link: Path) -> bool:
    try:
        return os.readlink(link).startswith("socket:")
    except OSError:
        return False


@contextmanager
def lab(base: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """A lab behind a network; the environment of a server on it."""
    with talking([sys.executable, "-m", "bench.slow_lab", str(LATENCY_MS)], base) as child:
        said = child.hear()
        cluster = said.pop("cluster")
        said.pop("AIOPS_TIME_SOURCE")  # a server has its own clock; asking the lab's is no part of a read
        yield {**base, **said, "AIOPS_KUBE_CONTEXT": cluster, "FASTMCP_LOG_LEVEL": "ERROR"}


@contextmanager
def served(environment: Mapping[str, str], **settings: object) -> Iterator[Served]:
    """The eks server over HTTP on a free port; `settings`: of AIOPS_HTTP_*."""
    own = {f"AIOPS_HTTP_{name.upper()}": str(value) for name, value in settings.items()}
    with TemporaryDirectory() as state, TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "eks_aiops", "eks", "--http", "--port", "0"],
            env={**environment, "AIOPS_STATE_DIR": state, **own},
            stderr=errors,
            text=True,
        )
        try:
            yield Served(_said(process, errors), process.pid, process)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _said(process: "subprocess.Popen[str]", errors: Any) -> str:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        errors.seek(0)
        for line in errors:
            if "listening on" in line:
                return str(line.split()[-1])
        Event().wait(0.05)
    raise RuntimeError("the server does not listen")
