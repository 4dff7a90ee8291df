"""Driver of OpenSearch for logs: searches bounded by time and documents, signed or with a password.

Called by the log readers. An index is named, never `*`; what a search will read is estimated from the index's
size and `_count` over the span. Documents are lines: their `_source` is read as a JSON line is.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from aiops_observability.clients.log_cost import duration, size
from aiops_observability.clients.log_opensearch_words import TIME, body_of, time_range
from aiops_observability.clients.log_store import MOST_LINES, Lines, Told, Which
from aiops_shared.aws.log_lines import read
from aiops_shared.aws.log_spans import Span
from aiops_shared.errors import (
    AccessDeniedError,
    AiopsError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    QueryInvalidError,
    ThrottledError,
    UnauthenticatedError,
    UpstreamError,
)
from aiops_shared.http.answers import broken, deadline, parse_json, read_body
from aiops_shared.http.breaker import Breaker
from aiops_shared.http.client import is_loopback, make_client
from aiops_shared.http.snippets import snippet
from aiops_shared.kube.nearest import nearest
from aiops_shared.settings import LogsSettings

Sign = Callable[[str, str, bytes, Mapping[str, str]], Awaitable[Mapping[str, str]]]
WITHIN_S = 40.0
MOST_BYTES = 64 * 1024 * 1024
ERRORS = "level:(ERROR OR FATAL OR CRITICAL OR PANIC OR SEVERE OR error OR fatal OR critical)"
TROUBLE = ERRORS[:-1] + " OR WARN OR WARNING OR warn OR warning)"


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows of a search: documents, or the buckets of its aggregations."""

    rows: tuple[Mapping[str, str], ...]
    matched: int
    warnings: tuple[str, ...] = ()


class OpenSearch:
    """One OpenSearch API. Raises `AiopsError` only."""

    def __init__(self, settings: LogsSettings, sign: Sign | None = None) -> None:
        if not settings.opensearch_url:
            raise NotConfiguredError("OpenSearch", "none is configured", "set AIOPS_LOGS_OPENSEARCH_URL")
        self._settings, self._sign = settings, sign
        self._client: httpx.AsyncClient | None = None
        self._breaker = Breaker()
        self.thing = f"OpenSearch {urlsplit(settings.opensearch_url).netloc}"

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def admit(self, target: Sequence[str], spans: Sequence[Span], most_bytes: int) -> float:
        """The bytes of the documents in the spans. Raises QueryInvalidError above the cap."""
        index = _index(target)
        told = await self._asked("GET", f"{index}/_stats/docs,store", index=index)
        total = (told.get("_all") or {}).get("primaries") or {}
        docs = float((total.get("docs") or {}).get("count") or 0)
        stored = float((total.get("store") or {}).get("size_in_bytes") or 0)
        inside = sum([await self._count(index, {"range": {TIME: time_range(span)}}) for span in spans])
        wanted = stored * inside / docs if docs else 0.0
        if wanted > most_bytes:
            seconds = sum(span.seconds for span in spans)
            raise QueryInvalidError(
                f"search of {index} over {spans[0].said}",
                f"would read about {size(wanted)} ({inside:,.0f} documents), above AIOPS_LOGS_MAX_SCAN_BYTES"
                f" ({size(most_bytes)})",
                f"a window of {duration(seconds * most_bytes / wanted)} fits; or name one index",
            )
        return wanted

    async def query(self, target: Sequence[str], query: str, span: Span, limit: int) -> Hits:
        """The rows of one search. Raises QueryInvalidError, NotFoundError with the nearest indices."""
        index = _index(target)
        body = body_of(query, span, limit)
        found = await self._asked("POST", f"{index}/_search", body, index=index)
        hits = found.get("hits") or {}
        matched = int((hits.get("total") or {}).get("value") or 0)
        if "aggs" in body:
            rows = tuple(_buckets(found.get("aggregations") or {}, {}))
        else:
            rows = tuple(_row(one) for one in hits.get("hits") or ())
        return Hits(rows, matched, tuple(_gaps(found)))

    async def lines(self, target: Sequence[str], span: Span, which: Which) -> Lines:
        """The newest documents of a span as lines."""
        query = {"errors": ERRORS, "trouble": TROUBLE, "all": ""}[which]
        index = _index(target)
        found = await self._asked("POST", f"{index}/_search", body_of(query, span, MOST_LINES), index=index)
        hits = found.get("hits") or {}
        told = tuple(_told(one) for one in hits.get("hits") or ())
        matched = int((hits.get("total") or {}).get("value") or len(told))
        return Lines(told, matched, tuple(_gaps(found)))

    async def empty(self, target: Sequence[str], query: str) -> str:
        """Why a search gave nothing."""
        index = _index(target)
        try:
            whole = await self._count(index, {"match_all": {}})
        except AiopsError:
            whole = -1
        return (
            f"{index} has {whole:,.0f} documents; none in the window matches {query[:100]!r} (case counts)."
        )

    async def _count(self, index: str, query: Mapping[str, Any]) -> float:
        told = await self._asked("POST", f"{index}/_count", {"query": query}, index=index)
        return float(told.get("count") or 0)

    async def indices(self) -> list[str]:
        """The indices there are."""
        listed = await self._asked("GET", "_cat/indices?format=json&h=index", index="")
        names = [str(one.get("index") or "") for one in listed] if isinstance(listed, list) else []
        return sorted(name for name in names if not name.startswith("."))

    async def _asked(self, method: str, path: str, body: Any = None, *, index: str) -> Any:
        thing = f"{self.thing} {path.partition('?')[0]}"
        data = json.dumps(body).encode() if body is not None else b""
        with self._breaker.guarding(self.thing) as call, deadline(thing, WITHIN_S):
            try:
                request = await self._request(method, path, data)
                request.extensions["trace"] = call.trace
                response = await self._opened().send(request, stream=True)
                try:
                    call.heard = True
                    answer = await read_body(response, thing, MOST_BYTES)
                finally:
                    await response.aclose()
            except httpx.TransportError as error:
                raise broken(thing, error) from error
        if not response.is_success:
            raise await self._refused(response.status_code, answer, thing, index)
        told = parse_json(answer, thing)
        if not isinstance(told, dict | list):
            raise UpstreamError(thing, "answered with something else than an object")
        if path.endswith("_search") and "hits" not in told:  # no hits and no answer are not the same
            raise UpstreamError(thing, "answered a search without hits", "check AIOPS_LOGS_OPENSEARCH_URL")
        return told

    async def _request(self, method: str, path: str, data: bytes) -> httpx.Request:
        headers = {
            "accept": "application/json",
            "content-type": "application/json",
            "user-agent": "eks-aiops",
        }
        request = self._opened().build_request(method, path, content=data, headers=headers)
        if self._settings.opensearch_password_file is not None:
            request.headers["authorization"] = _basic(self._settings)
        elif self._sign is not None:
            request.headers.update(await self._sign(method, str(request.url), data, headers))
        return request

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            url = self._settings.opensearch_url.rstrip("/") + "/"
            # Plain HTTP is taken where nothing secret goes over it.
            bare = self._settings.opensearch_password_file is None and self._sign is None
            plain = bare or is_loopback(urlsplit(url).hostname or "")
            self._client = make_client(url, timeout_s=WITHIN_S, upstream="opensearch", plain_http=plain)
        return self._client

    async def _refused(self, status: int, body: bytes, thing: str, index: str) -> AiopsError:
        """What a status that is no success means."""
        said = f"HTTP {status} {snippet(_reason(body))}".strip()
        match status:
            case 401:
                return UnauthenticatedError(
                    thing, said, "check AIOPS_LOGS_OPENSEARCH_PASSWORD_FILE or _SIGNED"
                )
            case 403:
                return AccessDeniedError(
                    thing, said, "allow this identity indices:data/read/* (es:ESHttpGet, es:ESHttpPost)"
                )
            case 404 if index:
                return NotFoundError(f"index {index}", "does not exist", await self._near(index))
            case 400:
                return QueryInvalidError("query", said, "see docs/logs.md for what is let through")
            case 429:
                return ThrottledError(thing, said, "wait, then again")
            case _:
                return UpstreamError(thing, said, "again later")

    async def _near(self, index: str) -> str:
        try:
            names = await self.indices()
        except AiopsError:
            return "name an index that exists"
        return f"nearest: {', '.join(nearest(index, names) or names[:8]) or 'there are none'}"


