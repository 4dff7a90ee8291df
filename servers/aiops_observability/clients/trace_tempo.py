"""Traces from Grafana Tempo: found by TraceQL, read one by one as OTLP JSON.

Search answers ids of some traces of a window, in no promised order, so the window is asked in slices. Ids in
the OTLP JSON of Tempo are base64 (protobuf's JSON) or hexadecimal (OTLP's own); both are read.
"""

import base64
import binascii
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import anyio

from aiops_observability.clients.alarm_http import AlertDoor
from aiops_observability.clients.trace_backend import (
    AT_ONCE,
    BUDGET_S,
    MOST_SPANS,
    TraceSample,
    TraceSearch,
    in_order,
    kind_of,
    named,
    number,
    peer_of,
    span_of,
)
from aiops_observability.models.spans import Span, Trace, keyed
from aiops_shared.errors import AiopsError, UpstreamError
from aiops_shared.kube.gathering import gather_outcomes

NS = 1e9
_VALUES = ("stringValue", "boolValue", "intValue", "doubleValue")


@dataclass(frozen=True)
class Tempo:
    """Fulfils `trace_backend.TraceBackend`."""

    door: AlertDoor
    name: str = "tempo"
    samples: str = "what the SDKs and the collector sampled: counts are of sampled requests"

    async def find(self, search: TraceSearch) -> TraceSample:
        """Traces in which the service takes part."""
        began, slices = time.monotonic(), search.slices()
        share = -(-search.at_most // len(slices))
        query = f'{{ resource.service.name = "{search.service}" }}'
        outcomes = await gather_outcomes(partial(self._ids, query, share), slices, at_once=4)
        failed = [one for one in outcomes if isinstance(one, AiopsError)]
        found = [one for one in outcomes if one is not None and not isinstance(one, AiopsError)]
        if failed and not found:
            raise failed[0]
        ids = list(dict.fromkeys(each for one in found for each in one))
        traces: list[Trace] = []
        errors: list[AiopsError] = []

        async def read(trace_id: str) -> None:
            try:
                traces.append(trace_of(trace_id, await self.door.get(f"api/traces/{trace_id}", {})))
            except AiopsError as error:
                errors.append(error)

        with anyio.move_on_after(max(1.0, BUDGET_S - (time.monotonic() - began))):
            await gather_outcomes(read, ids, at_once=AT_ONCE)
        if errors and not traces:
            raise errors[0]
        warnings = []
        if failed:
            warnings.append(f"{len(failed)} of {len(slices)} parts of the window were not read: {failed[0]}")
        if len(traces) < len(ids):
            why = str(errors[0]) if errors else "time was up"
            warnings.append(f"{len(ids) - len(traces)} of {len(ids)} traces were not read: {why}")
        full = any(len(each) >= share for each in found)
        return TraceSample(in_order(traces), query, 0, full or bool(warnings), tuple(warnings))

    async def services(self, since: datetime, until: datetime) -> tuple[str, ...]:
        """The values of `service.name` in the window."""
        span = {"start": str(int(since.timestamp())), "end": str(int(until.timestamp()))}
        answer = await self.door.get("api/v2/search/tag/resource.service.name/values", span)
        rows = _listed(answer, "tagValues")
        return tuple(str(one.get("value") if isinstance(one, dict) else one) for one in rows)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.door.aclose()

    async def _ids(self, query: str, limit: int, span: tuple[datetime, datetime]) -> list[str]:
        start, end = (str(int(each.timestamp())) for each in span)
        asked = {"q": query, "start": start, "end": end, "limit": str(limit), "spss": "1"}
        rows = _listed(await self.door.get("api/search", asked), "traces")
        found = [str(one.get("traceID")) for one in rows if isinstance(one, dict) and one.get("traceID")]
        return [one for one in found if one.isalnum() and len(one) <= 32]


def _listed(answer: Any, key: str) -> list[Any]:
    if not isinstance(answer, dict) or not isinstance(answer.get(key), list | None):
        raise UpstreamError("Tempo", f"answered without {key}", "check AIOPS_TRACES_TEMPO_URL")
    return list(answer.get(key) or [])


def trace_of(trace_id: str, answer: Any) -> Trace:
    """Spans of one trace in OTLP JSON, as Tempo's v1 (`batches`) or v2 (`trace.resourceSpans`) gives it."""
    answer = answer if isinstance(answer, dict) else {}
    inner = answer.get("trace") if isinstance(answer.get("trace"), dict) else answer
    batches = (inner or {}).get("batches") or (inner or {}).get("resourceSpans") or []
    spans: list[Span] = []
    for batch in batches if isinstance(batches, list) else []:
        for span in _spans(batch):
            if len(spans) < MOST_SPANS:
                spans.append(span)
    return Trace(trace_id, tuple(sorted(spans, key=lambda one: (one.start_s, -one.duration_s))))


def _spans(batch: Any) -> Iterator[Span]:
    if not isinstance(batch, dict):
        return
    resource = batch.get("resource")
    shared = _pairs(resource.get("attributes") if isinstance(resource, dict) else None)
    service = named(dict(shared).get("service.name"))
    scopes = batch.get("scopeSpans") or batch.get("instrumentationLibrarySpans")
    for scope in scopes if isinstance(scopes, list) else []:
        rows = scope.get("spans") if isinstance(scope, dict) else None
        for row in rows if isinstance(rows, list) else []:
            span = _span(row, service, shared) if isinstance(row, dict) else None
            if span is not None:
                yield span


def _span(row: Mapping[str, Any], service: str, shared: list[tuple[str, object]]) -> Span | None:
    try:
        start = number(row.get("startTimeUnixNano")) / NS
        end = number(row.get("endTimeUnixNano", start * NS)) / NS
    except ValueError:
        return None
    attributes = keyed([*shared, *_pairs(row.get("attributes"))])
    kind = kind_of(str(row.get("kind", "")))
    status = row.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    ids = _id(row.get("spanId")), _id(row.get("parentSpanId"))
    title = named(row.get("name"))
    peer = peer_of(attributes) if kind == "client" else ""
    failed = code in ("STATUS_CODE_ERROR", 2)
    return span_of(ids, (service, title), (start, end - start), kind, attributes, failed=failed, peer=peer)


def _id(value: Any) -> str:
    """Eight bytes as sixteen hexadecimal digits, whichever of the two JSON forms they came in."""
    text = value if isinstance(value, str) else ""
    if len(text) == 16:
        return text.lower()
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return text[:64]


def _pairs(rows: Any) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for one in rows if isinstance(rows, list) else []:
        value = one.get("value") if isinstance(one, dict) else None
        if not isinstance(value, dict):
            continue
        for kind in _VALUES:
            if kind in value:
                plain = value[kind]
                whole = kind == "intValue" and isinstance(plain, str) and plain.lstrip("-").isdecimal()
                found.append((str(one.get("key")), int(plain) if whole else plain))
    return found
