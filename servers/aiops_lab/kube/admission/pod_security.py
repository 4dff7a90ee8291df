"""Pod Security Admission: what a namespace's labels forbid a pod, in the words of the real checks.

After k8s.io/pod-security-admission (admission/admission.go). Pods are refused by `enforce` and warned by
`warn`; workloads with a pod template are warned only.
"""

from collections.abc import Iterator

from aiops_lab.kube.admission.pod_security_checks import BASELINE, RESTRICTED, Check
from aiops_lab.kube.admission.review import Review
from aiops_lab.kube.wire import Obj, dig

_LABEL = "pod-security.kubernetes.io/"
_LEVELS: dict[str, tuple[Check, ...]] = {"baseline": BASELINE, "restricted": RESTRICTED}
_TEMPLATES = {
    "Deployment.apps": ("spec", "template", "spec"),
    "ReplicaSet.apps": ("spec", "template", "spec"),
    "StatefulSet.apps": ("spec", "template", "spec"),
    "DaemonSet.apps": ("spec", "template", "spec"),
    "ReplicationController.": ("spec", "template", "spec"),
    "Job.batch": ("spec", "template", "spec"),
    "CronJob.batch": ("spec", "jobTemplate", "spec", "template", "spec"),
}


def check_pod_security(review: Review, namespace: Obj | None) -> None:
    """Refuse or warn. Raises ApiError 403."""
    labels = dig(namespace, "metadata", "labels", default={}) or {}
    if (
        review.subresource
        or review.operation == "DELETE"
        or not any(key.startswith(_LABEL) for key in labels)
    ):
        return
    is_pod = review.resource.storage == "Pod."
    path = ("spec",) if is_pod else _TEMPLATES.get(review.resource.storage)
    spec = dig(review.obj, *path) if path else None
    if not isinstance(spec, dict) or (is_pod and review.operation != "CREATE" and not _matters(review)):
        return
    if is_pod and (found := violations(labels, "enforce", spec)):
        raise review.refuse(f"violates PodSecurity {found}")
    if found := violations(labels, "warn", spec):
        review.warnings.append(f"would violate PodSecurity {found}")


def _matters(review: Review) -> bool:
    """Of a pod only its images may change, which is reason to look again."""
    images = [
        [each.get("image") for each in dig(obj, "spec", "containers", default=[])] for obj in _both(review)
    ]
    return images[0] != images[1]


def _both(review: Review) -> Iterator[Obj | None]:
    yield review.new
    yield review.old


def violations(labels: dict[str, str], mode: str, spec: Obj) -> str:
    """`"restricted:latest": reason (detail), ...`; empty where the level allows the pod."""
    if mode == "warn" and f"{_LABEL}warn" not in labels:
        mode = "enforce"  # who is not told otherwise is warned of what will be refused (api.PolicyToEvaluate)
    level = labels.get(f"{_LABEL}{mode}", "privileged")
    checks = _LEVELS.get(level, RESTRICTED if level != "privileged" else ())
    found = [result for check in checks if (result := check(spec)) is not None]
    if not found:
        return ""
    shown = level if level in _LEVELS else "restricted"
    said = ", ".join(f"{reason} ({detail})" if detail else reason for reason, detail in found)
    return f'"{shown}:{labels.get(f"{_LABEL}{mode}-version", "latest")}": {said}'
