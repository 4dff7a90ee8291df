"""The one form of a trace: spans with a parent, whatever backend kept them (row S8).

The drivers in `clients/trace_*` make it, `analysis` and the readers take it. What an operator groups by
(zone, version, route, node, pod) is found under the names that X-Ray annotations, OpenTelemetry and Jaeger
use for it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

SpanKind = Literal["server", "client", "internal"]
Attribute = str | int | float | bool

# Names as they are compared: lower case, everything but letters and digits an underscore (X-Ray's own rule
# for annotation keys). OpenTelemetry semantic conventions 1.27; `az`, `route`: hand-written annotations.
_FACETS: Mapping[str, tuple[str, ...]] = {
    "az": ("cloud_availability_zone", "az", "availability_zone", "topology_kubernetes_io_zone", "zone"),
    "version": ("service_version", "version", "app_version"),
    "endpoint": ("http_route", "route", "rpc_method"),
    "node": ("k8s_node_name", "node", "k8s_node"),
    "pod": ("k8s_pod_name", "pod", "aws_eks_pod"),
    "namespace": ("k8s_namespace_name", "namespace"),
}
_PATHS = ("url_path", "http_target", "http_url", "url_full")
_SECRETIVE = re.compile(
    r"^(?:[0-9]+|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{12,}|[A-Za-z0-9_-]{24,}|.*(?:@|%40|=).*|(?=.*\d)[A-Za-z0-9_-]{12,})$",
    re.IGNORECASE,
)
MOST_TEXT = 200


@dataclass(frozen=True, slots=True)
class Span:
    """One operation of one service. `peer`: whom a client span calls, "" where it is not said.

    `inferred`: the callee left no span of its own (a database, or a service that is not traced).
    """

    span_id: str
    parent_id: str
    service: str
    operation: str
    start_s: float
    duration_s: float
    kind: SpanKind = "internal"
    status: int = 0
    fault: bool = False
    error: bool = False
    throttle: bool = False
    peer: str = ""
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    @property
    def end_s(self) -> float:
        """When it ended."""
        return self.start_s + self.duration_s

    def facet(self, name: str) -> str:
        """Its zone, version, endpoint, node, pod or namespace; "" when it does not say."""
        for known in _FACETS.get(name, ()):
            value = self.attributes.get(known)
            if value not in (None, ""):
                return clean(str(value))
        return self._path() if name == "endpoint" else ""

    def _path(self) -> str:
        found = next((str(self.attributes[name]) for name in _PATHS if self.attributes.get(name)), "")
        return templated(found) if found else ""

    def numbers(self) -> dict[str, float]:
        """Its numeric attributes that are measurements."""
        return {
            name: float(value)
            for name, value in self.attributes.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and not _is_plumbing(name)
        }


@dataclass(frozen=True)
class Trace:
    """One request through the system."""

    trace_id: str
    spans: tuple[Span, ...]

    @cached_property
    def by_id(self) -> Mapping[str, Span]:
        """Spans by id."""
        return {span.span_id: span for span in self.spans}

    @cached_property
    def children(self) -> Mapping[str, tuple[Span, ...]]:
        """The spans below each span; a span that names itself or a missing one as parent is a root."""
        found: dict[str, list[Span]] = {}
        for span in self.spans:
            if span.parent_id in self.by_id and span.parent_id != span.span_id:
                found.setdefault(span.parent_id, []).append(span)
        return {parent: tuple(each) for parent, each in found.items()}

    @property
    def start_s(self) -> float:
        """When its first span began."""
        return min((span.start_s for span in self.spans), default=0.0)

    def callee(self, span: Span) -> Span | None:
        """The server's own span of a client's call, where there is one."""
        if span.kind != "client":
            return None
        return next((one for one in self.children.get(span.span_id, ()) if one.kind == "server"), None)

    def edge(self, span: Span) -> tuple[str, str] | None:
        """(caller, callee) of a call, or None for a span that is no call to somebody else."""
        if span.kind == "client":
            answered = self.callee(span)
            callee = answered.service if answered else span.peer
            return (span.service, callee) if callee and callee != span.service else None
        parent = self.by_id.get(span.parent_id)
        if span.kind == "server" and parent is not None and parent.kind != "client":
            return (parent.service, span.service) if parent.service != span.service else None
        return None


def keyed(pairs: Iterable[tuple[str, object]]) -> dict[str, Attribute]:
    """Attributes under comparable names; values that are no scalars are left out."""
    found: dict[str, Attribute] = {}
    for name, value in pairs:
        if isinstance(value, str | int | float | bool):
            found[_key(name)] = value[:MOST_TEXT] if isinstance(value, str) else value
    return found


def clean(text: str) -> str:
    """A value of a trace as it may be repeated: one line, printable, short."""
    return "".join(letter if letter.isprintable() else " " for letter in text)[:MOST_TEXT].strip()


def templated(path: str) -> str:
    """A URL or path without host, query and whatever looks like an id, a token or an address of a person."""
    bare = (
        re.sub(r"^[a-z][a-z0-9+.-]*://[^/]*", "", path, flags=re.IGNORECASE)
        .partition("?")[0]
        .partition("#")[0]
    )
    return clean("/".join("{id}" if _SECRETIVE.match(part) else part for part in bare.split("/")) or "/")


def _key(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:100]


def _is_plumbing(name: str) -> bool:
    """Numbers that are no measurement: status codes, ports, thread and process ids, sizes of stacks."""
    return name.endswith(("status_code", "_port", "_id", "_pid", "_lineno")) or name in {
        "port",
        "pid",
        "status",
    }
