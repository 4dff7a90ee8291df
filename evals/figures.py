"""Figures beside their targets: one run of every part of an evaluation, printed and kept as Markdown.

`evals.observability` and `evals.cost` name their parts; each part is a module with `rows(seed) -> list[Row]`.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: what is measured, what it should be, what it is, and what a plain rule reaches."""

    what: str
    target: str
    measured: str
    met: bool
    baseline: str = ""  # what the plain rule reaches on the same data
    note: str = ""
    speed: bool = False  # how fast, not whether right: a miss is printed as missed and fails no command


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is evaluated. `parts`: module of `package` -> the heading of its table.

    The rule of the exit code, of every evaluation: 1 for what is wrong (a wrong cause beyond the target, a
    false alarm, a forbidden write, a figure of judgement below its target, a difference from a real server),
    0 for a figure of speed that is missed; both stand as missed in the table and on the last lines.
    """

    package: str
    title: str
    introduction: str
    page: str  # file in docs
    parts: Mapping[str, str]
    processes: int = 1  # more: each part in one of its own

    def run(self, arguments: Sequence[str] | None = None) -> int:
        """Measure, print, with --write keep; 1 when a target is missed, but for one of speed alone.

        The last line names every miss.
        """
        parser = argparse.ArgumentParser(prog=f"python -m {self.package}")
        parser.add_argument("--seed", type=int, default=2, help="2; 0 and 1 were looked at, others are fresh")
        parser.add_argument("--only", default="", help="only parts whose name holds this word")
        parser.add_argument("--write", action="store_true", help=f"write docs/{self.page}")
        asked = parser.parse_args(arguments)
        rows = self._rows([part for part in self.parts if asked.only in part], asked.seed)
        print("\n".join(self._lines(asked.seed, rows)))
        if asked.write:
            page = DOCS / self.page
            kept = sections(page.read_text()) if asked.only and page.exists() else {}
            page.write_text("\n".join(self._lines(asked.seed, rows, kept)) + "\n")
        missed = [row for some in rows.values() for row in some if not row.met]
        for line in _said(missed):
            print(line)
        return 0 if all(row.speed for row in missed) else 1

    def _rows(self, parts: Sequence[str], seed: int) -> dict[str, list[Row]]:
        """Every part's rows, in their order; parts of one process share what they remember."""
        if self.processes == 1:
            return {part: _measured(self.package, part, seed) for part in parts}
        with ProcessPoolExecutor(self.processes) as pool:
            futures = {part: pool.submit(_measured, self.package, part, seed) for part in parts}
            return {part: future.result() for part, future in futures.items()}

    def _lines(
        self, seed: int, rows: Mapping[str, Sequence[Row]], kept: Mapping[str, str] | None = None
    ) -> Iterator[str]:
        """`kept`: tables of the page as it is, by heading, for parts that were not measured now."""
        tables = [
            "\n".join(_table(heading, rows[part])) if part in rows else (kept or {}).get(heading, "")
            for part, heading in self.parts.items()
        ]
        verdicts = [line.rpartition("| ")[2] for text in tables for line in text.splitlines()]
        met = verdicts.count("met |")
        machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
        yield f"# {self.title}"
        yield ""
        yield self.introduction
        yield ""
        yield f"Seed {seed}; {machine}; {met} of {met + verdicts.count('**missed** |')} targets met."
        yield from (text for text in tables if text)


def _measured(package: str, part: str, seed: int) -> list[Row]:
    print(f"measuring {part}", file=sys.stderr)
    started = time.monotonic()
    found: list[Row] = import_module(f"{package}.{part}").rows(seed)
    print(f"{part}: {time.monotonic() - started:.0f} s", file=sys.stderr)
    return found


def _said(missed: Sequence[Row]) -> Iterator[str]:
    """What was missed, after the tables: what is wrong, then what is only slow."""
    for word, some in (
        ("missed", [row for row in missed if not row.speed]),
        ("slow, and nothing wrong", [row for row in missed if row.speed]),
    ):
        if some:
            yield f"{word}: {'; '.join(f'{row.what}: {row.measured}, not {row.target}' for row in some)}"


def sections(page: str) -> dict[str, str]:
    """The tables of a written page, by heading."""
    parts = page.split("\n## ")[1:]
    return {part.partition("\n")[0]: f"\n## {part.rstrip()}" for part in parts}


def _table(heading: str, rows: Sequence[Row]) -> Iterator[str]:
    yield ""
    yield f"## {heading}"
    yield ""
    yield "| what | target | measured | baseline | |"
    yield "|---|---|---|---|---|"
    for row in rows:
        verdict = "met" if row.met else "**missed**"
        yield f"| {row.what} | {row.target} | {row.measured} | {row.baseline or '-'} | {verdict} |"
    if notes := list(dict.fromkeys(row.note for row in rows if row.note)):
        yield ""
        yield from (f"* {note}" for note in notes)
