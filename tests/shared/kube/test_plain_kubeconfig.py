"""Plain contexts are read without the `kubernetes` package; whatever is not plain is left to it."""

import base64
import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiops_shared.kube.access import Access
from aiops_shared.kube.kubeconfig import KubeConfigSource
from aiops_shared.kube.plain_kubeconfig import plain_access

PEM = "-----BEGIN CERTIFICATE-----\nworth nothing\n-----END CERTIFICATE-----\n"
CA = base64.b64encode(PEM.encode()).decode()
TOKEN = "token-worth-nothing"


def written(folder: Path, cluster: dict[str, Any], user: dict[str, Any], **more: Any) -> Path:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "a", "cluster": {"server": "https://10.0.0.1:6443", **cluster}}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "a", "user": "me", "namespace": "shop"}}],
        **more,
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


@pytest.mark.parametrize("context", ["", "here"])
def test_a_plain_context_says_what_the_kubernetes_package_says(tmp_path: Path, context: str) -> None:
    path = written(
        tmp_path, {"certificate-authority-data": CA, "tls-server-name": "kube.example.com"}, {"token": TOKEN}
    )
    theirs: Any = import_module("kubernetes.client").Configuration()
    package: Any = import_module("kubernetes.config")
    package.load_kube_config(str(path), context or None, theirs, persist_config=False)
    assert plain_access(path, context) == Access(
        server=str(theirs.host),
        ca_data=Path(str(theirs.ssl_ca_cert)).read_text(encoding="utf-8"),
        tls_server_name=str(theirs.tls_server_name),
        token=str(next(iter(theirs.api_key.values()))).removeprefix("Bearer "),
    )


def test_the_file_of_a_ca_is_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    found = plain_access(written(tmp_path, {"certificate-authority": "ca.pem"}, {"token": TOKEN}), "")
    assert found is not None
    assert found.ca_file == str(tmp_path / "ca.pem")


@pytest.mark.threat("T5")
@pytest.mark.parametrize(
    ("cluster", "user"),
    [
        ({"certificate-authority-data": CA, "proxy-url": "http://p"}, {"token": TOKEN}),
        ({"certificate-authority-data": CA, "insecure-skip-tls-verify": True}, {"token": TOKEN}),
        ({"certificate-authority-data": "%%%"}, {"token": TOKEN}),
        ({"certificate-authority-data": 7}, {"token": TOKEN}),
        ({}, {"token": TOKEN}),
        ({"certificate-authority-data": CA}, {"token": TOKEN, "as": "somebody"}),
        ({"certificate-authority-data": CA}, {"exec": {"command": "aws"}}),
        ({"certificate-authority-data": CA}, {"client-certificate-data": CA, "client-key-data": CA}),
        ({"certificate-authority-data": CA}, {"token": ""}),
    ],
)
def test_what_is_not_plain_is_left_to_the_package(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any]
) -> None:
    assert plain_access(written(tmp_path, cluster, user), "") is None


@pytest.mark.parametrize(
    "more",
    [
        {"current-context": "elsewhere"},
        {"contexts": {"name": "here"}},
        {"users": [{"name": "me", "user": {"token": "a"}}, {"name": "me", "user": {"token": "b"}}]},
    ],
)
def test_a_name_that_is_missing_or_stands_twice_is_not_plain(tmp_path: Path, more: dict[str, Any]) -> None:
    path = written(tmp_path, {"certificate-authority-data": CA}, {"token": TOKEN}, **more)
    assert plain_access(path, "") is None


@pytest.mark.parametrize("text", ["", "[]", "a: [", "\x00"])
def test_a_file_that_is_no_kubeconfig_is_left_to_the_package(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text, encoding="utf-8")
    assert plain_access(path, "") is None
    assert plain_access(tmp_path / "missing", "") is None


def test_a_list_of_files_is_left_to_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, {"certificate-authority-data": CA}, {"token": TOKEN})
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert plain_access(None, "") is not None
    monkeypatch.setenv("KUBECONFIG", f"{path}:{path}")
    assert plain_access(None, "") is None


async def test_a_kubeconfig_named_after_the_package_was_loaded_is_the_one_that_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("first", "second"):
        content = {
            "current-context": "one",
            "clusters": [{"name": "one", "cluster": {"server": f"https://{name}.example:6443"}}],
            "users": [{"name": "one", "user": {"token": "fake-token-worth-nothing"}}],
            "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        }
        path = tmp_path / name
        path.write_text(json.dumps(content))
        monkeypatch.setenv("KUBECONFIG", str(path))
        access = await KubeConfigSource("one").access()
        assert access.server == f"https://{name}.example:6443"
