"""A fleet for any test, and the read tools on it, wired as the server wires them.

async with asked(fleet, monkeypatch) as stage:
    answer = await stage.ask("list_resources", kind="pods", cluster="*", unhealthy_only=True)
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import FastMCPTransport

from aiops_eks.clients.changes import ChangeReader
from aiops_eks.clients.facts import FactsReader
from aiops_eks.tools.changes import ChangeTools
from aiops_eks.tools.diagnose import DiagnoseTools
from aiops_lab.fleet import SECOND_ACCOUNT, ClusterSpec, Fleet
from aiops_shared.app import build
from aiops_shared.auth import CallerIdentity
from aiops_shared.aws import AwsClients
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.settings import AwsSettings, KubeSettings, Settings
from tests.eks.lab_reading import LabTime
from tests.eks.reading import read_tools
from tests.fakes.kube import FakeSensitive

CALLER = CallerIdentity("ann", "human")
SHOP, SHOP_EU, PAY = "111122223333/us-east-1/shop", "111122223333/eu-west-1/shop", "payments"


def three(*scenarios: str, furnished: bool = False) -> list[ClusterSpec]:
    """Three clusters in two accounts: one name in two regions, and another account."""
    first, second, third = (*scenarios, *(["healthy"] * 3))[:3]
    return [
        ClusterSpec("shop", scenario=first, furnished=furnished),
        ClusterSpec("shop", region="eu-west-1", scenario=second, furnished=furnished),
        ClusterSpec(
            "payments",
            account=SECOND_ACCOUNT,
            region="eu-west-1",
            scenario=third,
            furnished=furnished,
        ),
    ]


@asynccontextmanager
async def running_fleet(
    specs: Sequence[ClusterSpec], *, seed: int = 0, start: datetime | None = None
) -> AsyncIterator[Fleet]:
    """A fleet at T0, its clocks paused."""
    async with Fleet(specs, seed=seed, start=start) as fleet:
        fleet.clock.pause()
        yield fleet


@dataclass(frozen=True)
class Asked:
    """The tools on a fleet."""

    fleet: Fleet
    clusters: ClusterDirectory
    client: Client[FastMCPTransport]

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A call that must succeed."""
        answer = await self.client.call_tool(tool, arguments)
        found: dict[str, Any] = answer.structured_content or {}
        return found

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The error text of a call that must fail."""
        answer = await self.client.call_tool(tool, arguments, raise_on_error=False)
        assert answer.is_error, answer.structured_content
        return "".join(getattr(each, "text", "") for each in answer.content)


@asynccontextmanager
async def asked(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, identity: str = "aiops-reader", timeout_s: float = 10.0
) -> AsyncIterator[Asked]:
    """The read tools and diagnose over the operator's table of a fleet, as one of its identities."""
    for name in ("AWS_PROFILE", "AIOPS_KUBE_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in fleet.export(identity).items():
        monkeypatch.setenv(name, value)
    aws, kube = AwsSettings(timeout_s=timeout_s), KubeSettings(timeout_s=timeout_s)
    settings = Settings(sensitive_reads=True, aws=aws, kube=kube)
    time, gate = LabTime(fleet.clock), FakeSensitive()
    clusters = ClusterDirectory(settings, AwsClients(aws), time, CALLER)
    tools = [
        *read_tools(clusters, time, gate),
        *ChangeTools(ChangeReader(clusters, time, redact)).tools(),
        *DiagnoseTools(FactsReader(clusters, time, gate, redact)).tools(),
    ]
    try:
        async with Client(build("eks", tools, settings=settings, instructions="EKS.")) as client:
            yield Asked(fleet, clusters, client)
    finally:
        await clusters.aclose()


def column(table: dict[str, Any], name: str) -> list[Any]:
    """The values of one column of an answer's table."""
    at = table["columns"].index(name)
    return [row[at] for row in table["rows"]]
