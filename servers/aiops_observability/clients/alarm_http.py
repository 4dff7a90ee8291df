"""JSON over HTTP from one alert backend: bounded, with a deadline, a breaker, and a token where one is set.

Called by `alarm_alertmanager` and `alarm_rules`. Raises `AiopsError` only.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    ThrottledError,
    UnauthenticatedError,
    UpstreamError,
)
from aiops_shared.http.answers import broken, deadline, parse_json, read_body
from aiops_shared.http.breaker import Breaker
from aiops_shared.http.client import Tls, is_loopback, make_client
from aiops_shared.http.snippets import snippet

MOST_BYTES = 32 * 1024 * 1024  # about 50,000 alerts
MOST_ERROR_BYTES = 64 * 1024


class AlertDoor:
    """One backend. `setting` is the variable that names it, for errors."""

    def __init__(
        self,
        thing: str,
        url: str,
        *,
        setting: str,
        timeout_s: float,
        token_file: Path | None = None,
        ca_file: Path | None = None,
    ) -> None:
        self.thing, self._url, self._setting = thing, url, setting
        self._timeout_s, self._token_file, self._ca_file = timeout_s, token_file, ca_file
        self._client: httpx.AsyncClient | None = None
        self._breaker = Breaker()

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def get(self, path: str, params: Mapping[str, str | Sequence[str]]) -> Any:
        """The parsed answer of a GET below the backend's URL."""
        thing = f"{self.thing} {path}"
        with self._breaker.guarding(self.thing) as call, deadline(thing, self._timeout_s):
            try:
                request = self._opened().build_request(
                    "GET", path.lstrip("/"), params=dict(params), headers=self._headers()
                )
                request.extensions["trace"] = call.trace
                response = await self._opened().send(request, stream=True)
                try:
                    call.heard = True
                    if not response.is_success:
                        raise await self._refused(response, thing)
                    return parse_json(await read_body(response, thing, MOST_BYTES), thing)
                finally:
                    await response.aclose()
            except httpx.TransportError as error:
                raise broken(thing, error) from error

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            host = urlsplit(self._url).hostname or ""
            self._client = make_client(
                self._url.rstrip("/") + "/",
                timeout_s=self._timeout_s,
                upstream=self.thing.lower(),
                tls=Tls(ca_file=str(self._ca_file or "")),
                plain_http=is_loopback(host) or self._token_file is None,
            )
        return self._client

    def _headers(self) -> dict[str, str]:
        headers = {"accept": "application/json", "accept-encoding": "gzip", "user-agent": "eks-aiops"}
        if self._token_file is not None:
            try:
                headers["authorization"] = f"Bearer {self._token_file.read_text().strip()}"
            except (OSError, UnicodeDecodeError) as error:
                raise NotConfiguredError(
                    self.thing, "its token file cannot be read", f"check the file beside {self._setting}"
                ) from error
        return headers

    async def _refused(self, response: httpx.Response, thing: str) -> AiopsError:
        """What a status that is no success means."""
        body = await read_body(response, thing, MOST_ERROR_BYTES)
        status = response.status_code
        said = f"HTTP {status} {snippet(body[:512].decode('utf-8', 'replace'))}".strip()
        if status == httpx.codes.UNAUTHORIZED:
            return UnauthenticatedError(thing, said, "give it a token file, or renew the token")
        if status == httpx.codes.FORBIDDEN:
            return AccessDeniedError(thing, said, f"allow this identity GET {response.url.path}")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return ThrottledError(thing, said, "wait, then again")
        if status == httpx.codes.NOT_FOUND:
            return NotFoundError(thing, said, f"check {self._setting}")
        if status in {httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY}:
            return InvalidInputError(thing, said)
        return UpstreamError(thing, said, "again later")
