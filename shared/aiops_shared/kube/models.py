"""What the Kubernetes adapter hands out: plain, frozen, without any client's types."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from aiops_shared.results import Cell, Frozen

FIELD_MANAGER = "eks-aiops"  # under which our writes stand in an object's managedFields


class Kind(Frozen):
    """One kind as discovery gives it."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str = ""
    short_names: tuple[str, ...] = ()
    namespaced: bool
    verbs: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version


class ObjectPage(Frozen):
    """One page of whole objects; `cursor` is empty on the last.

    `relisted`: the cursor had expired, so this is the first page again.
    """

    items: tuple[dict[str, Any], ...]
    cursor: str = ""
    remaining: int | None = None
    relisted: bool = False


class TablePage(Frozen):
    """One page of a server-side Table; `cursor` is empty on the last.

    `relisted`: the cursor had expired, so this is the first page again.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    cursor: str = ""
    remaining: int | None = None
    relisted: bool = False


@dataclass(frozen=True, slots=True)
class DescribedRow:
    """One object as its metadata and its Table cells, by lower-case column."""

    metadata: dict[str, Any]
    cells: dict[str, Cell]


class RowPage(Frozen):
    """One page of described rows; `cursor` is empty on the last, `relisted` as in a TablePage."""

    rows: tuple[DescribedRow, ...]
    cursor: str = ""
    remaining: int | None = None
    relisted: bool = False


class WatchEvent(Frozen):
    """One change seen by a watch; what is there first comes as ADDED. DELETED may know names only."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: dict[str, Any]


class LogLine(Frozen):
    """One line with the time the runtime gave it."""

    at: datetime | None
    pod: str
    container: str
    text: str
    cluster: str = ""  # where several were asked


class ClusterInfo(Frozen):
    """One cluster as AWS or the kubeconfig describes it."""

    name: str
    account_id: str = ""
    region: str = ""
    arn: str = ""
    version: str = ""
    status: str = ""
    endpoint: str = ""
    environment: str = ""
    source: str = ""  # table | discovered | kubeconfig | in-cluster
    platform_version: str = ""
    health_issues: tuple[str, ...] = ()
    support: str = ""  # standard | extended | ended
    support_ends_on: str = ""  # the day this kind of support ends
    gaps: tuple[str, ...] = ()  # what could not be asked about it, though it answered otherwise
    reachable: bool | None = None
    problem: str = ""
