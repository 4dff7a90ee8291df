"""One API server over HTTP: deadlines, retries that are safe, one token refresh, bounded answers.

`api`, `discovery` and `watching` speak through it. A read is tried again on a reset, on 429 and on 5xx;
a change only where the server said that it did nothing (401, 429). Otherwise its outcome is unknown, the
error says so, and the executor reads back (fault R2).
"""

import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import httpx
import orjson

from aiops_shared.errors import AiopsError, InvalidInputError, ThrottledError, UpstreamError
from aiops_shared.http.answers import broken, deadline, parse_json, read_body, require_json
from aiops_shared.http.breaker import Breaker, Call
from aiops_shared.http.client import Tls, make_client
from aiops_shared.kube import remarks
from aiops_shared.kube.access import Access, CredentialSource
from aiops_shared.kube.guard import PATH, PERMIT, refuse_unpermitted
from aiops_shared.kube.impersonating import NOBODY, Headers
from aiops_shared.kube.pacing import Pace, RealPace, asked_wait_s, wait_s, when_again
from aiops_shared.kube.statuses import Status, error_for, read_status

TRIES = 5
MAX_ERROR_BYTES = 256 * 1024
JSON = "application/json"
UNKNOWN = "whether the change took effect is unknown: read the object"
# The 500s that are answers: the request is at fault, and nothing was done. An eviction under two budgets
# (kubernetes, registry/core/pod/storage/eviction.go), and a server-side apply of fields that the kind has not
# (apimachinery, util/managedfields/internal/structuredmerge.go).
AT_FAULT = {
    "more than one PodDisruptionBudget": "leave one budget that selects the pod",
    "failed to create typed patch object": "correct the manifest",
}
_UNPROCESSED = frozenset({429})
_PASSING = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Ask:
    """One request in the API's terms. `thing` names it in errors: `pod shop/web`."""

    thing: str
    path: str
    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    accept: str = JSON
    body: Any = None
    content_type: str = JSON
    permit: object | None = None
    effect: bool = False  # a real change: never repeated blindly
    eviction: bool = False  # a 429 for a PodDisruptionBudget is an answer, not a plea to wait
    as_whom: Headers = NOBODY  # set by the connection alone, once for all tries


@dataclass(frozen=True, slots=True)
class _Try:
    """What one try came to: an answer, or an error and whether another try may help."""

    body: bytes = b""
    error: AiopsError | None = None
    again: bool = False
    refused: bool = False  # 401
    retry_after_s: float | None = None

    def final(self, number: int) -> AiopsError:
        """The error that ends the call after `number` tries; a throttled one says when to come again."""
        if not isinstance(self.error, ThrottledError) or not self.again:
            return self.error or UpstreamError("request", "no answer after all tries")
        hint = when_again(number, self.retry_after_s)
        return ThrottledError(
            self.error.thing, self.error.reason, "; ".join(filter(None, (self.error.hint, hint)))
        )


def _nobody() -> Headers:
    return NOBODY


async def _told_to_nobody() -> None:
    """Of a connection that nobody keeps a list of."""


