"""One change, what a source told, and the span that is asked about.

Made by the readers of this room, joined by `merging`, shown by the tools.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from aiops_shared.aws.eks_cluster import EksCluster

Source = Literal["revisions", "objects", "audit", "cloudtrail", "eks", "gitops", "nodes", "journal"]


@dataclass(frozen=True, slots=True)
class Change:
    """Something was changed. `what` says how, a difference an entry; texts in it are the cluster's."""

    at: datetime
    verb: str  # create, update, delete, rollout, scale, autoscale, cordon, evict, sync, or an AWS call
    kind: str
    name: str
    namespace: str = ""
    what: tuple[str, ...] = ()
    user: str = ""  # who, where the source knows it
    client: str = ""  # user agent or field manager
    sources: tuple[Source, ...] = ()
    within_s: float = 0.0  # it may have happened so long before `at`

    @property
    def place(self) -> tuple[str, str, str]:
        """The object."""
        return self.kind, self.namespace, self.name


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when, and about what; an empty word means any. `plural` is the kind's in the API."""

    since: datetime
    until: datetime
    namespace: str = ""
    kind: str = ""
    name: str = ""
    plural: str = ""

    def covers(self, change: Change) -> bool:
        """Whether the change is one of those asked about."""
        return (
            self.since <= change.at <= self.until
            and self.namespace in {"", change.namespace}
            and self.kind in {"", change.kind}
            and self.name in {"", change.name}
        )

    def holds(self, moment: datetime | None) -> bool:
        """Whether the moment lies in it."""
        return moment is not None and self.since <= moment <= self.until


@dataclass(frozen=True, slots=True)
class Gap:
    """What a source could not say, and how to get it."""

    source: str
    says: str

    def __str__(self) -> str:
        return f"{self.source}: {self.says}"


@dataclass(frozen=True, slots=True)
class Told:
    """What one source told."""

    source: Source
    changes: tuple[Change, ...] = ()
    gaps: tuple[str, ...] = ()
    asked: str = ""  # the query, so that a person can repeat it
    says: str = ""  # what it cost or found


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything, newest first."""

    changes: tuple[Change, ...]
    gaps: tuple[Gap, ...] = ()
    told: tuple[Told, ...] = field(default=(), repr=False)


def cluster_key(name: str, eks: EksCluster | None) -> str:
    """How the journal names a cluster: the same name may stand in two accounts."""
    return eks.full_name if eks is not None else name
