"""Which names a server answers to, and which web pages may call it (T11: DNS rebinding, CSRF).

A foreign Host gets 421, a foreign Origin 403 (MCP 2026-07-28, streamable HTTP: MUST). No CORS header is ever
sent: a page of another origin cannot read an answer even where its Origin is allowed.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from aiops_shared.http.client import is_loopback
from aiops_shared.remote.asgi import App, Receive, Scope, Send, StoppedError, header, stop
from aiops_shared.settings import HttpSettings


@dataclass(frozen=True)
class Places:
    """The layer."""

    inner: App
    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: HttpSettings, inner: App) -> "Places":
        """As the settings say."""
        public = urlsplit(settings.public_url)
        hosts = {name.lower() for name in settings.allowed_hosts}
        origins = {origin.rstrip("/").lower() for origin in settings.allowed_origins}
        if public.hostname:
            hosts.add(public.hostname)
            origins.add(f"{public.scheme}://{public.netloc}".lower())
        return cls(inner, frozenset(hosts), frozenset(origins))

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
        host = header(scope, b"host")
        if not self._is_ours(_name(host)):
            raise StoppedError(421, "misdirected_request", "not a name of this server")
        origin = header(scope, b"origin").rstrip("/").lower()
        if origin and origin not in self.origins and not _same(origin, host):
            raise StoppedError(403, "forbidden_origin", "this web origin may not call")

    def _is_ours(self, name: str) -> bool:
        if is_loopback(name) or name in self.hosts:
            return True
        return any(one.startswith("*.") and name.endswith(one[1:]) for one in self.hosts)


def _name(host: str) -> str:
    """A Host header's name, without the port."""
    return (urlsplit(f"//{host}").hostname or "") if host else ""


def _same(origin: str, host: str) -> bool:
    """Whether a page of this very server calls, on loopback (elsewhere the public URL says so)."""
    return is_loopback(_name(host)) and urlsplit(origin).netloc == host.lower()
