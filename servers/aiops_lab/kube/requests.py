"""The simulator's own account of what it was asked: tests count effects here, not in our audit."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

MUTATING = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_NOT_A_CHANGE = frozenset({"selfsubjectaccessreviews", "selfsubjectreviews", "selfsubjectrulesreviews"})


@dataclass(frozen=True)
class LoggedRequest:
    """One request and its answer."""

    at: datetime  # virtual
    received_at: datetime  # real
    user: str
    verb: str
    method: str
    path: str
    resource: str
    namespace: str
    name: str
    subresource: str
    dry_run: bool
    status: int
    user_agent: str
    body_sha256: str
    impersonator: str = ""

    @property
    def mutating(self) -> bool:
        """Whether such a request may change objects; reviews are created but change nothing."""
        return self.verb in MUTATING and self.resource not in _NOT_A_CHANGE


class RequestLog:
    """The last requests, oldest first; `total` counts those forgotten too."""

    def __init__(
        self, capacity: int = 20_000, heard: Callable[[LoggedRequest, bytes, str], None] | None = None
    ) -> None:
        self._entries: deque[LoggedRequest] = deque(maxlen=capacity)
        self._heard = heard  # gets each request with its body and API group: the audit log
        self.total = 0

    @property
    def entries(self) -> list[LoggedRequest]:
        """What is remembered."""
        return list(self._entries)

    def append(self, entry: LoggedRequest, body: bytes = b"", group: str = "") -> None:
        """Remember one more, forgetting the oldest where the log is full."""
        self._entries.append(entry)
        self.total += 1
        if self._heard is not None:
            self._heard(entry, body, group)

    def writes(self) -> list[LoggedRequest]:
        """Mutating requests that were no dry run, refused ones too: somebody tried."""
        return [entry for entry in self._entries if entry.mutating and not entry.dry_run]

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.total = 0
