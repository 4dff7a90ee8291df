"""The lab's tables have the columns of a real server: names, types, formats, what only `-o wide` shows."""

import httpx
import pytest

from aiops_lab.kube.resources import BUILT_IN, Resource
from tests.cluster.control_plane import ControlPlane
from tests.lab_fixture import kube_client, running_lab

pytestmark = pytest.mark.timeout(180)
TABLE = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
# Served by metrics-server and not by Kubernetes itself.
LISTED = [one for one in BUILT_IN if "list" in one.verbs and one.group != "metrics.k8s.io"]
_COMPARED = ("name", "type", "format", "priority")


def _path(resource: Resource) -> str:
    root = f"/apis/{resource.group}" if resource.group else "/api"
    return f"{root}/{resource.version}/{resource.plural}"


async def _columns(api: httpx.AsyncClient, resource: Resource) -> list[dict[str, object]]:
    answer = await api.get(_path(resource), headers=TABLE, params={"limit": "1"})
    assert answer.status_code == 200, answer.text
    return [{key: column[key] for key in _COMPARED} for column in answer.json()["columnDefinitions"]]


async def test_every_kind_has_a_real_server_s_columns(bare: ControlPlane) -> None:
    async with running_lab() as lab, kube_client(lab) as ours, bare.client() as theirs:
        wrong = {}
        for resource in LISTED:
            real, simulated = await _columns(theirs, resource), await _columns(ours, resource)
            if real != simulated:
                wrong[f"{resource.plural}.{resource.group}"] = (real, simulated)
        assert wrong == {}


def _attachment(name: str) -> dict[str, object]:
    source = {"persistentVolumeName": "pv-1"}
    return {"metadata": {"name": name}, "spec": {"attacher": "a.example", "nodeName": "n", "source": source}}


_POD = {"metadata": {"labels": {"b": "2", "a": "1"}}, "spec": {"containers": [{"name": "x", "image": "y"}]}}
_RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["pods"]}
MADE: dict[str, dict[str, object]] = {
    "csidrivers": {"metadata": {"name": "a.example"}, "spec": {"tokenRequests": [{"audience": "sts"}]}},
    "csinodes": {"metadata": {"name": "n"}, "spec": {"drivers": [{"name": "a.example", "nodeID": "i-1"}]}},
    "volumeattachments": _attachment("csi-1"),
    "validatingadmissionpolicies": {
        "metadata": {"name": "p.example"},
        "spec": {
            "validations": [{"expression": "true"}],
            "paramKind": {"apiVersion": "v1", "kind": "ConfigMap"},
            "matchConstraints": {"resourceRules": [_RULE]},
        },
    },
    "validatingadmissionpolicybindings": {
        "metadata": {"name": "b.example"},
        "spec": {
            "policyName": "p.example",
            "validationActions": ["Deny"],
            "paramRef": {"name": "c", "parameterNotFoundAction": "Allow"},
        },
    },
    "podtemplates": {"metadata": {"name": "t", "namespace": "default"}, "template": _POD},
    "priorityclasses": {"metadata": {"name": "high"}, "value": 5, "globalDefault": False},
    "storageclasses": {"metadata": {"name": "slow"}, "provisioner": "a.example"},
}


async def _row(api: httpx.AsyncClient, resource: Resource, sent: dict[str, object]) -> list[object]:
    """The cells of the object, once made; its age left out."""
    root = _path(resource)
    if resource.namespaced:
        root = root.replace(resource.plural, f"namespaces/default/{resource.plural}")
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    made = await api.post(root, json={**head, **sent})
    assert made.status_code == 201, made.text
    shown = (await api.get(f"{root}/{made.json()['metadata']['name']}", headers=TABLE)).json()
    named = zip(shown["columnDefinitions"], shown["rows"][0]["cells"], strict=True)
    return [cell for column, cell in named if column["name"] != "Age"]


async def test_seldom_kinds_are_printed_alike(bare: ControlPlane) -> None:
    served = {one.plural: one for one in LISTED}
    async with running_lab() as lab, kube_client(lab) as ours, bare.client() as theirs:
        for plural, sent in MADE.items():
            real = await _row(theirs, served[plural], sent)
            assert await _row(ours, served[plural], sent) == real, plural
            await theirs.delete(f"{_path(served[plural])}/{real[0]}")
