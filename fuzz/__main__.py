"""`make fuzz`: attack every tool, walk with canaries, fuzz every parser; write docs/fuzzing.md.

    --only tools|canaries|parsers[:NAME]   --calls N   --seed N   --workers N   --replay 'LINE'   --no-write

Ends 1 when anything was found.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from evals.figures import Row, sections
from fuzz import page
from fuzz.tools.ground import ground, lane_named, lanes
from fuzz.tools.playing import replay, unpacked
from fuzz.tools.sharing import played

WORKERS = 3  # a lab and a server each; some of the time each of them waits
LEAST_RUNS = 1_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack, print, keep."""
    asked = _parser().parse_args(arguments)
    if asked.replay:
        return _replayed(asked.replay)
    began = time.monotonic()
    parts: Parts = {}
    for part, attack in PARTS.items():
        if asked.only.partition(":")[0] in part:
            parts |= attack(asked)
    rows = [row for some, _ in parts.values() for row in some]
    text = "\n".join(_lines(parts, page.machine(asked.seed, time.monotonic() - began)))
    print(text)
    if asked.write:
        _keep(text, only=bool(asked.only))
    return 0 if all(row.met for row in rows) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fuzz")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--calls", type=int, default=page.CALLS, help="of tools, all lanes together")
    parser.add_argument("--runs", type=int, default=20_000, help="inputs of each parser, at most")
    parser.add_argument("--seconds", type=int, default=20, help="for each parser, at most")
    parser.add_argument("--workers", type=int, default=WORKERS, help="lanes of tools played at once")
    parser.add_argument("--only", default="", help="tools, tools:LANE, canaries, parsers or parsers:NAME")
    parser.add_argument("--replay", default="", help="what a finding printed")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave docs/fuzzing.md")
    return parser


Parts = dict[str, tuple[list[Row], list[str]]]  # heading -> rows, and lines below them


def _tools(asked: argparse.Namespace) -> Parts:
    wanted = [lane for lane in lanes() if asked.only.partition(":")[2] in lane.name]
    tallies = played(wanted, asked.calls, asked.seed, asked.workers)
    rows = page.tool_rows(tallies, asked.calls)
    lines = ["", *page.lane_table(tallies)]
    return {"Calls": (rows, lines)}


def _canaries(asked: argparse.Namespace) -> Parts:
    from fuzz.canaries.walk import walk

    async def walked() -> list[Row]:
        with TemporaryDirectory(prefix="eks-aiops-fuzz-") as folder:
            async with ground(Path(folder)) as place:
                return page.canary_rows(await walk(place))

    del asked
    return {"Canaries (T6)": (anyio.run(walked), [])}


def _parsers(asked: argparse.Namespace) -> Parts:
    from fuzz.parsers.running import fuzzed

    name = asked.only.partition(":")[2]
    found = fuzzed(asked.seed, runs=asked.runs, seconds=asked.seconds, only=name)
    return {"Parsers": (page.parser_rows(found, min(LEAST_RUNS, asked.runs)), [])}


PARTS = {"tools": _tools, "canaries": _canaries, "parsers": _parsers}


def _replayed(line: str) -> int:
    """Play one finding again: a call, or an input of a parser."""
    where, _, packed = line.partition(" ")
    if where.startswith("parser:"):
        from fuzz.parsers import running

        says = running.says_of(where.removeprefix("parser:"), running.unpacked(packed))
        print(says or "nothing broke")
        return 1 if says else 0

    async def again() -> int:
        with TemporaryDirectory(prefix="eks-aiops-fuzz-") as folder:
            async with ground(Path(folder)) as place:
                heard, wrong = await replay(place, lane_named(where), unpacked(packed))
        print(heard.raw[:4_000])
        print("\n".join(wrong) or "nothing is wrong")
        return 1 if wrong else 0

    return anyio.run(again)


def _lines(parts: Mapping[str, tuple[list[Row], list[str]]], where: str) -> Iterator[str]:
    yield page.HEAD
    for heading, (rows, lines) in parts.items():
        yield from (f"## {heading}", "", where, "", *page.table(rows), *lines, "")


def _keep(text: str, *, only: bool) -> None:
    """Write the page; tables of parts that were not played now stay as they were."""
    kept = sections(page.PAGE.read_text("utf-8")) if only and page.PAGE.exists() else {}
    fresh = sections(text)
    order = [*fresh, *(heading for heading in kept if heading not in fresh)]
    tables = [fresh.get(heading) or kept[heading] for heading in sorted(order)]
    page.PAGE.write_text(page.HEAD.rstrip() + "\n" + "\n".join(tables) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
