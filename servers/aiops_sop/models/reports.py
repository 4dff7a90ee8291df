"""What `get_report` is asked and answers. Every number of a report is a figure with where it is from."""

from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Table

ReportKind = Literal["maturity", "roi", "noise", "ops"]
Audience = Literal["ops", "dev", "executive"]


class ReportAsk(Frozen):
    """One question. `clusters`: names or globs as given, empty: the only one, or the account."""

    kind: ReportKind
    period: str = ""
    baseline: str = ""
    audience: Audience = "ops"
    clusters: tuple[str, ...] = ()
    rates: tuple[str, ...] = ()  # NAME=NUMBER


class NextStep(Frozen):
    """What is missing and how to get it."""

    missing: str
    do: Annotated[str, Field(description="Exact command, tool call or SOP")]


class Report(Answer):
    """A report: Markdown, and the figures that it stands on."""

    period: str = ""
    levels: dict[str, int] = Field(default_factory=dict)  # maturity 0-4 by cluster
    text: Annotated[str, Field(description="Markdown; [f3] names a figure")]
    # `from`: a source of evidence (e1: the first), or arithmetic of figures
    figures: Table
    next_steps: tuple[NextStep, ...] = ()
