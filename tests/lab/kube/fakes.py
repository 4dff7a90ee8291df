"""A frozen clock and plain answers for what the API asks of the world."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiops_lab.kube.ports import UserInfo

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class FrozenClock:
    """A virtual clock that moves when told."""

    at: datetime = T0

    def __call__(self) -> datetime:
        return self.at

    def advance(self, **delta: float) -> None:
        self.at += timedelta(**delta)


@dataclass
class FakeLogs:
    """Lines by (namespace, pod, container, previous)."""

    held: dict[tuple[str, str, str, bool], list[tuple[datetime, str]]] = field(default_factory=dict)

    def lines(
        self, namespace: str, pod: str, container: str, *, previous: bool
    ) -> list[tuple[datetime, str]] | None:
        return self.held.get((namespace, pod, container, previous))


@dataclass
class FakeUsage:
    """Usage by pod and node name."""

    pods: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    nodes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def pod(self, namespace: str, name: str) -> dict[str, tuple[int, int]] | None:
        return self.pods.get(f"{namespace}/{name}")

    def node(self, name: str) -> tuple[int, int] | None:
        return self.nodes.get(name)


@dataclass
class TokenTable:
    """Callers by bearer token."""

    users: Mapping[str, UserInfo]

    async def identify(self, authorization: str | None, client_cert: object | None) -> UserInfo | None:
        scheme, _, token = (authorization or "").partition(" ")
        return self.users.get(token) if scheme == "Bearer" else None


ADMIN = UserInfo("admin", ("system:masters", "system:authenticated"))
VIEWER = UserInfo("viewer", ("system:authenticated",))
TOKENS = TokenTable({"admin-token": ADMIN, "viewer-token": VIEWER})
