"""The read tools over the real adapter against a running lab: nothing between them is fake."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastmcp import Client
from fastmcp.client.transports import FastMCPTransport

from aiops_lab.clock import VirtualClock
from aiops_lab.run import Lab
from aiops_shared.aws import EksCluster
from aiops_shared.errors import ClusterNotFoundError, NotConfiguredError
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.choosing import Choice, Chosen
from aiops_shared.kube.connection import Connection
from aiops_shared.kube.models import ClusterInfo
from tests.eks.reading import Answered, connect
from tests.fakes.kube import FakeSensitive
from tests.lab_fixture import running_lab


@dataclass(frozen=True)
class LabTime:
    """World time as the lab has it."""

    clock: VirtualClock

    async def now(self) -> datetime:
        return self.clock.now()

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def safe_now(self) -> datetime:
        return self.clock.now()


@dataclass(frozen=True)
class OneCluster:
    """The lab's cluster, opened as one of its identities."""

    api: KubeApi
    aws: EksCluster | None = None  # `tests.lab_aws.lab_eks`

    async def known(self) -> Sequence[ClusterInfo]:
        return [ClusterInfo(name=self.api.cluster, status="ACTIVE", reachable=True)]

    async def open(self, cluster: str | None) -> KubeApi:
        if cluster not in {None, self.api.cluster}:
            raise ClusterNotFoundError(f"cluster {cluster}", "not known", f"nearest: {self.api.cluster}")
        return self.api

    async def choose(self, words: Sequence[str]) -> Choice:
        return Choice((Chosen(self.api.cluster, self.api.cluster),))

    async def eks(self, cluster: str | None) -> EksCluster:
        if self.aws is not None:
            return self.aws
        raise NotConfiguredError("AWS", "this cluster is known by its Kubernetes API alone")


@dataclass(frozen=True)
class Played:
    """A scenario being played, and a client of the read tools on it."""

    lab: Lab
    client: Client[FastMCPTransport]

    async def ask(self, tool: str, **arguments: Any) -> Answered:
        answer = await self.client.call_tool(tool, arguments)
        found: Answered = answer.structured_content or {}
        return found


@asynccontextmanager
async def played(scenario: str, seed: int = 0, identity: str = "aiops-reader") -> AsyncIterator[Played]:
    async with running_lab(scenario, seed) as lab:
        access = Access(lab.kube_url, ca_file=str(lab.ca_path), token=lab.token(identity))
        api = KubeApi("my-cluster", Connection(FixedSource(access)))
        try:
            async with connect(OneCluster(api), FakeSensitive(), LabTime(lab.clock)) as client:
                yield Played(lab, client)
        finally:
            await api.aclose()
