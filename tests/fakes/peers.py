"""The other servers as a table of answers, and a listener that remembers what real ones said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiops_shared.auth.behalf import Behalf
from aiops_shared.errors import AiopsError, NotConfiguredError
from aiops_sop.ports import Peers

Obj = dict[str, Any]
Reply = Obj | AiopsError | Callable[[Mapping[str, Any]], Obj]


@dataclass
class FakePeers:
    """Fulfils `ports.Peers`. `replies`: `server.tool` -> an answer, an error, or a function."""

    replies: Mapping[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, Obj]] = field(default_factory=list)

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], behalf: Behalf | None = None
    ) -> Obj:
        """The answer of the table."""
        del behalf
        name = f"{server}.{tool}"
        self.asked.append((name, dict(arguments)))
        reply = self.replies.get(name) or NotConfiguredError(name, "nobody answers here", "set a reply")
        if isinstance(reply, AiopsError):
            raise reply
        return reply(arguments) if callable(reply) else reply

    async def tools(self, server: str) -> Mapping[str, Obj]:
        """Those that have an answer."""
        return {name.partition(".")[2]: {} for name in self.replies if name.startswith(f"{server}.")}

    async def missing(self, servers: Sequence[str]) -> Mapping[str, str]:
        """None."""
        del servers
        return {}


@dataclass
class HeardPeers:
    """Passes every call on, and remembers the answers."""

    peers: Peers
    heard: list[tuple[str, Obj, Obj]] = field(default_factory=list)

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], behalf: Behalf | None = None
    ) -> Obj:
        """The real answer."""
        answer = await self.peers.call(server, tool, arguments, behalf)
        self.heard.append((f"{server}.{tool}", dict(arguments), answer))
        return answer

    async def tools(self, server: str) -> Mapping[str, Obj]:
        """The real list."""
        return await self.peers.tools(server)

    async def missing(self, servers: Sequence[str]) -> Mapping[str, str]:
        """The real ones."""
        return await self.peers.missing(servers)
