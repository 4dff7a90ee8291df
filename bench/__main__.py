"""`make bench`: every measured figure of the suite, and the other servers of the field beside it.

Prints the rows and, with --write, keeps the raw figures in `bench/data/` and makes the pages in docs from
them. `--only PART` measures one (see PARTS, OWN_PAGES). Figures of one run on one machine: compare them with
each other, not with the world.
"""

import argparse
import io
import json
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from aiops_shared.settings import inherited
from bench.analysing import analyses
from bench.draining import drains
from bench.events import flood
from bench.field.measuring import beside_peers
from bench.finding import found_faults
from bench.gate import decide_ms, gate_ms
from bench.http_load import IDLE_S, SECONDS, as_kept
from bench.keeping import keep
from bench.listing import in_lab
from bench.pages import write_pages
from bench.paying import paying
from bench.peers import AWSLABS_EKS, command_of
from bench.processes import Started, median, start_all
from bench.real_plane import on_real_plane
from bench.rows import Row, met, told
from bench.running import runs_and_events
from bench.scale import scale
from bench.scanning import scans
from bench.tokens import tokens
from eks_aiops.demo.play import KEPT, play

RUNS = 15
BUDGETS = {
    "eks-aiops eks": 6000,
    "eks-aiops observability": 4000,
    "eks-aiops cost": 2000,
    "eks-aiops sop": 4000,
}  # decision D28
SERVER = [sys.executable, "-m", "eks_aiops", "eks"]


def _environment(folder: str) -> dict[str, str]:
    return {
        **inherited(*KEPT),
        "AIOPS_STATE_DIR": folder,
        "AWS_REGION": "us-east-1",
        "FASTMCP_LOG_LEVEL": "ERROR",
    }


def _commands() -> dict[str, list[str]]:
    found = {
        "bare mcp": [sys.executable, "-m", "bench.bare_mcp"],
        "minimal FastMCP": [sys.executable, "-m", "bench.minimal_fastmcp"],
        "eks-aiops eks": SERVER,
        "eks-aiops observability": [*SERVER[:-1], "observability"],
        "eks-aiops cost": [*SERVER[:-1], "cost"],
        "eks-aiops sop": [*SERVER[:-1], "sop"],
    }
    if peer := command_of(AWSLABS_EKS):
        found[AWSLABS_EKS.named] = peer
    return found


def _listed_tokens(started: Started) -> tuple[int, int]:
    tools = json.loads(started.listing)["result"]["tools"]
    return len(tools), sum(tokens(json.dumps(tool, separators=(",", ":"))) for tool in tools)


def starts() -> list[Row]:
    """Cold start and memory beside the others."""
    with TemporaryDirectory() as folder:
        commands = _commands()
        found = start_all(commands, dict.fromkeys(commands, _environment(folder)), RUNS)
    base = found["minimal FastMCP"]
    rows: list[Row] = []
    for name, runs in found.items():
        wall, cpu = median([one.wall_s for one in runs]), median([one.cpu_s for one in runs])
        # Of one round each: a machine that is slow for a minute is slow for all of them.
        pairs = list(zip(runs, base, strict=True))
        ratio = median([one.wall_s / least.wall_s for one, least in pairs])
        by_cpu = median([one.cpu_s / least.cpu_s for one, least in pairs])
        ours = name in BUDGETS
        target = "<= 1.15 x minimal FastMCP" if ours else ""
        says = f"{wall:.2f} s wall ({ratio:.2f} x), {cpu:.2f} s CPU ({by_cpu:.2f} x)"
        rows.append(
            (f"cold start to first tools/list: {name}", target, says, met(ratio, 1.15) if ours else "")
        )
    for name, runs in found.items():
        mib = median([float(one.rss_bytes) for one in runs]) / 2**20
        count, size = _listed_tokens(runs[0])
        most = BUDGETS.get(name)
        budget, good = (f"<= {most:,} tokens", met(size, most)) if most else ("", "")
        rows.append(
            (f"memory and tools/list: {name}", budget, f"{mib:.0f} MiB, {count} tools, {size} tokens", good)
        )
    return rows


