"""The five endpoints as `--http` serves them, with the conformance suite's parts mounted by this harness.

    with judged("eks", settings, token=lambda: idp.token()) as place:
        ...                                          # the suite, at place.url

Every layer of `remote.application.around` and every middleware of the server stands between suite and parts;
the one thing given to them is the parts' names (`Door.known`), as a product's tool would give its own. The
suite sends no header of ours, so where tokens are asked for a layer outside of all of ours adds one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final

import uvicorn
from fastmcp import FastMCP

from aiops_shared.app import Door
from aiops_shared.remote.application import around
from aiops_shared.remote.asgi import App, Receive, Scope, Send
from aiops_shared.remote.scopes import scopes_of
from aiops_shared.settings import Settings
from tests.clients.suite_parts import complete, parts
from tests.remote.issuer import Served

ENDPOINTS: Final = ("eks", "observability", "cost", "sop", "gateway")


def made(endpoint: str, settings: Settings) -> FastMCP:
    """A server as the command line makes it."""
    module = "eks_aiops.gateway" if endpoint == "gateway" else f"aiops_{endpoint}.server"
    server = import_module(module).make(settings)
    assert isinstance(server, FastMCP)
    return server


async def with_parts(server: FastMCP) -> FastMCP:
    """The same server, with the suite's parts behind its middleware."""
    further = parts()
    names = frozenset(tool.name for tool in await further.list_tools())
    for layer in server.middleware:
        if isinstance(layer, Door):
            layer.known |= names
    server.mount(further)
    server.add_completion_handler(complete)
    return server


@dataclass(frozen=True)
class Showing:
    """Shows a token with every request, as a client with a bearer header would."""

    inner: App
    token: Callable[[], str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            shown = (b"authorization", f"Bearer {self.token()}".encode())
            scope = {**scope, "headers": [*scope["headers"], shown]}
        await self.inner(scope, receive, send)


@dataclass
class Judged(Served):
    """One endpoint with the suite's parts. `stateful`: the framework's app bare, for comparison."""

    token: Callable[[], str] | None = None
    stateful: bool = False
    outermost: App = field(init=False)

    async def _run(self) -> None:
        server = await with_parts(self.server)
        if self.stateful:
            self.outermost = server.http_app(path=self.settings.http.path, host_origin_protection=True)
        else:
            self.app = around(server, self.settings, await scopes_of(server))
            self.outermost = Showing(self.app, self.token) if self.token else self.app
        config = uvicorn.Config(
            self.outermost, port=0, http="h11", ws="none", log_config=None, timeout_graceful_shutdown=2
        )
        self._uvicorn = uvicorn.Server(config)
        await self._uvicorn.serve()


def judged(
    endpoint: str, settings: Settings, token: Callable[[], str] | None = None, *, stateful: bool = False
) -> Judged:
    """An endpoint, not yet listening."""
    return Judged(made(endpoint, settings), settings, token=token, stateful=stateful)
