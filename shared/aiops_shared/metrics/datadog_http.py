"""Datadog's HTTP API: two keys, bounded answers, a deadline, and what its refusals mean.

Called by `datadog`. "Authentication" and "Rate limits" of Datadog's API reference: 403 for a key that is
missing or wrong, 429 with X-RateLimit-Reset (seconds until requests are answered again).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx

from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    NotConfiguredError,
    NotFoundError,
    QueryInvalidError,
    ThrottledError,
    UpstreamError,
)
from aiops_shared.http.answers import broken, deadline, parse_json, read_body
from aiops_shared.http.breaker import Breaker
from aiops_shared.http.client import is_loopback, make_client
from aiops_shared.http.snippets import snippet

THING = "Datadog"
MAX_ANSWER_BYTES = 32 * 1024 * 1024
MOST_KEY_BYTES = 4096
KEYS_HINT = (
    "AIOPS_METRICS_DATADOG_KEY_FILE holds the API key and, on its second line, an application key that may"
    " read timeseries (scopes timeseries_query, metrics_read)"
)


class DatadogApi:
    """The HTTP side."""

    def __init__(self, url: str, key_file: Path | None, timeout_s: float) -> None:
        host = httpx.URL(url).host
        self._client = make_client(
            url.rstrip("/") + "/", timeout_s=timeout_s, upstream="datadog", plain_http=is_loopback(host)
        )
        self._key_file, self._timeout_s = key_file, timeout_s
        self._breaker = Breaker()

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def get(self, path: str, params: Mapping[str, str]) -> dict[str, Any]:
        """GET `api/v1/<path>`.

        Raises AccessDeniedError, ThrottledError with the seconds to wait, QueryInvalidError for what Datadog
        cannot evaluate, UpstreamError and its kin.
        """
        headers = await self._keys()
        with self._breaker.guarding(THING) as call, deadline(THING, self._timeout_s):
            request = self._client.build_request(
                "GET", f"api/v1/{path}", params=dict(params), headers=headers
            )
            request.extensions["trace"] = call.trace
            try:
                response = await self._client.send(request, stream=True)
                call.heard = response.status_code < 500
                try:
                    body = await read_body(response, THING, MAX_ANSWER_BYTES)
                finally:
                    await response.aclose()
            except httpx.TransportError as error:
                raise broken(THING, error) from error
        if response.status_code != 200:
            raise _refused(response, body)
        answer = parse_json(body, THING)
        if not isinstance(answer, dict):
            raise UpstreamError(THING, "answered with JSON that is no object")
        if answer.get("status") == "error" or (answer.get("error") and not answer.get("series")):
            raise QueryInvalidError(
                "query", f"Datadog: {snippet(str(answer.get('error')))}", "correct the query"
            )
        return answer

    async def _keys(self) -> dict[str, str]:
        if self._key_file is None:
            raise NotConfiguredError(THING, "no keys are given", KEYS_HINT)
        try:
            async with await anyio.open_file(self._key_file, encoding="ascii") as file:
                lines = (await file.read(MOST_KEY_BYTES)).split()
        except (OSError, UnicodeDecodeError) as error:
            raise NotConfiguredError(
                THING, f"its keys cannot be read ({type(error).__name__})", KEYS_HINT
            ) from error
        if len(lines) != 2:
            raise NotConfiguredError(THING, "the key file does not hold two lines", KEYS_HINT)
        return {"DD-API-KEY": lines[0], "DD-APPLICATION-KEY": lines[1], "accept": "application/json"}


def _refused(response: httpx.Response, body: bytes) -> AiopsError:
    status, said = response.status_code, _said(body)
    if status in {401, 403}:
        return AccessDeniedError(THING, f"HTTP {status}: {said}", KEYS_HINT)
    if status == 429:
        wait = response.headers.get("x-ratelimit-reset", "")
        seconds = f"in {wait} s" if wait.isdigit() else "later"
        return ThrottledError(THING, f"HTTP 429: {said}", f"again {seconds}, or a longer step")
    if status in {400, 422}:
        return QueryInvalidError("query", f"Datadog: {said}", "correct the query")
    if status == 404:
        return NotFoundError(
            THING, "has no such API there", "AIOPS_METRICS_DATADOG_URL is https://api.<site>"
        )
    return UpstreamError(THING, f"HTTP {status}: {said}", "again later")


def _said(body: bytes) -> str:
    """Datadog's own words: `{"errors": [...]}`."""
    try:
        answer = parse_json(body, THING)
    except UpstreamError:
        return "no reason given"
    errors = answer.get("errors") if isinstance(answer, dict) else None
    return snippet("; ".join(str(one) for one in errors)) if isinstance(errors, list) else "no reason given"
