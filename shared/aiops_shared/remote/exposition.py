"""What Prometheus reads: the text format 0.0.4 of our own counts, and of the suite's where its SDK is there.

The suite counts through OpenTelemetry's API (`results.counting`); with the extra `otel` installed a reader in
the process gives those counts too, under the names that the OpenTelemetry specification makes of them for
Prometheus. Without it `/metrics` holds HTTP's own.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from aiops_shared.remote.metering import Meter
from aiops_shared.results.counting import DURATION_BOUNDS_S

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_UNITS: Final = {"s": "_seconds"}


def page(meter: Meter) -> str:
    """The whole page."""
    lines = [*_http(meter), *(_suite(meter.suite) if meter.suite is not None else ())]
    return "\n".join(lines) + "\n"


def _http(meter: Meter) -> Iterator[str]:
    name = "aiops_http_requests_total"
    yield from _head(name, "counter", "HTTP requests by route, method and class of answer")
    for (route, method, kind), count in sorted(meter.requests.items()):
        yield f"{name}{_labels({'route': route, 'method': method, 'code': kind})} {count}"
    name = "aiops_http_shed_total"
    yield from _head(name, "counter", "HTTP requests that were not taken, by reason")
    for reason, count in sorted(meter.shed.items()):
        yield f"{name}{_labels({'reason': reason})} {count}"
    for gauge in meter.gauges:
        yield from _head(gauge.name, "gauge", gauge.says)
        yield f"{gauge.name} {_number(gauge.value())}"
    name = "aiops_http_request_duration_seconds"
    yield from _head(name, "histogram", "Seconds from a request's head to the last byte of its answer")
    for route, seconds in sorted(meter.seconds.items()):
        yield from _histogram(name, {"route": route}, DURATION_BOUNDS_S, seconds.buckets, seconds.total)


def _suite(reader: Any) -> Iterator[str]:
    """Every sum and histogram that the reader has."""
    found = reader.get_metrics_data()
    for resource in found.resource_metrics if found else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name.startswith("aiops."):
                    yield from _metric(metric)


def _metric(metric: Any) -> Iterator[str]:
    name = metric.name.replace(".", "_") + _UNITS.get(metric.unit, "")
    points = list(metric.data.data_points)
    if points and hasattr(points[0], "bucket_counts"):
        yield from _head(name, "histogram", metric.description)
        for point in points:
            yield from _histogram(
                name, point.attributes, point.explicit_bounds, point.bucket_counts, point.sum
            )
        return
    name += "_total"
    yield from _head(name, "counter", metric.description)
    for point in points:
        yield f"{name}{_labels(point.attributes)} {_number(point.value)}"


def _histogram(
    name: str, labels: Mapping[str, Any], bounds: Iterable[float], counts: Iterable[int], total: float
) -> Iterator[str]:
    below = 0
    for bound, count in zip([*map(_number, bounds), "+Inf"], counts, strict=True):
        below += count
        yield f"{name}_bucket{_labels({**labels, 'le': bound})} {below}"
    yield f"{name}_sum{_labels(labels)} {_number(total)}"
    yield f"{name}_count{_labels(labels)} {below}"


def _head(name: str, kind: str, says: str) -> Iterator[str]:
    yield f"# HELP {name} {says}"
    yield f"# TYPE {name} {kind}"


def _labels(labels: Mapping[str, Any]) -> str:
    pairs = (f'{name}="{_escaped(str(value))}"' for name, value in labels.items())
    return f"{{{','.join(pairs)}}}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(round(value, 9))
