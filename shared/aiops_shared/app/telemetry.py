"""OpenTelemetry export, only when an endpoint is set: the SDK is not even imported otherwise.

Spans of calls (FastMCP makes them) and the counts of `aiops_shared.results.counting`, over OTLP/HTTP.
"""

from importlib.util import find_spec
from typing import Any

from aiops_shared.errors import NotConfiguredError
from aiops_shared.settings import Settings


def export_telemetry(settings: Settings, service: str, *, readable: bool = False) -> Any:
    """Export spans and metrics; NotConfiguredError when the extra is not installed.

    `readable`: the counts can also be read in the process, by what this returns; None without the extra.
    """
    if not settings.otel.endpoint and not (readable and find_spec("opentelemetry.sdk")):
        return None
    try:
        from opentelemetry import metrics, trace
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
    except ImportError as missing:
        raise _not_installed() from missing
    resource = Resource.create({"service.name": f"eks-aiops-{service}"})
    readers: list[MetricReader] = [InMemoryMetricReader()] if readable else []
    if settings.otel.endpoint:
        processor, sender = _exporters(settings.otel.endpoint.rstrip("/"))
        spans = TracerProvider(resource=resource)
        spans.add_span_processor(processor)
        trace.set_tracer_provider(spans)
        readers.append(sender)
    metrics.set_meter_provider(MeterProvider(readers, resource))
    return readers[0] if readable else None


def _exporters(endpoint: str) -> tuple[Any, Any]:
    """Of spans and of counts. Both send what is left when the process ends."""
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as missing:
        raise _not_installed() from missing
    spans = BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces"))
    return spans, PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics"))


def _not_installed() -> NotConfiguredError:
    return NotConfiguredError(
        "OpenTelemetry", "an endpoint is set but the exporter is not installed", "install eks-aiops[otel]"
    )
