"""What the trace tool is asked and what it answers."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.results import Answer, Table

GroupBy = Literal["auto", "az", "version", "node", "endpoint", "edge"]
TraceSource = Literal["auto", "xray", "jaeger", "tempo"]
SERVICE_FORM = r"^[A-Za-z0-9][A-Za-z0-9_.:/@ -]{0,199}$"


@dataclass(frozen=True, slots=True)
class TraceAsk:
    """One question about the requests of a service."""

    service: str
    group_by: GroupBy = "auto"
    endpoint: str = ""
    since: str = "-1h"
    until: str = ""
    source: TraceSource = "auto"
    cluster: str | None = None
    at_most: int = 300


class TraceAnalysis(Answer):
    """Which requests of a service are worse, and where their time goes."""

    service: str
    group_by: str
    source: str = ""
    traces: Annotated[int, Field(description="Traces read")] = 0
    requests: int = 0
    faults: int = 0
    groups: Annotated[Table | None, Field(description="p: Holm-corrected, one-sided")] = None
    outlier: Annotated[str, Field(description="The group that is worse than the rest; empty: none is")] = ""
    differs_in: tuple[str, ...] = ()
    ratio: Annotated[float | None, Field(description="Against the rest: faults, else median latency")] = None
    effect: Annotated[float | None, Field(description="Cliff's delta of latency, -1..1")] = None
    p_value: float | None = None
    edge: Annotated[str, Field(description="The part that explains most of it")] = ""
    pattern: Annotated[str, Field(description="What it looks like")] = ""
    critical_path: Annotated[
        Table | None, Field(description="Self time by part; explained: share of the difference")
    ] = None
    concentrated: Annotated[
        Table | None, Field(description="Inside the outlier, against the same elsewhere")
    ] = None
    attributes: Annotated[Table | None, Field(description="Measurements of the spans that differ")] = None
    normal: Annotated[tuple[str, ...], Field(description="Tested and found normal")] = ()
    exemplars: Annotated[tuple[str, ...], Field(description="Trace ids")] = ()
