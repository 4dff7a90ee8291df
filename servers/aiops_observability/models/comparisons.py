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

    verdict: Annotated[str, Field(description="b is worse, better, same, unclear")]
    windows: str
    differences: Table
    traffic_ratio: float | None = None
