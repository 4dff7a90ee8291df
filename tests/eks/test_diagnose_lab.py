"""diagnose over the real adapter, against the lab: every scenario, several seeds, and its negatives."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from fastmcp import Client, FastMCP
from fastmcp.exceptions import ToolError

from aiops_eks.clients.details import NO_LOGS, PER_OWNER
from aiops_eks.clients.facts import FactsReader
from aiops_eks.diagnosis.further import FURTHER
from aiops_eks.diagnosis.further.base import always
from aiops_eks.tools.diagnose import DiagnoseTools
from aiops_eks.tools.manifests import ManifestTools
from aiops_lab.kube.requests import LoggedRequest
from aiops_lab.run import Lab
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection
from tests.eks.lab_reading import LabTime, OneCluster
from tests.fakes.kube import FakeSensitive
from tests.lab_aws import lab_eks
from tests.lab_fixture import running_lab

SEEDS = range(5)
QUIET_SEEDS = range(8)
SICK = (
    "pod-crashloop",
    "pod-crashloop-config-error",
    "pod-crashloop-mount",
    "pod-crashloop-app-error",
    "pod-crashloop-liveness",
    "oom-raise-limits",
    "memory-leak",
    "image-pull",
    "image-pull-denied",
)
HELD_OUT = (
    "oom-raise-limits-staging",
    "pod-crashloop-unrelated",
    "pod-crashloop-dependency",
    "pod-crashloop-arguments",
    "pod-crashloop-command",
    "pod-crashloop-architecture",
    "pod-config-secret",
    "pod-config-key",
    "pod-pending-cpu",
    "pod-pending-selector",
    "pod-not-ready",
    "service-selector",
)
# One of each kind that every diagnosis looks at, and what the API server measures of itself.
LISTS = 12 + sum(one.when is always for one in FURTHER)
WELL = ("healthy", "pod-crashloop-recovered", "oom-once", "manifest-scan")


@dataclass(frozen=True)
class Asked:
    """A lab and the two tools on it."""

    lab: Lab
    client: Client[Any]

    async def __call__(self, tool: str, **arguments: Any) -> dict[str, Any]:
        answer = await self.client.call_tool(tool, arguments)
        found: dict[str, Any] = answer.structured_content or {}
        return found

    def play(self, scenario: str, seed: int) -> None:
        """Another world in the same lab, standing at its T0."""
        self.lab.reset(scenario, seed)
        self.lab.clock.pause()

    async def requests_of(self, scope: dict[str, str]) -> Sequence[LoggedRequest]:
        """What one diagnosis of a scope asks the API server."""
        self.lab.requests.clear()
        await self("diagnose", **scope)
        return self.lab.requests.entries


@asynccontextmanager
async def asking(
    scenario: str, seed: int = 0, *, sensitive: bool = True, aws: bool = False
) -> AsyncIterator[Asked]:
    async with running_lab(scenario, seed) as lab:
        access = Access(lab.kube_url, ca_file=str(lab.ca_path), token=lab.token("aiops-reader"))
        api = KubeApi("my-cluster", Connection(FixedSource(access)))
        clusters = OneCluster(api, lab_eks(lab) if aws else None)
        facts = FactsReader(clusters, LabTime(lab.clock), FakeSensitive(sensitive), redact)
        server = FastMCP("eks")
        for tool in [*DiagnoseTools(facts).tools(), *ManifestTools(facts).tools()]:
            server.add_tool(tool)
        try:
            async with Client(server) as client:
                yield Asked(lab, client)
        finally:
            await api.aclose()


def codes(answer: dict[str, Any]) -> Sequence[str]:
    return [finding["code"] for finding in answer["findings"]]


@pytest.mark.slow
@pytest.mark.timeout(120)  # five worlds in one lab
@pytest.mark.row("S27")
@pytest.mark.parametrize("scenario", [*SICK, *HELD_OUT])
async def test_the_first_finding_is_the_cause_and_there_is_no_other(scenario: str) -> None:
    async with asking("healthy") as ask:
        for seed in SEEDS:
            ask.play(scenario, seed)
            answer = await ask("diagnose")
            wanted = ask.lab.world.expected
            assert len(wanted) == 1
            found = [(f["code"], f["kind"], f["namespace"], f["name"]) for f in answer["findings"]]
            assert found == [(w.code, w.kind, w.namespace, w.name) for w in wanted], f"seed {seed}"
            finding = answer["findings"][0]
            assert re.search(wanted[0].headline, finding["title"])
            assert wanted[0].hurts_name in str(finding)
            assert len(finding["evidence"]) >= 2, f"seed {seed}"
            assert finding["ruled_out"], f"seed {seed}"
            assert ask.lab.requests.writes() == []


@pytest.mark.slow
@pytest.mark.timeout(120)  # eight worlds in one lab
@pytest.mark.parametrize("scenario", WELL)
async def test_healthy_furniture_yields_nothing_and_what_was_checked(scenario: str) -> None:
    async with asking("healthy", aws=True) as ask:
        for seed in QUIET_SEEDS:
            ask.play(scenario, seed)
            answer = await ask("diagnose")
            assert answer["findings"] == [], f"seed {seed}"
            assert answer["checked"]["pods"] > 10
            assert answer["hint"]
            assert answer["coverage_gaps"] == []


@pytest.mark.slow
async def test_a_diagnosis_takes_few_requests_and_reads_no_log_of_a_healthy_pod() -> None:
    async with asking("healthy") as ask:
        await ask("diagnose")  # discovery is asked once
        for scope in ({}, {"namespace": "production"}):
            assert len(await ask.requests_of(scope)) <= LISTS
        ask.play("pod-crashloop", 3)
        sick = ask.lab.world.expected[0].hurts_name
        for scope in ({}, {"namespace": "production"}):
            asked = await ask.requests_of(scope)
            logs = [entry for entry in asked if entry.subresource == "log"]
            assert 0 < len(logs) <= PER_OWNER
            assert all(entry.name.startswith(sick) for entry in logs)
            assert len(asked) <= LISTS + 2 * len(logs) + 2  # a log costs two requests, references one list


@pytest.mark.slow
async def test_the_workload_the_pod_and_the_namespace_lead_to_the_same_cause() -> None:
    async with asking("pod-crashloop") as ask:
        wanted = ask.lab.world.expected[0]
        by_workload = await ask("diagnose", kind="deploy", name=wanted.hurts_name, namespace=wanted.namespace)
        symptoms = by_workload["findings"][0]["symptoms"]
        pod = next(one for one in symptoms if one.startswith("Pod ")).rpartition("/")[2]
        by_pod = await ask("diagnose", kind="pod", name=pod)
        by_config = await ask("diagnose", namespace=wanted.namespace)
        assert codes(by_workload) == codes(by_pod) == codes(by_config) == [wanted.code]


@pytest.mark.slow
async def test_another_workload_of_the_same_cluster_is_well() -> None:
    async with asking("pod-crashloop") as ask:
        sick = ask.lab.world.expected[0].hurts_name
        names = [o["metadata"]["name"] for o in ask.lab.world.cluster.cache.all("Deployment", "staging")]
        assert names
        assert sick not in names
        answer = await ask("diagnose", kind="Deployment", name=names[0], namespace="staging")
        assert codes(answer) == []


@pytest.mark.slow
@pytest.mark.row("S48")
async def test_a_misspelt_name_gets_the_nearest_one() -> None:
    async with asking("pod-crashloop") as ask:
        name = ask.lab.world.expected[0].hurts_name
        for namespace in (None, "production"):
            with pytest.raises(ToolError, match=name):
                await ask("diagnose", kind="Deployment", name=f"{name}x", namespace=namespace)


@pytest.mark.slow
async def test_without_the_sensitive_switch_no_log_is_read_and_the_answer_says_what_is_missing() -> None:
    async with asking("pod-crashloop", sensitive=False) as ask:
        answer = await ask("diagnose")
        assert codes(answer) == [ask.lab.world.expected[0].code]
        assert answer["findings"][0]["confidence"] < 0.8
        assert NO_LOGS in answer["coverage_gaps"]
        assert answer["checked"]["logs"] == 0


@pytest.mark.slow
@pytest.mark.row("S41")
async def test_a_live_object_is_scanned_as_its_owner_would_write_it() -> None:
    async with asking("manifest-scan") as ask:
        report = await ask("scan_manifest", kind="Deployment", name="myapp", namespace="dev", fix=True)
        table = report["findings"]
        rules = {dict(zip(table["columns"], row, strict=True))["rule"] for row in table["rows"]}
        assert {"runs-as-root", "image-tag", "no-limits"} <= rules
        assert report["remaining_high"] == 0
        assert "managedFields" not in report["patched"]
        assert "status:" not in report["patched"]
