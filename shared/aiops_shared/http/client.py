"""The one factory of HTTP clients: a timeout per phase, no redirects, strict TLS.

`aiops_shared.kube.connection` and the lab's clock build their clients here. A redirect is never followed:
it could carry a token to a host that the operator did not name (threat T5).
"""

import ipaddress
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx

from aiops_shared.errors import NotConfiguredError
from aiops_shared.results.counting import OK, count_upstream

CONNECT_S = 5.0
MAX_CONNECTIONS = 32
_HOST = re.compile(r"[A-Za-z0-9.:-]+")

RequestHook = Callable[[httpx.Request], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom a client trusts and who it is. Empty fields: the system's roots, no client certificate."""

    ca_file: str = ""
    ca_data: str = ""  # PEM
    cert_file: str = ""
    key_file: str = ""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: such hosts are never reached through a proxy, as Go's clients do."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def tls_context(tls: Tls) -> ssl.SSLContext:
    """A verifying context. Raises NotConfiguredError when a CA or key does not load."""
    try:
        context = ssl.create_default_context(cafile=tls.ca_file or None, cadata=tls.ca_data or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file or None)
    except (OSError, ValueError) as error:
        raise NotConfiguredError(
            "TLS", f"the certificate authority or client key does not load ({error})", "check the files"
        ) from error
    return context


class CountedClient(httpx.AsyncClient):
    """An httpx client whose requests count in the suite's own metrics, under the kind of its upstream."""

    upstream = "http"

    async def send(self, request: httpx.Request, **how: Any) -> httpx.Response:
        """Send; the count knows the status or the way it failed, and nothing else."""
        try:
            response = await super().send(request, **how)
        except httpx.TransportError as error:
            slow = isinstance(error, httpx.TimeoutException)
            count_upstream(self.upstream, "timeout" if slow else "unreachable")
            raise
        count_upstream(self.upstream, OK if response.status_code < 400 else str(response.status_code))
        return response


def make_client(
    base_url: str,
    *,
    timeout_s: float,
    upstream: str = "http",
    tls: Tls | None = None,
    plain_http: bool = False,
    on_request: RequestHook | None = None,
) -> httpx.AsyncClient:
    """A client for one server.

    `timeout_s` bounds every phase; the caller bounds the whole. `upstream`: what kind of thing it asks, for
    the suite's own metrics. Raises NotConfiguredError for an address
    that is not https, unless `plain_http` says that it is meant (a lab or a test on loopback).
    """
    url = _address(base_url, plain_http=plain_http)
    hooks: dict[str, list[Callable[..., Any]]] = {"request": [on_request]} if on_request else {}
    client = CountedClient(
        base_url=url,
        verify=tls_context(tls or Tls()) if url.scheme == "https" else False,
        timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s), pool=timeout_s),
        limits=httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS),
        follow_redirects=False,
        trust_env=not is_loopback(url.host),
        event_hooks=hooks,
    )
    client.upstream = upstream
    return client


def _address(base_url: str, *, plain_http: bool) -> httpx.URL:
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise NotConfiguredError(base_url[:256], "not a URL", "give https://host[:port]") from error
    if url.userinfo or _HOST.fullmatch(url.host) is None or url.scheme not in {"https", "http"}:
        raise NotConfiguredError(url.host or "address", "not an https URL", "give https://host[:port]")
    if url.scheme == "http" and not plain_http:
        raise NotConfiguredError(str(url), "plain HTTP would show the token", "give an https address")
    return url
