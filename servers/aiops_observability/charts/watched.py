"""What is drawn of a judged series, on a PNG (`drawing`) or on a host's page (`page_data`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from aiops_observability.analysis.anomalies import Anomaly
from aiops_observability.analysis.robust import Array


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """One judged series as it is drawn. `onset`: the row from which it grows by itself, where it does."""

    name: str
    unit: str
    first_s: float
    step_s: float
    values: Array
    anomalies: Sequence[Anomaly] = ()
    verdict: str = ""
    limit: float | None = None
    onset: float | None = None
