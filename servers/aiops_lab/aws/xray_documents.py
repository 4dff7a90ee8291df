"""Traces of the world as X-Ray keeps them: one segment document for each server span, the rest inside it.

Shapes and names: "X-Ray segment documents" in the developer guide; a call is a subsegment of namespace
`remote`, named after the callee, and the callee's own segment names it as parent.
"""

import json
from collections.abc import Mapping
from typing import Any

from aiops_lab.telemetry.spans import Span, Trace

# What the ADOT collector is told to index, under the names that operators give them.
INDEXED: Mapping[str, str] = {
    "cloud.availability_zone": "az",
    "service.version": "version",
    "http.route": "route",
    "k8s.pod.name": "k8s.pod.name",
    "k8s.node.name": "node",
    "memory_delta_kb": "memory_delta_kb",
}


def trace_id_of(trace: Trace) -> str:
    """`1-5759e988-bd862e3fe1be46a994272793`."""
    return f"1-{trace.trace_id[:8]}-{trace.trace_id[8:]}"


def duration_of(trace: Trace) -> float:
    """From the first beginning to the last end."""
    return max(one.start_s + one.duration_s for one in trace.spans) - trace.start_s


def root_status(trace: Trace) -> int:
    """What the first service answered."""
    return trace.spans[0].status or 200


def segments(trace: Trace) -> list[dict[str, str]]:
    """The documents, as text."""
    below: dict[str, list[Span]] = {}
    for span in trace.spans:
        below.setdefault(span.parent_id, []).append(span)
    return [
        {"Id": one.span_id, "Document": json.dumps(_segment(trace, one, below))}
        for one in trace.spans
        if one.kind == "server"
    ]


def _segment(trace: Trace, span: Span, below: Mapping[str, list[Span]]) -> dict[str, Any]:
    pod, cluster = span.attributes.get("k8s.pod.name"), span.attributes.get("k8s.cluster.name")
    return {
        "id": span.span_id,
        "trace_id": trace_id_of(trace),
        "name": span.service,
        "origin": "AWS::EKS::Container",
        **({"parent_id": span.parent_id} if span.parent_id else {}),
        **_times(span),
        "http": {
            "request": {"method": "GET", "url": f"http://{span.service}{span.operation}"},
            "response": {"status": span.status or 200},
        },
        "annotations": _annotations(span),
        "metadata": {"default": {"k8s.namespace.name": span.attributes.get("k8s.namespace.name", "")}},
        "aws": {"eks": {"cluster_name": cluster, "pod": pod}},
        **_subsegments(span, below),
    }


def _subsegment(span: Span, below: Mapping[str, list[Span]]) -> dict[str, Any]:
    remote = {"namespace": "remote"} if span.kind == "client" else {}
    status = {"http": {"response": {"status": span.status}}} if span.status else {}
    return {
        "id": span.span_id,
        "name": span.operation,
        **remote,
        **_times(span),
        **status,
        "annotations": _annotations(span),
        **_subsegments(span, below),
    }


def _subsegments(span: Span, below: Mapping[str, list[Span]]) -> dict[str, Any]:
    inside = [one for one in below.get(span.span_id, ()) if one.kind != "server"]
    return {"subsegments": [_subsegment(one, below) for one in inside]} if inside else {}


def _times(span: Span) -> dict[str, Any]:
    flags = {"fault": span.fault, "error": 400 <= span.status < 500, "throttle": span.status == 429}
    raised = {name: True for name, on in flags.items() if on}
    return {"start_time": span.start_s, "end_time": span.start_s + span.duration_s, **raised}


def _annotations(span: Span) -> dict[str, Any]:
    return {INDEXED[name]: value for name, value in span.attributes.items() if name in INDEXED}
