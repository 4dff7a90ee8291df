"""Traces from AWS X-Ray: summaries by filter expression, then whole traces in fives, as spans.

A segment is a server span, a subsegment of namespace `remote` or `aws` a call, any other subsegment the
service's own work ("X-Ray segment documents", developer guide).
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import anyio
import orjson

from aiops_observability.clients.trace_backend import (
    AT_ONCE,
    BUDGET_S,
    MOST_SPANS,
    TraceSample,
    TraceSearch,
    evenly,
    in_order,
    named,
    number,
)
from aiops_observability.models.spans import Attribute, Span, SpanKind, Trace, keyed
from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.aws.listing import required
from aiops_shared.errors import AiopsError
from aiops_shared.kube.gathering import gather_outcomes

LONGEST_S = 6 * 3600 - 1  # one GetTraceSummaries asks for at most six hours
MOST_PAGES = 3  # of summaries in each slice
IN_ONE = 5  # traces of one BatchGetTraces
MOST_DEPTH = 50
SAMPLES = (
    "X-Ray keeps a sample (by default 1 request a second and 5 % of the rest): counts are of sampled ones"
)


@dataclass
class _Found:
    """Ids of one slice."""

    ids: list[str] = field(default_factory=list)
    cut: bool = False


@dataclass(frozen=True)
class XRay:
    """Fulfils `trace_backend.TraceBackend` for the account and region of one cluster."""

    eks: EksCluster
    name: str = "xray"
    samples: str = SAMPLES

    async def find(self, search: TraceSearch) -> TraceSample:
        """Traces in which the service takes part."""
        began, expression = time.monotonic(), f'service("{search.service}")'
        ask = partial(self._summaries, expression)
        slices = await gather_outcomes(ask, search.slices(LONGEST_S), at_once=4)
        failed = [one for one in slices if isinstance(one, AiopsError)]
        found = [one for one in slices if isinstance(one, _Found)]
        if failed and not found:
            raise failed[0]
        ids = list(dict.fromkeys(each for one in found for each in one.ids))
        chosen = evenly(ids, search.at_most)
        left_s = max(1.0, BUDGET_S - (time.monotonic() - began))
        traces, warnings, errors = await self._read(chosen, left_s)
        if errors and not traces:
            raise errors[0]
        if failed:
            warnings.append(f"{len(failed)} of {len(slices)} parts of the window were not read: {failed[0]}")
        if any(one.cut for one in found):
            warnings.append(
                "busy parts of the window have more traces than were listed: shares are of those read"
            )
        return TraceSample(
            in_order(traces), expression, len(ids), len(chosen) < len(ids) or bool(failed), tuple(warnings)
        )

    async def services(self, since: datetime, until: datetime) -> tuple[str, ...]:
        """Names from the service graph of the window's last six hours."""
        since = max(since, datetime.fromtimestamp(until.timestamp() - LONGEST_S, until.tzinfo))
        graph = await self.graph(since, until)
        return tuple(str(one.get("Name")) for one in graph if one.get("Name"))

    async def graph(self, since: datetime, until: datetime) -> list[Mapping[str, Any]]:
        """The services of the service graph with their edges, all pages."""
        found: list[Mapping[str, Any]] = []
        more: dict[str, str] = {}
        for _ in range(20):
            answer = await self.eks.call("xray", "get_service_graph", StartTime=since, EndTime=until, **more)
            found += required(answer, "Services", "AWS xray get_service_graph")
            if not answer.get("NextToken"):
                break
            more = {"NextToken": answer["NextToken"]}
        return found

    async def aclose(self) -> None:
        """Nothing of its own is open."""

    async def _summaries(self, expression: str, span: tuple[datetime, datetime]) -> _Found:
        found, more = _Found(), dict[str, str]()
        for _ in range(MOST_PAGES):
            answer = await self.eks.call(
                "xray",
                "get_trace_summaries",
                StartTime=span[0],
                EndTime=span[1],
                FilterExpression=expression,
                **more,
            )
            rows = required(answer, "TraceSummaries", "AWS xray get_trace_summaries")
            found.ids += [str(row["Id"]) for row in rows if row.get("Id")]
            if not answer.get("NextToken"):
                return found
            more = {"NextToken": answer["NextToken"]}
        found.cut = True
        return found

    async def _read(
        self, ids: Sequence[str], left_s: float
    ) -> tuple[list[Trace], list[str], list[AiopsError]]:
        """The traces, what is missing of them, and why."""
        batches = [list(ids[at : at + IN_ONE]) for at in range(0, len(ids), IN_ONE)]
        outcomes: list[list[Trace] | AiopsError] = []

        async def one(batch: list[str]) -> None:
            try:
                outcomes.append(await self._batch(batch))
            except AiopsError as error:
                outcomes.append(error)
                raise

        with anyio.move_on_after(left_s) as scope:
            await gather_outcomes(one, batches, at_once=AT_ONCE)
        traces = [trace for each in outcomes if not isinstance(each, AiopsError) for trace in each]
        errors = [each for each in outcomes if isinstance(each, AiopsError)]
        warnings = []
        if len(traces) < len(ids):
            why = (
                str(errors[0])
                if errors
                else "time was up"
                if scope.cancelled_caught
                else "X-Ray gave no document"
            )
            warnings.append(f"{len(ids) - len(traces)} of {len(ids)} traces were not read: {why}")
        return traces, warnings, errors

    async def _batch(self, ids: list[str]) -> list[Trace]:
        documents: dict[str, list[Any]] = {}
        more: dict[str, str] = {}
        while True:
            answer = await self.eks.call("xray", "batch_get_traces", TraceIds=ids, **more)
            for trace in required(answer, "Traces", "AWS xray batch_get_traces"):
                documents.setdefault(str(trace.get("Id")), []).extend(trace.get("Segments") or [])
            if not answer.get("NextToken"):
                return [trace_of(key, segments) for key, segments in documents.items()]
            more = {"NextToken": answer["NextToken"]}


