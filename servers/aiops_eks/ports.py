"""What the tools need and the clients fulfil. No code."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from aiops_shared.kube.models import ClusterInfo, Kind, LogLine, ObjectPage, TablePage

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
