"""The outermost layer: whether the process lives and is ready, for load balancers and kubelets.

`/healthz` says that the process answers; `/readyz` that it takes work: not while it drains, not without its
state store. They and the OAuth metadata are all that is answered without a token.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiops_shared.remote.asgi import App, Receive, Scope, Send, answer

METADATA = "/.well-known/oauth-protected-resource"
OPEN_PATHS = ("/healthz", "/readyz", METADATA)


@dataclass
class Readiness:
    """What `/readyz` says. `checks`: name -> raises when that part is not ready."""

    checks: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    draining: bool = False

    async def problems(self) -> dict[str, str]:
        """Part -> what is wrong with it."""
        if self.draining:
            return {"process": "draining"}
        found = {}
        for name, check in self.checks.items():
            try:
                await check()
            except Exception as error:  # noqa: BLE001  # whatever it is, the part is not ready
                found[name] = type(error).__name__
        return found


@dataclass(frozen=True)
class Probes:
    """The layer. `metadata`: the OAuth protected resource metadata (RFC 9728); None without an issuer."""

    inner: App
    readiness: Readiness
    metadata: dict[str, Any] | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            await self.inner(scope, receive, send)
        elif scope["path"] == "/healthz":
            await answer(send, 200, {"status": "ok"})
        elif scope["path"] == "/readyz":
            problems = await self.readiness.problems()
            status = "not ready" if problems else "ok"
            await answer(send, 503 if problems else 200, {"status": status, **problems})
        elif self.metadata and (scope["path"] == METADATA or scope["path"].startswith(f"{METADATA}/")):
            await answer(send, 200, self.metadata)
        else:
            await self.inner(scope, receive, send)
