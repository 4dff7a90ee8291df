"""The shipped rights on a real kube-apiserver: what each identity may do, what is said of missing ones."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiops_shared.errors import AccessDeniedError, UnauthenticatedError
from aiops_shared.kube.access import Access
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection
from tests.cluster.control_plane import ControlPlane
from tests.cluster.product.objects import budget, config_map, deployment
from tests.cluster.product.stage import Product, api_of, product

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.threat("T4")]
WEB = "/apis/apps/v1/namespaces/{ns}/deployments/web"


async def serving(stage: Product) -> None:
    await stage.make(deployment(), config_map(), budget(at_least=1))
    await stage.until(WEB, "status", "readyReplicas", value=2)


PLANS: list[tuple[str, dict[str, Any]]] = [
    ("plan_workload_change", {"action": "scale", "name": "web", "replicas": 3}),
    ("plan_workload_change", {"action": "restart", "name": "web"}),
    ("plan_workload_change", {"action": "image", "name": "web", "image": "shop/web:1.1"}),
    ("plan_workload_change", {"action": "resources", "name": "web", "memory_limit": "96Mi"}),
    ("plan_manifest", {"action": "delete", "kind": "ConfigMap", "name": "settings"}),
]


async def test_every_kind_of_plan_is_dry_run_and_the_audit_log_of_the_server_shows_no_write(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path, identity="aiops-planner") as stage:
        await serving(stage)
        listed = await stage.got("list_resources", kind="Pod", namespace=stage.namespace)
        name = listed["resources"]["rows"][0][0]
        evict = ("plan_manifest", {"action": "evict", "kind": "Pod", "name": name})
        for tool, arguments in [*PLANS, evict]:
            plan = await stage.got(tool, namespace=stage.namespace, **arguments)
            assert plan["validation"] == "server_dry_run", plan
        text = json.dumps({**config_map("new"), "metadata": {"name": "new", "namespace": stage.namespace}})
        plan = await stage.got("plan_manifest", action="apply", manifest=text)
        assert plan["validation"] == "server_dry_run", plan
        assert stage.writes() == []
        assert len(stage.dry_runs()) == len(PLANS) + 2
        assert all(event["responseStatus"]["code"] < 300 for event in stage.dry_runs())


async def test_a_reader_gets_a_plan_that_says_what_is_missing_and_cannot_be_executed(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path, identity="aiops-reader") as stage:
        await serving(stage)
        plan = await stage.plan(name="web", action="scale", replicas=3)
        assert plan["validation"].startswith("schema_only: missing"), plan
        assert "deployments" in plan["validation"]
        refused = await stage.execute(plan)
        assert refused.code == "refused", refused.text
        assert "never dry-run" in refused.text
        assert (await stage.see(WEB))["spec"]["replicas"] == 2
        assert stage.writes() == []


async def test_the_server_itself_refuses_a_readers_write_and_an_executors_reach_beyond(
    whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with product(whole, monkeypatch, tmp_path) as stage:
        await serving(stage)
        space = stage.namespace
        path = f"/api/v1/namespaces/{space}"
        beyond = [
            ("POST", f"{path}/secrets", "aiops-executor"),
            ("DELETE", path, "aiops-executor"),
            ("POST", f"{path}/serviceaccounts/default/token", "aiops-executor"),
            ("POST", f"{path}/pods/x/exec", "aiops-executor"),
            ("GET", "/api/v1/nodes/node-0/proxy/pods", "aiops-executor"),
            ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", "aiops-executor"),
            ("POST", f"{path}/configmaps", "aiops-reader"),
            ("PATCH", WEB.replace("{ns}", space), "aiops-reader"),
        ]
        for method, url, who in beyond:
            async with whole.client(who) as client:
                answer = await client.request(
                    method, url, content="{}", headers={"content-type": "application/merge-patch+json"}
                )
            assert answer.status_code == 403, (method, url, who, answer.text)


async def test_a_refusal_names_user_verb_and_resource_and_how_to_grant_it(whole: ControlPlane) -> None:
    async with api_of(whole, "ci-cleanup") as api:
        with pytest.raises(AccessDeniedError, match=r"ci-cleanup may not list jobs\.batch") as refused:
            await api.list("jobs", "default")
        assert not await api.can("list", "jobs", "default")
    assert "grant list on jobs.batch by a Role or ClusterRole" in str(refused.value)
    async with api_of(whole) as admin:
        assert await admin.can("list", "jobs", "default")


class Rotating:
    """A ServiceAccount whose tokens the server makes (TokenRequest), as for `kubectl create token`."""

    def __init__(self, plane: ControlPlane, account: str, tokens: list[str]) -> None:
        self.plane = plane
        self.account = account
        self.tokens = tokens
        self.asked = 0

    async def access(self, *, fresh: bool = False) -> Access:
        if fresh or not self.tokens:
            self.asked += 1
            self.tokens.append(await self.new())
        return Access(self.plane.kube_url, ca_file=str(self.plane.ca_path), token=self.tokens[-1])

    async def new(self) -> str:
        async with self.plane.client() as admin:
            path = f"/api/v1/namespaces/default/serviceaccounts/{self.account}/token"
            answer = await admin.post(path, json={"spec": {"expirationSeconds": 600}})
            assert answer.status_code == 201, answer.text
            return str(answer.json()["status"]["token"])


ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


@asynccontextmanager
async def account(plane: ControlPlane, name: str) -> AsyncIterator[Rotating]:
    """A ServiceAccount that has the ClusterRole `view`; both are gone at the end."""
    async with plane.client() as admin:
        await admin.post(ACCOUNTS, json={"metadata": {"name": name}})
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}],
        }
        assert (await admin.post(BINDINGS, json=binding)).status_code == 201
        try:
            yield Rotating(plane, name, [])
        finally:
            await admin.delete(f"{BINDINGS}/{name}")
            await admin.delete(f"{ACCOUNTS}/{name}")


@pytest.mark.fault("R5")
async def test_a_token_that_the_server_takes_no_more_is_renewed_once_and_the_call_goes_on(
    whole: ControlPlane,
) -> None:
    async with account(whole, "rotating") as source, whole.client() as admin:
        api = KubeApi("real", Connection(source))
        assert (await api.list("configmaps", "default")).items
        await admin.delete(f"{ACCOUNTS}/rotating")  # made again: every token of the old account is void
        await admin.post(ACCOUNTS, json={"metadata": {"name": "rotating"}})
        # kube-apiserver remembers for ten seconds that it took a token (apiserver,
        # authentication/token/cache): only then does it refuse the old one.
        for _second in range(25):
            assert (await api.list("configmaps", "default")).items
            if source.asked == 2:
                break
            await anyio.sleep(1)
        assert source.asked == 2
        await api.aclose()


@pytest.mark.fault("R5")
async def test_a_token_that_stays_refused_is_unauthenticated(whole: ControlPlane) -> None:
    class Wrong:
        async def access(self, *, fresh: bool = False) -> Access:
            return Access(whole.kube_url, ca_file=str(whole.ca_path), token="worth-nothing-at-all")

    api = KubeApi("real", Connection(Wrong()))
    try:
        with pytest.raises(UnauthenticatedError, match="renew them"):
            await api.list("pods", "default")
    finally:
        await api.aclose()
