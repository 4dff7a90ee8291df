"""deploy/kagent is taken by a real kube-apiserver that knows kagent's types, strictly; F24b."""

from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import yaml

from tests.cluster.control_plane import ControlPlane
from tests.cluster.kagent_types import types

pytestmark = [pytest.mark.slow, pytest.mark.row("S86")]
FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kagent"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
Obj = dict[str, Any]


def objects() -> list[Obj]:
    return [
        one for file in sorted(FOLDER.glob("*.yaml")) for one in yaml.safe_load_all(file.read_text("utf-8"))
    ]


@pytest.fixture
async def api(bare: ControlPlane) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a server that has the types for the time of one test."""
    crds = await anyio.to_thread.run_sync(types)
    async with bare.client() as client:
        for crd in crds:
            (await client.post(CRDS, json=crd)).raise_for_status()
        try:
            for crd in crds:
                for version in crd["spec"]["versions"]:
                    await _served(client, f"/apis/kagent.dev/{version['name']}/{_plural(crd)}")
            yield client
        finally:
            for crd in crds:
                await client.delete(f"{CRDS}/{crd['metadata']['name']}")


def _plural(crd: Obj) -> str:
    return str(crd["spec"]["names"]["plural"])


async def _served(client: httpx.AsyncClient, path: str) -> None:
    for _ in range(200):
        if (await client.get(path)).status_code == 200:
            return
        await anyio.sleep(0.1)
    raise AssertionError(f"{path} is not served")


async def sent(client: httpx.AsyncClient, made: Obj) -> httpx.Response:
    """Create it, as a dry run in the default namespace; unknown fields are an error."""
    made = {**made, "metadata": {**made["metadata"], "namespace": "default"}}
    path = f"/apis/{made['apiVersion']}/namespaces/default/{made['kind'].lower()}s"
    return await client.post(path, json=made, params={"dryRun": "All", "fieldValidation": "Strict"})


async def test_every_object_is_taken_and_what_kagent_forbids_is_refused(api: httpx.AsyncClient) -> None:
    kinds = set()
    for made in objects():
        answer = await sent(api, made)
        assert answer.status_code == 201, answer.text
        kinds.add((made["apiVersion"].rpartition("/")[2], made["kind"]))
    assert kinds == {
        ("v1alpha1", "MCPServer"),
        ("v1alpha2", "Agent"),
        ("v1alpha2", "RemoteMCPServer"),
        ("v1alpha3", "RemoteMCPServer"),
    }
    (agent,) = [made for made in objects() if made["metadata"]["name"] == "aiops-operator"]
    beyond, unknown = deepcopy(agent), deepcopy(agent)
    beyond["spec"]["declarative"]["tools"][0]["mcpServer"]["toolNames"] = ["diagnose"]
    unknown["spec"]["declarative"]["tool"] = []
    for wrong in (beyond, unknown):
        assert (await sent(api, wrong)).status_code in {400, 422}
