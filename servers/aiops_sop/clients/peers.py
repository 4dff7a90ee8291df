"""The other servers of the suite, asked over MCP: child processes, by URL, or given (decision D23).

Called by the engine, by `investigate` and by every tool that needs a fact. A child is started by the first
call that needs it, with this process's environment, and is started again when it died. Runs, requests and
pollers call from loops of their own; connections live in one thread with a loop of its own, those to servers
of this process in the loop that serves them (`live_here`).

One connection serves every caller, so nothing of a call may cling to it: it is opened, and each call is made,
in an empty context, and for whom a call is stands in a signed statement beside its arguments (`_said`).
"""

import asyncio
import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from opentelemetry import context as tracing

from aiops_shared.app.toolsets import left_out
from aiops_shared.auth.acting import acting
from aiops_shared.auth.behalf import META_KEY, Behalf, call_of, current, signed
from aiops_shared.clock import SystemClock
from aiops_shared.errors import (
    ActionRefusedError,
    AiopsError,
    BehalfInvalidError,
    NotConfiguredError,
    UnreachableError,
    UpstreamTimeoutError,
    from_wire,
)
from aiops_shared.settings import Settings
from aiops_shared.state.keys import Keys
from aiops_sop.clients.peer_places import child_of, url_of

if TYPE_CHECKING:
    from fastmcp import Client

NAMES: Final = ("eks", "observability", "cost")
CALL_S: Final = 55.0  # a server answers within 50 s, or says that it could not
START_S: Final = 20.0
STATEMENT_LASTS: Final = timedelta(minutes=2)  # longer than a call
Obj = dict[str, Any]
T = TypeVar("T")
Connect = Callable[[], Any]  # what a fastmcp Client is made of: a transport, a URL, a server object
_log = logging.getLogger("aiops.peers")


