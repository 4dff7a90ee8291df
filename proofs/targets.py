"""`python -m proofs.targets [--write]`: every promise of the suite beside the figure or test that holds it.

`make proof` runs all that measures, one after the other, and ends with this. It reads the pages that those
runs kept; it measures nothing itself. It ends 1 when a promise has no figure and no test: nobody looks at it.
"""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from proofs.promises import PROMISES, Promise
from proofs.tables import DOCS, Figure, figures, measured_pages

PAGE = DOCS / "targets.md"
TESTS = Path(__file__).resolve().parents[1] / "tests"
_MOST_IN_FULL = 4
INTRODUCTION = """# Targets

Made by `python -m proofs.targets --write` from the pages that the commands keep (`make bench`, `make eval`,
`make fuzz`, `make faults`, `make proofs`); `make proof` runs them all and then this. A missed target stays
here until it is met.
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A promise with what was found of it."""

    promise: Promise
    figures: tuple[Figure, ...]
    missing: tuple[str, ...]  # named tests or rows that are not there

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or `nobody looks`."""
        if self.missing or not (self.figures or self.promise.tests):
            return "nobody looks"
        return "met" if all(figure.met for figure in self.figures) else "missed"


def held(promise: Promise) -> Held:
    """Look a promise up on its page and among the tests."""
    found = (
        tuple(one for one in figures(promise.page) if one.what.startswith(promise.rows))
        if promise.rows
        else ()
    )
    missing = [test for test in promise.tests if not _there(test)]
    if promise.rows and not found:
        missing.append(f"a row of {promise.page}")
    return Held(promise, found, tuple(missing))


def _there(test: str) -> bool:
    file, _, name = test.partition("::")
    path = TESTS / file
    return path.exists() and (not name or f"def {name}(" in path.read_text("utf-8"))


def _says(found: tuple[Figure, ...]) -> str:
    """A few figures in full; of many, how many hold and those that do not."""
    if len(found) <= _MOST_IN_FULL:
        return "; ".join(one.measured if one.met else f"{one.measured} (missed)" for one in found)
    missed = [f"{one.what}: {one.measured}" for one in found if not one.met]
    return "; ".join([f"{len(found) - len(missed)} of {len(found)} figures met", *missed])


def _row(one: Held) -> str:
    proofs = [f"[{one.promise.page}]({one.promise.page})"] if one.figures else []
    proofs += [f"`tests/{test}`" for test in one.promise.tests]
    proofs += [f"GONE: {gone}" for gone in one.missing]
    cells = (
        one.promise.area,
        one.promise.what,
        _says(one.figures) or "by test",
        ", ".join(proofs),
        one.verdict,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page() -> str:
    """docs/targets.md: promises, then counts per page, then what is missed anywhere."""
    counted = {name: Counter(one.met for one in figures(name)) for name in measured_pages()}
    missed = [one for name in counted for one in figures(name) if not one.met]
    lines = [
        *INTRODUCTION.splitlines(),
        "",
        "## Promises",
        "",
        "| Area | Promise | Measured | Where | |",
        "|---|---|---|---|---|",
        *(_row(held(promise)) for promise in PROMISES),
        "",
        "## All figures with a target",
        "",
        "| Page | Met | Missed |",
        "|---|---|---|",
        *(f"| [{name}]({name}) | {count[True]} | {count[False]} |" for name, count in counted.items()),
        f"| all | {sum(c[True] for c in counted.values())} | {sum(c[False] for c in counted.values())} |",
        "",
        "## Missed",
        "",
        *([] if missed else ["Nothing."]),
        *(["| Page | What | Target | Measured |", "|---|---|---|---|"] if missed else []),
        *(f"| {one.page} | {one.what} | {one.target} | {one.measured} |" for one in missed),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Print the page, with --write keep it."""
    text = page()
    sys.stdout.write(text)
    if "--write" in arguments:
        PAGE.write_text(text, encoding="utf-8")
    return 1 if any(held(promise).verdict == "nobody looks" for promise in PROMISES) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
