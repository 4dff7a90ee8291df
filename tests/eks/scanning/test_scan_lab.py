"""F11 in the lab: five seeds, sent and live; the API server's word on the fix; nothing is ever written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from aiops_eks.clients import trial_runs
from aiops_eks.clients.facts import FactsReader
from aiops_eks.clients.trial_runs import TrialRuns
from aiops_eks.tools.manifests import ManifestTools
from aiops_lab.kube.faults import Fault
from aiops_lab.run import Lab
from aiops_lab.scenarios.manifests import HOME, seed_manifest, seed_text
from aiops_lab.scenarios.names import cast
from aiops_shared.errors import ClusterNotFoundError, NotFoundError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection
from aiops_shared.kube.manifests import load_manifests
from tests.eks.lab_reading import LabTime, OneCluster
from tests.fakes.kube import FakeSensitive
from tests.lab_fixture import running_lab

Answered = dict[str, Any]
BLOCK = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}
BROKEN = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: dev}\nspec: {containers: []}\n"


@asynccontextmanager
async def tools_on(lab: Lab, identity: str) -> AsyncIterator[ManifestTools]:
    access = Access(lab.kube_url, ca_file=str(lab.ca_path), token=lab.token(identity))
    api = KubeApi("my-cluster", Connection(FixedSource(access)))
    try:
        clusters = OneCluster(api)
        facts = FactsReader(clusters, LabTime(lab.clock), FakeSensitive(), redact)
        yield ManifestTools(facts, TrialRuns(clusters))
    finally:
        await api.aclose()


def rows(report: Any) -> list[dict[str, Any]]:
    return [dict(zip(report.findings.columns, row, strict=True)) for row in report.findings.rows]


@pytest.mark.row("S36")
@pytest.mark.row("S41")
async def test_the_seed_manifest_is_found_and_fixed_for_every_seed_sent_and_live() -> None:
    async with running_lab("manifest-scan") as lab, tools_on(lab, "aiops-planner") as tools:
        for seed in range(5):
            lab.reset("manifest-scan", seed)
            lab.clock.pause()
            names = cast(seed)
            text, obj = seed_text(names), seed_manifest(names)
            assert load_manifests(text) == [obj]
            sent = await tools.scan_manifest(manifest=text, fix=True)
            live = await tools.scan_manifest(
                kind="Deployment", namespace=HOME, name=obj["metadata"]["name"], fix=True
            )
            for report in (sent, live):
                found = {row["rule"]: row["severity"] for row in rows(report)}
                assert (found["runs-as-root"], found["image-tag"]) == ("high", "medium"), f"seed {seed}"
                assert {"no-requests", "no-limits", "no-readiness-probe", "no-seccomp"} <= set(found)
                assert report.verdict == "fail"
                (fixed,) = load_manifests(report.patched)
                assert fixed["spec"]["template"]["spec"]["containers"][0]["securityContext"] == BLOCK
                assert (report.remaining_high, report.rounds) == (0, 1)
                assert report.validation == "server_dry_run: 1 of 1 admitted, 0 refused"
                assert not {
                    row["severity"] for row in rows(await tools.scan_manifest(manifest=report.patched))
                } & {
                    "critical",
                    "high",
                }
            kept = [line for line in sent.patched.splitlines() if "#" in line]
            assert len(kept) == 4, "every comment"
        assert lab.requests.writes() == []


@pytest.mark.threat("T2")
# The planner may not write bare pods, dry or not: what admission says of one is heard by who may.
async def test_the_servers_word_is_heard_and_a_dry_run_writes_nothing() -> None:
    async with running_lab() as lab, tools_on(lab, "lab-admin") as tools:
        report = await tools.scan_manifest(manifest=BROKEN, cluster="my-cluster")
        assert report.validation.startswith("server_dry_run: 0 of 1 admitted, 1 refused")
        assert report.verdict == "fail"
        assert any("the API server refuses Pod p" in text for text in report.warnings)
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: dev}\n"
        lab.requests.clear()
        unsent = await tools.scan_manifest(manifest=secret, cluster="my-cluster")
        assert unsent.validation == "schema_only: nothing here is sent to a cluster"
        assert lab.requests.writes() == []


async def test_without_the_right_or_the_server_only_the_schema_is_known_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: dev}\n"
    async with running_lab() as lab:
        async with tools_on(lab, "aiops-reader") as tools:
            report = await tools.scan_manifest(manifest=text, cluster="my-cluster")
            assert report.validation.startswith("schema_only: ")
            assert "patch configmaps" in report.validation
            with pytest.raises(ClusterNotFoundError):
                await tools.scan_manifest(manifest=text, cluster="elsewhere")
            with pytest.raises(NotFoundError):
                await tools.scan_manifest(kind="Deployment", namespace=HOME, name="nobody")
        async with tools_on(lab, "lab-admin") as tools:
            for fault in (Fault("error", times=None, status=429), Fault("stall", times=None)):
                monkeypatch.setattr(trial_runs, "WITHIN_S", 1.0)
                lab.set_faults([fault])
                report = await tools.scan_manifest(manifest=text, cluster="my-cluster")
                assert "0 of 1 admitted" in report.validation or report.validation.startswith("schema_only")
                assert report.verdict == "pass"
            lab.set_faults([])
            half = await tools.scan_manifest(manifest=f"{text}---\n{BROKEN}", cluster="my-cluster")
            assert half.validation == "server_dry_run: 1 of 2 admitted, 1 refused"
        assert lab.requests.writes() == []


async def test_a_scan_that_nobody_asked_to_validate_asks_no_cluster() -> None:
    async with running_lab() as lab, tools_on(lab, "aiops-planner") as tools:
        lab.requests.clear()
        report = await tools.scan_manifest(manifest=BROKEN)
        assert report.validation == "schema_only: not asked of a cluster"
        assert list(lab.requests.entries) == []
