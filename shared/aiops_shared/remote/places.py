"""Which names a server answers to, and which web pages may call it (T11: DNS rebinding, CSRF).

A foreign Host gets 421, a foreign Origin 403 (MCP 2026-07-28, streamable HTTP: MUST). No CORS header is ever
sent: a page of another origin cannot read an answer even where its Origin is allowed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiops_shared.http.client import is_loopback
from aiops_shared.remote.asgi import App, Receive, Scope, Send, StoppedError, header, stop
from aiops_shared.settings import HttpSettings

# A name or an address and perhaps a port; no user name before it, no path after it.
_HOST: Final = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?")
_ORIGIN: Final = re.compile(r"https?://(?P<host>[^/?#]+)")


@dataclass(frozen=True)
class Places:
    """The layer. `hosts`: names that it answers to besides loopback; `*.` in front: any below it."""

    inner: App
    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: HttpSettings, inner: App) -> "Places":
        """As the settings say."""
        public = urlsplit(settings.public_url.lower())
        own = [f"{public.scheme}://{public.netloc}"] if public.netloc else []
        hosts = [public.netloc, *settings.allowed_hosts]
        return cls(
            inner, frozenset(_allowed(hosts)), frozenset(map(_origin, [*own, *settings.allowed_origins]))
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            try:
                self._check(scope)
            except StoppedError as stopped:
                await stop(send, stopped)
                return
        await self.inner(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        host = header(scope, b"host").lower()
        # A target with a name of its own ("POST http://…") would count before Host (RFC 9112, section 3.2.2).
        if not self._is_ours(_name(host)) or not scope["path"].startswith("/"):
            raise StoppedError(421, "misdirected_request", "not a name of this server")
        said = header(scope, b"origin")
        origin = _origin(said)
        if said and origin not in self.origins and not _same(origin, host):
            raise StoppedError(403, "forbidden_origin", "this web origin may not call")

    def _is_ours(self, name: str) -> bool:
        if is_loopback(name) or name in self.hosts:
            return True
        return any(one.startswith("*.") and name.endswith(one[1:]) for one in self.hosts)


def _allowed(hosts: Iterable[str]) -> Iterable[str]:
    """Names as `_name` gives them, with the star that some begin with."""
    for host in hosts:
        star, rest = ("*.", host[2:]) if host.startswith("*.") else ("", host)
        if name := _name(rest.lower()):
            yield star + name


def _name(host: str) -> str:
    """A Host header's name, without port and root dot; "" for what is no host."""
    found = _HOST.fullmatch(host)
    return found["name"].removesuffix(".") if found else ""


def _origin(said: str) -> str:
    return said.strip().removesuffix("/").lower()


def _same(origin: str, host: str) -> bool:
    """Whether a page of this very server calls, on loopback (elsewhere the public URL says so)."""
    found = _ORIGIN.fullmatch(origin)
    return found is not None and found["host"] == host and is_loopback(_name(host))
