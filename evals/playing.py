"""Plays trials: in the lab, and recorded on a real API server. For `__main__.py` and the cluster tests."""

import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from aiops_eks.clients.facts import FactsReader
from aiops_eks.diagnosis.answering import answer
from aiops_eks.diagnosis.result import Ask, Diagnosis
from aiops_lab.run import Lab
from aiops_lab.scenarios import Expected, Scenario
from aiops_lab.scenarios.trials import Role, Trial
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection
from evals.kubelet import behind
from evals.lines import Lines
from evals.loading import Loader
from evals.outcomes import Found, Outcome, Place
from evals.recording import recorded
from tests.cluster.control_plane import ControlPlane
from tests.eks.lab_reading import LabTime, OneCluster
from tests.fakes.kube import FakeSensitive
from tests.lab_aws import lab_eks
from tests.lab_fixture import running_lab

IDENTITY = "aiops-reader"
# A real API server writes the status of APIServices and of definitions itself: it tries the service, and
# establishes what can be established. And it measures its own database.
ONLY_IN_LAB = frozenset(
    {
        "apiservice-unavailable-positive",
        "crd-not-established-positive",
        "apiservice-unavailable-positive-metrics",
        "namespace-stuck-look-alike-api",
        "hpa-no-metrics-positive",
        "etcd-near-quota-positive",
        "etcd-near-quota",
    }
)
EVERYTHING = Ask(cluster=None, namespace="", kind="", name="")


@dataclass(frozen=True)
class Stage:
    """A lab, and a diagnosis of whatever it plays."""

    lab: Lab
    reader: FactsReader

    async def played(self, scenario: Scenario, seed: int) -> Diagnosis:
        """The answer about a scenario at its T0."""
        self.lab.reset(scenario.name, seed)
        self.lab.clock.pause()
        return await diagnosed(self.reader)

    async def outcome(self, trial: Trial, seed: int) -> Outcome:
        """One trial with one seed."""
        found = await self.played(trial.scenario, seed)
        return outcome(trial.code, trial.role, trial.scenario.name, seed, self.lab.world.expected, found)

    async def control(self, scenario: Scenario, seed: int) -> Outcome:
        """One world without trouble."""
        found = await self.played(scenario, seed)
        return outcome("", None, scenario.name, seed, self.lab.world.expected, found)


async def diagnosed(reader: FactsReader) -> Diagnosis:
    """The answer about the whole cluster."""
    return answer(await reader.gather(EVERYTHING))


def outcome(
    code: str,
    role: Role | None,
    scenario: str,
    seed: int,
    expected: Iterable[Expected],
    found: Diagnosis,
) -> Outcome:
    """What was played beside what was found."""
    return Outcome(
        code=code,
        role=role,
        scenario=scenario,
        seed=seed,
        expected=tuple((one.code, one.kind, one.namespace, one.name) for one in expected),
        found=tuple(Found(place(one), one.confidence) for one in found.findings),
        gaps=tuple(found.coverage_gaps),
    )


def place(finding: object) -> Place:
    """Which cause a finding names, and where."""
    code, kind, namespace, name = (
        str(getattr(finding, key)) for key in ("code", "kind", "namespace", "name")
    )
    return code, kind, namespace, name


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    """A lab for any number of trials."""
    async with (
        running_lab() as lab,
        reading(lab, lab.kube_url, lab.ca_path, lab.token(IDENTITY)) as reader,
    ):
        yield Stage(lab, reader)


@asynccontextmanager
async def reading(lab: Lab, url: str, ca_path: object, token: str) -> AsyncIterator[FactsReader]:
    """The reader of facts over an API server, at the lab's time, with the lab's AWS beside it."""
    api = KubeApi("my-cluster", Connection(FixedSource(Access(url, ca_file=str(ca_path), token=token))))
    try:
        clusters = OneCluster(api, lab_eks(lab))
        yield FactsReader(clusters, LabTime(lab.clock), FakeSensitive(allowed=True), redact)
    finally:
        await api.aclose()


@dataclass(frozen=True)
class Real:
    """A real API server that has whatever world the lab of `stage` stands in."""

    stage: Stage
    loader: Loader
    reader: FactsReader

    async def both(self, scenario: Scenario, seed: int) -> tuple[Diagnosis, Diagnosis]:
        """The answers of the lab and of the real API server about one world."""
        simulated = await self.stage.played(scenario, seed)
        await self.loader.lay(recorded(self.stage.lab))
        return simulated, await diagnosed(self.reader)


@asynccontextmanager
async def lines_to(plane: ControlPlane) -> AsyncIterator[Lines]:
    """Connections as its administrator."""
    with Lines(plane.kube_url, plane.token(), str(plane.ca_path)) as lines:
        yield lines


@asynccontextmanager
async def on_real(plane: ControlPlane) -> AsyncIterator[Real]:
    """A lab, and a real API server (shape `loading.RECORDED`) with the lab's logs and metrics behind it."""
    context = ssl.create_default_context(cafile=str(plane.ca_path))
    headers = {"authorization": f"Bearer {plane.token()}"}
    async with (
        stage() as played,
        behind(played.lab, plane) as port,
        httpx.AsyncClient(
            base_url=plane.kube_url, headers=headers, verify=context, trust_env=False, timeout=60
        ) as api,
        lines_to(plane) as lines,
        reading(played.lab, plane.kube_url, plane.ca_path, plane.token(IDENTITY)) as reader,
    ):
        loader = Loader(plane, api, lines, port)
        await loader.prepare()
        yield Real(played, loader, reader)
