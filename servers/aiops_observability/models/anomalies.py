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
    """What is abnormal, since when, and what was found normal."""

    sentences: Annotated[tuple[str, ...], Field(description="each anomaly in a sentence")] = ()
    anomalies: Table
    growth: MemoryGrowth | None = None
    memory_class: Annotated[str, Field(description="leak, warmup, load_driven, seasonal, steady, thin")] = ""
    related: Annotated[Table | None, Field(description="changes just before an onset, nearest first")] = None
    tested: Annotated[Table, Field(description="each signal: points, missing, verdict")]
    voices: Annotated[tuple[str, ...], Field(description="what other detectors say")] = ()
    baseline: str = ""
    would_change: Annotated[str, Field(description="what would change this answer")] = ""
