"""Other people's MCP servers read the lab as they would read a cluster: what they show is what the lab holds.

They are installed once, by name and version, into a cache that git ignores (`bench/peers.py`, which the bench
uses as well).
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client

from aiops_lab.run import Lab
from aiops_lab.scenarios.names import cast
from aiops_shared.settings import inherited
from bench.peers import AWSLABS_EKS, KUBERNETES_MCP, Package, command_of
from tests.e2e.clients import missing
from tests.lab_fixture import child_environment, running_lab

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
HOME, SEED = "production", 4
Ask = Callable[[str, dict[str, Any]], Awaitable[str]]


async def _installed(package: Package) -> list[str]:
    command = await anyio.to_thread.run_sync(command_of, package)
    if command is None:
        missing(f"{package.named} cannot be installed here: no package registry, or no npm")
    return command or []


@asynccontextmanager
async def _asking(command: list[str], lab: Lab, folder: Path) -> AsyncIterator[Ask]:
    """The protocol's own client of another server; an answer that is an error fails the test."""
    env = {**child_environment(lab, home=str(folder)), **inherited("PATH")}
    process = StdioServerParameters(command=command[0], args=command[1:], env=env, cwd=str(folder))
    async with stdio_client(process) as (read, write), ClientSession(read, write) as session:
        await session.initialize()

        async def ask(tool: str, arguments: dict[str, Any]) -> str:
            done = await session.call_tool(tool, arguments)
            text = "".join(getattr(block, "text", "") for block in done.content)
            assert not done.is_error, text
            return text

        yield ask


def _crashing(text: str) -> str:
    """The first pod of the story's broken deployment."""
    found = re.search(rf"\b{re.escape(cast(SEED).api)}-[a-z0-9]+-[a-z0-9]{{5}}\b", text)
    assert found, text[:2000]
    return found.group(0)


def _names(lab: Lab, kind: str, namespace: str = HOME) -> list[str]:
    """What the lab holds; "" is for what has no namespace."""
    heads = [found["metadata"] for found in lab.world.cluster.cache.all(kind)]
    return [head["name"] for head in heads if head.get("namespace", "") == namespace]


def _shows(text: str, names: list[str]) -> None:
    assert names
    assert [name for name in names if name not in text] == []


async def test_kubernetes_mcp_server_reads_the_lab(tmp_path: Path) -> None:
    command = await _installed(KUBERNETES_MCP)
    started = [*command, "--read-only", "--disable-multi-cluster"]
    async with running_lab("pod-crashloop", SEED) as lab, _asking(started, lab, tmp_path) as ask:
        here = {"namespace": HOME}
        pods = await ask("pods_list_in_namespace", here)
        _shows(pods, _names(lab, "Pod"))
        assert "CrashLoopBackOff" in pods
        pod = {"name": _crashing(pods), **here}
        _shows(await ask("pods_list", {}), _names(lab, "Pod", "kube-system"))
        _shows(await ask("namespaces_list", {}), _names(lab, "Namespace", ""))
        assert f"name: {pod['name']}" in await ask("pods_get", pod)
        assert "CACHE_HOST" in await ask("pods_log", {**pod, "previous": True})
        events = await ask("events_list", here)
        assert "Back-off restarting failed container" in events
        assert pod["name"] in events
        kind = {"apiVersion": "apps/v1", "kind": "Deployment"}
        listed = await ask("resources_list", {**kind, **here})
        _shows(listed, _names(lab, "Deployment"))
        assert "replicas: 3" in await ask("resources_get", {**kind, "name": cast(SEED).api, **here})
        assert re.search(r"\d+m +\d+Mi", await ask("pods_top", {"all_namespaces": False, **here}))
        usage = await ask("nodes_top", {})
        _shows(usage, _names(lab, "Node", ""))
        assert lab.requests.writes() == []


async def test_awslabs_eks_mcp_server_finds_the_cluster_through_aws_and_reads_it(tmp_path: Path) -> None:
    command = await _installed(AWSLABS_EKS)
    started = [*command, "--allow-sensitive-data-access"]
    async with running_lab("pod-crashloop", SEED) as lab, _asking(started, lab, tmp_path) as ask:
        here = {"cluster_name": lab.account.cluster, "namespace": HOME}
        of_pods = {**here, "kind": "Pod", "api_version": "v1"}
        pods = await ask("list_k8s_resources", of_pods)
        _shows(pods, _names(lab, "Pod"))
        pod = _crashing(pods)
        assert "CACHE_HOST" in await ask("get_pod_logs", {**here, "pod_name": pod, "previous": True})
        events = await ask("get_k8s_events", {**here, "kind": "Pod", "name": pod})
        assert "Back-off restarting failed container" in events
        shown = await ask("manage_k8s_resource", {**of_pods, "operation": "read", "name": pod})
        assert "CrashLoopBackOff" in shown
        assert "apps/v1" in await ask("list_api_versions", {"cluster_name": lab.account.cluster})
        assert lab.requests.writes() == []
