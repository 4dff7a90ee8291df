"""Whether kube-scheduler itself would find a place for every pod on these nodes. Pure.

Called by `fleets.py` beside `packing.pack`. A packing exists where the best of all orders fits; the scheduler
sees one pod after the other, spreads them, and moves none again. So pods arrive here in orders that nobody
chose, and each goes to the node with most left: NodeResourcesFit's default LeastAllocated (kube-scheduler,
plugins/noderesources/least_allocated.go: the mean of the free shares of CPU and memory, in whole hundredths
there), and of its hard rules all that packing knows. Its other scores spread too.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Final
from zlib import crc32

import numpy as np

from aiops_cost.analysis.packing import TINY, Filling, Load, Slot

# What the scheduler counts for a pod that asks for nothing, in scores only (scheduler/util/pod_resources.go).
CORES_OF_NONE: Final = 0.1
MEMORY_OF_NONE: Final = 200 * 1024 * 1024
# Orders besides the sorted ones. Of many pods any two orders differ little, and each costs a second.
SORTED, SHUFFLES, SHUFFLES_OF_MANY, FEW = 4, 12, 1, 500

# Who may stand on Spot is told to prefer it: NodeAffinity weighs twice what LeastAllocated does.
PREFERS: Final = 4.0


class Cluster:
    """Nodes while the scheduler fills them: sums in arrays, rules in `packing.Filling`."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._filling = Filling(slots)
        names = sorted({slot.zone for slot in slots})
        self._zone_of = np.array([names.index(slot.zone) for slot in slots])
        self._zones = {name: at for at, name in enumerate(names)}
        self._spot = np.array([slot.spot for slot in slots])
        self._free = np.array([[slot.room.cores, slot.room.memory_bytes] for slot in slots], dtype=float)
        self._pods = np.array([slot.room.pods for slot in slots])
        self._whole = np.maximum(self._free, TINY)
        self._scored = self._free.copy()  # as scores see it: who asks for nothing counts too

    def place(self, load: Load) -> int:
        """Put a pod where the scheduler would, and say where; -1 where no node takes it."""
        asked = np.array([load.cores - TINY, load.memory_bytes])
        fits = (self._free >= asked).all(axis=1) & (self._pods >= 1)
        if not load.spot:
            fits &= ~self._spot
        if load.zones:
            fits &= np.isin(self._zone_of, [self._zones[one] for one in load.zones if one in self._zones])
        counted = np.array([load.cores or CORES_OF_NONE, load.memory_bytes or MEMORY_OF_NONE])
        score = ((self._scored - counted) / self._whole).sum(axis=1)
        if load.spot:
            score += PREFERS * self._spot
        score = np.where(fits, score, -np.inf)
        at = self._best(load, score)
        if at < 0:
            return -1
        self._free[at] -= (load.cores, load.memory_bytes)
        self._scored[at] -= counted
        self._pods[at] -= 1
        self._filling.put(load, at)
        return at

    def _best(self, load: Load, score: np.ndarray) -> int:
        """The highest score that the pod's rules allow; -1 for none."""
        first = int(score.argmax())
        if score[first] == -np.inf:
            return -1
        if self._filling.takes(load, first):
            return first
        for at in np.argsort(-score, kind="stable"):
            if score[at] == -np.inf:
                return -1
            if self._filling.takes(load, int(at)):
                return int(at)
        return -1


def schedules(loads: Sequence[Load], slots: Sequence[Slot]) -> bool:
    """Whether every order that is tried finds a place for each pod."""
    return all(scheduled(order, slots) for order in orders(loads))


def orders(loads: Sequence[Load]) -> Iterator[Sequence[Load]]:
    """Smallest first, which leaves the least room for the large ones; as listed (workload by workload); the
    largest first; and shuffled, the same way each time: workloads by turns with pods.
    """
    yield sorted(loads, key=lambda one: (one.memory_bytes, one.cores, one.name))
    yield sorted(loads, key=lambda one: (one.cores, one.memory_bytes, one.name))
    yield loads
    yield sorted(loads, key=lambda one: (-one.memory_bytes, -one.cores, one.name))
    for turn in range(tried(len(loads)) - SORTED):
        yield sorted(loads, key=partial(_drawn, turn))


def tried(pods: int) -> int:
    """How many orders `orders` has for so many pods."""
    return SORTED + (SHUFFLES if pods <= FEW else SHUFFLES_OF_MANY)


def _drawn(turn: int, load: Load) -> tuple[int, str]:
    who = load.name.rpartition("-")[0] if turn % 2 else load.name
    return crc32(f"{turn}/{who}".encode()), load.name


def scheduled(order: Iterable[Load], slots: Sequence[Slot]) -> bool:
    """Whether the scheduler finds a place for each pod, the pods coming in this order."""
    if not slots:
        return not tuple(order)
    cluster = Cluster(slots)
    return all(cluster.place(one) >= 0 for one in order)
