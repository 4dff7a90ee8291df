"""What `explain_cost_change` is asked and answers.

Amounts are in the answer's currency, rounded to the cent each; what the rounding leaves stands in a row of
its own. Percentages of effects are of the baseline's amount.
"""

from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.kube.choosing import Where
from aiops_shared.results import Answer, Evidence, Frozen, Table

Verdict = Literal["no_anomaly", "explained", "unexplained", "insufficient"]


class ChangeAsk(Frozen):
    """Two spans of one bill. `changes`: what the caller knows to have changed, as `-6h deploy v2`."""

    clusters: Where
    period: str = "7d"
    baseline: str = ""
    changes: tuple[str, ...] = ()
    full: bool = False


class CostCause(Frozen):
    """One cause of the change, most certain and largest first."""

    code: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$", description="Listed in docs/causes.md")]
    cause: Annotated[str, Field(description="One sentence")]
    change_usd: Annotated[float, Field(description="The part of the change it explains")]
    confidence: Annotated[float, Field(ge=0, le=1)]
    evidence: tuple[Evidence, ...] = ()
    ruled_out: tuple[str, ...] = ()
    next_step: str = ""


class CostChange(Answer):
    """Why the bill moved."""

    verdict: Annotated[Verdict, Field(description="no_anomaly: usual, or growth explains it")]
    period: Annotated[str, Field(description="Days compared, both ends included")]
    baseline: str
    currency: str = "USD"
    before_usd: float
    after_usd: float
    change_usd: float
    change_percent: float | None = None
    effects: Annotated[Table, Field(description="Parts of the change; they sum to change_usd")]
    drivers: Annotated[Table, Field(description="By service: parts in % of the service's baseline")]
    cells: Annotated[Table, Field(description="Largest movers: price x quantity")]
    causes: tuple[CostCause, ...] = ()
    facts: Annotated[Table | None, Field(description="What moved with it")] = None
    clusters: Annotated[Table | None, Field(description="Where several were asked")] = None
    usual: Annotated[str, Field(description="Beside the usual weeks")] = ""
    unsettled_days: tuple[str, ...] = ()
    billed_requests: Annotated[int, Field(description="Cost Explorer requests made, 0.01 USD each")] = 0
