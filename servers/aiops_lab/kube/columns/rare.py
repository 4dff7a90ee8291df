"""Printers of kinds that are seldom listed: storage drivers, admission policies, pod templates.

After pkg/printers/internalversion/printers.go of Kubernetes.
"""

from datetime import datetime

from aiops_lab.kube.columns.printer import NONE, UNSET, Cells, Printer, age, columns, selector_text
from aiops_lab.kube.wire import Obj, dig, name_of


def _csi_node(obj: Obj, now: datetime) -> Cells:
    return [name_of(obj), len(dig(obj, "spec", "drivers", default=[])), age(obj, now)]


def _csi_driver(obj: Obj, now: datetime) -> Cells:
    spec = obj.get("spec") or {}
    asked = spec.get("tokenRequests")
    return [
        name_of(obj),
        spec.get("attachRequired", True),
        spec.get("podInfoOnMount", False),
        spec.get("storageCapacity", False),
        UNSET if asked is None else ",".join(one.get("audience", "") for one in asked),
        spec.get("requiresRepublish", False),
        ",".join(spec.get("volumeLifecycleModes") or ()) or NONE,
        age(obj, now),
    ]


def _attachment(obj: Obj, now: datetime) -> Cells:
    spec = obj.get("spec") or {}
    volume = dig(spec, "source", "persistentVolumeName", default="")
    attached = dig(obj, "status", "attached", default=False)
    return [
        name_of(obj),
        spec.get("attacher", ""),
        volume,
        spec.get("nodeName", ""),
        attached,
        age(obj, now),
    ]


def _policy(obj: Obj, now: datetime) -> Cells:
    spec = obj.get("spec") or {}
    kind = spec.get("paramKind")
    of = UNSET if kind is None else f"{kind.get('apiVersion', '')}/{kind.get('kind', '')}"
    return [name_of(obj), len(spec.get("validations") or ()), of, age(obj, now)]


def _policy_binding(obj: Obj, now: datetime) -> Cells:
    spec = obj.get("spec") or {}
    return [name_of(obj), spec.get("policyName", ""), _param(spec.get("paramRef")), age(obj, now)]


def _param(ref: Obj | None) -> str:
    if not ref:
        return UNSET
    if ref.get("name"):
        return f"{ref.get('namespace') or '*'}/{ref['name']}"
    return selector_text(ref["selector"]) if ref.get("selector") else UNSET


def _pod_template(obj: Obj, _now: datetime) -> Cells:
    held = dig(obj, "template", "spec", "containers", default=[])
    names, images = (",".join(one.get(key, "") for one in held) for key in ("name", "image"))
    labels = dig(obj, "template", "metadata", "labels", default={})
    return [name_of(obj), names, images, ",".join(f"{k}={v}" for k, v in sorted(labels.items())) or NONE]


RARE: dict[str, Printer] = {
    "CSINode.storage.k8s.io": Printer(columns("Name", "Drivers#", "Age"), _csi_node),
    "CSIDriver.storage.k8s.io": Printer(
        columns(
            "Name",
            "AttachRequired?",
            "PodInfoOnMount?",
            "StorageCapacity?",
            "TokenRequests",
            "RequiresRepublish?",
            "Modes",
            "Age",
        ),
        _csi_driver,
    ),
    "VolumeAttachment.storage.k8s.io": Printer(
        columns("Name", "Attacher*", "PV", "Node", "Attached?", "Age"), _attachment
    ),
    "ValidatingAdmissionPolicy.admissionregistration.k8s.io": Printer(
        columns("Name", "Validations#", "ParamKind", "Age"), _policy
    ),
    "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io": Printer(
        columns("Name", "PolicyName", "ParamRef", "Age"), _policy_binding
    ),
    "PodTemplate.": Printer(columns("Name", "Containers", "Images", "Pod Labels"), _pod_template),
}
