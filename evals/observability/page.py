"""The rows as Markdown: what the command prints, and with `--write` docs/evaluation-observability.md."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from evals.observability.registry import PARTS, Row

INTRODUCTION = (
    "How good the analyses of the observability server are, on data made by a seeded generator"
    " (`evals/observability/series.py`) that the tests do not share. Made by"
    " `python -m evals.observability --write`; every target that is missed is said so."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of every part."""

    seed: int
    machine: str
    rows: Mapping[str, Sequence[Row]]
    seconds: float

    @property
    def passes(self) -> bool:
        """Whether every target is met."""
        return all(row.met for rows in self.rows.values() for row in rows)


def page(run: Measured) -> str:
    """The whole page."""
    return "\n".join(_lines(run)) + "\n"


def _lines(run: Measured) -> Iterator[str]:
    total = [row for rows in run.rows.values() for row in rows]
    met = sum(row.met for row in total)
    yield "# Evaluation of the observability server"
    yield ""
    yield INTRODUCTION
    yield ""
    yield f"Seed {run.seed}; {run.machine}; {met} of {len(total)} targets met."
    for part, rows in run.rows.items():
        yield ""
        yield f"## {PARTS[part]}"
        yield ""
        yield "| what | target | measured | baseline | |"
        yield "|---|---|---|---|---|"
        for row in rows:
            verdict = "met" if row.met else "**missed**"
            yield f"| {row.what} | {row.target} | {row.measured} | {row.baseline or '-'} | {verdict} |"
        notes = list(dict.fromkeys(row.note for row in rows if row.note))
        if notes:
            yield ""
            yield from (f"* {note}" for note in notes)
