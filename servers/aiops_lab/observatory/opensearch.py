"""OpenSearch of the lab: the log groups as indices, searched with the part of its language that is played.

`/aws/containerinsights/<cluster>/application` is index `logs-application`. A document is a line's JSON (else
`message`) with `@timestamp`; every text has its `.keyword`. What a query means is in `opensearch_words`;
a type that is not played is refused as OpenSearch refuses an unknown one.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any, Protocol

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aiops_lab.observatory.opensearch_words import TIME, Doc, Refused, aggregated, bad, compiled, order
from aiops_lab.telemetry import Telemetry
from aiops_lab.telemetry.log_groups import LogGroup, LogRecord

MOST_HITS = 10_000


class Watched(Protocol):
    """The observatory, as far as this room needs it."""

    @property
    def telemetry(self) -> Telemetry:
        """What the present world emits."""
        ...

    @property
    def now(self) -> Callable[[], datetime]:
        """The lab's clock."""
        ...


def opensearch_app(observatory: Watched) -> Starlette:
    """The API."""
    room = _Room(observatory)
    return Starlette(
        routes=[
            Route("/_cat/indices", room.indices),
            Route("/{index}/_search", room.search, methods=["GET", "POST"]),
            Route("/{index}/_count", room.count, methods=["GET", "POST"]),
            Route("/{index}/_stats/{metrics}", room.stats),
        ],
        exception_handlers={Refused: _answered},
    )


async def _answered(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, Refused)  # noqa: S101  # the only type this handler is given
    body = {"error": {"type": error.kind, "reason": error.reason}, "status": error.status}
    return JSONResponse(body, error.status)


def index_of(group: str) -> str:
    """The index that holds a log group."""
    return f"logs-{group.strip('/').split('/')[-1].lower()}"


class _Room:
    def __init__(self, observatory: Watched) -> None:
        self._observatory = observatory

    def _groups(self) -> dict[str, LogGroup]:
        return {index_of(name): one for name, one in self._observatory.telemetry.logs.by_name.items()}

    def _named(self, request: Request) -> list[tuple[str, LogGroup]]:
        words = str(request.path_params["index"]).split(",")
        known = self._groups()
        found = [(name, one) for name, one in known.items() if any(fnmatchcase(name, word) for word in words)]
        for word in words:
            if "*" not in word and word not in known:
                raise Refused(404, "index_not_found_exception", f"no such index [{word}]")
        return found

    def _now_s(self) -> float:
        return self._observatory.now().timestamp()

    async def indices(self, request: Request) -> Response:
        """What there is."""
        del request
        return JSONResponse([{"index": name, "health": "green"} for name in sorted(self._groups())])

    async def stats(self, request: Request) -> Response:
        """Documents and bytes."""
        docs, size = 0, 0
        for _, group in self._named(request):
            docs += len(group.between(0, self._now_s()))
            size += group.bytes_between(0, self._now_s())
        total = {"docs": {"count": docs}, "store": {"size_in_bytes": size}}
        return JSONResponse({"_all": {"primaries": total, "total": total}})

    async def count(self, request: Request) -> Response:
        """How many documents a query finds."""
        body = await _body(request)
        test = compiled(body.get("query", {"match_all": {}}))
        return JSONResponse({"count": sum(1 for _, _, doc in self._docs(request) if test(doc))})

    async def search(self, request: Request) -> Response:
        """Hits, newest first where nothing else is asked, and aggregations over all that was found."""
        body = await _body(request)
        if unknown := set(body) - {"query", "aggs", "size", "sort", "track_total_hits", "timeout", "_source"}:
            raise bad(f"Unknown key for a VALUE [{sorted(unknown)[0]}].")
        test = compiled(body.get("query", {"match_all": {}}))
        found = [(at_s, index, doc) for at_s, index, doc in self._docs(request) if test(doc)]
        key, down = order(body.get("sort") or [{TIME: "desc"}])
        found.sort(key=lambda each: key(each[2]), reverse=down)
        size = int(body.get("size", 10))
        if size > MOST_HITS:
            raise Refused(400, "illegal_argument_exception", "Result window is too large")
        hits = [
            {"_index": index, "_source": _source(doc), "sort": [round(at_s * 1000)]}
            for at_s, index, doc in found[:size]
        ]
        answer: dict[str, Any] = {
            "took": 3,
            "timed_out": False,
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "hits": {"total": {"value": len(found), "relation": "eq"}, "hits": hits},
        }
        if body.get("aggs"):
            answer["aggregations"] = aggregated(body["aggs"], [doc for _, _, doc in found])
        return JSONResponse(answer)

    def _docs(self, request: Request) -> Iterator[tuple[float, str, Doc]]:
        for name, group in self._named(request):
            for record in group.between(0, self._now_s()):
                yield record.at_s, name, _doc(record)


async def _body(request: Request) -> dict[str, Any]:
    data = await request.body()
    try:
        found = orjson.loads(data) if data else {}
    except orjson.JSONDecodeError as error:
        raise bad("Failed to parse the body") from error
    if not isinstance(found, dict):
        raise bad("Expected an object")
    return found


def _doc(record: LogRecord) -> Doc:
    try:
        found = orjson.loads(record.message) if record.message.startswith("{") else None
    except orjson.JSONDecodeError:
        found = None
    fields = found if isinstance(found, dict) else {"message": record.message}
    return {**fields, TIME: record.at_s, "pod": record.stream.rpartition(".")[2]}


def _source(doc: Doc) -> Doc:
    at = datetime.fromtimestamp(doc[TIME], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**doc, TIME: at}
