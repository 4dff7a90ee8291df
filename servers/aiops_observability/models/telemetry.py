"""What `generate_telemetry_config` is asked and answers."""

from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Table

BackendWord = Literal["cloudwatch", "amp", "datadog", "splunk", "grafana_cloud", "prometheus"]


class ConfigAsk(Frozen):
    """One configuration, and where it shall send."""

    current: str
    target: BackendWord
    compare: bool
    cluster: str | None


class TelemetryConfig(Answer):
    """A collector's configuration for another backend."""

    config: Annotated[str, Field(description="YAML")]
    diff: Annotated[str, Field(description="exporters only")]
    findings: Table
    secrets: Annotated[tuple[str, ...], Field(description="Environment variables")] = ()
    variables: tuple[str, ...] = ()
    iam: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    costs: Table | None = None
