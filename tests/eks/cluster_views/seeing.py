"""The cluster tools on a running lab that is found through its AWS: nothing between them is fake.

async with seen("healthy", monkeypatch) as view:
    view.lab.fail_aws("eks", "ListAddons", code="AccessDeniedException")
    answer = await view.describe("addons")
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.client.transports import FastMCPTransport

from aiops_lab.run import Lab
from aiops_shared.auth import CallerIdentity
from aiops_shared.aws import AwsClients
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.settings import AwsSettings, Settings
from tests.eks.lab_reading import LabTime
from tests.eks.reading import Answered, connect, records, tokens
from tests.fakes.kube import FakeSensitive

T0 = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)  # the day that EKS's calendar in the lab is of
WITHOUT = ("AIOPS_CLUSTERS_FILE", "AIOPS_KUBE_CONTEXT", "AWS_PROFILE", "AWS_SESSION_TOKEN", "KUBECONFIG")


@dataclass(frozen=True)
class Seen:
    """A lab, and a client of the read tools that found it through AWS."""

    lab: Lab
    client: Client[FastMCPTransport]

    async def ask(self, tool: str, **arguments: Any) -> Answered:
        answer = await self.client.call_tool(tool, arguments)
        found: Answered = answer.structured_content or {}
        return found

    async def refused(self, tool: str, **arguments: Any) -> str:
        """The error text of a call that must fail."""
        answer = await self.client.call_tool(tool, arguments, raise_on_error=False)
        assert answer.is_error, answer.structured_content
        return "".join(getattr(each, "text", "") for each in answer.content)

    async def describe(self, *include: str, **arguments: Any) -> Answered:
        """`describe_cluster` with these parts; the answer keeps to its size, which is asserted here."""
        answer = await self.ask("describe_cluster", include=list(include), **arguments)
        assert len(answer["summary"]) <= 400
        if arguments.get("detail") != "full" and len(include) <= 2:
            assert tokens(answer) <= 1_500, tokens(answer)
        return answer


@asynccontextmanager
async def seen(
    scenario: str,
    monkeypatch: pytest.MonkeyPatch,
    seed: int = 0,
    *,
    identity: str = "aiops-reader",
    timeout_s: float = 20.0,
    table: Path | None = None,
) -> AsyncIterator[Seen]:
    """The tools with a lab behind them; AWS has `timeout_s` for one operation with its retries; `table` is
    the operator's table of accounts and clusters.
    """
    async with Lab(scenario, seed=seed, start=T0) as lab:
        lab.clock.pause()
        for name in WITHOUT:
            monkeypatch.delenv(name, raising=False)
        for name, value in lab.export(identity).items():
            if name.startswith("AWS_"):
                monkeypatch.setenv(name, value)
        time = LabTime(lab.clock)
        settings = Settings(aws=AwsSettings(timeout_s=timeout_s), clusters_file=table)
        directory = ClusterDirectory(settings, AwsClients(settings.aws), time, CallerIdentity("ann", "human"))
        try:
            async with connect(directory, FakeSensitive(), time) as client:
                yield Seen(lab, client)
        finally:
            await directory.aclose()


def rows(answer: Answered, section: str) -> list[dict[str, Any]]:
    """A section's rows as records; empty where there is no such section."""
    table = answer["sections"].get(section)
    return [*records(table)] if table else []


def gaps(answer: Answered) -> str:
    """The warnings, as one text."""
    return "\n".join(answer.get("warnings") or [])


__all__ = ["Seen", "gaps", "rows", "seen"]
