"""Tempo's HTTP API as far as the driver asks it: TraceQL search of one service, traces as OTLP JSON, tag
values.

`/api/search?q=…`, `/api/traces/<id>` (protobuf's JSON: ids in base64), `/api/v2/search/tag/<tag>/values`. Of
TraceQL one spanset with conditions joined by `&&` is evaluated: resource and span attributes, `status`,
`kind`, `duration`; anything else is refused.
"""

import base64
import re
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from aiops_lab.observatory.ports import HasTelemetry
from aiops_lab.telemetry.spans import Span, Trace

NS = 1_000_000_000
Test = Callable[[Span], bool]
_CONDITION = re.compile(r'\s*([A-Za-z_.][\w.]*)\s*(=|!=|>|<)\s*("(?:[^"\\]|\\.)*"|[\w.]+)\s*')
_KIND = {"server": "SPAN_KIND_SERVER", "client": "SPAN_KIND_CLIENT", "internal": "SPAN_KIND_INTERNAL"}
_TAGS = {"resource.service.name", "service.name"}
_UNITS = {"ms": 1e-3, "s": 1.0, "us": 1e-6}


class _UnknownQueryError(Exception):
    """Nothing this room can evaluate."""


def tempo_app(observatory: HasTelemetry) -> Starlette:
    """The room."""

    def past() -> list[Trace]:
        return observatory.telemetry.traces.between(0.0, observatory.now().timestamp())

    async def search(request: Request) -> Response:
        asked = dict(request.query_params)
        if wrong := set(asked) - {"q", "start", "end", "limit", "spss"}:
            return PlainTextResponse(f"parameters {sorted(wrong)} are not simulated", 400)
        try:
            tests = _parsed(asked.get("q", "{}"))
            start, end = float(asked.get("start", 0)), float(asked.get("end", 2**40))
            limit = int(asked.get("limit", 20))
        except (ValueError, _UnknownQueryError) as error:
            return PlainTextResponse(f"invalid TraceQL query: {error}", 400)
        every = [one for one in past() if start <= one.start_s <= end]
        found = [one for one in every if any(all(test(span) for test in tests) for span in one.spans)]
        answer = {
            "traces": [_metadata(one) for one in found[:limit]],
            "metrics": {"inspectedTraces": len(every)},
        }
        return JSONResponse(answer)

    async def trace(request: Request) -> Response:
        wanted = request.path_params["trace_id"].zfill(32)
        found = observatory.telemetry.traces.find(wanted, observatory.now().timestamp())
        return JSONResponse({"batches": rendered(found)}) if found else PlainTextResponse("not found", 404)

    async def values(request: Request) -> Response:
        tag = request.path_params["tag"]
        if tag not in _TAGS:
            return PlainTextResponse(f"tag {tag} is not simulated", 400)
        names = sorted({span.service for one in past() for span in one.spans})
        return JSONResponse({"tagValues": [{"type": "string", "value": name} for name in names]})

    return Starlette(
        routes=[
            Route("/api/search", search),
            Route("/api/traces/{trace_id}", trace),
            Route("/api/v2/search/tag/{tag}/values", values),
        ]
    )


def _parsed(query: str) -> list[Test]:
    inner = query.strip()
    if not (inner.startswith("{") and inner.endswith("}")) or inner.count("{") != 1:
        raise _UnknownQueryError("one spanset in braces is simulated")
    tests: list[Test] = []
    rest = inner[1:-1].strip()
    while rest:
        match = _CONDITION.match(rest)
        if match is None:
            raise _UnknownQueryError(f"unexpected {rest[:20]!r}")
        tests.append(_test(*match.groups()))
        rest = rest[match.end() :]
        if rest and not rest.startswith("&&"):
            raise _UnknownQueryError(f"unexpected {rest[:20]!r}")
        rest = rest.removeprefix("&&").strip()
    return tests


def _test(name: str, compare: str, value: str) -> Test:
    if name == "duration":
        length = re.fullmatch(r"(\d+(?:\.\d+)?)(us|ms|s)", value)
        if length is None or compare not in "<>":
            raise _UnknownQueryError(f"duration {compare} {value}")
        bound = float(length[1]) * _UNITS[length[2]]
        return lambda span: span.duration_s > bound if compare == ">" else span.duration_s < bound
    if compare not in ("=", "!="):
        raise _UnknownQueryError(f"{name} {compare}")
    wanted, same = value.strip('"'), compare == "="
    if name in ("status", "kind"):
        return lambda span: (_word(span, name) == wanted) == same
    bare = name.removeprefix("resource.").removeprefix("span.").removeprefix(".")
    if bare == "service.name":
        return lambda span: (span.service == wanted) == same
    return lambda span: (str(span.attributes.get(bare)) == wanted) == same


def _word(span: Span, name: str) -> str:
    return span.kind if name == "kind" else "error" if span.fault else "ok"


def _metadata(trace: Trace) -> dict[str, Any]:
    root = trace.spans[0]
    return {
        "traceID": trace.trace_id.lstrip("0"),
        "rootServiceName": root.service,
        "rootTraceName": root.operation,
        "startTimeUnixNano": str(round(trace.start_s * NS)),
        "durationMs": round(root.duration_s * 1000),
    }


def rendered(trace: Trace) -> list[dict[str, Any]]:
    """The trace's resource spans: one batch for each service and pod."""
    batches: dict[tuple[str, str], list[Span]] = {}
    for span in trace.spans:
        batches.setdefault((span.service, str(span.attributes.get("k8s.pod.name", ""))), []).append(span)
    return [
        {
            "resource": {"attributes": [_pair("service.name", service), _pair("k8s.pod.name", pod)]},
            "scopeSpans": [{"scope": {}, "spans": [_span(trace, one) for one in spans]}],
        }
        for (service, pod), spans in batches.items()
    ]


def _span(trace: Trace, span: Span) -> dict[str, Any]:
    status = [_pair("http.response.status_code", span.status)] if span.status else []
    own = [_pair(name, value) for name, value in span.attributes.items() if name != "k8s.pod.name"]
    parent = {"parentSpanId": _base64(span.parent_id)} if span.parent_id else {}
    return {
        "traceId": _base64(trace.trace_id),
        "spanId": _base64(span.span_id),
        **parent,
        "name": span.operation,
        "kind": _KIND[span.kind],
        "startTimeUnixNano": str(round(span.start_s * NS)),
        "endTimeUnixNano": str(round((span.start_s + span.duration_s) * NS)),
        "attributes": own + status,
        "status": {"code": "STATUS_CODE_ERROR"} if span.fault else {},
    }


def _base64(hexadecimal: str) -> str:
    return base64.b64encode(bytes.fromhex(hexadecimal)).decode()


def _pair(key: str, value: str | int | float | bool) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"key": key, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    kind = "doubleValue" if isinstance(value, float) else "stringValue"
    return {"key": key, "value": {kind: value}}
