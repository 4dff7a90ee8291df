"""What the read tools are asked and what they return."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from aiops_shared.kube.choosing import Where
from aiops_shared.results import Answer, Table

Previous = Literal["auto", "yes", "no"]
View = Literal["summary", "yaml"]
Detail = Literal["summary", "full"]


@dataclass(frozen=True, slots=True)
class ListAsk:
    """Which objects to list. An absent namespace means all."""

    kind: str
    cluster: Where = None
    namespace: str = ""
    selector: str = ""
    unhealthy_only: bool = False
    limit: int = 50
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class ObjectAsk:
    """Which object to show, and how."""

    kind: str
    name: str
    cluster: str | None = None
    namespace: str = ""
    view: View = "summary"


@dataclass(frozen=True, slots=True)
class LogAsk:
    """Whose lines to read: exactly one of pod, workload, selector."""

    namespace: str
    cluster: Where = None
    pod: str = ""
    workload: str = ""  # kind/name
    selector: str = ""
    container: str = ""
    previous: Previous = "auto"
    grep: str = ""
    since: str = ""
    tail: int = 100
    detail: Detail = "summary"


Include = Literal[
    "nodes",
    "addons",
    "capabilities",
    "nodepools",
    "subnets",
    "insights",
    "access",
    "control_plane",
]


@dataclass(frozen=True, slots=True)
class ClusterAsk:
    """Which cluster to describe, and which parts of it."""

    cluster: str | None = None
    include: tuple[str, ...] = ("nodes", "addons")
    principal: str = ""
    full: bool = False


@dataclass(frozen=True, slots=True)
class EventAsk:
    """Which events to read. An absent namespace means all."""

    cluster: Where = None
    namespace: str = ""
    kind: str = ""
    name: str = ""
    reason: str = ""
    since: str = "-1h"
    limit: int = 50
    cursor: str = ""


class ClusterList(Answer):
    """You get the clusters that may be named."""

    clusters: Table


class ClusterView(Answer):
    """You get one cluster as AWS and Kubernetes see it."""

    facts: Table
    sections: Annotated[dict[str, Table], Field(description="A table or more per include")]


class ResourceList(Answer):
    """You get objects of one kind, worst first."""

    total: Annotated[int, Field(description="Objects that matched")]
    unhealthy: Annotated[int, Field(description="Of these not healthy")]
    resources: Table


class ResourceView(Answer):
    """You get one object, what belongs to it, and what happened to it."""

    facts: Table
    owners: Annotated[tuple[str, ...], Field(description="Controllers, nearest first")] = ()
    related: Table
    events: Table
    yaml: str = ""


class PodLogs(Answer):
    """You get log lines of one or more pods in time order."""

    sources: Annotated[Table, Field(description="Which container instance each pod's lines came from")]
    levels: Annotated[Table, Field(description="Lines read, by level")]
    patterns: Annotated[Table, Field(description="Most frequent shapes")]
    lines: Table


class EventList(Answer):
    """You get events, equal ones counted together, warnings first."""

    total: Annotated[int, Field(description="Occurrences counted")]
    events: Table


def nothing(*columns: str) -> Table:
    """A table without rows."""
    return Table(columns=columns, rows=())
