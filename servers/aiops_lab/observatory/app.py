"""Mounts every telemetry backend on the lab's one observatory server, and lets each be ill on demand.

Called by `aiops_lab.run`. `Observatory` is what the rooms read: the world's telemetry, the lab's clock, whose
signatures count. A test or game day makes a room fail by `observatory.fail("prometheus", status=503)`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount

from aiops_lab.observatory.alertmanager import alertmanager_app
from aiops_lab.observatory.amp import amp_app
from aiops_lab.observatory.datadog import datadog_app
from aiops_lab.observatory.faults import Illness, RoomLog, Sick
from aiops_lab.observatory.jaeger import jaeger_app
from aiops_lab.observatory.opencost import opencost_app
from aiops_lab.observatory.opensearch import opensearch_app
from aiops_lab.observatory.pagerduty import pagerduty_app
from aiops_lab.observatory.prometheus import prometheus_app
from aiops_lab.observatory.slack import slack_app
from aiops_lab.observatory.tempo import tempo_app
from aiops_lab.telemetry import Telemetry

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from aiops_lab.aws.account import Account
    from aiops_lab.aws.principals import Directory


@dataclass(slots=True)
class Observatory:
    """What every room is given."""

    account: "Account"
    directory: "Directory"
    now: Callable[[], datetime]
    url: str = ""  # of the server, known once it listens
    prometheus: str = ""  # of a real Prometheus that answers instead of the lab's own
    ill: dict[str, Illness] = field(default_factory=dict)
    log: RoomLog = field(default_factory=RoomLog)

    @property
    def telemetry(self) -> Telemetry:
        """What the present world emits."""
        return self.account.area(Telemetry)

    def fail(self, room: str, *, status: int = 503, delay_s: float = 0.0, body: bytes = b"") -> None:
        """Let a room answer so until `heal`."""
        self.ill[room] = Illness(status, delay_s, body)

    def heal(self) -> None:
        """Every room is well again."""
        self.ill.clear()


Room = Callable[[Observatory], "ASGIApp"]
ROOMS: Mapping[str, Room] = {
    "alertmanager": alertmanager_app,
    "amp": amp_app,
    "datadog": datadog_app,
    "jaeger": jaeger_app,
    "opencost": opencost_app,
    "opensearch": opensearch_app,
    "pagerduty": pagerduty_app,
    "prometheus": prometheus_app,
    "slack": slack_app,
    "tempo": tempo_app,
}


def observatory_app(observatory: Observatory) -> Starlette:
    """The application of all rooms."""
    return Starlette(
        routes=[Mount(f"/{name}", Sick(observatory, name, make(observatory))) for name, make in ROOMS.items()]
    )
