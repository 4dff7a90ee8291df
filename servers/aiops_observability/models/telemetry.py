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
    diff: Annotated[str, Field(description="exporters, their lists and extensions only")]
    findings: Annotated[Table, Field(description="what is wrong with the current one")]
    secrets: Annotated[tuple[str, ...], Field(description="environment of the collector, from a Secret")] = ()
    variables: tuple[str, ...] = ()
    iam: Annotated[tuple[str, ...], Field(description="actions of the collector's role")] = ()
    distributions: Annotated[tuple[str, ...], Field(description="collectors that have all exporters")] = ()
    notes: tuple[str, ...] = ()
    costs: Annotated[Table | None, Field(description="compare: a month on each backend")] = None
