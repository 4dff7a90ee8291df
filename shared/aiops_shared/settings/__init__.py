"""Every environment variable of the suite, grouped; nobody else reads the environment.

Switches say what they allow and are safe when absent. `docs/configuration.md` is generated from here.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from aiops_shared.settings.grouping import Autonomy, CommaList, group
from aiops_shared.settings.guarding import CallerSettings, PolicySettings, ScanSettings, StateSettings
from aiops_shared.settings.procedures import EventsSettings, NotifySettings, SopSettings
from aiops_shared.settings.remote import AuthSettings, HttpSettings
from aiops_shared.settings.sources import (
    AlertsSettings,
    AwsSettings,
    CostSettings,
    KubeSettings,
    LogsSettings,
    MetricsSettings,
    NodesSettings,
    OtelSettings,
    TracesSettings,
)

__all__ = [
    "AGENT_MARKS",
    "AlertsSettings",
    "AuthSettings",
    "Autonomy",
    "AwsSettings",
    "CallerSettings",
    "CommaList",
    "CostSettings",
    "EventsSettings",
    "HttpSettings",
    "KubeSettings",
    "LogsSettings",
    "MetricsSettings",
    "NodesSettings",
    "NotifySettings",
    "OtelSettings",
    "PolicySettings",
    "ScanSettings",
    "Settings",
    "SopSettings",
    "StateSettings",
    "TracesSettings",
    "agent_mark",
    "child_environment",
    "inherited",
]


class Settings(BaseSettings):
    """The one settings object."""

    model_config = group("AIOPS_")

    write: bool = Field(
        default=False, description="Allows the tools that change anything; without it they are not listed."
    )
    sensitive_reads: bool = Field(
        default=False, description="Allows pod logs and events; Secret values are never readable."
    )
    tools: CommaList = Field(
        default_factory=list, description="Only these tools, comma-separated; empty: all. A wrong name stops."
    )
    toolsets: CommaList = Field(
        default_factory=list,
        description="Only tools of these sets, comma-separated; empty: all. `eks-aiops tools --toolsets`"
        " lists them.",
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
    http: HttpSettings = Field(default_factory=HttpSettings)
    auth: AuthSettings = Field(default_factory=AuthSettings)


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
