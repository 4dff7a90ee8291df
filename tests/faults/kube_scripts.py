"""What the fault tests of the Kubernetes client share: scripted answers, noted waits, tokens that end."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import anyio.lowlevel

from aiops_shared.kube.access import Access
from tests.shared.http.wire_server import Reply, Seen, WireServer

PODS = "/api/v1/namespaces/shop/pods"
MAPS = "/api/v1/namespaces/shop/configmaps"
PERMIT = object()
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}


@dataclass
class RecordedPace:
    """Waits that are noted and not waited; `at` is where in the jitter's band each falls."""

    at: float = 0.0
    waits: list[float] = field(default_factory=list)

    def jitter(self) -> float:
        return self.at

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        await anyio.lowlevel.checkpoint()


def script(path: str, *replies: Reply | Callable[[Seen], Reply]) -> Callable[[Seen], Reply | None]:
    """Answer `path` by these replies in turn, the last one forever."""
    left: Iterator[Reply | Callable[[Seen], Reply]] = iter(replies)
    last: list[Reply | Callable[[Seen], Reply]] = []

    def answer(seen: Seen) -> Reply | None:
        if not seen.path.startswith(path):
            return None
        last[:] = [next(left, last[0] if last else replies[-1])]
        return last[0] if isinstance(last[0], Reply) else last[0](seen)

    return answer


def sent(server: WireServer, path: str) -> list[Seen]:
    """What was asked below a path."""
    return [one for one in server.seen if one.path.startswith(path)]


class CountingSource:
    """Credentials that are made anew when they are refused: `token-1`, `token-2`, …"""

    def __init__(self, url: str) -> None:
        self.url = url
        self.made = 0

    async def access(self, *, fresh: bool = False) -> Access:
        if fresh or not self.made:
            self.made += 1
        return Access(self.url, token=f"token-{self.made}", plain_http=True)
