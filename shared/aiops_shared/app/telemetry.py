"""OpenTelemetry spans, only when an endpoint is set: the SDK is not even imported otherwise."""

from aiops_shared.errors import NotConfiguredError
from aiops_shared.settings import Settings


def trace_to(settings: Settings, service: str) -> None:
    """Export spans over OTLP/HTTP; NotConfiguredError when the extra is not installed."""
    if not settings.otel.endpoint:
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as missing:
        raise NotConfiguredError(
            "OpenTelemetry", "an endpoint is set but the exporter is not installed", "install eks-aiops[otel]"
        ) from missing
    provider = TracerProvider(resource=Resource.create({"service.name": f"eks-aiops-{service}"}))
    endpoint = settings.otel.endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
