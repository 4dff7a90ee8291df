"""What a room of the observatory is given, as far as it reads telemetry."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from aiops_lab.telemetry import Telemetry


class HasTelemetry(Protocol):
    """The observatory: what is emitted, and until when."""

    now: Callable[[], datetime]

    @property
    def telemetry(self) -> Telemetry:
        """What the present world emits."""
        ...
