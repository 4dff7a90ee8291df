"""Parts that are made by the first call that needs them, so that a server starts without their imports (D31).

    logs = lazily(lambda: LogReader(clusters, clock, recorder, redact))

Called by the servers' wiring. What it gives looks like the part itself; the function that makes it holds the
import.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class _Later:
    """Stands for a part until something of it is asked for. Making one never waits, so that two calls that
    meet get the same.
    """

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)


def lazily(make: Callable[[], T]) -> T:
    """The part that `make` makes, later. It is made once."""
    return cast("T", _Later(make))
