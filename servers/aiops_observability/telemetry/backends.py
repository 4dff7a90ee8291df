"""The backends that a collector may send to: their exporters, what they need, and which collector has them.

Data for `switching.py`. Sources: the README of each exporter in opentelemetry-collector(-contrib); AWS X-Ray
and CloudWatch developer guides; Splunk Observability Cloud, "OTLP ingest"; Grafana Cloud, "Send data with
OTLP"; AWS Distro for OpenTelemetry, release notes (removal of datadog, logzio, sapm and signalfx). Secrets
are never written: they are read from the collector's environment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Signal = Literal["metrics", "traces", "logs"]
BackendName = Literal["cloudwatch", "amp", "datadog", "splunk", "grafana_cloud", "prometheus"]
Obj = dict[str, Any]
CORE, ADOT, CONTRIB = "core", "ADOT", "contrib"


@dataclass(frozen=True, slots=True)
class Exporter:
    """One exporter as it is written: component id, its settings, the extension that signs for it."""

    component: str
    settings: Obj
    extension: str = ""
    in_distributions: tuple[str, ...] = (CORE, ADOT, CONTRIB)

    @property
    def kind(self) -> str:
        """The component without its name."""
        return self.component.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Backend:
    """One place to send telemetry to."""

    name: BackendName
    exporters: Mapping[Signal, Exporter]
    extensions: Mapping[str, Obj] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()  # environment variables
    variables: tuple[str, ...] = ()  # … that are no secret
    iam: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def _env(name: str) -> str:
    return f"${{env:{name}}}"


_SIGV4: Mapping[str, Obj] = {"sigv4auth": {"region": _env("AWS_REGION"), "service": "aps"}}
_BASIC: Mapping[str, Obj] = {
    "basicauth/grafana_cloud": {
        "client_auth": {
            "username": _env("GRAFANA_CLOUD_INSTANCE_ID"),
            "password": _env("GRAFANA_CLOUD_API_KEY"),
        }
    }
}
_XRAY = Exporter("awsxray", {"region": _env("AWS_REGION")}, in_distributions=(ADOT, CONTRIB))
_CLOUDWATCH_LOGS = Exporter(
    "awscloudwatchlogs",
    {
        "region": _env("AWS_REGION"),
        "log_group_name": "/otel/logs",
        "log_stream_name": "collector",
    },
    in_distributions=(ADOT, CONTRIB),
)
_DATADOG = Exporter(
    "datadog",
    {"api": {"site": _env("DD_SITE"), "key": _env("DD_API_KEY")}},
    in_distributions=(CONTRIB,),
)
_DATADOG_ADOT = "ADOT: exporter scheduled for removal, use contrib or OTLP"
_SPLUNK_OTLP = Exporter(
    "otlphttp/splunk",
    {
        "metrics_endpoint": f"https://ingest.{_env('SPLUNK_REALM')}.signalfx.com/v2/datapoint/otlp",
        "traces_endpoint": f"https://ingest.{_env('SPLUNK_REALM')}.signalfx.com/v2/trace/otlp",
        "headers": {"X-SF-Token": _env("SPLUNK_ACCESS_TOKEN")},
    },
)
_SPLUNK_LOGS = Exporter(
    "splunk_hec",
    {"endpoint": _env("SPLUNK_HEC_URL"), "token": _env("SPLUNK_HEC_TOKEN")},
    in_distributions=(CONTRIB,),
)
_GRAFANA = Exporter(
    "otlphttp/grafana_cloud",
    {
        "endpoint": f"https://otlp-gateway-{_env('GRAFANA_CLOUD_ZONE')}.grafana.net/otlp",
        "auth": {"authenticator": "basicauth/grafana_cloud"},
    },
    "basicauth/grafana_cloud",
    in_distributions=(ADOT, CONTRIB),
)

BACKENDS: Mapping[BackendName, Backend] = {
    "cloudwatch": Backend(
        "cloudwatch",
        {
            "metrics": Exporter(
                "awsemf",
                {
                    "region": _env("AWS_REGION"),
                    "namespace": "OpenTelemetry",
                    "log_group_name": "/otel/metrics",
                    "dimension_rollup_option": "NoDimensionRollup",
                },
                in_distributions=(ADOT, CONTRIB),
            ),
            "traces": _XRAY,
            "logs": _CLOUDWATCH_LOGS,
        },
        variables=("AWS_REGION",),
        iam=(
            *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"),
            *("logs:PutRetentionPolicy", "xray:PutTraceSegments", "xray:PutTelemetryRecords"),
        ),
        notes=("metrics go by awsemf as log events that CloudWatch reads: logs ingestion is billed too",),
    ),
    "amp": Backend(
        "amp",
        {
            "metrics": Exporter(
                "prometheusremotewrite/amp",
                {"endpoint": _env("AMP_REMOTE_WRITE_URL"), "auth": {"authenticator": "sigv4auth"}},
                "sigv4auth",
                in_distributions=(ADOT, CONTRIB),
            ),
            "traces": _XRAY,
            "logs": _CLOUDWATCH_LOGS,
        },
        extensions=_SIGV4,
        variables=("AMP_REMOTE_WRITE_URL", "AWS_REGION"),
        iam=(
            *("aps:RemoteWrite", "xray:PutTraceSegments", "xray:PutTelemetryRecords"),
            *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"),
        ),
        notes=("AMP keeps metrics only: traces go to X-Ray, logs to CloudWatch Logs",),
    ),
    "datadog": Backend(
        "datadog",
        {"metrics": _DATADOG, "traces": _DATADOG, "logs": _DATADOG},
        secrets=("DD_API_KEY",),
        variables=("DD_SITE",),
        notes=(_DATADOG_ADOT,),
    ),
    "splunk": Backend(
        "splunk",
        {"metrics": _SPLUNK_OTLP, "traces": _SPLUNK_OTLP, "logs": _SPLUNK_LOGS},
        secrets=("SPLUNK_ACCESS_TOKEN", "SPLUNK_HEC_TOKEN"),
        variables=("SPLUNK_REALM", "SPLUNK_HEC_URL"),
        notes=("metrics and traces go by OTLP: the signalfx and sapm exporters are being removed",),
    ),
    "grafana_cloud": Backend(
        "grafana_cloud",
        {"metrics": _GRAFANA, "traces": _GRAFANA, "logs": _GRAFANA},
        extensions=_BASIC,
        secrets=("GRAFANA_CLOUD_API_KEY",),
        variables=("GRAFANA_CLOUD_INSTANCE_ID", "GRAFANA_CLOUD_ZONE"),
    ),
    "prometheus": Backend(
        "prometheus",
        {
            "metrics": Exporter(
                "prometheusremotewrite/self_hosted",
                {"endpoint": _env("PROMETHEUS_REMOTE_WRITE_URL")},
                in_distributions=(ADOT, CONTRIB),
            ),
            "traces": Exporter("otlp/traces", {"endpoint": _env("TRACES_OTLP_ENDPOINT")}),
            "logs": Exporter("otlphttp/loki", {"endpoint": _env("LOKI_OTLP_URL")}),
        },
        variables=("PROMETHEUS_REMOTE_WRITE_URL", "TRACES_OTLP_ENDPOINT", "LOKI_OTLP_URL"),
        notes=(
            "Prometheus keeps metrics only: traces go by OTLP to Tempo or Jaeger, logs to Loki",
            "start Prometheus with --web.enable-remote-write-receiver, or give Mimir's or Thanos' address",
        ),
    ),
}

# Exporters that do not exist, and what was meant (fact C4).
UNKNOWN: Mapping[str, Mapping[Signal, str]] = {
    "awscloudwatch": {"metrics": "awsemf", "logs": "awscloudwatchlogs", "traces": "awsxray"},
    "cloudwatch": {"metrics": "awsemf", "logs": "awscloudwatchlogs", "traces": "awsxray"},
    "awscloudwatchmetrics": {"metrics": "awsemf", "logs": "awscloudwatchlogs", "traces": "awsxray"},
}
REMOVED: Mapping[str, str] = {
    "sapm": "removed from collectors in 2026: traces go by otlphttp",
    "signalfx": "ADOT removes it: metrics go by otlphttp",
    "logzio": "ADOT removes it: use contrib or OTLP",
    "logging": "removed: the debug exporter does its work",
    "jaeger": "removed: Jaeger takes OTLP",
    "loki": "removed: Loki takes OTLP at /otlp",
}
# These stay in a pipeline whatever the backend.
LOCAL = frozenset({"debug", "logging", "file", "nop", "loadbalancing"})
