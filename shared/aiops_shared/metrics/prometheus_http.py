"""One Prometheus API over HTTP: bounded, strict, with a deadline, a breaker and one second try.

Called by `prometheus` and, signed, by `amp`. What comes back is the envelope's `data` with the warnings that
Prometheus, Thanos and Mimir put beside it; every failure is an `AiopsError`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import anyio
import httpx

from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    NotConfiguredError,
    NotFoundError,
    QueryInvalidError,
    ThrottledError,
    UnauthenticatedError,
    UpstreamError,
    UpstreamTimeoutError,
)
from aiops_shared.http.answers import broken, deadline, parse_json, read_body
from aiops_shared.http.breaker import Breaker, Call
from aiops_shared.http.client import Tls, is_loopback, make_client
from aiops_shared.http.snippets import snippet

MAX_ANSWER_BYTES = 32 * 1024 * 1024
LONGEST_URL = 1800
LARGE_BYTES = 256 * 1024  # an answer that is parsed beside the event loop
FORM = "application/x-www-form-urlencoded"
AGAIN_S, LONGEST_AGAIN_S = 0.25, 2.0
MOST_REMARKS = 5
ASK_LESS = "ask for less: more labels, a shorter window, a longer step, or topk(20, …)"

Pairs = Sequence[tuple[str, str]]
Sign = Callable[[str, str, bytes, Mapping[str, str]], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True, slots=True)
class Said:
    """What an API answered: `data`, and what it remarked about it."""

    data: Any
    remarks: tuple[str, ...] = ()
    whole: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where the API is and how one gets in. `rights`: what a 403 lacks."""

    url: str
    thing: str
    timeout_s: float
    token_file: Path | None = None
    ca_file: Path | None = None
    sign: Sign | None = None
    rights: str = "let the token read this API"


