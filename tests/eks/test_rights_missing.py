"""Without a right, the answer names it: one question for each family of tools, as identities that lack it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aiops_lab.run import Lab
from aiops_lab.scenarios.disk import the_node
from aiops_shared.settings import PolicySettings
from tests.e2e.stage import Stage, whole

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120), pytest.mark.row("B25")]
AUTO = PolicySettings(autonomy_prod="auto-safe", autonomy_staging="auto-safe", autonomy_dev="auto-safe")
READER = "aiops-reader"


@asynccontextmanager
async def reading(
    monkeypatch: pytest.MonkeyPatch, folder: Path, scenario: str = "healthy", seed: int = 1
) -> AsyncIterator[Stage]:
    async with whole(scenario, seed, monkeypatch, folder, identity=READER, policy=AUTO) as stage:
        yield stage


def take(lab: Lab, *roles: str) -> None:
    """Unbind these roles from everybody."""
    for role in roles:
        lab.store.delete("ClusterRoleBinding", None, f"aiops-eks-{role}")


def a_pod(stage: Stage) -> str:
    return str(stage.lab.store.list("Pod", "production")[0]["metadata"]["name"])


async def test_reads_without_their_optional_roles_name_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with reading(monkeypatch, tmp_path) as stage:
        pod = {"namespace": "production", "pod": a_pod(stage)}
        assert not (await stage.ask("get_pod_logs", **pod)).error
        take(stage.lab, "sensitive", "secrets")
        logs = await stage.ask("get_pod_logs", **pod)
        assert logs.code == "access_denied", logs.text
        assert "pods/log" in logs.text
        secrets = await stage.ask("list_resources", kind="Secret", namespace="production")
        assert secrets.code == "access_denied", secrets.text
        assert "grant list on secrets" in secrets.error
        assert "secrets" in (await stage.ask("diagnose", kind="Secret", name="x", namespace="dev")).error
        for name, operation in (("cloudtrail", "LookupEvents"), ("logs", "StartQuery")):
            stage.lab.fail_aws(name, operation, code="AccessDeniedException")
        changes = await stage.got("list_changes")
        assert "cloudtrail:LookupEvents" in str(changes["warnings"])
        assert "logs:StartQuery" in str(changes["warnings"])
        stage.lab.fail_aws("eks", "ListInsights", code="AccessDeniedException")
        view = await stage.got("describe_cluster", include=["insights"])
        assert "eks:ListInsights" in str(view["warnings"])
        take(stage.lab, "read")
        for tool, arguments, lost in (
            ("list_events", {}, "list on events"),
            ("list_resources", {"kind": "Deployment"}, "list on "),
            ("get_resource", {"kind": "Pod", "namespace": "production", "name": pod["pod"]}, "get on pods"),
        ):
            refused = await stage.ask(tool, **arguments)
            assert refused.code == "access_denied", refused.text
            assert lost in refused.error


async def test_plans_of_a_reader_name_the_verb_and_cannot_be_executed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with reading(monkeypatch, tmp_path, "disk-pressure-again") as stage:
        config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: staging}\ndata: {a: b}\n"
        name = stage.lab.store.list("Deployment", "production")[0]["metadata"]["name"]
        node = the_node(stage.who)
        asked = {
            "configmaps": ("plan_manifest", {"action": "apply", "manifest": config}),
            "deployments": (
                "plan_workload_change",
                {"action": "restart", "namespace": "production", "name": name, "reason": "x"},
            ),
            "nodes": ("plan_node_change", {"action": "cordon", "names": [node]}),
        }
        for resource, (tool, arguments) in asked.items():
            plan = await stage.got(tool, **arguments)
            assert "schema_only" in plan["validation"], plan["validation"]
            assert resource in str(plan), tool
            assert (await stage.execute(plan)).code == "refused"
        clean = await stage.ask("plan_node_change", action="clean_disk", names=[node])
        assert "ssm:DescribeInstanceInformation" in clean.text
        assert stage.writes() == []
