"""`python -m bench.http_load`: how the eks server behaves over HTTP under load, beside peers that speak HTTP.

Prints the page and, with --write, keeps it and its raw figures. Everything is on loopback; upstream is a lab
in a process of its own whose Kubernetes API answers 20 ms late. `--full`: ten minutes of load and an hour of
idle clients, as the target says; without it a minute each.

    --seconds N   of the load       --idle N     of the idle clients
    --only PART   stdio, load, idle, aborts, overload or peers
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any, Final

import anyio

from aiops_shared.settings import inherited
from bench.http_client import HANDSHAKE, MODERN, Client, GoneError, Tally, call_body, timed
from bench.http_page import http_page
from bench.http_peers import SERVED, Peer, opened, running
from bench.http_served import LATENCY_MS, Served, lab, served
from bench.keeping import keep, kept, machine
from bench.peers import command_of
from bench.processes import cpu_s, rss_bytes
from bench.rows import Row, met, told, verdict
from bench.talking import Child, talking

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "benchmarks-http.md"
SECONDS, IDLE_S = 60.0, 60.0  # of load and of idleness, so that all of `make bench` is over in 45 minutes
CLIENTS, IDLE, ABORTED = 100, 500, 1_000
TOOL: Final = "list_resources"
ASKS: Final = {"kind": "Service", "namespace": "default"}
PARTS: Final = ("stdio", "load", "idle", "aborts", "overload", "peers")
PLACES: Final = 16  # of the server that is overloaded: four times as many clients come


async def _crowd(
    url: str, tally: Tally, clients: int, seconds: float, version: str = MODERN, peer: Peer | None = None
) -> float:
    """So many clients call for so long, one call each at a time; the seconds that it took."""
    tool, asks = (peer.tool, peer.asks) if peer else (TOOL, ASKS)
    began = time.perf_counter()

    async def one() -> None:
        client = Client(url, version)
        if peer is not None and peer.sessions:
            await opened(client)
        while time.perf_counter() - began < seconds:
            answer = await timed(client, tally, tool, asks)
            if answer is not None and answer.status in {429, 503}:
                await anyio.sleep(0.25)  # a polite client waits longer: Retry-After says 2 s
        client.abort()

    await asyncio.gather(*(one() for _ in range(clients)))
    return time.perf_counter() - began


async def _warm(url: str, version: str = MODERN) -> None:
    client = Client(url, version)
    for _ in range(5):
        await timed(client, Tally(), TOOL, ASKS)
    client.abort()


def _raw_ms(environment: Mapping[str, str]) -> float:
    """p50 of the same request to the lab, made by a plain client on one connection."""
    import base64
    import ssl

    import httpx
    import yaml

    found = yaml.safe_load(Path(environment["KUBECONFIG"]).read_text(encoding="utf-8"))
    cluster, user = found["clusters"][0]["cluster"], found["users"][0]["user"]
    trust = ssl.create_default_context(
        cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
    )
    headers = {
        "authorization": f"Bearer {user['token']}",
        "accept": "application/json;as=Table;v=v1;g=meta.k8s.io",
    }
    took: list[float] = []
    with httpx.Client(verify=trust, headers=headers, trust_env=False, timeout=30) as client:
        for _ in range(30):
            began = time.perf_counter()
            client.get(f"{cluster['server']}/api/v1/namespaces/default/services").raise_for_status()
            took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)


def stdio(environment: Mapping[str, str]) -> list[Row]:
    """One client, one call after the other, over stdio."""
    raw = _raw_ms(environment)
    with (
        TemporaryDirectory() as state,
        talking(
            [sys.executable, "-m", "eks_aiops", "eks"], {**environment, "AIOPS_STATE_DIR": state}
        ) as server,
    ):
        server.greet()
        took = sorted(_call_ms(server) for _ in range(105))[:-5]
    p95 = took[int(0.95 * len(took))]
    says = f"{p95 - raw:.0f} ms (p95 {p95:.0f} ms, upstream {raw:.0f} ms)"
    return [("stdio, one client: p95 over the upstream's time", "< 100 ms", says, met(p95 - raw, 100))]


def _call_ms(server: Child) -> float:
    began = time.perf_counter()
    server.call(TOOL, **ASKS)
    return 1000 * (time.perf_counter() - began)


def load(environment: Mapping[str, str], seconds: float) -> list[Row]:
    """A hundred clients for a while, of the newest protocol and of the one before."""
    rows: list[Row] = []
    for version, share in ((MODERN, 1.0), (HANDSHAKE, 0.25)):
        with served(environment) as server:
            asyncio.run(_warm(server.url, version))
            tally, cpu = Tally(), cpu_s(server.pid)
            took_s = asyncio.run(_crowd(server.url, tally, CLIENTS, seconds * share, version))
            good = tally.ended.get("ok", 0)
            each_ms = 1000 * (cpu_s(server.pid) - cpu) / max(1, good)
        rate, p95 = good / took_s, tally.quantile_ms(0.95)
        what = f"HTTP {version}, {CLIENTS} clients"
        others = {kind: count for kind, count in tally.ended.items() if kind != "ok"}
        rows += [
            (
                f"{what}: cheap reads",
                ">= 150/s",
                f"{rate:.0f}/s over {took_s:.0f} s ({each_ms:.1f} ms CPU each)",
                verdict(rate >= 150),
            ),
            (f"{what}: p95", "< 500 ms", f"{p95:.0f} ms", verdict(p95 < 500)),
            (f"{what}: errors", "0", f"{others or 0} of {sum(tally.ended.values())}", verdict(not others)),
        ]
    return rows


def idle(environment: Mapping[str, str], seconds: float) -> list[Row]:
    """Five hundred clients that called once and stay connected, calling again before they are let go."""
    with served(environment, idle_s=3_600) as server:
        grown, still = asyncio.run(_idle(server, seconds))
    what = f"{IDLE} idle clients"
    return [
        (f"{what}: memory grown", "< 10 %", f"{grown:.1f} % over {seconds:.0f} s", verdict(grown < 10)),
        (f"{what}: still connected, and answered", str(IDLE), str(still), verdict(still == IDLE)),
    ]


async def _idle(server: Served, seconds: float) -> tuple[float, int]:
    tally = Tally()
    clients = [Client(server.url) for _ in range(IDLE)]
    for group in range(0, IDLE, 20):
        await asyncio.gather(*(timed(one, tally, TOOL, ASKS) for one in clients[group : group + 20]))
    before = rss_bytes(server.pid)
    await anyio.sleep(seconds)
    grown = 100 * (rss_bytes(server.pid) - before) / before
    again = Tally()
    kept = [one for one in clients if one.is_open]
    for group in range(0, len(kept), 20):
        await asyncio.gather(*(timed(one, again, TOOL, ASKS) for one in kept[group : group + 20]))
    for one in clients:
        one.abort()
    return grown, again.ended.get("ok", 0)


def aborts(environment: Mapping[str, str]) -> list[Row]:
    """A thousand calls, every tenth left in the middle."""
    with served(environment) as server:
        asyncio.run(_aborting(server.url, 100))  # what is opened once is opened
        _settled(server)
        before = server.at_rest()
        asyncio.run(_aborting(server.url, ABORTED))
        _settled(server)
        threads, sockets, places = (now - then for now, then in zip(server.at_rest(), before, strict=True))
        under_way = int(server.metric("aiops_http_requests_in_flight")) - 1  # the one that asks
    says = f"{threads} threads, {sockets} sockets, {places} places, {under_way} requests"
    good = threads <= 0 and sockets <= 0 and places <= 0 and under_way <= 0
    return [(f"{ABORTED:,} calls, every 10th aborted: left behind", "nothing", says, verdict(good))]


async def _aborting(url: str, calls: int) -> None:
    more = {"mcp-method": "tools/call", "mcp-name": TOOL}

    async def some(first: int) -> None:
        for number in range(first, calls, 20):
            client = Client(url)
            if number % 10 == 0:
                await client.send(call_body(TOOL, ASKS, number, MODERN), more)
                await anyio.sleep(0.005 * (number % 7))
            else:
                await timed(client, Tally(), TOOL, ASKS)
            client.abort()

    await asyncio.gather(*(some(first) for first in range(20)))


def _settled(server: Served) -> None:
    """Until nothing is under way and the last upstream connections had time to be given back."""
    for _ in range(100):
        if server.at_rest()[2] == 0:
            break
        Event().wait(0.1)
    Event().wait(6)  # upstream connections are kept for five seconds


def overload(environment: Mapping[str, str], seconds: float) -> list[Row]:
    """Four times the clients that there are places for, without a queue that takes them all."""
    with served(environment, concurrency=PLACES, queue=PLACES, queue_s=1) as server:
        asyncio.run(_warm(server.url))
        tally = Tally()
        asyncio.run(_crowd(server.url, tally, 4 * PLACES, seconds))
        alive = server.process.poll() is None
    p95, shed = tally.quantile_ms(0.95), tally.ended.get("shed", 0)
    others = {kind: count for kind, count in tally.ended.items() if kind not in {"ok", "shed"}}
    what = f"4x overload ({4 * PLACES} clients, {PLACES} places, {PLACES} wait)"
    counts = f"{shed} shed, {tally.ended.get('ok', 0)} taken, {others or 'nothing else'}"
    return [
        (
            f"{what}: shed with 503 or 429 and Retry-After",
            "all others",
            counts,
            verdict(not others and shed > 0),
        ),
        (f"{what}: p95 of those taken", "< 2 s", f"{p95:.0f} ms", verdict(p95 < 2_000)),
        (f"{what}: lives", "yes", "yes" if alive else "no", verdict(alive)),
    ]


def peers(environment: Mapping[str, str], seconds: float) -> list[Row]:
    """Ours and each peer in turn, twenty clients, the same list: ratios within this run."""
    version = HANDSHAKE  # what all of them speak
    with served(environment) as server:
        asyncio.run(_warm(server.url, version))
        ours = _rate(server.url, server.pid, seconds, version)
    rows: list[Row] = [("20 clients, the same list: ours", "", _told_rate(ours), "")]
    for peer in SERVED:
        program = command_of(peer.package)
        if program is None:
            rows.append((f"… {peer.package.named}", "", "cannot be installed here", ""))
            continue
        with running(peer, program, environment) as there:
            found = _rate(there[0], there[1], seconds, version, peer) if there else (0.0, 0.0, 0.0)
        ratio = f"; ours has {ours[0] / found[0]:.2f} x its rate" if found[0] else ""
        rows.append((f"… {peer.package.named}", "", _told_rate(found) + ratio, ""))
    return rows


def _rate(
    url: str, pid: int, seconds: float, version: str, peer: Peer | None = None
) -> tuple[float, float, float]:
    """Calls a second, p95 in ms, MB held."""
    tally = Tally()
    try:
        took_s = asyncio.run(_crowd(url, tally, 20, seconds, version, peer))
    except (GoneError, OSError, KeyError):
        return 0.0, 0.0, 0.0
    return tally.ended.get("ok", 0) / took_s, tally.quantile_ms(0.95), rss_bytes(pid) / 1e6


def _told_rate(found: tuple[float, float, float]) -> str:
    rate, p95, mb = found
    return f"{rate:.0f}/s, p95 {p95:.0f} ms, {mb:.0f} MB" if rate else "answered nothing"


def measured(seconds: float, idle_s: float, only: str = "") -> list[Row]:
    """Every part, or one."""
    base = inherited("PATH", "HOME", "LANG", "TMPDIR")
    parts: dict[str, Callable[[Mapping[str, str]], list[Row]]] = {
        "stdio": stdio,
        "load": lambda at: load(at, seconds),
        "idle": lambda at: idle(at, idle_s),
        "aborts": aborts,
        "overload": lambda at: overload(at, min(20, seconds)),
        "peers": lambda at: peers(at, min(15, seconds)),
    }
    rows: list[Row] = []
    with lab(base) as environment:
        for name in [only] if only else PARTS:
            with told(f"  {name}"):
                try:
                    rows += parts[name](environment)
                except (RuntimeError, OSError, ValueError) as error:
                    rows.append((f"part {name}", "", f"not measured: {str(error)[:120]}", "MISSED"))
    return rows


def as_kept(seconds: float, idle_s: float, only: str = "") -> dict[str, Any]:
    """What is kept of one run; with `only`, one part's rows renewed among those that were kept before."""
    rows = measured(seconds, idle_s, only)
    before = kept("http") if only else None
    if before:
        new = {row[0]: row for row in rows}
        old = [new.pop(row[0], tuple(row)) for row in before["rows"]]
        rows = [*old, *new.values()]
        seconds, idle_s = before["seconds"], before["idle_s"]
    return {"latency_ms": LATENCY_MS, "seconds": seconds, "idle_s": idle_s, "rows": rows}


def main() -> None:
    """Measure, print, keep."""
    said = argparse.ArgumentParser(prog="python -m bench.http_load")
    said.add_argument("--seconds", type=float, default=SECONDS)
    said.add_argument("--idle", type=float, default=IDLE_S)
    said.add_argument("--full", action="store_true", help="ten minutes of load, an hour of idle clients")
    said.add_argument("--only", choices=PARTS, default="")
    said.add_argument("--write", action="store_true", help="keep the figures and docs/benchmarks-http.md")
    wanted = said.parse_args()
    if wanted.full:
        wanted.seconds, wanted.idle = 600.0, 3_600.0
    found = as_kept(wanted.seconds, wanted.idle, wanted.only)
    sys.stdout.write(http_page({"machine": machine(), **found}))
    if wanted.write:
        keep("http", found)
        PAGE.write_text(http_page(kept("http") or {}), encoding="utf-8")
    missed = [row[0] for row in found["rows"] if row[3] == "MISSED"]
    sys.stderr.write(f"bench: {json.dumps({'missed': missed})}\n")


if __name__ == "__main__":
    main()