class Connection:
    """One cluster's API server. Sockets are shared by all callers; `as_whom` says for each request as whom
    it is made (`impersonating`); `asked` is told of each before it is sent (`open_clusters`).
    """

    def __init__(
        self,
        source: CredentialSource,
        *,
        timeout_s: float = 30.0,
        max_answer_bytes: int = 64 * 1024 * 1024,
        pace: Pace | None = None,
        as_whom: Callable[[], Headers] = _nobody,
        asked: Callable[[], Awaitable[None]] = _told_to_nobody,
    ) -> None:
        self._source = source
        self._as_whom = as_whom
        self._asked = asked
        self._under_way = 0
        self._timeout_s = timeout_s
        self._max_bytes = max_answer_bytes
        self._pace = pace or RealPace()
        self._breaker = Breaker()
        self._renewing = anyio.Lock()
        self._clients: dict[tuple[str, ...], httpx.AsyncClient] = {}

    @property
    def max_answer_bytes(self) -> int:
        """Largest answer read, bytes."""
        return self._max_bytes

    @property
    def timeout_s(self) -> float:
        """Deadline of one request with all its tries, seconds."""
        return self._timeout_s

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._under_way > 0

    async def aclose(self) -> None:
        """Close all sockets. A later request opens new ones."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """While a request is under way, nobody closes the sockets that it needs."""
        self._under_way += 1
        try:
            await self._asked()
            yield
        finally:
            self._under_way -= 1

    async def json(self, ask: Ask, *, timeout_s: float | None = None) -> Any:
        """The parsed answer. Raises `AiopsError`."""
        return parse_json(await self.raw(ask, timeout_s=timeout_s), ask.thing)

    async def raw(self, ask: Ask, *, timeout_s: float | None = None, json_only: bool = True) -> bytes:
        """The answer's bytes. Raises `AiopsError` for every answer that is not a 2xx."""
        hint = UNKNOWN if ask.effect else "ask for less, or again later"
        limit_s = timeout_s or self._timeout_s
        ask = replace(ask, as_whom=self._as_whom())
        async with self._asking():
            with self._breaker.guarding(ask.thing) as call, deadline(ask.thing, limit_s, hint):
                return await self._until_answered(ask, call, json_only=json_only)

    @asynccontextmanager
    async def stream(self, ask: Ask, *, timeout_s: float) -> AsyncIterator[httpx.Response]:
        """An open 2xx answer to read piece by piece. The caller bounds time and size."""
        async with self._asking(), self._streamed(ask, timeout_s) as response:
            yield response

    @asynccontextmanager
    async def _streamed(self, ask: Ask, timeout_s: float) -> AsyncIterator[httpx.Response]:
        ask = replace(ask, as_whom=self._as_whom())
        access = await self._source.access()
        timeout = httpx.Timeout(timeout_s, connect=self._timeout_s)
        may_refresh = True
        for number in range(1, TRIES + 1):
            async with self._client(access).stream(**_request(ask, access), timeout=timeout) as response:
                if response.is_success:
                    yield response
                    return
                tried = _failed(ask, response, await _status(response, ask.thing))
            if tried.refused and may_refresh:
                may_refresh, access = False, await self._renewed(access)
            else:
                await self._pause(number, tried, timeout_s)

    async def _until_answered(self, ask: Ask, call: Call, *, json_only: bool) -> bytes:
        access = await self._source.access()
        may_refresh = True
        for number in range(1, TRIES + 1):
            tried = await self._try(ask, access, call, json_only=json_only)
            if tried.error is None:
                return tried.body
            if tried.refused and may_refresh:
                may_refresh, access = False, await self._renewed(access)
                continue
            await self._pause(number, tried)
        raise UpstreamError(ask.thing, "no answer after all tries")

    async def _renewed(self, refused: Access) -> Access:
        """Other credentials than those refused. Many requests refused at once renew them once (R5)."""
        async with self._renewing:
            now = await self._source.access()
            return now if now.token != refused.token else await self._source.access(fresh=True)

    async def _pause(self, number: int, tried: _Try, at_most_s: float = math.inf) -> None:
        """Wait before the next try. Raises the error where there is none, or none within the deadline."""
        wait = wait_s(number, tried.retry_after_s, self._pace.jitter())
        too_late = wait > at_most_s or anyio.current_time() + wait >= anyio.current_effective_deadline()
        if not tried.again or number == TRIES or too_late:
            raise tried.final(number)
        await self._pace.wait(wait)

    async def _try(self, ask: Ask, access: Access, call: Call, *, json_only: bool) -> _Try:
        try:
            async with self._client(access).stream(**_request(ask, access, call)) as response:
                call.heard = True
                remarks.report(response.headers.get_list("warning"))
                if not response.is_success:
                    return _failed(ask, response, await _status(response, ask.thing))
                if json_only:
                    require_json(response, ask.thing)
                return _Try(body=await read_body(response, ask.thing, self._max_bytes))
        except httpx.TransportError as error:
            return _lost(ask, error)

    def _client(self, access: Access) -> httpx.AsyncClient:
        found = self._clients.get(access.channel)
        if found is None:
            found = self._clients[access.channel] = make_client(
                access.server,
                timeout_s=self._timeout_s,
                upstream="kubernetes",
                tls=Tls(access.ca_file, access.ca_data, access.cert_file, access.key_file),
                plain_http=access.plain_http,
                on_request=refuse_unpermitted,
            )
        return found


def _request(ask: Ask, access: Access, call: Call | None = None) -> dict[str, Any]:
    headers = {"accept": ask.accept, "accept-encoding": "gzip", "user-agent": "eks-aiops"}
    if access.token:
        headers["authorization"] = f"Bearer {access.token}"
    if ask.body is not None:
        headers["content-type"] = ask.content_type
    extensions: dict[str, Any] = {PERMIT: ask.permit, PATH: ask.path}
    if call is not None:
        extensions["trace"] = call.trace
    if access.tls_server_name:
        extensions["sni_hostname"] = access.tls_server_name
    return {
        "method": ask.method,
        "url": ask.path,
        "params": dict(ask.params) or None,
        "headers": [*headers.items(), *ask.as_whom],
        "content": orjson.dumps(ask.body) if ask.body is not None else None,
        "extensions": extensions,
    }


async def _status(response: httpx.Response, thing: str) -> Status:
    """The Status of a failed answer; whatever else it holds is not looked at."""
    try:
        body = await read_body(response, thing, MAX_ERROR_BYTES)
        return read_status(response.status_code, parse_json(body, thing))
    except UpstreamError:
        return Status(response.status_code)


def _failed(ask: Ask, response: httpx.Response, status: Status) -> _Try:
    error = error_for(ask.thing, status)
    code = response.status_code
    for words, hint in AT_FAULT.items():
        if words in status.message:
            return _Try(error=InvalidInputError(ask.thing, status.message, hint))
    if ask.effect and code >= httpx.codes.INTERNAL_SERVER_ERROR:
        error = UpstreamError(ask.thing, error.reason, UNKNOWN)
    passing = _UNPROCESSED if ask.effect else _PASSING
    return _Try(
        error=error,
        again=code in passing and not (ask.eviction and _budget_says_no(status)),
        refused=code == httpx.codes.UNAUTHORIZED,
        retry_after_s=asked_wait_s(response.headers.get("retry-after", "")),
    )


def _budget_says_no(status: Status) -> bool:
    """Whether a refused eviction met a PodDisruptionBudget, and not just a busy server (kubernetes,
    registry/core/pod/storage/eviction.go: a cause of type DisruptionBudget).
    """
    return bool(status.causes) or "disruption budget" in status.message.lower()


def _lost(ask: Ask, error: httpx.TransportError) -> _Try:
    failure = broken(ask.thing, error)
    never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    if ask.effect and not never_sent:
        failure = type(failure)(ask.thing, failure.reason, UNKNOWN)
    # A reset passes; an address where nobody listens, a wrong certificate or a stall hardly does.
    lasting = isinstance(error, httpx.ConnectError | httpx.ProxyError | httpx.TimeoutException)
    return _Try(error=failure, again=not ask.effect and not lasting)
