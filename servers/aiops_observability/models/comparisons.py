"""What `compare_windows` is asked and answers."""

from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.results import Answer, Frozen, Table

By = Literal["", "route", "zone", "version"]


class CompareAsk(Frozen):
    """Two windows of one service or workload."""

    cluster: str | None
    namespace: str
    kind: str
    name: str
    a: str
    b: str
    by: By
    source: str


class WindowComparison(Answer):
    """What differs between two windows."""

    verdict: Annotated[str, Field(description="of b against a: worse, better, same, unclear")]
    windows: Annotated[str, Field(description="a, b and the step")]
    differences: Annotated[Table, Field(description="what stands out first")]
    traffic_ratio: float | None = None
