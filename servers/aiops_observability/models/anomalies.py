"""What `detect_anomalies` is asked and answers."""

from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Table


class AnomalyAsk(Frozen):
    """One question: a metric (query, or what + target), or a workload as a whole."""

    cluster: str | None
    source: str
    query: str
    what: str
    namespace: str
    kind: str
    name: str
    since: str
    until: str | None
    changes: tuple[str, ...]
    full: bool
    chart: bool = False


class MemoryGrowth(Frozen):
    """Memory that grows by itself. Times are UTC, RFC 3339; amounts in bytes."""

    code: Literal["MEMORY_LEAK"] = "MEMORY_LEAK"
    grade: Annotated[
        Literal["suspected", "confirmed"], Field(description="suspected: never alarm or act on it")
    ]
    rate_bytes_per_h: float
    onset: str
    held_h: Annotated[float, Field(description="for how long back the same was said")]
    score: Annotated[float, Field(description="t of the slope")]
    trend_z: Annotated[float, Field(description="Mann-Kendall, widened for autocorrelation")]
    limit_bytes: float | None = None
    limit_eta_s: float | None = None
    limit_eta_low_s: float | None = None
    limit_eta_high_s: float | None = None
    static_rule_in_s: Annotated[float | None, Field(description="until 80 % of the limit")] = None
    evidence_by: Annotated[str, Field(description="floor after collections, or slope within pod lives")] = ""


class AnomalyReport(Answer):
    """What is abnormal, since when, and what was found normal.

    `sentences`: each anomaly in one. `memory_class`: leak, warmup, load_driven, seasonal, steady, thin.
    `related`: given changes just before an onset, nearest first. `tested`: each signal with points, missing
    share and verdict. `voices`: what other detectors say. `would_change`: what would change this answer.
    (Descriptions of fields would be paid for in every listing.)
    """

    sentences: tuple[str, ...] = ()
    anomalies: Table
    growth: MemoryGrowth | None = None
    memory_class: str = ""
    related: Table | None = None
    tested: Table
    voices: tuple[str, ...] = ()
    baseline: str = ""
    would_change: str = ""
