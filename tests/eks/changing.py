"""The timeline of changes on a running lab: real adapter, real botocore, nothing between them is fake.

async with changed("pod-crashloop", seed) as world:
    answer = await world.list(namespace="production")
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastmcp import Client

from aiops_eks.clients.changes import ChangeReader
from aiops_eks.ports import ChangeJournal
from aiops_eks.tools.changes import ChangeTools
from aiops_lab.run import Lab
from aiops_shared.app import build
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection
from aiops_shared.settings import Settings
from tests.eks.lab_reading import LabTime, OneCluster
from tests.eks.reading import Answered
from tests.lab_aws import lab_eks
from tests.lab_fixture import running_lab


@dataclass(frozen=True)
class Changed:
    """A lab and the tool `list_changes` on it."""

    lab: Lab
    clusters: OneCluster
    journal: ChangeJournal | None = None

    async def list(self, **arguments: Any) -> Answered:
        """The tool's answer."""
        async with self._client() as client:
            answer = await client.call_tool("list_changes", arguments)
        found: Answered = answer.structured_content or {}
        return found

    async def refused(self, **arguments: Any) -> str:
        """The error text of a call that must fail."""
        async with self._client() as client:
            answer = await client.call_tool("list_changes", arguments, raise_on_error=False)
        assert answer.is_error, answer.structured_content
        return "".join(getattr(each, "text", "") for each in answer.content)

    def _client(self) -> Client[Any]:
        reader = ChangeReader(self.clusters, LabTime(self.lab.clock), redact, self.journal)
        return Client(build("eks", ChangeTools(reader).tools(), settings=Settings(), instructions="EKS."))


@asynccontextmanager
async def changed(
    scenario: str = "healthy",
    seed: int = 0,
    *,
    identity: str = "aiops-reader",
    with_aws: bool = True,
    timeout_s: float = 10.0,
) -> AsyncIterator[Changed]:
    """A lab at T0 of a scenario, seen by `identity`; without AWS only the Kubernetes API is known."""
    async with running_lab(scenario, seed) as lab:
        access = Access(lab.kube_url, ca_file=str(lab.ca_path), token=lab.token(identity))
        api = KubeApi("my-cluster", Connection(FixedSource(access)))
        eks = lab_eks(lab, identity, timeout_s) if with_aws else None
        try:
            yield Changed(lab, OneCluster(api, eks))
        finally:
            await api.aclose()
