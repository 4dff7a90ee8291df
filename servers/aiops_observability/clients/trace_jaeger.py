"""Traces from a Jaeger query service: the JSON that its own UI reads (`/api/traces`, `/api/services`).

Jaeger answers the newest traces of a window and pages nothing, so the window is asked in slices, each for its
share.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from aiops_observability.clients.alarm_http import AlertDoor
from aiops_observability.clients.trace_backend import (
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

US = 1e6


@dataclass(frozen=True)
class Jaeger:
    """Fulfils `trace_backend.TraceBackend`."""

    door: AlertDoor
    name: str = "jaeger"
    samples: str = "what the SDKs and the collector sampled: counts are of sampled requests"

    async def find(self, search: TraceSearch) -> TraceSample:
        """Traces in which the service takes part."""
        slices = search.slices()
        share = -(-search.at_most // len(slices))
        outcomes = await gather_outcomes(partial(self._slice, search.service, share), slices, at_once=4)
        failed = [one for one in outcomes if isinstance(one, AiopsError)]
        found = [one for one in outcomes if one is not None and not isinstance(one, AiopsError)]
        if failed and not found:
            raise failed[0]
        full = any(len(each) >= share for each in found)
        warnings = []
        if failed:
            warnings.append(f"{len(failed)} of {len(slices)} parts of the window were not read: {failed[0]}")
        traces = in_order(trace for each in found for trace in each)
        query = f"/api/traces?service={search.service}"
        return TraceSample(traces, query, 0, full or bool(failed), tuple(warnings))

    async def services(self, since: datetime, until: datetime) -> tuple[str, ...]:
        """Every service that Jaeger knows, whenever it was."""
        del since, until
        return tuple(str(one) for one in self._data(await self.door.get("api/services", {})))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.door.aclose()

    async def _slice(self, service: str, limit: int, span: tuple[datetime, datetime]) -> list[Trace]:
        start, end = (str(round(each.timestamp() * US)) for each in span)
        asked = {"service": service, "start": start, "end": end, "limit": str(limit), "lookback": "custom"}
        rows = self._data(await self.door.get("api/traces", asked))
        return [trace_of(row) for row in rows if isinstance(row, dict)]

    def _data(self, answer: Any) -> list[Any]:
        if not isinstance(answer, dict) or not isinstance(answer.get("data"), list | None):
            raise UpstreamError("Jaeger", "answered without data", "check AIOPS_TRACES_JAEGER_URL")
        errors = answer.get("errors")
        if errors and not answer.get("data"):
            raise UpstreamError("Jaeger", str(errors)[:200])
        return list(answer.get("data") or [])


def trace_of(row: Mapping[str, Any]) -> Trace:
    """Spans of one trace in Jaeger's JSON; a span that has no times is left out."""
    processes = row.get("processes") if isinstance(row.get("processes"), dict) else {}
    spans = row.get("spans") if isinstance(row.get("spans"), list) else []
    found = [_span(one, processes or {}) for one in (spans or [])[:MOST_SPANS] if isinstance(one, dict)]
    return Trace(str(row.get("traceID") or ""), tuple(one for one in found if one is not None))


def _span(row: Mapping[str, Any], processes: Mapping[str, Any]) -> Span | None:
    process = processes.get(str(row.get("processID")))
    process = process if isinstance(process, dict) else {}
    attributes = keyed([*_tags(process.get("tags")), *_tags(row.get("tags"))])
    try:
        times = number(row.get("startTime")) / US, number(row.get("duration")) / US
    except ValueError:
        return None
    kind = kind_of(str(attributes.get("span_kind", "")))
    service = named(process.get("serviceName"))
    title = named(row.get("operationName"))
    failed = attributes.get("error") in (True, "true") or attributes.get("otel_status_code") == "ERROR"
    peer = peer_of(attributes) if kind == "client" else ""
    ids = str(row.get("spanID") or ""), _parent(row)
    return span_of(ids, (service, title), times, kind, attributes, failed=failed, peer=peer)


def _parent(row: Mapping[str, Any]) -> str:
    references = row.get("references")
    for one in references if isinstance(references, list) else []:
        if isinstance(one, dict) and one.get("refType") in ("CHILD_OF", "FOLLOWS_FROM"):
            return str(one.get("spanID") or "")
    return ""


def _tags(rows: Any) -> list[tuple[str, object]]:
    every = rows if isinstance(rows, list) else []
    return [(str(one.get("key")), one.get("value")) for one in every if isinstance(one, dict)]
