"""What the trace tool is asked and what it answers."""

from dataclasses import dataclass
from typing import Literal

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
    """Which requests of a service are worse, and where their time goes.

    `outlier` is worse than the rest (empty: none is), `edge` explains most of it, `concentrated` looks
    inside it. `p` and `p_value` are Holm-corrected and one-sided; `ratio` is against the rest, of faults,
    else of median latency; `effect` is Cliff's delta of latency; `explained` a share of the difference.
    """

    service: str
    group_by: str
    source: str = ""
    traces: int = 0
    requests: int = 0
    faults: int = 0
    groups: Table | None = None
    outlier: str = ""
    differs_in: tuple[str, ...] = ()
    ratio: float | None = None
    effect: float | None = None
    p_value: float | None = None
    edge: str = ""
    pattern: str = ""
    critical_path: Table | None = None
    concentrated: Table | None = None
    attributes: Table | None = None
    normal: tuple[str, ...] = ()
    exemplars: tuple[str, ...] = ()
