"""Every environment variable of the suite, grouped; nobody else reads the environment.

Switches say what they allow and are safe when absent. `docs/configuration.md` is generated from this file.
"""

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


CommaList = Annotated[list[str], NoDecode, BeforeValidator(_split)]
Autonomy = Literal["observe", "propose", "auto-safe"]


def _group(prefix: str) -> SettingsConfigDict:
    return SettingsConfigDict(env_prefix=prefix, frozen=True, extra="ignore", env_ignore_empty=True)


class StateSettings(BaseSettings):
    """Where plans, actions, approvals and the audit live."""

    model_config = _group("AIOPS_STATE_")

    dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_state_dir("eks-aiops")),
        description="Directory of the SQLite file and of the key file (made with mode 0700).",
    )
    url: str = Field(
        default="",
        description="SQLAlchemy URL shared by all servers; empty: SQLite in the state directory. "
        "PostgreSQL for more than one machine: postgresql+psycopg://…",
    )
    key_file: Path | None = Field(
        default=None,
        description="File (mode 0600) with the key that signs the audit and encrypts snapshots; "
        "empty: `state.key` in the state directory, made on first use.",
    )

    @cached_property
    def database_url(self) -> str:
        """The URL in force."""
        return self.url or f"sqlite:///{self.dir / 'state.db'}"

    @cached_property
    def key_path(self) -> Path:
        """The key file in force."""
        return self.key_file or self.dir / "state.key"


class PolicySettings(BaseSettings):
    """What may be changed, by whom, and who is asked."""

    model_config = _group("AIOPS_POLICY_")

    dir: Path | None = Field(
        default=None, description="Directory of Cedar files used instead of the shipped policies."
    )
    mode: Literal["enforce", "shadow"] = Field(
        default="enforce", description="shadow: everything but the effect, audited."
    )
    autonomy_prod: Autonomy = Field(
        default="observe",
        description="What happens without a person in environments labelled prod (or not labelled).",
    )
    autonomy_staging: Autonomy = Field(default="observe", description="… in staging.")
    autonomy_dev: Autonomy = Field(default="observe", description="… in dev.")
    min_confidence: float = Field(
        default=0.8, ge=0, le=1, description="Below it, an agent's change needs a person."
    )
    approval_ttl_s: int = Field(default=1800, ge=60, le=86_400, description="Lifetime of an approval.")
    plan_ttl_s: int = Field(default=3600, ge=60, le=86_400, description="Lifetime of a plan.")
    freeze_windows: CommaList = Field(
        default_factory=list,
        description="World-time windows without writes, each `FROM/TO` in RFC 3339, comma-separated.",
    )


class ScanSettings(BaseSettings):
    """What a scan of manifests looks for besides the built-in rules."""

    model_config = _group("AIOPS_SCAN_")

    rules_dir: Path | None = Field(
        default=None,
        description="Directory of the organisation's rules, CEL in YAML files (docs/scanning.md); "
        "a broken rule stops every scan.",
    )


class KubeSettings(BaseSettings):
    """How Kubernetes is reached."""

    model_config = _group("AIOPS_KUBE_")

    context: str = Field(
        default="", description="Context of the kubeconfig to use; empty: clusters are found through AWS."
    )
    timeout_s: float = Field(default=30.0, gt=0, le=50, description="Deadline of one Kubernetes request.")
    max_answer_bytes: int = Field(
        default=64 * 1024 * 1024, ge=1024, description="Largest answer read from one request."
    )


class AwsSettings(BaseSettings):
    """How AWS is reached, besides the default credential chain."""

    model_config = _group("AIOPS_AWS_")

    timeout_s: float = Field(default=20.0, gt=0, le=50, description="Deadline of one AWS call.")


class MetricsSettings(BaseSettings):
    """Where metrics are kept; what is not said is looked for (CloudWatch wherever AWS is reached)."""

    model_config = _group("AIOPS_METRICS_")

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

    model_config = _group("AIOPS_LOGS_")

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

    model_config = _group("AIOPS_TRACES_")

    source: Literal["auto", "xray", "jaeger", "tempo"] = Field(
        default="auto", description="Backend asked by default; auto: jaeger or tempo when set, else X-Ray."
    )
    jaeger_url: str = Field(default="", description="Jaeger query API.")
    tempo_url: str = Field(default="", description="Grafana Tempo HTTP API.")
    token_file: Path | None = Field(default=None, description="File with the bearer token for it.")


