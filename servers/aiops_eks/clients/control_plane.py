"""Reads the API server's own measurements and folds them into a few figures while they come in.

Called by the view `control_plane` of `describe_cluster` and by the gathering of `diagnose`. Metric names are
those of kubernetes v1.28-v1.35 (apiserver: pkg/endpoints/metrics, pkg/storage/etcd3/metrics,
pkg/util/flowcontrol/metrics); where a name changed, the old one is read too. Needs `get` on /metrics.
"""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiops_eks.models.control_plane import ControlPlaneFigures, DeprecatedApi, Latency, Rejections
from aiops_eks.ports import Kube

LATENCY = "apiserver_request_duration_seconds_bucket"
REQUESTS = "apiserver_request_total"
REJECTED = "apiserver_flowcontrol_rejected_requests_total"
DEPRECATED = "apiserver_requested_deprecated_apis"
STARTED = "process_start_time_seconds"
SIZES = (  # newest name first
    "apiserver_storage_size_bytes",
    "apiserver_storage_db_total_size_in_bytes",
    "etcd_db_total_size_in_bytes",
)
OBJECTS = ("apiserver_resource_objects", "apiserver_storage_objects", "etcd_object_counts")
NAMES = (LATENCY, REQUESTS, REJECTED, DEPRECATED, STARTED, *SIZES, *OBJECTS)

# They last as long as somebody watches or types, and say nothing about speed.
LONG = frozenset({"WATCH", "WATCHLIST", "CONNECT", "PROXY"})
LONG_SUBRESOURCES = frozenset({"attach", "exec", "log", "portforward", "proxy"})
MOST_SERIES = 20_000  # verb and resource; a hostile page costs no more memory
FEW = 20  # requests under which a percentile says nothing
TOP = 10
_SAMPLE = re.compile(r"([a-z_][a-z0-9_]*)(?:\{(.*)\})? ([^ ]+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


async def control_plane(kube: Kube) -> ControlPlaneFigures:
    """The figures of the API server that answered. Raises `AiopsError`."""
    fold = _Fold()
    await kube.measured(NAMES, fold.take)
    return fold.figures()


@dataclass
class _Fold:
    """Sums over the samples seen so far."""

    buckets: dict[tuple[str, str], Counter[float]] = field(default_factory=lambda: defaultdict(Counter))
    requests: Counter[str] = field(default_factory=Counter)  # by status code
    rejected: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    deprecated: set[tuple[str, str, str, str]] = field(default_factory=set)
    sizes: dict[str, float] = field(default_factory=dict)
    objects: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    started: float = 0.0

    def take(self, line: str) -> None:
        """One sample; what cannot be read is left out."""
        found = _SAMPLE.match(line)
        value = _number(found[3]) if found else None
        if found is None or value is None:
            return
        name, labels = found[1], dict(_LABEL.findall(found[2] or ""))
        if name == LATENCY:
            self._time(labels, value)
        elif name in OBJECTS:
            self._count(name, labels, value)
        elif name in SIZES:
            self.sizes[name] = max(self.sizes.get(name, 0.0), value)
        else:
            self._other(name, labels, value)

    def _time(self, labels: Mapping[str, str], value: float) -> None:
        verb, bound = labels.get("verb", ""), _number(labels.get("le", ""), infinite=True)
        key = (verb, labels.get("resource", ""))
        known = key in self.buckets or len(self.buckets) < MOST_SERIES
        lasting = verb in LONG or labels.get("subresource", "") in LONG_SUBRESOURCES
        if bound is not None and known and not lasting:
            self.buckets[key][bound] += int(value)

    def _count(self, name: str, labels: Mapping[str, str], value: float) -> None:
        group, resource = labels.get("group", ""), labels.get("resource", "")
        if value >= 0 and len(self.objects[name]) < MOST_SERIES:  # -1: it could not be counted
            self.objects[name][f"{resource}.{group}" if group else resource] += int(value)

    def _other(self, name: str, labels: Mapping[str, str], value: float) -> None:
        if name == REQUESTS:
            self.requests[labels.get("code", "")[:3]] += int(value)
        elif name == REJECTED and value > 0:
            key = (labels.get("priority_level", ""), labels.get("flow_schema", ""), labels.get("reason", ""))
            self.rejected[key] += int(value)
        elif name == DEPRECATED and value > 0 and len(self.deprecated) < MOST_SERIES:
            asked = (labels.get(key, "") for key in ("group", "version", "resource", "removed_release"))
            self.deprecated.add((*asked,))  # type: ignore[arg-type]  # four, by the line above
        elif name == STARTED:
            self.started = value

    def figures(self) -> ControlPlaneFigures:
        """What it all comes to."""
        size = next((self.sizes[name] for name in SIZES if name in self.sizes), None)
        counts = next((self.objects[name] for name in OBJECTS if name in self.objects), Counter())
        return ControlPlaneFigures(
            latency=_slowest_first(self._by_verb()),
            slowest=_slowest_first(
                _latency(verb, buckets, resource) for (verb, resource), buckets in self.buckets.items()
            )[:TOP],
            requests=self.requests.total(),
            throttled=self.requests["429"],
            failed=sum(count for code, count in self.requests.items() if code.startswith("5")),
            rejected=tuple(Rejections(*key, count) for key, count in self.rejected.most_common(TOP)),
            deprecated=tuple(DeprecatedApi(*one) for one in sorted(self.deprecated)),
            database_bytes=int(size) if size is not None else None,
            objects=tuple(counts.most_common(TOP)),
            started_at=_moment(self.started),
        )

    def _by_verb(self) -> Iterable[Latency | None]:
        verbs: dict[str, Counter[float]] = defaultdict(Counter)
        for (verb, _), buckets in self.buckets.items():
            verbs[verb].update(buckets)
        return [_latency(verb, buckets) for verb, buckets in verbs.items()]


def _slowest_first(found: Iterable[Latency | None]) -> tuple[Latency, ...]:
    told = [one for one in found if one is not None]
    return tuple(sorted(told, key=lambda one: (-one.p99_s, -one.requests, one.verb)))


def _latency(verb: str, buckets: Mapping[float, int], resource: str = "") -> Latency | None:
    """The 99th percentile of cumulative buckets, read linearly within its bucket as PromQL does."""
    requests = buckets.get(math.inf, 0)
    if requests < FEW:
        return None
    rank, below, floor = 0.99 * requests, 0, 0.0
    for bound in sorted(buckets):
        count = buckets[bound]
        if count >= rank:
            if math.isinf(bound):
                return Latency(verb, requests, floor, above=True, resource=resource)
            within = (rank - below) / max(count - below, 1)
            return Latency(verb, requests, round(floor + (bound - floor) * within, 4), resource=resource)
        below, floor = count, bound
    return None


def _number(text: str, *, infinite: bool = False) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    if math.isinf(value) and not infinite:
        return None
    return None if math.isnan(value) else value


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (OverflowError, OSError, ValueError):
        return None
