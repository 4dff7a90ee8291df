"""Jaeger's query API as far as the driver asks it: `/api/services`, `/api/traces`, `/api/traces/<id>`.

Parameters and the JSON are those of Jaeger's HTTP JSON API (the one of its UI). The newest traces of a span
come first, at most `limit`. A parameter that is not simulated is refused.
"""

from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aiops_lab.observatory.ports import HasTelemetry
from aiops_lab.telemetry.spans import Span, Trace

US = 1_000_000
_KNOWN = {"service", "start", "end", "limit", "lookback", "operation", "tags", "minDuration", "maxDuration"}
_REFUSED = {"tags", "minDuration", "maxDuration"}


def jaeger_app(observatory: HasTelemetry) -> Starlette:
    """The room."""

    def past() -> list[Trace]:
        return observatory.telemetry.traces.between(0.0, observatory.now().timestamp())

    async def services(request: Request) -> Response:
        del request
        names = sorted({span.service for trace in past() for span in trace.spans})
        return JSONResponse({"data": names, "total": len(names), "limit": 0, "offset": 0, "errors": None})

    async def traces(request: Request) -> Response:
        asked = dict(request.query_params)
        wrong = (set(asked) - _KNOWN) | (set(asked) & _REFUSED)
        if wrong:
            return _refused(400, f"parameters {sorted(wrong)} are not simulated")
        if not asked.get("service"):
            return _refused(400, "parameter 'service' is required")
        try:
            start, end = int(asked.get("start", 0)), int(asked.get("end", 2**62))
            limit = int(asked.get("limit", 20))
        except ValueError as error:
            return _refused(400, f"malformed number: {error}")
        found = [
            one
            for one in past()
            if start <= one.start_s * US <= end and _serves(one, asked["service"], asked.get("operation", ""))
        ]
        newest = sorted(found, key=lambda one: -one.start_s)[:limit]
        return JSONResponse({"data": [rendered(one) for one in newest], "total": 0, "errors": None})

    async def trace(request: Request) -> Response:
        wanted = request.path_params["trace_id"]
        found = [rendered(one) for one in past() if one.trace_id == wanted]
        return JSONResponse({"data": found}) if found else _refused(404, "trace not found")

    return Starlette(
        routes=[
            Route("/api/services", services),
            Route("/api/traces", traces),
            Route("/api/traces/{trace_id}", trace),
        ]
    )


def _serves(trace: Trace, service: str, operation: str) -> bool:
    return any(one.service == service and operation in ("", one.operation) for one in trace.spans)


def _refused(status: int, message: str) -> Response:
    body = {"data": None, "total": 0, "errors": [{"code": status, "msg": message}]}
    return JSONResponse(body, status_code=status)


def rendered(trace: Trace) -> dict[str, Any]:
    """One trace in Jaeger's JSON."""
    processes: dict[tuple[str, str], str] = {}
    spans = [_span(trace, span, processes) for span in trace.spans]
    return {
        "traceID": trace.trace_id,
        "spans": spans,
        "processes": {
            key: {"serviceName": service, "tags": [_tag("k8s.pod.name", pod)] if pod else []}
            for (service, pod), key in processes.items()
        },
        "warnings": None,
    }


def _span(trace: Trace, span: Span, processes: dict[tuple[str, str], str]) -> Mapping[str, Any]:
    who = span.service, str(span.attributes.get("k8s.pod.name", ""))
    process = processes.setdefault(who, f"p{len(processes) + 1}")
    parent = [{"refType": "CHILD_OF", "traceID": trace.trace_id, "spanID": span.parent_id}]
    tags = [_tag("span.kind", span.kind)]
    tags += [_tag("http.response.status_code", span.status)] if span.status else []
    tags += [_tag("error", True)] if span.fault else []
    tags += [_tag(name, value) for name, value in span.attributes.items() if name != "k8s.pod.name"]
    return {
        "traceID": trace.trace_id,
        "spanID": span.span_id,
        "operationName": span.operation,
        "references": parent if span.parent_id else [],
        "startTime": round(span.start_s * US),
        "duration": round(span.duration_s * US),
        "tags": tags,
        "logs": [],
        "processID": process,
        "warnings": None,
    }


def _tag(key: str, value: str | int | float | bool) -> dict[str, Any]:
    kinds = {bool: "bool", int: "int64", float: "float64"}
    return {"key": key, "type": kinds.get(type(value), "string"), "value": value}
