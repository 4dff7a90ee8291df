"""What a room of the observatory is given, as far as it reads telemetry."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from aiops_lab.telemetry import Telemetry

if TYPE_CHECKING:
    from aiops_lab.aws.account import Account
    from aiops_lab.aws.principals import Directory


class HasTelemetry(Protocol):
    """The observatory: what is emitted, and until when."""

    @property
    def now(self) -> Callable[[], datetime]:
        """World time."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """What the present world emits."""
        ...


class HasWorld(Protocol):
    """The observatory with the account behind it, for rooms that check who asks."""

    account: "Account"
    directory: "Directory"
    prometheus: str  # of a real one that answers instead

    @property
    def now(self) -> Callable[[], datetime]:
        """World time."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """What the present world emits."""
        ...
