"""What the tools need and the clients fulfil. No code."""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from aiops_eks.models.answers import (
    ClusterAsk,
    ClusterList,
    ClusterView,
    EventAsk,
    EventList,
    ListAsk,
    LogAsk,
    ObjectAsk,
    PodLogs,
    ResourceList,
    ResourceView,
)
from aiops_eks.models.change_rows import ChangeAsk, ChangeList
from aiops_shared.aws import EksCluster
from aiops_shared.guardrails.permits import Permit
from aiops_shared.kube.changes.journal import Covered, KeptEvent
from aiops_shared.kube.changes.records import Span, Told
from aiops_shared.kube.choosing import Choice
from aiops_shared.kube.models import ClusterInfo, DescribedRow, Kind, LogLine, ObjectPage, TablePage

Obj = dict[str, Any]


class Kube(Protocol):
    """One cluster's API, read side. Raises `AiopsError` only; names are validated before any request."""

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        ...

    async def kind(self, word: str) -> Kind:
        """Find a kind by kind, plural, short name or `plural.group`; KindUnknownError names the nearest."""
        ...

    async def kinds(self) -> tuple[Kind, ...]:
        """Every kind that the cluster serves."""
        ...

    async def get(self, kind: str, namespace: str, name: str) -> Obj:
        """One object. NotFoundError names the nearest right names."""
        ...

    async def list(
        self,
        kind: str,
        namespace: str = "",
        *,
        selector: str = "",
        fields: str = "",
        limit: int = 500,
        cursor: str = "",
    ) -> ObjectPage:
        """One page of whole objects."""
        ...

    def every(
        self, kind: str, namespace: str = "", *, selector: str = "", fields: str = "", at_most: int = 20_000
    ) -> AsyncIterator[Obj]:
        """All objects, page by page; relists once from scratch after a 410."""
        ...

    def every_row(
        self, kind: str, namespace: str = "", *, at_most: int = 20_000
    ) -> AsyncIterator[DescribedRow]:
        """Every object as metadata and Table cells, page by page."""
        ...

    async def table(
        self,
        kind: str,
        namespace: str = "",
        *,
        selector: str = "",
        fields: str = "",
        limit: int = 500,
        cursor: str = "",
    ) -> TablePage:
        """One page of the server-side Table, without the objects."""
        ...

    async def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        previous: bool = False,
        tail: int = 200,
        since: datetime | None = None,
        limit_bytes: int = 1_000_000,
    ) -> Sequence[LogLine]:
        """Lines of one container instance, oldest first."""
        ...

    async def measured(self, names: Sequence[str], take: Callable[[str], None]) -> None:
        """Hand over the sample lines of these metrics, which the API server measures of itself."""
        ...

    async def can(self, verb: str, kind: str, namespace: str = "", subresource: str = "") -> bool:
        """Whether the identity used may do it (SelfSubjectAccessReview)."""
        ...


class Clusters(Protocol):
    """The operator's table and what was discovered."""

    async def known(self) -> Sequence[ClusterInfo]:
        """Every cluster that may be named, with what DescribeCluster says; unreachable ones carry why."""
        ...

    async def open(self, cluster: str | None) -> Kube:
        """The API of one cluster: a name, `account/region/name` or an ARN; None when exactly one is known."""
        ...

    async def choose(self, words: Sequence[str]) -> Choice:
        """The clusters that names and globs mean; ClusterNotFoundError for a word that means none."""
        ...

    async def eks(self, cluster: str | None) -> EksCluster:
        """AWS, asked about one cluster; NotConfiguredError where only a kubeconfig context is known."""
        ...


class Writer(Protocol):
    """One cluster's API, write side. Without `dry_run` every method needs the gate's permit."""

    async def create(self, obj: Obj, *, dry_run: bool, permit: Permit | None = None) -> Obj:
        """Create one object."""
        ...

    async def replace(self, obj: Obj, *, dry_run: bool, permit: Permit | None = None) -> Obj:
        """Put the object in place of the one whose uid and resourceVersion it carries."""
        ...

    async def apply(
        self, obj: Obj, *, force: bool = False, dry_run: bool, permit: Permit | None = None
    ) -> Obj:
        """Server-side apply; ConflictError lists the fields that others own."""
        ...

    async def delete(
        self,
        kind: str,
        namespace: str,
        name: str,
        *,
        uid: str,
        dry_run: bool,
        permit: Permit | None = None,
    ) -> None:
        """Delete one object, only if it still has that uid."""
        ...

    async def evict(
        self, namespace: str, name: str, *, uid: str, dry_run: bool, permit: Permit | None = None
    ) -> None:
        """Evict one pod; ThrottledError carries the PodDisruptionBudget's refusal."""
        ...


class KubeReadWrite(Kube, Writer, Protocol):
    """One cluster's whole API, as planners and the executor's adapter need it."""


class WritableClusters(Protocol):
    """The same directory, with the write side."""

    async def open(self, cluster: str | None) -> KubeReadWrite:
        """The API of one cluster."""
        ...


class SensitiveReads(Protocol):
    """Whether logs and events may be read (safety page, T6); each permitted read is audited."""

    @property
    def allowed(self) -> bool:
        """Whether the operator permits them: asked before an optional part of an answer, audits nothing."""
        ...

    async def allow(self, what: str) -> None:
        """Pass, audited, or raise ActionRefusedError with what the operator must set."""
        ...


class Inventory(Protocol):
    """Lists: clusters, and objects of one kind ranked by health."""

    async def clusters(self) -> ClusterList:
        """Every cluster that may be named."""
        ...

    async def resources(self, ask: ListAsk) -> ResourceList:
        """Objects of one kind, worst first, then cut."""
        ...


class ClusterViews(Protocol):
    """One cluster from both sides."""

    async def describe(self, ask: ClusterAsk) -> ClusterView:
        """The cluster with the parts asked for; a part that fails is a warning."""
        ...


class Dossiers(Protocol):
    """One object with its surroundings."""

    async def resource(self, ask: ObjectAsk) -> ResourceView:
        """The object without noise, its owners, related objects and recent events."""
        ...


class Logs(Protocol):
    """Lines of pods."""

    async def read(self, ask: LogAsk) -> PodLogs:
        """Lines of all matching pods, merged by time."""
        ...


class Journal(Protocol):
    """Events of a cluster."""

    async def events(self, ask: EventAsk) -> EventList:
        """Events, equal ones counted together, warnings first."""
        ...


class Changes(Protocol):
    """What changed in a cluster."""

    async def changes(self, ask: ChangeAsk) -> ChangeList:
        """One timeline of all sources, newest first."""
        ...


class StoredEvents(Protocol):
    """Warning events that `eks-aiops forward` kept."""

    async def events(self, cluster: str, since: datetime, **about: str) -> tuple[list[KeptEvent], Covered]:
        """Kept since then, about a namespace, kind, name; and what was watched."""
        ...


class ChangeJournal(Protocol):
    """What `eks-aiops forward` kept of a cluster."""

    async def changes(self, cluster: str, span: Span) -> Told:
        """The kept changes of the span; a gap where none were kept."""
        ...