@dataclass
class McpPeers:
    """Fulfils `ports.Peers`. `given` names servers in this process (gateway, tests), or transports."""

    settings: Settings
    given: Mapping[str, Connect] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._keys = Keys(self.settings.state)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._home: asyncio.AbstractEventLoop | None = None
        self._starting = threading.Lock()
        self._clients: dict[str, Client[Any]] = {}
        self._opening: dict[str, anyio.Lock] = {}
        self._listed: dict[str, dict[str, Obj]] = {}

    def live_here(self) -> None:
        """From now on servers of this process are asked in this loop, which serves them as well."""
        self._home = asyncio.get_running_loop()

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], behalf: Behalf | None = None
    ) -> Obj:
        """One tool's structured answer; see `ports.Peers`."""
        if server not in self.given and (why := self._left_out(server, tool)):
            raise ActionRefusedError(f"{server}.{tool}", *why)
        meta = None
        said = behalf or _said(server)
        if said is not None:
            key = await anyio.to_thread.run_sync(self._keys.derive, "behalf")
            meta = {META_KEY: signed(said.model_copy(update={"call": call_of(tool, arguments)}), key)}
        try:
            return await self._there(server, self._call(server, tool, dict(arguments), meta))
        except BehalfInvalidError as error:
            if url := self._url(server):
                hint = f"give this server and the one at {url} the same AIOPS_STATE_URL and key file"
                raise BehalfInvalidError(error.thing, error.reason, hint) from error
            raise

    async def tools(self, server: str) -> Mapping[str, Obj]:
        """Its tools as listed."""
        if server not in self._listed:
            self._listed[server] = await self._there(server, self._list(server))
        return self._listed[server]

    async def missing(self, servers: Sequence[str]) -> Mapping[str, str]:
        """Which of these do not answer, each with why; of tools (`eks.diagnose`) those that are left out."""
        found: dict[str, str] = {}
        for what in servers:
            server, _, tool = what.partition(".")
            if tool and (why := self._left_out(server, tool)):
                found[what] = "; ".join(why)

        async def look(server: str) -> None:
            try:
                await self.tools(server)
            except AiopsError as error:
                found[server] = str(error)

        async with anyio.create_task_group() as tasks:
            for server in servers:
                if "." not in server:
                    tasks.start_soon(look, server)
        return found

    async def aclose(self) -> None:
        """End the children, close the connections."""
        with anyio.move_on_after(5, shield=True):
            for server in tuple(self._clients):
                await self._there(server, self._drop(server))
        self._home = None
        if self._loop is None or self._thread is None:
            return
        loop, thread = self._loop, self._thread
        loop.call_soon_threadsafe(loop.stop)
        await anyio.to_thread.run_sync(thread.join, 5.0)
        if not thread.is_alive():
            loop.close()
        self._loop = self._thread = None

    async def _there(self, server: str, work: Coroutine[Any, Any, T]) -> T:
        """Run it in the loop of that connection, wait for it here; cancelling here cancels it there."""
        loop = self._home if self._home is not None and server in self.given else self._running()
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_alone(work), loop))

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="aiops-peers", daemon=True
                )
                self._thread.start()
            return self._loop

    async def _call(self, server: str, tool: str, arguments: Obj, meta: Obj | None) -> Obj:
        try:
            async with self._asking(server) as client:
                with anyio.fail_after(CALL_S):
                    result = await client.call_tool(tool, arguments, raise_on_error=False, meta=meta)
        except TimeoutError as error:
            reason = f"no answer within {CALL_S:.0f} s"
            raise UpstreamTimeoutError(f"{server}.{tool}", reason, "narrow the call") from error
        text = "".join(getattr(block, "text", "") for block in result.content)
        if result.is_error:
            raise from_wire(text)
        return dict(result.structured_content or {})

    async def _list(self, server: str) -> dict[str, Obj]:
        async with self._asking(server) as client:
            listed = await client.list_tools()
        return {tool.name: tool.model_dump(mode="json", by_alias=True) for tool in listed}

    @asynccontextmanager
    async def _asking(self, server: str) -> "AsyncIterator[Client[Any]]":
        """The connection to a server. One that breaks is dropped and made anew by the next call."""
        client = await self._client(server)
        try:
            yield client
        except (TimeoutError, AiopsError):  # it is slow, or said what is wrong
            raise
        except Exception as error:
            await self._drop(server)
            raise UnreachableError(f"{server} server", _first_line(error), "call again") from error

    async def _client(self, server: str) -> "Client[Any]":
        async with self._opening.setdefault(server, anyio.Lock()):
            if server not in self._clients:
                self._clients[server] = await self._opened(server)
            return self._clients[server]

    async def _opened(self, server: str) -> "Client[Any]":
        from fastmcp import Client

        client = Client(self._transport(server), timeout=CALL_S, init_timeout=START_S)
        try:
            await client.__aenter__()  # type: ignore[no-untyped-call]  # fastmcp leaves it unannotated
        except Exception as error:  # a child that cannot start raises as it likes
            raise UnreachableError(
                f"{server} server",
                f"it does not start: {_first_line(error)}",
                f"try `eks-aiops {server}` by hand, or set AIOPS_SOP_{server.upper()}_URL",
            ) from error
        return client

    def _transport(self, server: str) -> Any:
        if server in self.given:
            return self.given[server]()
        if server not in NAMES:
            raise NotConfiguredError(
                f"server {server[:40]}", "no such server", f"there are {', '.join(NAMES)}"
            )
        if url := self._url(server):
            return url_of(url, self.settings.sop.token_file)
        return child_of(server, self.settings)

    def _left_out(self, server: str, tool: str) -> tuple[str, str] | None:
        """Why the operator's choice of tools has it not, and what would; a server at a URL has its own."""
        return None if self._url(server) else left_out(self.settings, tool)

    def _url(self, server: str) -> str:
        if server in self.given or server not in NAMES:
            return ""
        return str(getattr(self.settings.sop, f"{server}_url") or "")

    async def _drop(self, server: str) -> None:
        client = self._clients.pop(server, None)
        self._listed.pop(server, None)
        if client is not None:
            try:
                await client.close()  # type: ignore[no-untyped-call]  # as above
            except Exception:  # noqa: BLE001  # it is broken; that is why it goes
                _log.debug("closing a broken connection to %s", server, exc_info=True)


def _said(server: str) -> Behalf | None:
    """For whom this code works, told to a server: the statement that it answers to itself, else the caller of
    its request. None for work of the process's own.
    """
    until = SystemClock().safe_now() + STATEMENT_LASTS
    if (held := current()) is not None:
        return held.model_copy(update={"audience": server, "until": until})
    if (found := acting()) is None:
        return None
    who = found.who
    return Behalf(
        caller=who.name,
        kind=who.kind,
        scopes=who.held,
        groups=who.groups,
        run_id=found.run,
        mode="",
        audience=server,
        until=until,
    )


async def _alone(work: Coroutine[Any, Any, T]) -> T:
    """Run it in a context that holds nothing of whoever asks but the trace."""
    empty = contextvars.Context()
    empty.run(tracing.attach, tracing.get_current())
    return await asyncio.get_running_loop().create_task(work, context=empty)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:300]
