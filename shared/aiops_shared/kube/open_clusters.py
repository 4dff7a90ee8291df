"""Which clusters stay connected: those asked last, up to a bound; never is one let go that is being asked.

A cluster that was asked keeps its sockets (about seven) for the next question. In a table of hundreds that
would add up, so of more than `most` the one that was asked least lately lets go of its own. Its API stays as
it is, and connects again with the next question. Used by `ClusterDirectory` alone.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import anyio

if TYPE_CHECKING:
    from aiops_shared.kube.api import KubeApi
    from aiops_shared.kube.cluster_sources import Entry

MOST_CONNECTED: Final = 48  # one call asks at most 40


class OpenClusters:
    """The APIs of one process by cluster, and which of them hold sockets."""

    def __init__(self, most: int = MOST_CONNECTED) -> None:
        self._most = most
        self._apis: dict[Entry, KubeApi] = {}
        self._asked: OrderedDict[Entry, None] = OrderedDict()  # with sockets, least lately asked first

    @property
    def connected(self) -> int:
        """How many hold sockets."""
        return len(self._asked)

    def entry_of(self, api: "KubeApi") -> "Entry | None":
        """The cluster that an API is of."""
        return next((entry for entry, known in self._apis.items() if known is api), None)

    def get(self, entry: "Entry", make: "Callable[[Entry], KubeApi]") -> "KubeApi":
        """The API of a cluster, made at the first question."""
        found = self._apis.get(entry)
        if found is None:
            found = self._apis[entry] = make(entry)
        return found

    async def asking(self, entry: "Entry") -> None:
        """A request to a cluster begins: it was asked last, and others may have to let go."""
        if entry not in self._apis:  # this directory is closed
            return
        self._asked[entry] = None
        self._asked.move_to_end(entry)
        while len(self._asked) > self._most and (idle := self._idle()) is not None:
            del self._asked[idle]
            with anyio.CancelScope(shield=True):  # half closed would be neither
                await self._apis[idle].rest()

    async def aclose(self) -> None:
        """Close every connection."""
        for api in self._apis.values():
            await api.aclose()
        self._apis.clear()
        self._asked.clear()

    def _idle(self) -> "Entry | None":
        """The cluster asked least lately that nothing is under way to."""
        return next((entry for entry in self._asked if not self._apis[entry].busy), None)
