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
    chart: bool = False


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
    """Why the bill moved.

    `effects` is a waterfall: the baseline, its parts that sum to the change, the period. `drivers`: the same
    by service, parts in % of the service's baseline. `cells`: the largest movers as price x quantity.
    """

    verdict: Annotated[Verdict, Field(description="no_anomaly: usual, or growth explains it")]
    period: str
    baseline: str
    currency: str = "USD"
    effects: Annotated[Table, Field(description="Baseline, parts, period")]
    drivers: Table
    cells: Table
    causes: tuple[CostCause, ...] = ()
    facts: Annotated[Table | None, Field(description="What moved with it")] = None
    clusters: Table | None = None
    usual: str = ""
    unsettled_days: tuple[str, ...] = ()
    billed_requests: int = 0