class AlertsSettings(BaseSettings):
    """Where alerts are, besides CloudWatch."""

    model_config = _group("AIOPS_ALERTS_")

    alertmanager_url: str = Field(default="", description="Alertmanager (or Mimir, AMP-like) v2 API.")
    token_file: Path | None = Field(default=None, description="File with the bearer token for it.")


class CostSettings(BaseSettings):
    """Where the bill is, how full nodes should be, and what a question may cost."""

    model_config = _group("AIOPS_COST_")

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


class SopSettings(BaseSettings):
    """Where SOPs are, and how the sop server reaches the other three."""

    model_config = _group("AIOPS_SOP_")

    dirs: CommaList = Field(
        default_factory=list,
        description="Directories with SOPs of your own (`*.sop.md`), besides the shipped ones; one of the"
        " same name stands for the shipped one. Nothing else is loaded.",
    )
    knowledge_dirs: CommaList = Field(
        default_factory=list, description="Directories with what your team knows (docs/knowledge.md), YAML."
    )
    eks_url: str = Field(
        default="", description="MCP endpoint of the eks server; empty: started as a child process."
    )
    observability_url: str = Field(default="", description="… of the observability server.")
    cost_url: str = Field(default="", description="… of the cost server.")
    token_file: Path | None = Field(default=None, description="File with the bearer token for those URLs.")
    database_url: str = Field(
        default="",
        description="SQLAlchemy URL where runs are kept durable; empty: `runs.db` in the state directory, or"
        " the PostgreSQL of AIOPS_STATE_URL. Not through a pooler in transaction mode.",
    )
    concurrency: int = Field(
        default=20, ge=1, le=500, description="Runs that one process carries on at once; more wait."
    )
    supervised_runs: int = Field(
        default=10,
        ge=1,
        description="Supervised runs of a SOP that must have succeeded before it may run auto in production.",
    )
    drill_days: int = Field(
        default=30, ge=1, description="Days for which a passed guardrail drill counts (`eks-aiops drill`)."
    )


class EventsSettings(BaseSettings):
    """How events come in."""

    model_config = _group("AIOPS_EVENTS_")

    listen: str = Field(
        default="",
        description="Where `eks-aiops worker` takes POST /events, as 127.0.0.1:8790; empty: nowhere.",
    )
    token_file: Path | None = Field(
        default=None,
        description="File with the tokens that senders give (Authorization: Bearer, or x-api-key), one a"
        " line as `name:token`. Without it nothing is listened to.",
    )
    queue: int = Field(
        default=1000, ge=1, le=100_000, description="Events that may wait; one more is refused with 429."
    )
    quiet_min: float = Field(
        default=30.0,
        gt=0,
        le=1440,
        description="Minutes without an event of it after which an incident is a new one.",
    )
    storm: int = Field(
        default=50,
        ge=2,
        description="Different events of one cluster within a minute that become one incident.",
    )
    forward_to: str = Field(
        default="", description="Where `eks-aiops forward` sends events: a URL of POST /events."
    )
    forward_bus: str = Field(default="", description="… or the name of an EventBridge bus.")
    forward_token_file: Path | None = Field(default=None, description="File with the token for that URL.")


class NotifySettings(BaseSettings):
    """Who is told when a run escalates; every one that is set."""

    model_config = _group("AIOPS_NOTIFY_")

    slack_url_file: Path | None = Field(
        default=None, description="File with a Slack-compatible incoming webhook's URL."
    )
    pagerduty_key_file: Path | None = Field(
        default=None, description="File with the routing key of PagerDuty's Events API v2."
    )
    pagerduty_url: str = Field(
        default="https://events.pagerduty.com/v2/enqueue", description="That API's endpoint."
    )
    sns_topic: str = Field(default="", description="ARN of an SNS topic.")
    email_from: str = Field(default="", description="Sender of e-mails by SES.")
    email_to: CommaList = Field(default_factory=list, description="Their recipients, comma-separated.")


