"""The outermost layer: whether the process lives and is ready, for load balancers and kubelets.

`/healthz` says that the process answers; `/readyz` that it takes work: not while it drains, not without its
state store or its issuer's keys. They and the OAuth metadata are all that is answered without a token.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import anyio

from aiops_shared.remote.asgi import App, Receive, Scope, Send, answer

METADATA: Final = "/.well-known/oauth-protected-resource"
OPEN_PATHS: Final = ("/healthz", "/readyz", METADATA)
LOOKED_LASTS_S: Final = 2.0  # anybody may ask, and each part is looked at this often at most
LOOK_S: Final = 3.0
_log = logging.getLogger("aiops.remote")


@dataclass
class Readiness:
    """What `/readyz` says. `checks`: name -> raises when that part is not ready."""

    checks: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    draining: bool = False
    monotonic: Callable[[], float] = time.monotonic
    _found: dict[str, str] = field(default_factory=dict)
    _until: float = float("-inf")
    _lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def problems(self) -> dict[str, str]:
        """Part -> what is wrong with it, in words that anybody may read."""
        if self.draining:
            return {"process": "draining"}
        async with self._lock:
            if self.monotonic() >= self._until:
                self._found = {name: "not ready" for name in self.checks if not await self._holds(name)}
                self._until = self.monotonic() + LOOKED_LASTS_S
            return self._found

    async def _holds(self, name: str) -> bool:
        try:
            with anyio.fail_after(LOOK_S):
                await self.checks[name]()
        except Exception as error:  # noqa: BLE001  # whatever it is, the part is not ready
            _log.warning("not ready: %s: %s: %s", name, type(error).__name__, error)
            return False
        return True


@dataclass(frozen=True)
class Probes:
    """The layer. `metadata`: the OAuth protected resource metadata (RFC 9728); None without an issuer."""

    inner: App
    readiness: Readiness
    metadata: dict[str, Any] | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "websocket":  # no layer below looks at them
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self.inner(scope, receive, send)
        elif scope["path"] == "/healthz":
            await answer(send, 200, {"status": "ok"})
        elif scope["path"] == "/readyz":
            problems = await self.readiness.problems()
            status = "not ready" if problems else "ok"
            await answer(send, 503 if problems else 200, {"status": status, **problems})
        elif self.metadata and scope["path"] in (METADATA, METADATA + _path(self.metadata["resource"])):
            await answer(send, 200, self.metadata)
        else:
            await self.inner(scope, receive, send)


def _path(url: str) -> str:
    return urlsplit(url).path.rstrip("/")