class PrometheusApi:
    """The HTTP side of one API."""

    def __init__(self, place: Place) -> None:
        self._place = place
        host = httpx.URL(place.url).host
        self._client = make_client(
            place.url.rstrip("/") + "/",
            timeout_s=place.timeout_s,
            upstream="prometheus",
            tls=Tls(ca_file=str(place.ca_file)) if place.ca_file else None,
            # Inside a cluster most run without TLS; what must not be heard is a token, and there is none.
            plain_http=is_loopback(host) or (place.token_file is None and place.sign is None),
        )
        self._breaker = Breaker()

    @property
    def thing(self) -> str:
        """Its name in errors and evidence."""
        return self._place.thing

    async def aclose(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def ask(self, path: str, pairs: Pairs = (), *, form: bool = False) -> Said:
        """GET `api/v1/<path>`; with `form`, a POST where the address would grow too long.

        Raises QueryInvalidError for what the server cannot evaluate, NotFoundError where it has no such path,
        and UpstreamError, ThrottledError, UpstreamTimeoutError, AccessDeniedError as they are.
        """
        place = self._place
        with self._breaker.guarding(place.thing) as call, deadline(place.thing, place.timeout_s, ASK_LESS):
            try:
                return await self._once(path, pairs, form, call)
            except ThrottledError as error:
                await anyio.sleep(min(_asked_s(error), LONGEST_AGAIN_S))
            except UpstreamTimeoutError:
                raise
            except UpstreamError as error:
                if not isinstance(error.__cause__, httpx.RemoteProtocolError | httpx.ReadError):
                    raise
            return await self._once(path, pairs, form, call)

    async def _once(self, path: str, pairs: Pairs, form: bool, call: Call) -> Said:
        request = await self._request(f"api/v1/{path}", pairs, form)
        request.extensions["trace"] = call.trace
        try:
            response = await self._client.send(request, stream=True)
            call.heard = True
            try:
                body = await read_body(response, self.thing, MAX_ANSWER_BYTES)
            finally:
                await response.aclose()
        except httpx.TransportError as error:
            raise broken(self.thing, error) from error
        if len(body) < LARGE_BYTES:
            return self._read(response, body)
        return await anyio.to_thread.run_sync(self._read, response, body)

    async def _request(self, path: str, pairs: Pairs, form: bool) -> httpx.Request:
        encoded = urlencode(list(pairs), quote_via=quote, safe="")
        post = form and len(encoded) > LONGEST_URL
        url = str(self._client.base_url.join(path)) + ("" if post or not encoded else f"?{encoded}")
        body = encoded.encode() if post else b""
        headers = {"accept": "application/json", "accept-encoding": "gzip"}
        if post:
            headers["content-type"] = FORM
        method = "POST" if post else "GET"
        if self._place.sign is not None:
            headers |= await self._place.sign(method, url, body, headers)
        elif self._place.token_file is not None:
            headers["authorization"] = f"Bearer {await _token(self._place.token_file)}"
        return self._client.build_request(method, url, content=body or None, headers=headers)

    def _read(self, response: httpx.Response, body: bytes) -> Said:
        if response.status_code not in {200, 400, 422, 503}:
            raise self._refused(response, body)
        try:
            answer = parse_json(body, self.thing)
        except UpstreamError:
            if response.status_code == 200:
                raise
            raise self._refused(response, body) from None
        if not isinstance(answer, dict):
            raise UpstreamError(self.thing, "answered with JSON that is no object")
        if response.status_code == 200 and answer.get("status") == "success":
            return Said(answer.get("data"), _remarks(answer), answer)
        raise self._failed(response.status_code, answer)

    def _failed(self, status: int, answer: Mapping[str, Any]) -> AiopsError:
        """Prometheus's own error (web/api/v1/api.go): `errorType` says whose fault it is."""
        kind, text = str(answer.get("errorType") or ""), snippet(str(answer.get("error") or ""))
        if kind in {"bad_data", "execution"} or (not kind and status in {400, 422}):
            return QueryInvalidError("query", f"{self.thing} says: {text or status}", _advice(text))
        if kind in {"timeout", "canceled"}:
            return UpstreamTimeoutError(self.thing, f"it gave up ({text})", ASK_LESS)
        return UpstreamError(self.thing, f"HTTP {status}: {text or kind or 'no reason given'}", "again later")

    def _refused(self, response: httpx.Response, body: bytes) -> AiopsError:
        status, text = response.status_code, snippet(body[:1000].decode("utf-8", "replace"))
        said = f"HTTP {status}" + (f": {text}" if text else "")
        if status == 429:
            wait = response.headers.get("retry-after", "")
            hint = f"again in {wait} s" if wait.isdigit() else "wait, then again"
            return ThrottledError(self.thing, said, hint)
        if status == 401:
            return UnauthenticatedError(self.thing, said, "renew its token (AIOPS_METRICS_…_TOKEN_FILE)")
        if status == 403:
            return AccessDeniedError(self.thing, said, self._place.rights)
        if status in {404, 405, 501}:
            return NotFoundError(
                self.thing, f"{said} at {snippet(response.url.path)}", "check the URL's path"
            )
        if 300 <= status < 400:
            return NotConfiguredError(self.thing, f"{said}: it sends us elsewhere", "give the final URL")
        return UpstreamError(self.thing, said, "again later")


def _asked_s(error: ThrottledError) -> float:
    words = error.hint.split()
    return float(words[2]) if len(words) > 2 and words[2].isdigit() else AGAIN_S


def _advice(text: str) -> str:
    if "too many samples" in text or "exceeded maximum resolution" in text:
        return "a longer step, a shorter window, or more labels"
    if "many-to-many" in text or "many-to-one" in text or "duplicate series" in text:
        return "aggregate both sides to the labels they share: on (…) group_left"
    return "correct the query; query_metrics(search=…) finds names"


def _remarks(answer: Mapping[str, Any]) -> tuple[str, ...]:
    """`warnings` (a partial answer of Thanos, Mimir) and `infos` (Prometheus 3), short."""
    found: list[str] = []
    for key in ("warnings", "infos"):
        texts = answer.get(key)
        found += [snippet(str(text)) for text in texts] if isinstance(texts, list) else []
    more = len(found) - MOST_REMARKS
    return (*found[:MOST_REMARKS], *((f"{more} more warnings",) if more > 0 else ()))


async def _token(path: Path) -> str:
    """Read at each request: files of projected tokens are replaced."""
    try:
        token = (await anyio.Path(path).read_text(encoding="utf-8")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotConfiguredError(
            "AIOPS_METRICS_PROMETHEUS_TOKEN_FILE",
            f"cannot be read ({type(error).__name__})",
            "give a token file",
        ) from None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise NotConfiguredError(
            "AIOPS_METRICS_PROMETHEUS_TOKEN_FILE", "holds no token", "one line, a bearer token"
        )
    return token