async def answers() -> list[Row]:
    """Tokens of every answer of the demo."""
    heard: list[tuple[str, str]] = []
    began = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        code = await play(heard=heard)
    took_s = time.perf_counter() - began
    rows: list[Row] = []
    for tool, text in heard:
        limit = 4000 if tool == "diagnose" else 1500
        count = tokens(text)
        rows.append(
            (f"answer in the demo: {tool}", f"<= {limit:,} tokens", f"{count} tokens", met(count, limit))
        )
    rows.append(("demo, set-up apart", "ends 0", f"ended {code}", met(code, 0)))
    rows.append(("demo, set-up apart", "<= 180 s", f"{took_s:.0f} s", met(took_s, 180)))
    return rows


async def gate() -> list[Row]:
    """The gate's cost per call."""
    p50, p95 = await gate_ms()
    says = f"p50 {p50:.2f} ms, p95 {p95:.2f} ms (policy alone {await decide_ms():.2f} ms)"
    return [("gate per call, without the durable commit", "p50 <= 2 ms", says, met(p50, 2))]


def lists() -> list[Row]:
    """Large lists and diagnoses in the lab."""
    return [row for pods in (5_000, 10_000, 20_000) for row in in_lab(pods, inherited(*KEPT))]


PARTS: dict[str, tuple[str, Callable[[], list[Row]]]] = {
    "starts": ("cold starts", starts),
    "answers": ("answers of the demo", lambda: anyio.run(answers)),
    "gate": ("the gate", lambda: anyio.run(gate)),
    "lists": ("lists and diagnoses of 5,000, 10,000 and 20,000 simulated pods", lists),
    "real": ("5,000 pods on a real API server", lambda: on_real_plane(5_000, inherited(*KEPT))),
    "analyses": ("verdicts over four weeks", lambda: analyses(inherited(*KEPT))),
    "bills": ("bills of 400 accounts, costs of 5,000 pods", lambda: paying(inherited(*KEPT))),
    "drains": ("plans of a drain", lambda: drains(inherited(*KEPT))),
    "runs": ("what a run costs", runs_and_events),
    "events": ("a flood of events", flood),
    "scans": ("scans of 500 documents", scans),
    "scale": ("150,000 pods, 200 clusters, 1,000 callers, the store", lambda: scale(inherited(*KEPT))),
    "faults": ("60 planted faults, ours and the peers", lambda: found_faults(SERVER, inherited(*KEPT))),
}


# Parts with pages of their own: what they find is kept as it is.
OWN_PAGES: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "http": ("HTTP under load", lambda: as_kept(SECONDS, IDLE_S)),
    "peers": ("the other servers of the field", lambda: beside_peers(inherited(*KEPT))),
}


def main(arguments: list[str]) -> int:
    """Measure, keep, print; 1 when a part failed."""
    said = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").partition("\n")[0])
    said.add_argument("--only", choices=[*PARTS, *OWN_PAGES], help="one part")
    said.add_argument("--write", action="store_true", help="keep figures in bench/data, pages in docs")
    said.add_argument("--quick", action="store_true", help="peers: each question once, three starts")
    said.add_argument("--pages", action="store_true", help="measure nothing; make the pages from bench/data")
    wanted = said.parse_args(arguments)
    if wanted.pages:
        write_pages([*PARTS])
        return 0
    if wanted.quick:
        OWN_PAGES["peers"] = ("a quick look at the field", lambda: beside_peers(inherited(*KEPT), 3, 1))
    parts = [wanted.only] if wanted.only else [*PARTS, *OWN_PAGES]
    failed = [part for part in parts if not _part(part, wanted)]
    if failed:
        sys.stderr.write(f"bench: failed: {', '.join(failed)}\n")
    return 1 if failed else 0


def _part(part: str, wanted: argparse.Namespace) -> bool:
    """Measure one part, print its rows and, when that is wanted, keep them and make the pages again."""
    title, measure = PARTS.get(part) or OWN_PAGES[part]
    try:
        with told(title):
            found = measure()
    except (
        RuntimeError,
        OSError,
        ValueError,
        KeyError,
    ) as error:  # the others go on
        sys.stderr.write(f"bench: {part}: {type(error).__name__} {str(error)[:300]}\n")
        return False
    figures = found if isinstance(found, dict) else {"rows": found}
    for row in figures["rows"]:
        sys.stdout.write(f"| {' | '.join(row)} |\n")
    sys.stdout.flush()
    if wanted.write:
        keep(part, figures)
        write_pages([*PARTS])
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
