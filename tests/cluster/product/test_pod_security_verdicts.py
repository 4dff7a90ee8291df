"""scan_manifest and the Pod Security Admission of a real kube-apiserver say the same of generated pods."""

from random import Random
from typing import Literal

import pytest

from aiops_eks.diagnosis.scanning.exporting import admission_policies
from aiops_eks.diagnosis.scanning.organisation import compile_rules
from aiops_eks.diagnosis.scanning.scan import scan
from tests.cluster.control_plane import ControlPlane
from tests.eks.scanning.making import pod

pytestmark = pytest.mark.timeout(180)
SINCE_1_34 = "hostProbesAndHostLifecycle"


@pytest.mark.row("S41")
@pytest.mark.parametrize("level", ["baseline", "restricted"])
async def test_a_pod_passes_the_scan_exactly_when_the_server_takes_it(
    alone: ControlPlane, level: Literal["baseline", "restricted"]
) -> None:
    labels = {"pod-security.kubernetes.io/enforce": level}
    names = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"psa-{level}", "labels": labels}}
    path = f"/api/v1/namespaces/psa-{level}/pods"
    taken = 0
    async with alone.client() as admin:
        await admin.post("/api/v1/namespaces", json=names)
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        await admin.post(f"/api/v1/namespaces/psa-{level}/serviceaccounts", json=account)
        for seed in range(250):
            obj = pod(Random(seed))
            obj["metadata"].pop("namespace")
            answer = await admin.post(path, params={"dryRun": "All"}, json=obj)
            assert answer.status_code in {201, 403}, f"seed {seed}: {answer.text[:400]}"
            refused = answer.status_code == 403
            assert not refused or "violates PodSecurity" in answer.text, answer.text[:300]
            found = {one.check.control for one in scan([obj], level) if one.check.control} - {SINCE_1_34}
            assert refused == bool(found), f"seed {seed}: ours {found}, server {answer.text[:400]}"
            taken += not refused
    assert 15 < taken < 235


_RULES = """\
name: acme
rules:
  - id: trusted-registry
    expression: variables.containers.all(c, c.image.startsWith('registry.acme.example/'))
    message: an image of another registry
  - id: owner
    kinds: [Deployment, Service]
    expression: has(object.metadata.labels) && 'owner' in object.metadata.labels
    message: nobody owns it
"""


@pytest.mark.row("S55")
async def test_the_exported_rules_are_policies_that_the_server_takes(alone: ControlPlane) -> None:
    base = "/apis/admissionregistration.k8s.io/v1"
    async with alone.client() as admin:
        for made in admission_policies(compile_rules({"acme.yaml": _RULES})):
            plural = f"{made['kind'].lower()[:-1]}ies" if made["kind"].endswith("cy") else "bindings"
            path = plural if plural != "bindings" else "validatingadmissionpolicybindings"
            answer = await admin.post(f"{base}/{path}", params={"dryRun": "All"}, json=made)
            assert answer.status_code == 201, answer.text[:500]
