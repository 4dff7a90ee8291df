"""What the API needs from the world behind it: logs, usage, and who is calling.

`aiops_lab.world` plays the first two; `aiops_lab.aws` decodes EKS tokens for the third.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class UserInfo:
    """A caller as the authenticator knows it."""

    username: str
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    uid: str = ""


class LogSource(Protocol):
    """Container logs."""

    def lines(
        self, namespace: str, pod: str, container: str, *, previous: bool
    ) -> list[tuple[datetime, str]] | None:
        """Lines with their time, oldest first; None where no such container instance ever ran."""
        ...


class UsageSource(Protocol):
    """What metrics-server measures: CPU in millicores, memory in bytes."""

    def pod(self, namespace: str, name: str) -> dict[str, tuple[int, int]] | None:
        """Usage per container; None where it is not measured (yet)."""
        ...

    def node(self, name: str) -> tuple[int, int] | None:
        """Usage of a node; None where it is not measured."""
        ...


@runtime_checkable
class ControlPlaneSource(Protocol):
    """What the API server measures of itself."""

    def control_plane(self) -> Iterator[bytes]:
        """The page `/metrics`, piece by piece."""
        ...


class Authenticator(Protocol):
    """Says who sent a request."""

    async def identify(self, authorization: str | None, client_cert: object | None) -> UserInfo | None:
        """The caller, or None where nobody is known by these credentials (401)."""
        ...
