"""A thousand engineers on one server: what a caller costs in memory, CPU and rows, and whether that ends.

Called by `bench.scale`. Every caller has a token of its own from an issuer on loopback, and calls over HTTP.
An hour of one call a minute each would be 60,000 calls, so the rate a core carries is said beside theirs.
"""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bench.http_client import MODERN, Client, Tally, timed
from bench.http_served import Served, served
from bench.processes import cpu_s, rss_bytes
from bench.rows import Row, met, verdict
from tests.remote.issuer import AUDIENCE, issuer

CALLERS: Final = 1_000
AT_ONCE: Final = 16
A_SECOND: Final = CALLERS / 60  # a call a minute each
MOST_KB: Final = 64.0  # of one more caller
ASKS: Final = {"kind": "Namespace"}
KB: Final = 1_000


def many_callers(base: Mapping[str, str]) -> list[Row]:
    """The rows."""
    from bench.scale import apis

    with (
        TemporaryDirectory() as folder,
        issuer() as idp,
        apis(base, 1, 5, 4, 25) as (_, environment),
    ):
        own = {
            **environment,
            "AIOPS_AUTH_ISSUER": idp.url,
            "AIOPS_HTTP_PUBLIC_URL": AUDIENCE,
            "AIOPS_STATE_URL": f"sqlite:///{folder}/state.db",
            "FASTMCP_LOG_LEVEL": "ERROR",
        }
        tokens = [idp.token(kid="ec-1", sub=f"engineer-{n:04}") for n in range(CALLERS)]
        with served(own) as server:
            return _measured(server, tokens, Path(folder) / "state.db")


def _measured(server: Served, tokens: Sequence[str], state: Path) -> list[Row]:
    asyncio.run(_round(server.url, [*tokens[:AT_ONCE]] * 20))  # what is opened once is opened
    first, began_s = rss_bytes(server.pid), cpu_s(server.pid)
    tally = asyncio.run(_round(server.url, tokens))
    after, took_s = rss_bytes(server.pid), cpu_s(server.pid) - began_s
    again = asyncio.run(_round(server.url, tokens))
    last = rss_bytes(server.pid)
    good = tally.ended.get("ok", 0)
    others = {kind: count for run in (tally, again) for kind, count in run.ended.items() if kind != "ok"}
    each_kb, more_kb = (after - first) / CALLERS / KB, (last - after) / CALLERS / KB
    each_ms = 1000 * took_s / max(1, good)
    rows, names, size = _journal(state)
    calls = AT_ONCE * 20 + 2 * CALLERS
    return [
        (
            f"{CALLERS:,} callers, a token each: errors",
            "0",
            f"{others or 0} of {2 * CALLERS:,}",
            verdict(not others),
        ),
        (
            f"{CALLERS:,} callers: memory of one more caller",
            f"<= {MOST_KB:.0f} kB",
            f"{each_kb:.1f} kB (second round {more_kb:+.1f} kB)",
            met(each_kb, MOST_KB),
        ),
        (
            f"{CALLERS:,} callers, a call a minute each: CPU",
            f"{A_SECOND:.1f} calls/s on one core",
            f"{each_ms:.1f} ms a call, so {1000 / each_ms:.0f}/s a core",
            verdict(1000 / each_ms >= A_SECOND),
        ),
        (
            f"{CALLERS:,} callers: rows of the call journal",
            "one a call, under its caller",
            f"{rows:,} for {calls:,} calls of {names:,} callers, {size:.0f} bytes each with indexes (SQLite)",
            verdict((rows, names) == (calls, CALLERS)),
        ),
    ]


async def _round(url: str, tokens: Sequence[str]) -> Tally:
    """One call with each token, so many at a time, every caller on a connection of its own."""
    tally, waiting = Tally(), list(reversed(tokens))

    async def some() -> None:
        while waiting:
            client = Client(url, MODERN, {"authorization": f"Bearer {waiting.pop()}"})
            await timed(client, tally, "list_resources", ASKS)
            client.abort()

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))
    return tally


def _journal(state: Path) -> tuple[int, int, float]:
    """Rows, different callers, bytes a row."""
    with sqlite3.connect(state) as raw:
        rows, names = raw.execute("SELECT count(*), count(DISTINCT caller) FROM call_journal").fetchone()
        raw.execute("PRAGMA wal_checkpoint")
        pages = "SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'call_journal%'"
        try:
            held = raw.execute(pages).fetchone()[0] or 0
        except sqlite3.OperationalError:  # SQLite was built without dbstat
            held = sum(raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count",)) * 4096
    return rows, names, held / max(1, rows)
