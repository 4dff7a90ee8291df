"""Datadog's HTTP API v1, as far as the driver speaks it: query, metrics, validate; 403 without both keys.

Shapes and statuses as in Datadog's API reference ("Metrics", "Rate limits"). `DatadogLimit` lets it answer
429 with the X-RateLimit headers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aiops_lab.observatory.datadog_language import Asked, Line, QueryError, evaluated
from aiops_lab.observatory.datadog_table import tagged
from aiops_lab.telemetry import Telemetry

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from aiops_lab.aws.account import Account

API_KEY, APPLICATION_KEY = "lab-datadog-api-key-worth-nothing", "lab-datadog-application-key-worth-nothing"


@dataclass(slots=True)
class DatadogLimit:
    """Requests that are still answered; None: any number. In `account.area`, so a load forgets it."""

    left: int | None = None
    reset_s: int = 30
    asked: list[str] = field(default_factory=list)


class Sees(Protocol):
    """What this room needs of the observatory."""

    @property
    def account(self) -> "Account":
        """The account."""
        ...

    @property
    def now(self) -> Callable[[], datetime]:
        """The lab's clock."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """What the present world emits."""
        ...


def datadog_app(observatory: Sees) -> "ASGIApp":
    """The application."""

    def guarded(act: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            keys = (request.headers.get("dd-api-key"), request.headers.get("dd-application-key"))
            if keys != (API_KEY, APPLICATION_KEY):
                return JSONResponse({"errors": ["Forbidden"]}, status_code=403)
            return _limited(observatory.account.area(DatadogLimit)) or await act(request)

        return answer

    async def query(request: Request) -> Response:
        params = request.query_params
        if not all(params.get(name) for name in ("from", "to", "query")):
            return JSONResponse({"errors": ["from, to and query are required"]}, status_code=400)
        try:
            since, until = int(params["from"]), int(params["to"])
            return JSONResponse(
                await run_in_threadpool(_answered, observatory, params["query"], since, until)
            )
        except (QueryError, ValueError) as error:
            return JSONResponse({"errors": [str(error)]}, status_code=400)

    async def metrics(request: Request) -> Response:
        since = request.query_params.get("from", "")
        if not since.isdecimal():
            return JSONResponse({"errors": ["from is required"]}, status_code=400)
        tags = request.query_params.get("tag_filter", "")
        names = await run_in_threadpool(_names, observatory, tags)
        return JSONResponse({"from": since, "metrics": names})

    async def validate(request: Request) -> Response:
        del request
        return JSONResponse({"valid": True})

    return Starlette(
        routes=[
            Route("/api/v1/query", guarded(query)),
            Route("/api/v1/metrics", guarded(metrics)),
            Route("/api/v1/validate", guarded(validate)),
        ]
    )


def _limited(limit: DatadogLimit) -> Response | None:
    """429 once the requests of the period are used up."""
    if limit.left is None:
        return None
    if limit.left > 0:
        limit.left -= 1
        return None
    headers = {
        "X-RateLimit-Limit": "300",
        "X-RateLimit-Period": "3600",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(limit.reset_s),
        "X-RateLimit-Name": "metrics_query",
    }
    said = "Rate limit of 300 requests in 3600 seconds reached. Please try again later."
    return JSONResponse({"errors": [said]}, status_code=429, headers=headers)


def _names(observatory: Sees, tags: str) -> list[str]:
    name, _, value = tags.partition(":")
    found = tagged(observatory.telemetry, observatory.account.cluster)
    return sorted({one.metric for one in found if not tags or one.tags.get(name) == value})


def _answered(observatory: Sees, query: str, since: int, until: int) -> dict[str, Any]:
    series = list(tagged(observatory.telemetry, observatory.account.cluster))
    asked = Asked(series, since, until, observatory.now().timestamp())
    lines = evaluated(query, asked)
    return {
        "status": "ok",
        "res_type": "time_series",
        "resp_version": 1,
        "query": query,
        "from_date": since * 1000,
        "to_date": until * 1000,
        "series": [_series(one, query) for one in lines],
        "values": [],
        "times": [],
        "message": "",
        "group_by": [name for name, _ in lines[0].group] if lines else [],
    }


def _series(one: Line, query: str) -> dict[str, Any]:
    tags = [f"{name}:{value}" for name, value in one.group]
    seen = np.flatnonzero(~np.isnan(one.values))
    points = [[float(one.starts_s[index]) * 1000, float(one.values[index])] for index in seen]
    return {
        "metric": one.metric,
        "display_name": one.metric,
        "expression": query,
        "scope": ",".join(tags) or one.scope,
        "tag_set": tags,
        "interval": one.interval_s,
        "length": len(points),
        "start": points[0][0] if points else 0,
        "end": points[-1][0] if points else 0,
        "pointlist": points,
        "unit": None,
        "attributes": {},
    }
