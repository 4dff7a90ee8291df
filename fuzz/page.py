"""What an attack came to as a table: printed, and kept in docs/fuzzing.md.

A row is `evals.figures.Row`: what, target, measured, met. Called by `fuzz.__main__`.
"""

import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evals.figures import Row
from fuzz.tools.ground import SERVERS, Lane
from fuzz.tools.playing import Finding, Tally

if TYPE_CHECKING:
    from fuzz.canaries.walk import Walked
    from fuzz.parsers.running import Fuzzed

PAGE: Final = Path(__file__).resolve().parents[1] / "docs" / "fuzzing.md"
CALLS: Final = 10_000
HEAD: Final = """# Attacked from the schemas

`make fuzz` calls every tool of every server as its listed schema allows and as it does not: wrong types,
values round every bound, hostile texts, keys that are missing, unknown or given twice, forged ids and
cursors, lists as text, and messages that are no JSON-RPC. A new tool or parameter is attacked without a
line. It plays real processes on a lab full of planted secrets, over stdio and HTTP, with `AIOPS_WRITE`
off and on; nobody approves anything. What is written is counted by the lab's own logs, never by our
audit. Then it walks everything that can be asked with twelve canaries planted (T6), and feeds every
parser with what coverage leads to (atheris).

`make fuzz` plays all of it; `python -m fuzz --only tools --calls 2000 --seed 7`,
`python -m fuzz --only canaries` and `python -m fuzz --only parsers:promql` a part.

A call that breaks something is printed as one line that plays it again: `python -m fuzz --replay '...'`.
`make test` plays a small part of all this (`tests/fuzz`). Inputs that once broke a parser stay in
`fuzz/corpus`.

What holds after each call: the process is alive; an answer within the call's deadline; an error with a
documented code ([errors.md](errors.md)), never `internal`; nothing of our inside (tracebacks, modules,
paths) and no canary in it, in plain, base64, hexadecimal, percent or JSON escapes; hidden characters
spelled out; `invalid_input` before any request upstream; nothing written that no executed plan asked for.
Afterwards: no canary and no unexpected failure in stderr (at level debug), in any table of the store or
in exported spans; memory within twice what it was when each tool had answered once. A plan that is
refused because the object already is as asked has looked at the object first; these are counted apart.
"""


def tool_rows(tallies: Sequence[Tally], calls: int) -> list[Row]:
    """What the calls came to."""
    wrong = [one for tally in tallies for one in tally.findings]
    made = sum(tally.calls for tally in tallies)
    kinds = Counter(_kind(one) for one in wrong)
    rows = [
        Row("calls over stdio and HTTP", f">= {calls:,}", f"{made:,}", made >= calls),
        Row("tools called, all servers and the gateway", "every listed one", _tools(tallies), bool(tallies)),
    ]
    faults = ("crashes", "internal", "leaks", "unasked writes", "late refusals", "memory", "other")
    rows += [Row(kind, "0", str(kinds[kind]), not kinds[kind]) for kind in faults]
    looked = sum(tally.looked for tally in tallies)
    effects = sum(tally.allowed for tally in tallies)
    writes = Counter(one.partition(" ")[0] for tally in tallies for one in tally.writes)
    said = ", ".join(f"{verb} {count}" for verb, count in sorted(writes.items())) or "none"
    rows += [
        Row("plans refused after looking: it is as asked, or cannot be", "counted", str(looked), True),
        Row(
            "executions and runs that policy let through; their writes", "counted", f"{effects}; {said}", True
        ),
    ]
    return rows


def _tools(tallies: Sequence[Tally]) -> str:
    each = {tally.lane.server: tally.tools for tally in tallies if tally.lane.write}
    return ", ".join(f"{server} {each[server]}" for server in SERVERS if server in each)


def _kind(one: Finding) -> str:
    for word, kind in (
        ("process ended", "crashes"),
        ("no answer", "crashes"),
        ("HTTP 5", "crashes"),
        ("internal", "internal"),
        ("bug ", "internal"),
        ("leak", "leaks"),
        ("wrote", "unasked writes"),
        ("refused after", "late refusals"),
        ("memory grew", "memory"),
    ):
        if word in one.says:
            return kind
    return "other"


def lane_table(tallies: Sequence[Tally]) -> Iterator[str]:
    """Calls of each server by transport and outcome."""
    heads = [*("server", "transport", "writes", "calls", "of these broken messages", "answers")]
    heads += [*("`invalid_input`", "other codes", "protocol errors", "memory, MiB", "findings")]
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for tally in tallies:
        yield _lane_row(tally)


def _lane_row(tally: Tally) -> str:
    lane: Lane = tally.lane
    protocol = sum(count for code, count in tally.outcomes.items() if code.startswith(("rpc", "HTTP")))
    answers, refused = tally.outcomes["answer"], tally.outcomes["invalid_input"]
    others = tally.calls - protocol - answers - refused
    memory = f"{tally.baseline_bytes >> 20} to {tally.most_bytes >> 20}"
    cells = (
        lane.server,
        "HTTP" if lane.http else "stdio",
        "on" if lane.write else "off",
        *(tally.calls, tally.damaged, answers, refused, others, protocol),
        memory,
        len(tally.findings),
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def canary_rows(done: "Walked") -> list[Row]:
    """What the walk came to."""
    asked = ", ".join(f"{kind} {count}" for kind, count in sorted(done.asked.items()))
    notes = "; ".join(done.leaks[:8])
    return [
        Row(
            "outputs looked through for twelve canaries", "every tool, resource, prompt, command", asked, True
        ),
        Row(
            "tools that answered",
            "all",
            f"{len(done.tools)} tools, {done.answered} answers",
            bool(done.answered),
        ),
        Row("canaries found, or answers out of form", "0", str(len(done.leaks)), not done.leaks, note=notes),
    ]


def parser_rows(found: Sequence["Fuzzed"], least: int) -> list[Row]:
    """What each parser came to."""
    return [
        Row(
            one.target,
            f">= {least:,} inputs, 0 findings",
            f"{one.runs:,} inputs from {one.seeds} seeds, {one.edges} edges: {len(one.broke)} findings",
            not one.broke and not one.failed and one.runs >= least,
            note=one.failed[-200:] or "; ".join(says for _, says in one.broke[:3]),
        )
        for one in found
    ]


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Rows as Markdown."""
    yield from ("| what | target | measured | |", "|---|---|---|---|")
    for row in rows:
        yield f"| {row.what} | {row.target} | {row.measured} | {'met' if row.met else '**missed**'} |"
    if notes := [row.note for row in rows if row.note]:
        yield from ("", *(f"* {_flat(note)}" for note in notes))


def _flat(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())[:400]


def machine(seed: int, took_s: float) -> str:
    """Where and with what it was measured."""
    load = f"load {os.getloadavg()[2]:.0f} over the last 15 minutes"
    box = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return f"Seed {seed}; {box}, {load}; {took_s / 60:.0f} minutes."