def _index(target: Sequence[str]) -> str:
    """The index or alias that is named. Raises QueryInvalidError for all of them."""
    if not target:
        raise InvalidInputError("target", "names no index", "as logs-application or logs-2026.11.*")
    for word in target:
        if word in {"_all", "*"} or word.startswith("*") or len(word.split("*")[0]) < 3:
            raise QueryInvalidError(
                "target", f"{word[:60]} would search every index", "name an index or a prefix"
            )
        if not all(letter.isalnum() or letter in "-_.*" for letter in word) or word.startswith(("_", "-")):
            raise InvalidInputError("target", "is no index", "letters, digits and -_.")
    return ",".join(target)


def _basic(settings: LogsSettings) -> str:
    try:
        text = settings.opensearch_password_file.read_text() if settings.opensearch_password_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise NotConfiguredError(
            "OpenSearch", "its password file cannot be read", "check AIOPS_LOGS_OPENSEARCH_PASSWORD_FILE"
        ) from error
    return f"Basic {base64.b64encode(text.strip().encode()).decode()}"


def _reason(body: bytes) -> str:
    """OpenSearch's own reason, where the body has one."""
    try:
        error = json.loads(body).get("error")
        return str(error.get("reason") if isinstance(error, dict) else error)
    except (ValueError, AttributeError):
        return body[:300].decode("utf-8", "replace")


def _gaps(found: Mapping[str, Any]) -> Iterator[str]:
    """What the answer says of its own completeness."""
    if found.get("timed_out"):
        yield "the search ran into its time limit: only a part"
    failed = int((found.get("_shards") or {}).get("failed") or 0)
    if failed:
        yield f"{failed} shards did not answer: only a part"


def _row(hit: Mapping[str, Any]) -> Mapping[str, str]:
    source = hit.get("_source") or {}
    return {str(key): value if isinstance(value, str) else json.dumps(value) for key, value in source.items()}


def _told(hit: Mapping[str, Any]) -> Told:
    source = dict(hit.get("_source") or {})
    sort = hit.get("sort") or [0]
    return Told(float(sort[0]) / 1000, read(json.dumps(source)), str(source.get("pod") or ""))


def _buckets(aggs: Mapping[str, Any], keys: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Nested buckets as rows: a column for each aggregation."""
    values = {
        name: json.dumps(one.get("value", one.get("values")))
        for name, one in aggs.items()
        if isinstance(one, dict) and "buckets" not in one
    }
    nested = {
        name: one["buckets"] for name, one in aggs.items() if isinstance(one, dict) and "buckets" in one
    }
    if not nested:
        if values:
            yield {**keys, **values}
        return
    for name, buckets in nested.items():
        for bucket in buckets:
            key = str(bucket.get("key_as_string", bucket.get("key")))
            inner = {key: one for key, one in bucket.items() if isinstance(one, dict)}
            here = {**keys, **values, name: key}
            deeper = list(_buckets(inner, here))
            yield from deeper or [{**here, "count": str(bucket.get("doc_count") or 0)}]
