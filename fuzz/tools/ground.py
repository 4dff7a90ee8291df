"""What the attacked processes stand on: one lab full of planted secrets, an issuer of tokens, a collector.

    async with ground(folder) as place:
        async with place.lane("eks", http=False, write=True) as talk: ...

Effects are counted by the lab's own logs.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aiops_lab.kube.requests import LoggedRequest
from aiops_lab.run import Lab
from fuzz.tools.judging import Seen
from fuzz.tools.talking import Talk, open_talk
from tests.e2e.processes import environment
from tests.e2e.test_spans import collector
from tests.lab_fixture import running_lab
from tests.observability.planting import LEAKS, ORDERS, Plant
from tests.remote.issuer import AUDIENCE, Issuer, issuer

SERVERS: Final = ("eks", "observability", "cost", "sop", "gateway")
SCENARIO, SEED = "guardrail-drill", 5
START: Final = datetime(2026, 11, 22, 13, 40, 12, tzinfo=UTC)
READS: Final = re.compile(
    r"(Describe|Get|List|BatchGet|Query|Search|Lookup|Filter|Assume|StartQuery|StopQuery|StartQueryExecution|"
    r"Simulate|Head|TestMetricFilter)[A-Za-z0-9]*$"
)


@dataclass(frozen=True, slots=True)
class Lane:
    """One server, one way to it, one mode."""

    server: str
    http: bool
    write: bool

    @property
    def name(self) -> str:
        """As tables and reproducers say it."""
        return f"{self.server}/{'http' if self.http else 'stdio'}/{'write' if self.write else 'read'}"


def lane_named(name: str) -> Lane:
    """The lane of a reproducer. Raises ValueError."""
    server, way, mode = name.split("/")
    if server not in SERVERS or way not in {"http", "stdio"} or mode not in {"read", "write"}:
        raise ValueError(f"{name} is no lane: SERVER/stdio|http/read|write")
    return Lane(server, way == "http", mode == "write")


def lanes() -> Iterator[Lane]:
    """Every server in both modes over both transports."""
    for server in SERVERS:
        for http in (False, True):
            for write in (False, True):
                yield Lane(server, http, write)


@dataclass
class Ground:
    """A lab and what is beside it. `spans`: what the processes exported."""

    lab: Lab
    idp: Issuer
    folder: Path
    otel: str
    spans: list[tuple[str, bytes]]
    _kube: int = 0
    _aws: object = field(default=None)

    @asynccontextmanager
    async def opened(self, lane: Lane, **more: str) -> AsyncIterator[Talk]:
        """The lane's process; its state and log are in a folder of the lane's name."""
        given = environment(
            self.lab,
            self.home(lane),
            AIOPS_WRITE=str(lane.write).lower(),
            AIOPS_POLICY_AUTONOMY_STAGING="auto-safe",
            AIOPS_LOG_LEVEL="debug",
            FASTMCP_LOG_LEVEL="ERROR",
            OTEL_EXPORTER_OTLP_ENDPOINT=self.otel,
            **({"AIOPS_AUTH_ISSUER": self.idp.url, "AIOPS_HTTP_PUBLIC_URL": AUDIENCE} if lane.http else {}),
            **more,
        )
        token = (lambda: self.idp.token(sub="fuzz")) if lane.http else None
        async with open_talk(lane.server, given, self.home(lane), token) as talk:
            yield talk

    def home(self, lane: Lane) -> Path:
        """Where the lane's process lives."""
        folder = self.folder / lane.name.replace("/", "-")
        folder.mkdir(exist_ok=True)
        return folder

    def mark(self) -> None:
        """From here on `seen` counts."""
        self._kube = self.lab.requests.total
        asked = self.lab.aws_requests()
        self._aws = asked[-1] if asked else None
        self.lab.observatory.log.asked.clear()

    def seen(self) -> Seen:
        """What the lab's Kubernetes, AWS and telemetry have seen since the mark."""
        news = self.lab.requests.total - self._kube
        entries = self.lab.requests.entries[-news:] if news else []
        aws = []
        for one in reversed(self.lab.aws_requests()):
            if one is self._aws:
                break
            aws.append(one.operation)
        written = [said(one) for one in entries if one.mutating and not one.dry_run]
        written += [f"AWS {operation}" for operation in aws if not READS.match(operation)]
        return Seen(news + len(aws) + len(self.lab.observatory.log.asked), tuple(written))


def said(one: LoggedRequest) -> str:
    """A write as the table of effects names it."""
    sub = f"/{one.subresource}" if one.subresource else ""
    return f"{one.verb} {one.resource}{sub} {one.namespace}/{one.name} {one.status}"


@asynccontextmanager
async def ground(folder: Path) -> AsyncIterator[Ground]:
    """A lab whose every place holds a planted secret or an order."""
    async with running_lab(SCENARIO, SEED, start=START) as lab, issuer() as idp:
        lab.clock.advance(120)
        Plant(lab).everywhere([*LEAKS, *ORDERS])
        with collector() as (url, spans):
            yield Ground(lab, idp, folder, url, spans)
