"""Prometheus' HTTP API v1 over the present world: `/prometheus/api/v1/...`.

Parameters, statuses and words are those of Prometheus 2.42 (web/api/v1/api.go), probed on the real one.
Queries run in a thread: the lab's loop goes on. Where `Observatory.prometheus` names a real process, it is
asked instead.
`amp.py` mounts the same routes behind a signature.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aiops_lab.observatory.ports import HasWorld
from aiops_lab.observatory.prometheus_asking import (
    MOST_POINTS,
    Asked,
    bad,
    label_name,
    read_duration_ms,
    read_time_ms,
)
from aiops_lab.observatory.prometheus_status import Status, world_samples
from aiops_lab.promql.matchers import Match, matches_of
from aiops_lab.promql.parsing import parse
from aiops_lab.promql.queries import Span, instant_query, range_query
from aiops_lab.promql.storage import SignalStorage
from aiops_lab.promql.values import NAME, Labels, PromqlError

DAY_MS = 86_400_000
LONGEST_S = 120.0  # query.timeout
STATUS = {
    "bad_data": 400,
    "execution": 422,
    "timeout": 503,
    "canceled": 503,
    "internal": 500,
    "not_found": 404,
}
Answer = Callable[[Asked], Any]
_EMPTY = "at least one non-empty matcher"


def prometheus_app(observatory: HasWorld) -> Starlette:
    """The application of the room."""
    return Starlette(routes=PrometheusRoom(observatory).routes())


@dataclass(frozen=True, slots=True)
class PrometheusRoom:
    """The API's endpoints. `only`: those that exist, all if empty (AMP has no status pages)."""

    observatory: HasWorld
    only: tuple[str, ...] = ()

    def routes(self) -> list[Route]:
        """Paths below the room."""
        status = Status(self.observatory)
        answers: dict[str, Answer] = {
            "query": self.query,
            "query_range": self.query_range,
            "series": self.series,
            "labels": self.labels,
            "metadata": status.metadata,
            "rules": status.rules,
            "alerts": status.alerts,
            "targets": status.targets,
            "query_exemplars": status.exemplars,
            "status/buildinfo": status.build_info,
            "status/runtimeinfo": status.runtime_info,
            "status/tsdb": status.tsdb,
        }
        kept = {name: answer for name, answer in answers.items() if not self.only or name in self.only}
        return [
            *(_route(f"/api/v1/{name}", self._answering(answer)) for name, answer in kept.items()),
            _route("/api/v1/label/{name}/values", self._answering(self.label_values)),
            *(
                []
                if self.only
                else [_route("/api/v1/status/metric_names_stats", self._answers_stats(status))]
            ),
        ]

    @property
    def storage(self) -> SignalStorage:
        """The samples of the present world."""
        return world_samples(self.observatory)

    @property
    def now_ms(self) -> int:
        """World time."""
        return round(self.observatory.now().timestamp() * 1000)

    def _answering(self, answer: Answer) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            if self.observatory.prometheus:
                return await _forwarded(self.observatory.prometheus, request)
            asked = await Asked.of(request)
            try:
                data = await anyio.to_thread.run_sync(lambda: answer(asked))
            except PromqlError as error:
                body = {"status": "error", "errorType": error.kind, "error": str(error)}
                return _json(body, STATUS.get(error.kind, 422))
            return _json({"status": "success", "data": data})

        return endpoint

    def _answers_stats(self, status: Status) -> Callable[[Request], Any]:
        """VictoriaMetrics' own page: its answer has no `data`, and Prometheus has no such page."""

        async def endpoint(request: Request) -> Response:
            found = status.queried(request.query_params.get("limit", "1000"))
            return PlainTextResponse("404 page not found\n", 404) if found is None else _json(found)

        return endpoint

    # queries

    def query(self, asked: Asked) -> Any:
        """GET or POST /query."""
        at_ms = asked.time_ms("time", self.now_ms, words="Invalid time value for 'time': ")
        in_time = _in_time(asked)
        try:
            return instant_query(self.storage, asked.one("query"), at_ms, in_time=in_time)
        except PromqlError as error:
            if error.kind == "bad_data":
                raise bad("query", str(error)) from error
            raise

    def query_range(self, asked: Asked) -> Any:
        """GET or POST /query_range."""
        start, end = (read_time_ms(asked.one(name), name) for name in ("start", "end"))
        if end < start:
            raise bad("end", "end timestamp must not be before start time")
        step = read_duration_ms(asked.one("step"), "step")
        if step <= 0:
            words = "zero or negative query resolution step widths are not accepted. Try a positive integer"
            raise bad("step", words)
        if (end - start) // step > MOST_POINTS:
            words = "exceeded maximum resolution of 11,000 points per timeseries. "
            raise PromqlError(f"{words}Try decreasing the query resolution (?step=XX)", "bad_data")
        span = Span(start, end, step)
        return range_query(self.storage, asked.one("query"), span, in_time=_in_time(asked))

    # discovery

    def series(self, asked: Asked) -> Any:
        """GET or POST /series."""
        if not asked.every("match[]"):
            raise PromqlError("no match[] parameter provided", "bad_data")
        return [dict(labels) for labels in sorted(self._found(asked))]

    def labels(self, asked: Asked) -> Any:
        """GET or POST /labels."""
        return sorted({name for labels in self._found(asked) for name, _ in labels})

    def label_values(self, asked: Asked) -> Any:
        """GET /label/<name>/values."""
        name = label_name(asked.path["name"])
        if name == NAME and not asked.every("match[]"):
            since, until = self._window(asked)
            return self.storage.metrics(since, until)
        return sorted({value for labels in self._found(asked) for key, value in labels if key == name})

    def _window(self, asked: Asked) -> tuple[int, int]:
        """Without a start the last day: the lab's past has no beginning that could be listed."""
        until = asked.time_ms("end", self.now_ms)
        return asked.time_ms("start", min(until, self.now_ms) - DAY_MS), until

    def _found(self, asked: Asked) -> set[Labels]:
        since, until = self._window(asked)
        wanted = [_matches(text) for text in asked.every("match[]")] or [()]
        return {labels for matches in wanted for labels in self.storage.labels(matches, since, until)}


