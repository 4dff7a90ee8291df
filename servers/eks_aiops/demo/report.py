"""The demo's report: what was asked, what came back, what the simulator saw; and whether it held."""

import sys
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """Prints as it goes and remembers what failed."""

    failed: list[str] = field(default_factory=list)
    checked: int = 0

    def title(self, text: str) -> None:
        """A new act."""
        self._line(f"\n{text}\n{'=' * len(text)}")

    def step(self, text: str) -> None:
        """What is asked next."""
        self._line(f"\n> {text}")

    def says(self, text: str) -> None:
        """What came back."""
        for line in text.splitlines() or [""]:
            self._line(f"    {line}")

    def table(self, columns: list[str], rows: list[list[Any]], at_most: int = 6) -> None:
        """The first rows of a table, aligned."""
        shown = [[str("" if cell is None else cell)[:44] for cell in row] for row in rows[:at_most]]
        widths = [max(len(str(line[i])) for line in [columns, *shown]) for i in range(len(columns))]
        for line in [columns, *shown]:
            self.says(
                "  ".join(str(cell).ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            )
        if len(rows) > at_most:
            self.says(f"… {len(rows) - at_most} more")

    def check(self, what: str, held: object) -> None:
        """One promise, judged by the simulator."""
        self.checked += 1
        self._line(f"    [{'ok' if held else 'FAILED'}] {what}")
        if not held:
            self.failed.append(what)

    def end(self, seconds: float) -> int:
        """The verdict; the exit code."""
        self._line("")
        if self.failed:
            self._line(f"FAILED: {len(self.failed)} of {self.checked} checks: " + "; ".join(self.failed))
            return 1
        self._line(f"All {self.checked} checks held, in {seconds:.1f} s.")
        return 0

    def _line(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
