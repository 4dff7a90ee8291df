"""What the log tools are asked and what they answer."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.results import Answer, Table

QuerySource = Literal["insights", "ppl", "sql", "filter", "opensearch", "pods"]
AnalysisSource = Literal["cloudwatch", "opensearch", "pods"]
Mode = Literal["patterns", "error_rate", "impact", "compare", "volume"]


@dataclass(frozen=True, slots=True)
class LogQueryAsk:
    """One query. `target`: log groups (names, or a word as `application`), indices, or pods."""

    query: str
    source: QuerySource = "insights"
    target: tuple[str, ...] = ()
    cluster: str | None = None
    since: str = "-1h"
    until: str | None = None
    limit: int = 50
    full: bool = False


@dataclass(frozen=True, slots=True)
class LogAnalysisAsk:
    """One question about what logs say together. `at`: the moment that `compare` splits at."""

    mode: Mode = "patterns"
    source: AnalysisSource = "cloudwatch"
    target: tuple[str, ...] = ()
    service: str = ""
    cluster: str | None = None
    since: str = "-1h"
    until: str | None = None
    at: str | None = None
    full: bool = False


class LogRows(Answer):
    """You get the rows that a query found."""

    rows: Table
    estimated_bytes: Annotated[int, Field(description="Before the query ran")] = 0
    scanned_bytes: int = 0
    scanned_records: int = 0


class LogAnalysis(Answer):
    """You get what logs say together."""

    read: str = ""  # what was counted, by whom, and what was sampled
    patterns: Table = Table(columns=(), rows=())
    rows: Annotated[Table, Field(description="By bucket, endpoint or writer")] = Table(columns=(), rows=())
    chart: str = ""
    worst: Annotated[Table, Field(description="Worst bucket or incidents")] = Table(columns=(), rows=())
    actions: tuple[str, ...] = ()
    scanned_bytes: int = 0
