"""Every tool of the observability server in every mode: what the attacks on all of them walk over.

`calls(name, service)` names a workload of `production` and a traced service; what a world has not answers
with an error, which is as good an answer to hold as any other.
"""

from collections.abc import Iterator
from typing import Any

Call = tuple[str, dict[str, Any]]

HOME = "production"
SQL = "SELECT `@message` FROM `/aws/containerinsights/my-cluster/application` LIMIT 100"
COLLECTOR = """\
receivers:
  otlp:
    protocols: {grpc: {endpoint: "0.0.0.0:4317"}}
exporters:
  otlphttp:
    endpoint: https://telemetry.example.com
service:
  pipelines:
    metrics: {receivers: [otlp], exporters: [otlphttp]}
"""


def calls(name: str, service: str, *, pods: str = "", collector: str = COLLECTOR) -> Iterator[Call]:
    """Each tool in each mode on each source. `pods`: whose lines are read, as namespace/kind/name."""
    one = {"namespace": HOME, "kind": "Deployment", "name": name}
    yield from _metrics(one)
    yield from _series(one, service)
    yield from _alarms()
    yield from _texts(service, pods or f"{HOME}/deployment/{name}")
    for target in ("cloudwatch", "amp", "datadog", "splunk", "grafana_cloud", "prometheus"):
        yield "generate_telemetry_config", {"current": collector, "target": target}
    yield "generate_telemetry_config", {"current": collector, "target": "amp", "compare": True}


def _metrics(one: dict[str, Any]) -> Iterator[Call]:
    """query_metrics."""
    for source in ("prometheus", "cloudwatch"):
        yield "query_metrics", {"what": "memory", **one, "source": source}
        yield "query_metrics", {"search": "memory", "source": source}
    yield "query_metrics", {"what": "memory", **one, "detail": "full"}
    yield "query_metrics", {"what": "memory", **one, "source": "amp"}
    for show in ("questions", "rules", "alerts", "cardinality"):
        yield "query_metrics", {"show": show}
    yield "query_metrics", {"show": "labels", "query": "http_requests_total"}
    yield "query_metrics", {"query": "ALERTS", "detail": "full"}
    yield "query_metrics", {"query": "sum by (route, version) (rate(http_requests_total[5m]))"}
    yield "query_metrics", {"what": "requests", "namespace": HOME, "by_hour_of_week": True, "since": "-1d"}
    yield "query_metrics", {"what": "top_talkers", "source": "datadog"}


def _series(one: dict[str, Any], service: str) -> Iterator[Call]:
    """What is worked out of metrics."""
    yield "detect_anomalies", {**one, "since": "-1d"}
    changes = [f"-1h deploy of {service}"]
    yield "detect_anomalies", {"what": "memory", **one, "detail": "full", "changes": changes, "since": "-1d"}
    yield "detect_anomalies", {"query": "sum by (route) (rate(http_requests_total[5m]))", "since": "-1d"}
    for by in ("", "route", "zone", "version"):
        yield "compare_windows", {"name": service, "a": "-2h/-1h", "b": "-1h/", "by": by, "namespace": HOME}
    for source in ("prometheus", "cloudwatch"):
        asked = {"what": "requests_total", **one, "kind": "Service", "source": source}
        yield "forecast_metric", asked


def _alarms() -> Iterator[Call]:
    for group in (True, False):
        yield "list_alarms", {"group": group, "state": "all", "limit": 500}
    for source in ("cloudwatch", "alertmanager", "guardduty"):
        yield "list_alarms", {"source": [source], "history": "-7d", "state": "all"}


def _texts(service: str, pods: str) -> Iterator[Call]:
    """Logs and traces."""
    for source in ("xray", "jaeger", "tempo"):
        for by in ("auto", "endpoint", "edge"):
            yield "analyze_traces", {"service": service, "since": "-1h", "source": source, "group_by": by}
    for source in ("application_signals", "traces"):
        yield "get_service_health", {"service": service, "source": source}
    targets = {"pods": [pods], "opensearch": ["logs-application"]}
    for mode in ("patterns", "error_rate", "impact", "compare", "volume"):
        for source in ("cloudwatch", "opensearch", "pods"):
            told = {"target": targets[source]} if source in targets else {}
            at = {"at": "-1h"} if mode == "compare" else {}
            yield "analyze_logs", {"mode": mode, "source": source, "since": "-2h", **told, **at}
    for detail in ("summary", "full"):
        yield from _queries(detail, pods)


def _queries(detail: str, pods: str) -> Iterator[Call]:
    most = {"since": "-2h", "limit": 500, "detail": detail}
    insights = "fields @timestamp, @message | limit 500"
    yield "query_logs", {"query": insights, **most}
    yield (
        "query_logs",
        {"query": "fields @message | parse @message '* *' as a, b | stats count(*) by b", **most},
    )
    yield "query_logs", {"source": "filter", "query": "", **most}
    yield "query_logs", {"source": "filter", "query": "%.%", **most}
    yield "query_logs", {"source": "opensearch", "query": "ERROR", "target": ["logs-application"], **most}
    yield "query_logs", {"source": "pods", "query": "", "target": [pods], **most}
    yield "query_logs", {"source": "pods", "query": ".", "target": [pods], **most}
    yield "query_logs", {"source": "sql", "query": SQL, **most}
    yield "query_logs", {"source": "ppl", "query": "fields `@message` | head 100", **most}
