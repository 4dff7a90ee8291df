"""Credentials from a kubeconfig: contexts, exec plugins, and what strict TLS refuses."""

import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
import yaml

from aiops_lab.run import Lab
from aiops_shared.errors import NotConfiguredError, UnauthenticatedError, UnreachableError
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection
from aiops_shared.kube.kubeconfig import InClusterSource, KubeConfigSource, contexts
from tests.lab_fixture import running_lab

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_lab() -> AsyncIterator[Lab]:
    """One lab for all: these tests only read."""
    async with running_lab("healthy") as lab:
        yield lab


@pytest.fixture
def lab(one_lab: Lab) -> Lab:
    """The lab with an empty log of requests."""
    one_lab.requests.clear()
    return one_lab


def changed(lab: Lab, folder: Path, **changes: Any) -> Path:
    """The lab's kubeconfig with other words in its cluster or user."""
    config = yaml.safe_load(Path(lab.export()["KUBECONFIG"]).read_text(encoding="utf-8"))
    config["clusters"][0]["cluster"] |= changes.get("cluster", {})
    if "user" in changes:
        config["users"][0]["user"] = changes["user"]
    path = folder / "kubeconfig.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def plugin(folder: Path, tokens: list[str]) -> dict[str, Any]:
    """An exec plugin that gives each token in turn, the last one forever, and counts its calls."""
    script = folder / "plugin.py"
    script.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib\n"
        f"count = pathlib.Path({str(folder / 'calls')!r})\n"
        "calls = int(count.read_text()) if count.exists() else 0\n"
        "count.write_text(str(calls + 1))\n"
        f"tokens = {tokens!r}\n"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential',\n"
        "                  'status': {'token': tokens[min(calls, len(tokens) - 1)]}}))\n",
        encoding="utf-8",
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    version = "client.authentication.k8s.io/v1"
    return {"exec": {"apiVersion": version, "command": str(script), "interactiveMode": "Never"}}


def api(path: Path, context: str = "") -> KubeApi:
    return KubeApi("lab", Connection(KubeConfigSource(context, path), timeout_s=10))


async def test_a_context_of_the_kubeconfig_reaches_its_cluster_over_verified_tls(lab: Lab) -> None:
    kube = api(Path(lab.export("aiops-reader")["KUBECONFIG"]), lab.account.cluster)
    assert (await kube.list("pods")).items
    await kube.aclose()
    assert {entry.user for entry in lab.requests.entries} == {"aiops-reader"}


async def test_the_contexts_are_listed(lab: Lab) -> None:
    assert await contexts(Path(lab.export()["KUBECONFIG"])) == ([lab.account.cluster], lab.account.cluster)


async def test_an_exec_plugin_gives_the_token_and_is_not_run_for_each_request(
    lab: Lab, tmp_path: Path
) -> None:
    kube = api(changed(lab, tmp_path, user=plugin(tmp_path, [lab.token("aiops-reader")])))
    await kube.list("pods")
    await kube.list("nodes")
    await kube.aclose()
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "1"
    assert {entry.user for entry in lab.requests.entries} == {"aiops-reader"}


@pytest.mark.fault("R5")
async def test_a_plugins_expired_token_is_asked_for_again_once(lab: Lab, tmp_path: Path) -> None:
    kube = api(changed(lab, tmp_path, user=plugin(tmp_path, ["expired", lab.token("aiops-reader")])))
    assert (await kube.list("pods")).items
    await kube.aclose()
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "2"


async def test_a_plugin_that_only_gives_expired_tokens_ends_unauthenticated(lab: Lab, tmp_path: Path) -> None:
    kube = api(changed(lab, tmp_path, user=plugin(tmp_path, ["expired"])))
    with pytest.raises(UnauthenticatedError):
        await kube.list("pods")
    await kube.aclose()
    assert (tmp_path / "calls").read_text(encoding="utf-8") == "2"


async def test_a_server_whose_certificate_the_ca_did_not_sign_gets_no_request(
    lab: Lab, tmp_path: Path
) -> None:
    path = changed(lab, tmp_path)
    text = yaml.safe_load(path.read_text(encoding="utf-8"))
    del text["clusters"][0]["cluster"]["certificate-authority-data"]
    path.write_text(yaml.safe_dump(text), encoding="utf-8")
    kube = api(path)
    with pytest.raises(UnreachableError, match="certificate"):
        await kube.list("pods")
    await kube.aclose()
    assert lab.requests.entries == []


@pytest.mark.parametrize(
    ("cluster", "says"),
    [
        ({"insecure-skip-tls-verify": True}, "insecure-skip-tls-verify"),
        ({"server": "http://127.0.0.1:9"}, "plain HTTP"),
    ],
)
async def test_a_cluster_without_verified_tls_is_refused(
    cluster: dict[str, Any], says: str, lab: Lab, tmp_path: Path
) -> None:
    extra = {"certificate-authority-data": ""} if "insecure-skip-tls-verify" in cluster else {}
    kube = api(changed(lab, tmp_path, cluster=cluster | extra))
    with pytest.raises(NotConfiguredError, match=says):
        await kube.list("pods")


async def test_a_plugin_that_fails_is_said_before_any_request(lab: Lab, tmp_path: Path) -> None:
    version = "client.authentication.k8s.io/v1"
    broken = {"exec": {"apiVersion": version, "command": "/bin/false", "interactiveMode": "Never"}}
    kube = api(changed(lab, tmp_path, user=broken))
    with pytest.raises(NotConfiguredError, match="exec plugin"):
        await kube.list("pods")
    assert lab.requests.entries == []


async def test_a_pods_service_account_is_read_again_when_its_token_turns(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = urlsplit(lab.kube_url)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", str(url.hostname))
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(url.port))
    (tmp_path / "ca.crt").write_bytes(lab.ca_path.read_bytes())
    (tmp_path / "token").write_text("expired", encoding="utf-8")
    source = InClusterSource(tmp_path)
    await source.access()
    (tmp_path / "token").write_text(lab.token("aiops-reader"), encoding="utf-8")
    kube = KubeApi("here", Connection(source, timeout_s=10))
    assert (await kube.list("pods")).items
    await kube.aclose()


async def test_outside_a_pod_there_is_no_service_account(tmp_path: Path) -> None:
    with pytest.raises(NotConfiguredError, match="in-cluster"):
        await InClusterSource(tmp_path).access()


@pytest.mark.parametrize("text", ["", "nonsense", "{}", "apiVersion: v1\nkind: Config\n", "a: ["])
async def test_a_kubeconfig_that_is_none_is_the_operators_to_fix(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NotConfiguredError, match="kubeconfig"):
        await KubeConfigSource("", path).access()


async def test_a_context_that_does_not_exist_is_said(lab: Lab) -> None:
    with pytest.raises(NotConfiguredError, match="nope"):
        await KubeConfigSource("nope", Path(lab.export()["KUBECONFIG"])).access()