def _matches(text: str) -> tuple[Match, ...]:
    try:
        tree = parse(text)
        found = matches_of(tree) if type(tree).__name__ == "VectorSelector" else None
    except PromqlError as error:
        words = f"match[] must contain {_EMPTY}" if _EMPTY in str(error) else str(error)
        raise bad("match[]", words) from error
    if found is None:
        raise bad("match[]", "parse error: unexpected expression")
    return found


def _in_time(asked: Asked, monotonic: Callable[[], float] = time.monotonic) -> Callable[[], bool]:
    """Whether the query may go on: its own timeout, at most Prometheus' default."""
    text = asked.one("timeout")
    allowed_s = min(read_duration_ms(text, "timeout") / 1000, LONGEST_S) if text else LONGEST_S
    ends = monotonic() + allowed_s
    return lambda: monotonic() < ends


def _route(path: str, endpoint: Callable[[Request], Any], methods: Sequence[str] = ("GET", "POST")) -> Route:
    return Route(path, endpoint, methods=list(methods))


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


async def _forwarded(url: str, request: Request) -> Response:
    """The real Prometheus' answer. `url` ends before /api."""
    path = request.url.path
    target = f"{url}{path[path.index('/api/v1/') :]}"
    headers = {key: request.headers[key] for key in ("content-type",) if key in request.headers}
    async with httpx.AsyncClient(trust_env=False, timeout=LONGEST_S) as client:
        answer = await client.request(
            request.method,
            target,
            params=str(request.query_params),
            content=await request.body(),
            headers=headers,
        )
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))
