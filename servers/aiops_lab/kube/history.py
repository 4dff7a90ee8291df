"""What watches and paged lists are served from: a bounded ring of changes and of list snapshots.

Stored objects are never changed in place, so the ring and the snapshots hold references, not copies.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from aiops_lab.kube.errors import expired
from aiops_lab.kube.wire import Obj

FIRST_VERSION = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """One committed write; versions are consecutive."""

    version: int
    type: str  # ADDED, MODIFIED, DELETED
    storage: str
    obj: Obj
    old: Obj | None


class History:
    """The last changes of the store, oldest first, and whoever waits for the next."""

    def __init__(self, capacity: int = 4000) -> None:
        self._ring: deque[Change] = deque(maxlen=capacity)
        self._floor = FIRST_VERSION  # watches may start at or above this version
        self._wakers: set[Callable[[], None]] = set()

    def append(self, change: Change) -> None:
        """Add a change, forgetting the oldest where the ring is full, and wake every watch."""
        if len(self._ring) == self._ring.maxlen:
            self._floor = self._ring[0].version
        self._ring.append(change)
        for wake in tuple(self._wakers):
            wake()

    def since(self, version: int) -> list[Change]:
        """Every change after `version`. Raises ApiError 410 where some of them are forgotten."""
        if version < self._floor:
            raise expired(f"too old resource version: {version} ({self._floor})")
        if not self._ring:
            return []
        skip = version - self._ring[0].version + 1
        return list(islice(self._ring, max(skip, 0), None))

    def forget(self, version: int) -> None:
        """Forget everything up to `version`; running watches are woken and see 410."""
        self._ring.clear()
        self._floor = version
        for wake in tuple(self._wakers):
            wake()

    def on_change(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after every change until the returned function is called."""
        self._wakers.add(wake)
        return lambda: self._wakers.discard(wake)


class Snapshots:
    """The lists that a `continue` token still points into: all pages show one version."""

    def __init__(self, capacity: int = 16) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[tuple[str, int], tuple[Obj, ...]] = OrderedDict()

    def keep(self, storage: str, version: int, objects: tuple[Obj, ...]) -> None:
        """Remember the whole list as it was at `version`."""
        self._kept[storage, version] = objects
        self._kept.move_to_end((storage, version))
        while len(self._kept) > self._capacity:
            self._kept.popitem(last=False)

    def at(self, storage: str, version: int) -> tuple[Obj, ...]:
        """The list as it was at `version`. Raises ApiError 410 where it is forgotten."""
        found = self._kept.get((storage, version))
        if found is None:
            raise expired(
                "The provided continue parameter is too old to display a consistent list result. "
                "You must start a new list without the continue parameter."
            )
        return found

    def clear(self) -> None:
        """Forget every list."""
        self._kept.clear()
