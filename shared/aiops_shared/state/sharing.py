"""One engine for each database in a process, however many stores are opened on it.

A gateway holds four servers, and each of them, its limits and its runs open a store: with an engine each,
they would hold seven pools of connections to one database. Called by `StateStore` alone.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from sqlalchemy import Engine


@dataclass(eq=False)
class Shared:
    """An engine and how many stores use it."""

    engine: "Engine"
    users: int = 0


# Weak: the engine of stores that nobody closed goes with the last of them.
_HELD: WeakValueDictionary[str, Shared] = WeakValueDictionary()
_CHANGING = threading.Lock()


def taken(url: str, make: "Callable[[], Engine]") -> Shared:
    """The engine of a database, made by the first that takes it. Raises what `make` raises."""
    with _CHANGING:
        found = _HELD.get(url)
        if found is None:
            found = _HELD[url] = Shared(make())
        found.users += 1
        return found


def given_back(url: str, shared: Shared) -> None:
    """One user fewer; the last one closes its connections."""
    with _CHANGING:
        shared.users -= 1
        if shared.users:
            return
        if _HELD.get(url) is shared:
            del _HELD[url]
    shared.engine.dispose()
