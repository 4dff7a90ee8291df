"""`make bench`: cold start, memory, tokens, gate cost, large lists, what is found in one call.

Prints the table and, with --write, keeps it in docs. `--only PART` measures one (see PARTS). Figures of one
run on one machine: compare them with each other, not with the world.
"""

import io
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from aiops_shared.clock import SystemClock
from aiops_shared.settings import inherited
from bench.analysing import analyses
from bench.draining import drains
from bench.events import flood
from bench.finding import found_faults
from bench.gate import decide_ms, gate_ms
from bench.listing import ROUNDS, in_lab
from bench.paying import paying
from bench.peers import AWSLABS_EKS, awslabs_eks
from bench.processes import Started, median, start_all
from bench.real_plane import on_real_plane
from bench.rows import Row, met, told
from bench.running import runs_and_events
from bench.scanning import scans
from bench.tokens import tokens
from eks_aiops.demo.play import KEPT, play

PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
RUNS = 15
NOTES = """
How to read it
* **The same requests raw**: one plain httpx client, at most eight requests at once, JSON read with orjson and
  forgotten: the namespaces, each one's Table of pods without objects, each suspect whole. Ours and raw take
  turns; the ratio is the median of the pairs. Ours is one tool call over stdio and does the judging too.
* **Simulated** pods stand in a lab in a process of its own (Python, and slow), which counts the requests; on
  the real kube-apiserver they are written into its etcd, since no API lets a test set a pod's age.
* **Peak memory** is VmHWM of our server process after all lists, through a kubeconfig context with a token;
  in a row of its own, with the AWS client that finds a cluster by account and region.
* **Planted faults**: what is wrong with each pod is written in `bench/planted.py` and matched by code
  (`bench/naming.py`): the state and every word of the cause must stand in what was said about that pod. Eight
  of the sixty tell their cause in events only, which are sensitive reads (off as installed).
* **Peers** are driven by a real client on their shortest way. The client knows which pods to read; awslabs'
  list, which shows no state, would not have told it. Folded YAML and quoted JSON are matched unfolded.
"""
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
    if peer := awslabs_eks():
        found[AWSLABS_EKS.replace("==", " ")] = peer
    return found


def _listed_tokens(started: Started) -> tuple[int, int]:
    tools = json.loads(started.listing)["result"]["tools"]
    return len(tools), sum(tokens(json.dumps(tool, separators=(",", ":"))) for tool in tools)


def starts() -> list[Row]:
    """Cold start and memory beside the others."""
    with TemporaryDirectory() as folder:
        found = start_all(_commands(), _environment(folder), RUNS)
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


def _page(rows: list[Row]) -> str:
    python = platform.python_version()
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {python}"
    today = SystemClock().safe_now()
    lines = [
        "# Targets and measurements",
        "",
        "Made by `python -m bench --write`; `make bench` prints it. Ratios within one run on one machine; a",
        "part measured again with `--only PART --write` replaces its own rows;",
        "nothing here is a timed test. A missed target stays here until it is met.",
        "",
        f"Machine: {machine}, load {os.getloadavg()[1]:.1f} (5 minutes). Date: {today:%Y-%m-%d}. Median of",
        f"{RUNS} starts each and of {ROUNDS} lists each.",
        "",
        "| What | Target | Measured | |",
        "|---|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        *NOTES.strip().splitlines(),
    ]
    return "\n".join(lines) + "\n"


def _renewed(page: str, rows: list[Row]) -> str:
    """The page with the rows of one part measured anew; new ones come last, the others stay as they were."""
    new = {row[0]: f"| {' | '.join(row)} |" for row in rows}
    if len(new) != len(rows):
        raise SystemExit("two rows of this part have one name: measure all parts to write them")
    lines = page.splitlines()
    named = [line.removeprefix("| ").partition(" | ")[0] for line in lines]
    lines = [new.pop(name, line) for name, line in zip(named, lines, strict=True)]
    end = max(place for place, line in enumerate(lines) if line.startswith("| ")) + 1
    return "\n".join([*lines[:end], *new.values(), *lines[end:]]) + "\n"


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
    "faults": ("60 planted faults, ours and the peers", lambda: found_faults(SERVER, inherited(*KEPT))),
}


def main(arguments: list[str]) -> int:
    """Measure, print, keep."""
    wanted = [arguments[arguments.index("--only") + 1]] if "--only" in arguments else [*PARTS]
    rows: list[Row] = []
    for part in wanted:
        title, measure = PARTS[part]
        with told(title):
            rows += measure()
    page = _page(rows)
    sys.stdout.write(page)
    if "--write" in arguments:
        whole = wanted == [*PARTS]
        PAGE.write_text(page if whole else _renewed(PAGE.read_text("utf-8"), rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
