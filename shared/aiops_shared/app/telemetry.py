"""OpenTelemetry export, only when an endpoint is set: the SDK is not even imported otherwise.

Spans of calls (FastMCP makes them) and the counts of `aiops_shared.results.counting`, over OTLP/HTTP.
"""

from aiops_shared.errors import NotConfiguredError
from aiops_shared.settings import Settings


def export_telemetry(settings: Settings, service: str) -> None:
    """Export spans and metrics; NotConfiguredError when the extra is not installed."""
    if not settings.otel.endpoint:
        return
    try:
        from opentelemetry import metrics, trace
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as missing:
        raise NotConfiguredError(
            "OpenTelemetry", "an endpoint is set but the exporter is not installed", "install eks-aiops[otel]"
        ) from missing
    resource = Resource.create({"service.name": f"eks-aiops-{service}"})
    endpoint = settings.otel.endpoint.rstrip("/")
    spans = TracerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
    trace.set_tracer_provider(spans)
    # Both providers send what is left when the process ends.
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics"))
    metrics.set_meter_provider(MeterProvider([reader], resource))
