"""Our verdict on a pod is Pod Security Admission's: the lab's; in tests/cluster/product a real server's."""

from random import Random
from typing import Any

import pytest

from aiops_eks.diagnosis.scanning.scan import CHECKS, scan
from aiops_lab.kube.admission.pod_security import violations
from tests.eks.scanning.making import Obj, pod

LEVELS = ("baseline", "restricted")
_LABEL = "pod-security.kubernetes.io/enforce"
_NOT_PLAYED = {"appArmorProfile", "seLinuxOptions", "windowsHostProcess", "hostProbesAndHostLifecycle"}
# https://kubernetes.io/docs/concepts/security/pod-security-standards/, ids as k8s.io/pod-security-admission.
CONTROLS = {
    "baseline": {
        "appArmorProfile",
        "capabilities_baseline",
        "hostNamespaces",
        "hostPathVolumes",
        "hostPorts",
        "hostProbesAndHostLifecycle",
        "privileged",
        "procMount",
        "seLinuxOptions",
        "seccompProfile_baseline",
        "sysctls",
        "windowsHostProcess",
    },
    "restricted": {
        "allowPrivilegeEscalation",
        "capabilities_restricted",
        "restrictedVolumes",
        "runAsNonRoot",
        "runAsUser",
        "seccompProfile_restricted",
    },
}


def controls(obj: Obj, level: Any) -> set[str]:
    return {one.check.control for one in scan([obj], level) if one.check.control}


def test_each_control_of_the_standards_has_a_rule_with_its_id() -> None:
    for level, ids in CONTROLS.items():
        assert {check.control for check in CHECKS if check.level == level} == ids


def defaulted(spec: Obj) -> Obj:
    """As admission gets it: a volume without a type is an emptyDir by then."""
    volumes = [one if len(one) > 1 else {**one, "emptyDir": {}} for one in spec.get("volumes", [])]
    return {**spec, "volumes": volumes}


@pytest.mark.row("S41")
@pytest.mark.parametrize("level", LEVELS)
def test_a_pod_passes_exactly_when_the_labs_admission_takes_it(level: str) -> None:
    taken = 0
    for seed in range(600):
        obj = pod(Random(seed))
        admitted = not violations({_LABEL: level}, "enforce", defaulted(obj["spec"]))
        taken += admitted
        ours = controls(obj, level) - _NOT_PLAYED
        assert admitted == (not ours), f"seed {seed}: {ours}"
    assert 30 < taken < 570, "both verdicts are met often"


def template(**spec: Any) -> Obj:
    one = {"name": "c", "image": "repo/c:1", **spec.pop("container", {})}
    return {"kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [one], **spec}}


_HARD = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.mark.parametrize(
    ("obj", "control"),
    [
        (template(securityContext={"windowsOptions": {"hostProcess": True}}), "windowsHostProcess"),
        (template(securityContext={"appArmorProfile": {"type": "Unconfined"}}), "appArmorProfile"),
        (template(securityContext={"seLinuxOptions": {"type": "spc_t"}}), "seLinuxOptions"),
        (
            template(container={"livenessProbe": {"httpGet": {"host": "10.0.0.1", "port": 1}}}),
            "hostProbesAndHostLifecycle",
        ),
        (
            template(container={"lifecycle": {"preStop": {"tcpSocket": {"host": "x", "port": 1}}}}),
            "hostProbesAndHostLifecycle",
        ),
        (template(container={"securityContext": {"procMount": "Unmasked"}}), "procMount"),
        (template(securityContext={"runAsUser": 0}), "runAsUser"),
    ],
)
def test_what_the_lab_does_not_judge_is_judged_too(obj: Obj, control: str) -> None:
    assert control in controls(obj, "restricted")


def test_an_annotation_that_switches_app_armor_off_is_found_in_a_template_and_repaired() -> None:
    notes = {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"}
    body = {"metadata": {"annotations": notes}, "spec": template()["spec"]}
    obj = {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"template": body}}
    (found,) = [one for one in scan([obj], "baseline") if one.check.control == "appArmorProfile"]
    assert found.hit.path.startswith("spec.template.metadata.annotations['container.apparmor")
    assert found.check.repair is not None
    found.check.repair(found.spot)
    assert "appArmorProfile" not in controls(obj, "baseline")


def test_windows_pods_are_spared_what_windows_cannot_set() -> None:
    spec = {"os": {"name": "windows"}, "securityContext": {"runAsNonRoot": True}}
    assert controls(template(**spec), "restricted") == set()
    linux = {"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}}
    assert controls(template(container={"securityContext": _HARD}, **linux), "restricted") == set()
