"""How far a long call is: told by whoever does the work, heard by the door, which tells the client (D34).

    with counting(len(sources)) as told:      # at whatever depth: only the outermost count is heard
        ...
        told.done("eks.diagnose")

Costs nothing where nobody listens. Any thread may tell. The door is `aiops_shared.app.progressing`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

Report = Callable[[float, float | None, str], None]

_REPORT: ContextVar[Report | None] = ContextVar("aiops_progress", default=None)


@contextmanager
def reporting(report: Report | None) -> Iterator[None]:
    """While the block runs, `report` hears (done, total, what); None: nobody does."""
    mark = _REPORT.set(report)
    try:
        yield
    finally:
        _REPORT.reset(mark)


def progress(done: float, total: float | None = None, what: str = "") -> None:
    """So much is done of so much."""
    report = _REPORT.get()
    if report is not None:
        report(done, total, what)


@dataclass(slots=True)
class Counted:
    """A count of equal parts. `total` may grow while it is counted."""

    report: Report | None
    total: int
    so_far: int = 0

    def more(self, parts: int) -> None:
        """So many parts come on top."""
        self.total += parts

    def done(self, what: str = "") -> None:
        """One more part."""
        self.so_far += 1
        if self.report is not None:
            self.report(self.so_far, max(self.total, self.so_far), what)

    def at(self, done: int, total: int, what: str = "") -> None:
        """Stand at so many."""
        self.so_far, self.total = done, total
        if self.report is not None:
            self.report(done, total, what)


@contextmanager
def counting(total: int = 0) -> Iterator[Counted]:
    """Count parts; what is counted inside of the block's own parts is not heard."""
    counted = Counted(_REPORT.get(), total)
    with reporting(None):
        yield counted
