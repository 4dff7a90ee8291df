"""docs/benchmarks-http.md, made from the figures of `bench.http_load`."""

from typing import Final

from bench.keeping import Kept, machines_line

NOTES: Final = """
How to read it
* **A cheap read** is `list_resources` of the Services of one namespace: one request upstream, judged,
  redacted, written into the call journal, answered. Our server is one process, so one of the two cores at
  most; the lab and the clients share the other.
* **stdio** is one call after the other; the upstream's time is the same list by a plain client, taken apart.
* **Shed** calls are answered with 503 or 429 and Retry-After; a client comes again a quarter second later,
  which is less polite than it was told.
* **Aborts** leave between 0 and 30 ms after the call was sent. Threads, sockets and places are counted in the
  server's process before and after.
* **Peers** are asked for the same list in their own words, over MCP 2025-11-25, which all of them speak. AWS
  Labs' servers have no HTTP. Fifty SOP runs at once are in [faults.md](faults.md).
"""


def http_page(found: Kept) -> str:
    """The page of one run."""
    load_s, idle_s = float(found["seconds"]), float(found["idle_s"])
    lines = [
        "# HTTP under load: targets and measurements",
        "",
        "Made by `make bench` (or `make bench-http`, this part alone) from `bench/data/http.json`; nothing",
        "here is a timed test. A missed target stays here until it is met.",
        "",
        machines_line([found]),
        f"Upstream {found['latency_ms']} ms late; load for {load_s:g} s, idle clients for {idle_s:g} s",
        "(`python -m bench.http_load --full`: ten minutes and an hour, as the target says).",
        "",
        "| What | Target | Measured | |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in found["rows"]),
        "",
        *NOTES.strip().splitlines(),
    ]
    return "\n".join(lines) + "\n"
