"""The service graph and its statistics, counted from the world's traces as X-Ray counts them.

An edge's numbers are the caller's view (the client span); a callee without a segment of its own is
inferred, of type `remote`.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from aiops_lab.aws.account import ACCOUNT_ID
from aiops_lab.aws.errors import AwsError
from aiops_lab.telemetry.spans import Span, Trace

_NODE = re.compile(r'service\((?:id\(name:\s*)?"([^"]+)"(?:\s*,\s*type:\s*"[^"]*")?\)?\)')
_EDGE = re.compile(r'edge\("([^"]+)",\s*"([^"]+)"\)')


def graph(traces: Iterable[Trace]) -> list[dict[str, Any]]:
    """The services, each with the edges that leave it."""
    nodes, edges, roots = counted(traces)
    names = sorted({*nodes, *(callee for _, callee in edges)})
    number = {name: at for at, name in enumerate(names)}
    return [
        {
            "ReferenceId": number[name],
            "Name": name,
            "Names": [name],
            "Root": name in roots,
            "AccountId": ACCOUNT_ID,
            "Type": "AWS::EKS::Container" if name in nodes else "remote",
            "State": "active",
            "Edges": [
                {"ReferenceId": number[callee], "SummaryStatistics": summed(found), "EdgeType": "link"}
                for (caller, callee), found in sorted(edges.items())
                if caller == name
            ],
            "SummaryStatistics": summed(nodes.get(name) or _called(edges, name)),
        }
        for name in names
    ]


def counted(
    traces: Iterable[Trace],
) -> tuple[dict[str, list[Span]], dict[tuple[str, str], list[Span]], set[str]]:
    """Server spans by service, client spans by edge, and who stands first."""
    nodes: dict[str, list[Span]] = defaultdict(list)
    edges: dict[tuple[str, str], list[Span]] = defaultdict(list)
    roots: set[str] = set()
    for trace in traces:
        roots.add(trace.spans[0].service)
        for span in trace.spans:
            if span.kind == "server":
                nodes[span.service].append(span)
            elif span.kind == "client":
                edges[span.service, str(span.attributes.get("peer.service", span.operation))].append(span)
    return nodes, edges, roots


def statistics(traces: list[Trace], selector: str, period_s: int) -> list[tuple[float, tuple[str, Any]]]:
    """(moment, (field, statistics)) in periods; the selector names one service or one edge."""
    node, edge = _NODE.fullmatch(selector.strip()), _EDGE.fullmatch(selector.strip())
    if node is None and edge is None:
        raise AwsError("InvalidRequestException", f"Entity selector {selector!r} is not simulated", 400)
    by_period: dict[float, list[Trace]] = defaultdict(list)
    for trace in traces:
        by_period[trace.start_s // period_s * period_s].append(trace)
    found: list[tuple[float, tuple[str, Any]]] = []
    for at_s, each in sorted(by_period.items()):
        nodes, edges, _ = counted(each)
        if node is not None:
            found.append((at_s, ("ServiceSummaryStatistics", summed(nodes.get(node[1], [])))))
        elif edge is not None:
            found.append((at_s, ("EdgeSummaryStatistics", summed(edges.get((edge[1], edge[2]), [])))))
    return found


def summed(spans: list[Span]) -> dict[str, Any]:
    """Counts and the sum of durations."""
    faults = sum(one.fault for one in spans)
    throttled = sum(one.status == 429 for one in spans)
    errors = sum(400 <= one.status < 500 for one in spans)
    return {
        "OkCount": len(spans) - faults - errors,
        "ErrorStatistics": {
            "ThrottleCount": throttled,
            "OtherCount": errors - throttled,
            "TotalCount": errors,
        },
        "FaultStatistics": {"OtherCount": faults, "TotalCount": faults},
        "TotalCount": len(spans),
        "TotalResponseTime": sum(one.duration_s for one in spans),
    }


def _called(edges: dict[tuple[str, str], list[Span]], name: str) -> list[Span]:
    return [span for (_, callee), found in edges.items() if callee == name for span in found]
