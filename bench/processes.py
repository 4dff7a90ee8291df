"""Starts a server as a client would and measures: wall time to the first tools/list, CPU, memory."""

import json
import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INITIALIZE: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "bench", "version": "1"},
    },
}


@dataclass(frozen=True)
class Started:
    """One cold start."""

    wall_s: float
    cpu_s: float
    rss_bytes: int
    listing: str


def _ticks(pid: int) -> tuple[float, int]:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
    cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return cpu_s, int(line.split()[1]) * 1024
    return cpu_s, 0


def cpu_s(pid: int) -> float:
    """CPU seconds that a process has used so far."""
    return _ticks(pid)[0]


def rss_bytes(pid: int) -> int:
    """Memory that a process holds now."""
    return _ticks(pid)[1]


def family(pid: int) -> list[int]:
    """A process and its descendants that live: some servers are a launcher and a program."""
    found = [pid]
    for one in found:  # grows while it is walked
        try:
            tasks = [*Path(f"/proc/{one}/task").iterdir()]
            found += [int(child) for task in tasks for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def peak_bytes(pid: int | str) -> int:
    """The most memory that a process has held so far (VmHWM)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def start_once(command: list[str], environment: dict[str, str]) -> Started:
    """Handshake of the older generation (every server speaks it), then tools/list."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    try:
        for message in (
            INITIALIZE,
            {"jsonrpc": "2.0", "method": "notifications/initialized"},
            {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
        ):
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()
            if message.get("id") == 1:
                process.stdout.readline()
        listing = process.stdout.readline()
        wall_s = time.perf_counter() - began
        held = [_ticks(one) for one in family(process.pid)]
        cpu_s, rss_bytes = sum(cpu for cpu, _ in held), sum(rss for _, rss in held)
    finally:
        process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return Started(wall_s, cpu_s, rss_bytes, listing)


def start_all(
    commands: dict[str, list[str]], environments: dict[str, dict[str, str]], runs: int
) -> dict[str, list[Started]]:
    """Every server `runs` times, in turn, so that a busy moment hits all alike; one warm-up each."""
    for name, command in commands.items():
        start_once(command, environments[name])
    found: dict[str, list[Started]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            found[name].append(start_once(command, environments[name]))
    return found


def median(values: list[float]) -> float:
    """The middle one."""
    return statistics.median(values)