class NodesSettings(BaseSettings):
    """How nodes are reached, where SSM does not reach them."""

    model_config = _group("AIOPS_NODES_")

    debug_image: str = Field(
        default="public.ecr.aws/amazonlinux/amazonlinux:2023-minimal",
        pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]{0,400}$",
        description="Image of the pod that cleans a node's disk from namespace aiops-system; it needs "
        "/bin/sh and chroot. A mirror of your own where nodes reach no public registry.",
    )


class CallerSettings(BaseSettings):
    """Who calls over stdio; over HTTP the token says it."""

    model_config = _group("AIOPS_CALLER_")

    name: str = Field(default="", description="Name in the audit; empty: the operating system's user.")
    kind: Literal["human", "agent"] = Field(
        default="human", description="agent: never counts as a person who may approve."
    )


class OtelSettings(BaseSettings):
    """Where spans and metrics go; the field's own variable names."""

    model_config = _group("OTEL_EXPORTER_OTLP_")

    endpoint: str = Field(
        default="", description="OTLP/HTTP endpoint for spans and metrics; empty: none are exported."
    )


class Settings(BaseSettings):
    """The one settings object."""

    model_config = _group("AIOPS_")

    write: bool = Field(
        default=False, description="Allows the tools that change anything; without it they are not listed."
    )
    sensitive_reads: bool = Field(
        default=False, description="Allows pod logs and events; Secret values are never readable."
    )
    tools: CommaList = Field(
        default_factory=list, description="Only these tools, comma-separated; empty: all. A wrong name stops."
    )
    clusters_file: Path | None = Field(
        default=None, description="The operator's table of accounts and clusters (YAML)."
    )
    time_source: str = Field(default="system", description="`system`, or the URL of a lab's clock.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="Level of the structured log on stderr."
    )

    state: StateSettings = Field(default_factory=StateSettings)
    policy: PolicySettings = Field(default_factory=PolicySettings)
    scan: ScanSettings = Field(default_factory=ScanSettings)
    kube: KubeSettings = Field(default_factory=KubeSettings)
    aws: AwsSettings = Field(default_factory=AwsSettings)
    nodes: NodesSettings = Field(default_factory=NodesSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    logs: LogsSettings = Field(default_factory=LogsSettings)
    traces: TracesSettings = Field(default_factory=TracesSettings)
    alerts: AlertsSettings = Field(default_factory=AlertsSettings)
    cost: CostSettings = Field(default_factory=CostSettings)
    sop: SopSettings = Field(default_factory=SopSettings)
    events: EventsSettings = Field(default_factory=EventsSettings)
    notify: NotifySettings = Field(default_factory=NotifySettings)
    caller: CallerSettings = Field(default_factory=CallerSettings)
    otel: OtelSettings = Field(default_factory=OtelSettings)


# Variables that coding agents set in the shells they open (their own documentation). A shell that has one is
# not a person's, so it may not approve (decision D5).
AGENT_MARKS = (
    "AGENT",
    "AI_AGENT",
    "AMAZON_Q_AGENT",
    "AMP_CURRENT_THREAD_ID",
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CODEX_SANDBOX",
    "COPILOT_AGENT",
    "CURSOR_AGENT",
    "GEMINI_CLI",
    "KIRO_AGENT",
    "OPENCODE",
    "Q_SET_PARENT_CHECK",
    "QCLI_AGENT",
)


def agent_mark() -> str:
    """The variable that says that an agent opened this shell, or nothing."""
    return next((name for name in AGENT_MARKS if os.environ.get(name)), "")  # noqa: TID251  # settings read it


def inherited(*names: str) -> dict[str, str]:
    """Variables that a child process needs of this one, as they are."""
    return {name: value for name in names if (value := os.environ.get(name))}  # noqa: TID251  # settings read it


def child_environment() -> dict[str, str]:
    """All of this process's variables, for a server of the suite that it starts as its child."""
    return dict(os.environ)  # noqa: TID251  # settings read it
