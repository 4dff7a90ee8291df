"""Where the time of a request goes, and which part of it explains that some requests are slow.

A request's critical path is the chain of spans that nothing else could have shortened: from its end
backwards, always the child that ended last. Each moment of the request belongs to exactly one span of it
(its self time), so the parts sum to the whole, and a difference between slow and other requests can be
shared out.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiops_observability.models.spans import Span, Trace

MOST_DEPTH = 200
_EPSILON_S = 1e-6


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a request: a service's own work, or its wait for somebody who left no span."""

    service: str
    operation: str
    callee: str = ""  # of a call: to whom
    answered: bool = True  # of a call: whether the callee left a span of its own

    @property
    def says(self) -> str:
        """As an operator reads it."""
        return f"{self.service} -> {self.callee}" if self.callee else self.service


@dataclass(frozen=True, slots=True)
class Step:
    """One part's share of the time of a set of requests, against another set."""

    part: Part
    self_s: float  # mean in the requests looked at
    usual_s: float  # mean in the others
    faults: int  # requests in which the failure began here
    explained: float  # share of the difference in duration that lies here; may be negative


def self_times(trace: Trace, top: Span) -> dict[Part, float]:
    """Seconds of a request that each part of its critical path holds; they sum to its duration."""
    found: dict[Part, float] = defaultdict(float)
    _walk(trace, top, top.end_s, found, 0)
    return found


def _walk(trace: Trace, span: Span, until_s: float, found: dict[Part, float], depth: int) -> None:
    cursor, part = min(until_s, span.end_s), part_of(trace, span)
    children = trace.children.get(span.span_id, ()) if depth < MOST_DEPTH else ()
    for child in sorted(children, key=lambda one: (-one.end_s, one.span_id)):
        end, start = min(child.end_s, cursor), max(child.start_s, span.start_s)
        if end - start <= _EPSILON_S:
            continue  # asynchronous, beside the path, or hidden behind a later one
        found[part] += cursor - end
        clipped = child if child.start_s >= span.start_s else _late(child, start)
        _walk(trace, clipped, end, found, depth + 1)
        cursor = start
    found[part] += max(0.0, cursor - span.start_s)


def _late(span: Span, start_s: float) -> Span:
    """A child whose clock says that it began before its parent, from the parent's start."""
    return replace(span, start_s=start_s, duration_s=max(0.0, span.end_s - start_s))


def part_of(trace: Trace, span: Span) -> Part:
    """Which part a span is."""
    edge = trace.edge(span) if span.kind == "client" else None
    if edge is not None:
        return Part(edge[0], "", edge[1], trace.callee(span) is not None)
    operation = span.operation if span.kind == "internal" else ""
    return Part(span.service, operation)


def fault_origin(trace: Trace, top: Span) -> Part | None:
    """The deepest part whose failure no failed child explains; None when the request did not fail."""
    if not top.fault:
        return None
    here, depth = top, 0
    while depth < MOST_DEPTH:
        failed = [child for child in trace.children.get(here.span_id, ()) if child.fault]
        if not failed:
            break
        here, depth = max(failed, key=lambda one: (one.end_s, one.span_id)), depth + 1
    if here.kind == "server" and (parent := trace.by_id.get(here.parent_id)) is not None and here is not top:
        return part_of(trace, parent) if parent.kind == "client" else part_of(trace, here)
    return part_of(trace, here)


def explain(
    looked_at: Sequence[tuple[Trace, Span]], others: Sequence[tuple[Trace, Span]]
) -> tuple[Step, ...]:
    """The parts of the requests looked at, the most explaining first. Shares sum to one.

    What is "usual" are the other requests' means. Without others nothing is explained, only shared out.
    """
    here, there = _means(looked_at), _means(others)
    origins: dict[Part, int] = defaultdict(int)
    for trace, top in looked_at:
        if (part := fault_origin(trace, top)) is not None:
            origins[part] += 1
    more = sum(here.values()) - sum(there.values()) if others else sum(here.values())
    steps = [
        Step(
            part,
            here.get(part, 0.0),
            there.get(part, 0.0),
            origins.get(part, 0),
            _share(here, there, part, more),
        )
        for part in {*here, *there, *origins}
    ]
    steps.sort(key=lambda step: (-step.explained, -step.faults, -step.self_s, step.part.says))
    return tuple(steps)


def _share(here: Mapping[Part, float], there: Mapping[Part, float], part: Part, more: float) -> float:
    return (here.get(part, 0.0) - there.get(part, 0.0)) / more if abs(more) > _EPSILON_S else 0.0


def _means(requests: Iterable[tuple[Trace, Span]]) -> dict[Part, float]:
    sums: dict[Part, list[float]] = defaultdict(list)
    count = 0
    for trace, top in requests:
        count += 1
        for part, seconds in self_times(trace, top).items():
            sums[part].append(seconds)
    return {part: float(np.sum(values)) / max(1, count) for part, values in sums.items()}