def trace_of(trace_id: str, segments: Sequence[Mapping[str, Any]]) -> Trace:
    """Spans of a trace's segment documents; one that is no segment is left out."""
    spans: list[Span] = []
    for segment in segments:
        for span in _spans(_parsed(segment.get("Document"))):
            if len(spans) < MOST_SPANS:
                spans.append(span)
    return Trace(trace_id, tuple(sorted(spans, key=lambda one: (one.start_s, -one.duration_s))))


def _parsed(document: Any) -> Mapping[str, Any]:
    try:
        found = orjson.loads(document) if isinstance(document, str | bytes) else document
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _spans(segment: Mapping[str, Any]) -> Iterator[Span]:
    name = segment.get("name")
    if not isinstance(name, str) or segment.get("inferred"):
        return
    pending = [(segment, str(segment.get("parent_id") or ""), 0)]
    while pending:
        part, parent, depth = pending.pop()
        span = _span(part, parent, name, top=depth == 0)
        if span is None:
            continue
        yield span
        if depth < MOST_DEPTH:
            below = part.get("subsegments")
            rows = below if isinstance(below, list) else []
            pending += [(one, span.span_id, depth + 1) for one in rows if isinstance(one, dict)]


def _span(part: Mapping[str, Any], parent: str, service: str, *, top: bool) -> Span | None:
    """None for what has no time: a subsegment that a crashed service never closed ends where it began."""
    try:
        start = number(part.get("start_time"))
        end = number(part.get("end_time", start))
    except ValueError:
        return None
    remote = not top and part.get("namespace") in ("remote", "aws")
    kind: SpanKind = "server" if top else "client" if remote else "internal"
    title = named(part.get("name"))
    http = part.get("http") if isinstance(part.get("http"), dict) else {}
    attributes = _attributes(part, http or {})
    status = attributes.get("http_response_status_code", 0)
    return Span(
        str(part.get("id") or f"{service}/{start}"),
        parent,
        named(service),
        str(attributes.get("http_route", "")) if top else title,
        start,
        max(0.0, end - start),
        kind,
        status if isinstance(status, int) else 0,
        fault=part.get("fault") is True,
        error=part.get("error") is True,
        throttle=part.get("throttle") is True,
        peer=title if remote else "",
        attributes=attributes,
    )


def _attributes(part: Mapping[str, Any], http: Mapping[str, Any]) -> dict[str, Attribute]:
    """Annotations, what OpenTelemetry's exporter puts into metadata, EKS's pod and the URL's path."""
    pairs: list[tuple[str, object]] = []
    metadata = part.get("metadata")
    default = metadata.get("default") if isinstance(metadata, dict) else None
    for each in (default, part.get("annotations")):
        pairs += list(each.items()) if isinstance(each, dict) else []
    aws = part.get("aws")
    eks = aws.get("eks") if isinstance(aws, dict) else None
    if isinstance(eks, dict):
        pairs += [("aws.eks.pod", eks.get("pod")), ("k8s.cluster.name", eks.get("cluster_name"))]
    request, response = http.get("request"), http.get("response")
    if isinstance(request, dict):
        pairs.append(("http.url", request.get("url")))
    if isinstance(response, dict) and isinstance(response.get("status"), int):
        pairs.append(("http.response.status_code", response["status"]))
    return keyed(pairs)
