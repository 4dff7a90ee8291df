"""`GET /metrics`: what the lab's API server measures of itself, in Prometheus text.

Names and labels are those of kubernetes v1.33 (apiserver: pkg/endpoints/metrics/metrics.go,
pkg/storage/etcd3/metrics/metrics.go, pkg/util/flowcontrol/metrics/metrics.go). Figures are a story's to set:
`stage.aws.area(ControlPlaneMeter)`. Called by `app` through `aiops_lab.run`; RBAC guards the path.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from aiops_lab.kube.store import Store

GIB = 1024**3
BUCKETS = (
    *(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45),
    60,
)
_SCOPE = {"LIST": "cluster", "POST": "namespace"}
_FILLER = 'workqueue_queue_duration_seconds_bucket{name="filler",le="%d"} 1\n'


@dataclass(slots=True)
class ControlPlaneMeter:
    """One API server instance and its database. `objects` are told beside what the store holds."""

    database_bytes: int = int(0.31 * GIB)
    p99_s: dict[str, float] = field(
        default_factory=lambda: {
            "GET": 0.03,
            "LIST": 0.28,
            "POST": 0.06,
            "PUT": 0.05,
            "PATCH": 0.06,
            "DELETE": 0.05,
        }
    )
    requests: dict[str, int] = field(
        default_factory=lambda: {
            "GET": 90_000,
            "LIST": 12_000,
            "POST": 15_000,
            "PUT": 60_000,
            "PATCH": 30_000,
            "DELETE": 3_000,
        }
    )
    throttled: int = 0  # answered 429
    failed: int = 3  # answered 500
    rejected: dict[tuple[str, str, str], int] = field(default_factory=dict)  # level, flow schema, reason
    deprecated: tuple[tuple[str, str, str, str], ...] = ()  # group, version, resource, removed in
    objects: dict[str, int] = field(default_factory=dict)
    up_for_s: float = 6 * 86_400.0
    filler_lines: int = 0  # of metrics nobody asks for


def control_page(meter: ControlPlaneMeter, store: Store, now: datetime) -> Iterator[bytes]:
    """The page, piece by piece."""
    yield _gauges(meter, now).encode()
    yield "".join(_requests(meter)).encode()
    for verb, p99_s in meter.p99_s.items():
        yield "".join(_histogram(verb, p99_s, meter.requests.get(verb, 0))).encode()
    yield "".join(_objects(meter, store)).encode()
    for start in range(0, meter.filler_lines, 1000):
        end = min(start + 1000, meter.filler_lines)
        yield "".join(_FILLER % number for number in range(start, end)).encode()


def _gauges(meter: ControlPlaneMeter, now: datetime) -> str:
    started = (now - timedelta(seconds=meter.up_for_s)).timestamp()
    return (
        "# HELP apiserver_storage_size_bytes [STABLE] Size of the storage database file physically allocated"
        " in bytes.\n# TYPE apiserver_storage_size_bytes gauge\n"
        f'apiserver_storage_size_bytes{{storage_cluster_id="etcd-0"}} {_number(meter.database_bytes)}\n'
        f"process_start_time_seconds {_number(started)}\n"
        'apiserver_current_inflight_requests{request_kind="mutating"} 1\n'
        'apiserver_current_inflight_requests{request_kind="readOnly"} 4\n'
    )


def _number(value: float) -> str:
    """As Prometheus' client writes large ones: 3.3285996544e+08."""
    return f"{value:.10e}" if value >= 1e6 else f"{value:g}"


def _labels(**values: str) -> str:
    return ",".join(f'{name}="{value}"' for name, value in sorted(values.items()))


def _requests(meter: ControlPlaneMeter) -> Iterator[str]:
    yield "# TYPE apiserver_request_total counter\n"
    for verb, count in meter.requests.items():
        yield f"apiserver_request_total{{{_of(verb, code='200')}}} {count}\n"
    for code, count in (("429", meter.throttled), ("500", meter.failed)):
        if count:
            yield f"apiserver_request_total{{{_of('LIST', code=code)}}} {count}\n"
    for (level, schema, reason), count in meter.rejected.items():
        labels = _labels(flow_schema=schema, priority_level=level, reason=reason)
        yield f"apiserver_flowcontrol_rejected_requests_total{{{labels}}} {count}\n"
    for group, version, resource, removed in meter.deprecated:
        labels = _labels(
            group=group, version=version, resource=resource, removed_release=removed, subresource=""
        )
        yield f"apiserver_requested_deprecated_apis{{{labels}}} 1\n"


def _of(verb: str, **more: str) -> str:
    return _labels(
        component="apiserver",
        dry_run="",
        group="",
        resource="pods",
        scope=_SCOPE.get(verb, "resource"),
        subresource="",
        verb=verb,
        version="v1",
        **more,
    )


def _histogram(verb: str, p99_s: float, requests: int) -> Iterator[str]:
    """Buckets whose 99th percentile lies at `p99_s`."""
    yield "# TYPE apiserver_request_duration_seconds histogram\n"
    for bound in BUCKETS:
        count = round(requests * _share(bound, p99_s))
        yield f"apiserver_request_duration_seconds_bucket{{{_of(verb, le=f'{bound:g}')}}} {count}\n"
    yield f"apiserver_request_duration_seconds_bucket{{{_of(verb, le='+Inf')}}} {requests}\n"
    yield f"apiserver_request_duration_seconds_sum{{{_of(verb)}}} {requests * p99_s / 5:g}\n"
    yield f"apiserver_request_duration_seconds_count{{{_of(verb)}}} {requests}\n"
    # A watch lasts for minutes and is no slow request.
    yield f"apiserver_request_duration_seconds_bucket{{{_of('WATCH', le='60')}}} 0\n"
    yield f"apiserver_request_duration_seconds_bucket{{{_of('WATCH', le='+Inf')}}} 400\n"


def _share(bound: float, p99_s: float) -> float:
    if bound < p99_s:
        return 0.99 * float((bound / p99_s) ** 0.3)
    return min(1.0, 0.99 + 0.01 * (bound - p99_s) / max(p99_s, 0.005))


def _objects(meter: ControlPlaneMeter, store: Store) -> Iterator[str]:
    counts: Mapping[str, int] = {
        (f"{one.plural}.{one.group}" if one.group else one.plural): len(store.select(one))
        for one in store.registry.all()
    }
    yield "# TYPE apiserver_storage_objects gauge\n"
    for resource, count in {**counts, **meter.objects}.items():
        yield f'apiserver_storage_objects{{resource="{resource}"}} {_number(count)}\n'
