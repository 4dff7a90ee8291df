"""How clusters, AWS and telemetry are reached, and where the bill is."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from aiops_shared.settings.grouping import CommaList, group


class KubeSettings(BaseSettings):
    """How Kubernetes is reached."""

    model_config = group("AIOPS_KUBE_")

    context: str = Field(
        default="", description="Context of the kubeconfig to use; empty: clusters are found through AWS."
    )
    timeout_s: float = Field(default=30.0, gt=0, le=50, description="Deadline of one Kubernetes request.")
    max_answer_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024, description="Largest answer read from one request."
    )
    impersonate: Literal["off", "user", "user+groups"] = Field(
        default="off",
        description="Whether each request is made as its caller (Impersonate-User, -Group), so that"
        " Kubernetes judges by the caller's own rights (docs/identity.md).",
    )
    impersonate_prefix: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._:/@#-]{0,63})?$",
        description="What stands before a caller's name and groups there, as `aiops:`.",
    )


class AwsSettings(BaseSettings):
    """How AWS is reached, besides the default credential chain."""

    model_config = group("AIOPS_AWS_")

    timeout_s: float = Field(default=20.0, gt=0, le=50, description="Deadline of one AWS call.")


class MetricsSettings(BaseSettings):
    """Where metrics are kept; what is not said is looked for (CloudWatch wherever AWS is reached)."""

    model_config = group("AIOPS_METRICS_")

    source: Literal["auto", "prometheus", "amp", "cloudwatch", "datadog"] = Field(
        default="auto",
        description="Backend asked by default; auto: the first that is configured, in this order.",
    )
    prometheus_url: str = Field(
        default="",
        description="Any Prometheus API: Prometheus, Thanos, Mimir, VictoriaMetrics, Grafana Cloud.",
    )
    prometheus_token_file: Path | None = Field(default=None, description="File with the bearer token for it.")
    prometheus_ca_file: Path | None = Field(default=None, description="CA that signed its certificate.")
    amp_workspace: str = Field(
        default="", description="Id of the Amazon Managed Service for Prometheus workspace (ws-…)."
    )
    cluster_label: str = Field(
        default="",
        pattern=r"^([a-zA-Z_][a-zA-Z0-9_]*)?$",
        description="Label that tells clusters apart in a shared Prometheus; it is put into every query.",
    )
    datadog_url: str = Field(default="", description="Datadog API, as https://api.datadoghq.com.")
    datadog_key_file: Path | None = Field(
        default=None, description="File with the API key and, on its second line, the application key."
    )
    prices_file: Path | None = Field(
        default=None, description="YAML with what backends cost you, for comparisons (docs/telemetry.md)."
    )
    timeout_s: float = Field(default=20.0, gt=0, le=45, description="Deadline of one metrics request.")
    max_samples: int = Field(
        default=5_000_000, ge=1000, description="A query that would read more samples is refused."
    )


class LogsSettings(BaseSettings):
    """Where logs are kept, besides pods and CloudWatch Logs."""

    model_config = group("AIOPS_LOGS_")

    opensearch_url: str = Field(default="", description="OpenSearch (or Elasticsearch) HTTP API.")
    opensearch_signed: bool = Field(
        default=False, description="Sign its requests with SigV4 (Amazon OpenSearch Service)."
    )
    opensearch_password_file: Path | None = Field(
        default=None, description="File with `user:password` for it."
    )
    max_scan_bytes: int = Field(
        default=10 * 1024**3, ge=1024, description="A log query that would scan more is refused."
    )
    scan_price_per_gb: float | None = Field(
        default=None,
        ge=0,
        description="What a GB scanned by Logs Insights costs you, for estimates; empty: bytes only.",
    )


class TracesSettings(BaseSettings):
    """Where traces are kept, besides X-Ray."""

    model_config = group("AIOPS_TRACES_")

    source: Literal["auto", "xray", "jaeger", "tempo"] = Field(
        default="auto", description="Backend asked by default; auto: jaeger or tempo when set, else X-Ray."
    )
    jaeger_url: str = Field(default="", description="Jaeger query API.")
    tempo_url: str = Field(default="", description="Grafana Tempo HTTP API.")
    token_file: Path | None = Field(default=None, description="File with the bearer token for it.")


class AlertsSettings(BaseSettings):
    """Where alerts are, besides CloudWatch."""

    model_config = group("AIOPS_ALERTS_")

    alertmanager_url: str = Field(default="", description="Alertmanager (or Mimir, AMP-like) v2 API.")
    token_file: Path | None = Field(default=None, description="File with the bearer token for it.")


class CostSettings(BaseSettings):
    """Where the bill is, how full nodes should be, and what a question may cost."""

    model_config = group("AIOPS_COST_")

    account: str = Field(
        default="",
        pattern=r"^(\d{12})?$",
        description="Account of the operator's table whose Cost Explorer is asked (the payer sees all"
        " accounts); empty: the account of the default AWS credentials.",
    )
    cluster_tags: CommaList = Field(
        default_factory=lambda: ["aws:eks:cluster-name", "eks:cluster-name"],
        description="Cost allocation tags whose value is the name of the cluster; any of them counts.",
    )
    max_billed_requests: int = Field(
        default=20,
        ge=0,
        le=1000,
        description="Cost Explorer requests (0.01 USD each) that one call of a tool may make; 0: only"
        " what is kept.",
    )
    keep_h: float = Field(
        default=12.0, gt=0, le=720, description="Hours for which answers about unsettled days are kept."
    )
    prices_keep_days: float = Field(
        default=7.0, gt=0, le=365, description="Days after which a kept price is read anew, when it can be."
    )
    cur: str = Field(
        default="",
        description="CUR 2.0 with split cost allocation data: a folder or s3:// prefix of Parquet files"
        " (needs the extra `cur`), or `athena:database.table`.",
    )
    athena_workgroup: str = Field(default="primary", description="Workgroup of those Athena queries.")
    athena_output: str = Field(
        default="", description="s3:// prefix of their results; empty: the workgroup's own."
    )
    opencost_url: str = Field(default="", description="OpenCost's API, as http://opencost.opencost:9003.")
    cpu_target: float = Field(
        default=0.5, gt=0, le=1, description="Share of the nodes' CPU capacity that should be in use."
    )
    memory_target: float = Field(
        default=0.65, gt=0, le=1, description="Share of the nodes' memory capacity that should be in use."
    )
    families: CommaList = Field(
        default_factory=list,
        description="Instance families that savings may propose, globs allowed (m7*,r7i); empty: those of"
        " the same generation and processor as now.",
    )


class NodesSettings(BaseSettings):
    """How nodes are reached, where SSM does not reach them."""

    model_config = group("AIOPS_NODES_")

    debug_image: str = Field(
        default="public.ecr.aws/amazonlinux/amazonlinux:2023-minimal",
        pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]{0,400}$",
        description="Image of the pod that cleans a node's disk from namespace aiops-system; it needs "
        "/bin/sh and chroot. A mirror of your own where nodes reach no public registry.",
    )


class OtelSettings(BaseSettings):
    """Where spans and metrics go; the field's own variable names."""

    model_config = group("OTEL_EXPORTER_OTLP_")

    endpoint: str = Field(
        default="", description="OTLP/HTTP endpoint for spans and metrics; empty: none are exported."
    )
