"""Refuses what a real server refuses: one 422 with a cause per field.

The rules that clients of the lab meet, not all of them; admission webhooks and quotas are not played.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice

from aiops_lab.kube.admission.names import metadata_errors, name_errors
from aiops_lab.kube.admission.pods import pod_change_errors, pod_spec_errors, required, unsupported
from aiops_lab.kube.admission.shapes import check_shape
from aiops_lab.kube.errors import FieldError, invalid
from aiops_lab.kube.gotext import go_labels, go_selector, go_strings
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.selectors import matches_selector
from aiops_lab.kube.wire import Obj, dig, name_of

Check = Callable[[Obj, "Obj | None"], Iterator[FieldError]]
_MOST_ERRORS = 20
_IMMUTABLE = "field is immutable"
_MOST_DATA_BYTES = 1024 * 1024
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_DATA_KEY_WORDS = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
    "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)
_NOT_NEGATIVE = "must be greater than or equal to 0"


def validate(resource: Resource, new: Obj, old: Obj | None) -> None:
    """Check an object before it is stored. Raises ApiError 400 (wrong type) or 422."""
    check_shape(resource, new)
    errors = list(islice(_errors(resource, new, old), _MOST_ERRORS))
    if errors:
        raise invalid(resource, name_of(new), errors)


def _errors(resource: Resource, new: Obj, old: Obj | None) -> Iterator[FieldError]:
    if old is None:
        yield from name_errors(resource, new)
    else:
        yield from _late_finalizers(new["metadata"], old["metadata"])
    yield from metadata_errors(new["metadata"])
    check = _CHECKS.get(resource.storage)
    if check is not None:
        yield from check(new, old)


def _late_finalizers(meta: Obj, old: Obj) -> Iterator[FieldError]:
    """Nothing that dies gets another reason to wait (`ValidateObjectMetaUpdate`)."""
    late = [name for name in meta.get("finalizers") or [] if name not in (old.get("finalizers") or [])]
    if late and "deletionTimestamp" in old:
        words = "no new finalizers can be added if the object is being deleted, found new finalizers "
        yield FieldError("metadata.finalizers", words + go_strings(sorted(late)), None, "Forbidden")


def _unchanged(new: Obj, old: Obj | None, *path: str) -> Iterator[FieldError]:
    if old is not None and dig(new, *path) != dig(old, *path):
        value = dig(new, *path)
        shown = go_selector(value) if path[-1] == "selector" else value
        yield FieldError(".".join(path), _IMMUTABLE, shown)


def _replicas(new: Obj) -> Iterator[FieldError]:
    replicas = dig(new, "spec", "replicas", default=0)
    if replicas < 0:
        yield FieldError("spec.replicas", _NOT_NEGATIVE, replicas)


def _workload(new: Obj, old: Obj | None) -> Iterator[FieldError]:
    yield from _replicas(new)
    selector = dig(new, "spec", "selector")
    yield from _selector(selector)
    labels = dig(new, "spec", "template", "metadata", "labels", default={})
    if selector is None:
        yield required("spec.selector")
    elif not (selector.get("matchLabels") or selector.get("matchExpressions")):
        kind = str(new["kind"]).lower()
        yield FieldError("spec.selector", f"empty selector is invalid for {kind}", go_selector(selector))
    if selector is None or not matches_selector(selector, labels):
        words = "`selector` does not match template `labels`"
        yield FieldError("spec.template.metadata.labels", words, go_labels(labels))
    yield from metadata_errors(dig(new, "spec", "template", "metadata", default={}), "spec.template.metadata")
    yield from pod_spec_errors(dig(new, "spec", "template", "spec"), "spec.template.spec", ("Always",))
    yield from _unchanged(new, old, "spec", "selector")


def _selector(selector: Obj | None) -> Iterator[FieldError]:
    operators = ("DoesNotExist", "Exists", "In", "NotIn")
    for index, one in enumerate((selector or {}).get("matchExpressions") or []):
        field = f"spec.selector.matchExpressions[{index}]"
        if not one.get("key"):
            yield required(f"{field}.key")
        if one.get("operator") not in operators:
            yield unsupported(f"{field}.operator", one.get("operator"), operators)
        elif one["operator"] in {"In", "NotIn"} and not one.get("values"):
            yield required(f"{field}.values", "must be specified when `operator` is 'In' or 'NotIn'")


def _stateful(new: Obj, old: Obj | None) -> Iterator[FieldError]:
    yield from _workload(new, old)
    frozen = ("serviceName", "podManagementPolicy", "volumeClaimTemplates")
    if old is not None and any(dig(new, "spec", f) != dig(old, "spec", f) for f in frozen):
        words = (
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
            "'minReadySeconds' are forbidden"
        )
        yield FieldError("spec", words, None, "Forbidden")


def _pod(new: Obj, old: Obj | None) -> Iterator[FieldError]:
    yield from pod_spec_errors(new.get("spec"), "spec")
    if old is not None:
        yield from pod_change_errors(new, old)


def _job(new: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = dig(new, "spec", "template", "spec")
    yield from pod_spec_errors(spec, "spec.template.spec", ("OnFailure", "Never"))
    for field in ("parallelism", "completions", "backoffLimit"):
        if (value := dig(new, "spec", field, default=0)) < 0:
            yield FieldError(f"spec.{field}", _NOT_NEGATIVE, value)
    for field in ("template", "selector"):
        yield from _unchanged(new, old, "spec", field)


def _cron_job(new: Obj, _old: Obj | None) -> Iterator[FieldError]:
    schedule = dig(new, "spec", "schedule", default="")
    if not schedule:
        yield required("spec.schedule")
    elif len(schedule.split()) != 5 and not schedule.startswith("@"):
        yield FieldError(
            "spec.schedule", f"expected exactly 5 fields, found {len(schedule.split())}", schedule
        )
    field = "spec.jobTemplate.spec.template.spec"
    yield from pod_spec_errors(dig(new, *field.split(".")), field, ("OnFailure", "Never"))


def _service(new: Obj, old: Obj | None) -> Iterator[FieldError]:
    spec = new.get("spec") or {}
    kinds = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
    if spec.get("type") not in kinds:
        yield unsupported("spec.type", spec.get("type"), kinds)
    ports = spec.get("ports") or []
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield required("spec.ports")
    for index, port in enumerate(ports):
        number = port.get("port")
        if number is None or not 0 < number < 65536:
            yield FieldError(f"spec.ports[{index}].port", "must be between 1 and 65535, inclusive", number)
        if len(ports) > 1 and not port.get("name"):
            yield required(f"spec.ports[{index}].name")
    if dig(old, "spec", "clusterIP"):
        now = dig(new, "spec", "clusterIP", default="")
        if now != dig(old, "spec", "clusterIP"):
            yield FieldError("spec.clusterIPs[0]", "may not change once set", go_strings([now]))


def _data(new: Obj, old: Obj | None) -> Iterator[FieldError]:
    data = {**(new.get("data") or {}), **(new.get("binaryData") or {})}
    if sum(len(value) for value in data.values()) > _MOST_DATA_BYTES:
        yield FieldError("[]", f"may not be more than {_MOST_DATA_BYTES} bytes", None, "Too long")
    for key in data:
        if not _DATA_KEY.fullmatch(key):
            yield FieldError(f"data[{key}]", _DATA_KEY_WORDS, key)
    if old is not None and old.get("immutable"):
        for field in ("data", "binaryData", "immutable"):
            if new.get(field) != old.get(field):
                yield FieldError(field, "field is immutable when `immutable` is set", None, "Forbidden")
    if new["kind"] == "Secret":
        yield from _unchanged(new, old, "type")


def _autoscaler(new: Obj, _old: Obj | None) -> Iterator[FieldError]:
    spec = new.get("spec") or {}
    least, most = spec.get("minReplicas") or 0, spec.get("maxReplicas") or 0
    if least < 1:
        yield FieldError("spec.minReplicas", "must be greater than or equal to 1", least)
    if most < 1:
        yield FieldError("spec.maxReplicas", "must be greater than 0", most)
    elif most < least:
        yield FieldError("spec.maxReplicas", "must be greater than or equal to `minReplicas`", most)
    for part in ("kind", "name"):
        if not dig(spec, "scaleTargetRef", part):
            yield required(f"spec.scaleTargetRef.{part}")


def _budget(new: Obj, _old: Obj | None) -> Iterator[FieldError]:
    spec = new.get("spec") or {}
    yield from _selector(spec.get("selector"))
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        yield FieldError("spec", "minAvailable and maxUnavailable cannot be both set", None)


def _node(new: Obj, _old: Obj | None) -> Iterator[FieldError]:
    effects = ("NoSchedule", "PreferNoSchedule", "NoExecute")
    for index, taint in enumerate(dig(new, "spec", "taints", default=[])):
        if taint.get("effect") not in effects:
            yield unsupported(f"spec.taints[{index}].effect", taint.get("effect"), effects)


def _claim(new: Obj, _old: Obj | None) -> Iterator[FieldError]:
    if not dig(new, "spec", "accessModes"):
        yield required("spec.accessModes", "at least 1 access mode is required")
    if not dig(new, "spec", "resources", "requests", "storage"):
        yield required("spec.resources[storage]")


def _binding(new: Obj, old: Obj | None) -> Iterator[FieldError]:
    if not dig(new, "roleRef", "name"):
        yield required("roleRef.name")
    if old is not None and new.get("roleRef") != old.get("roleRef"):
        yield FieldError("roleRef", "cannot change roleRef", new.get("roleRef"))


def _definition(new: Obj, _old: Obj | None) -> Iterator[FieldError]:
    spec = new.get("spec") or {}
    for field in ("group", "scope", "versions"):
        if not spec.get(field):
            yield required(f"spec.{field}")
    for field in ("plural", "kind"):
        if not dig(spec, "names", field):
            yield required(f"spec.names.{field}")
    expected = f"{dig(spec, 'names', 'plural')}.{spec.get('group')}"
    if name_of(new) != expected:
        yield FieldError("metadata.name", 'must be spec.names.plural+"."+spec.group', name_of(new))


_CHECKS: dict[str, Check] = {
    "Pod.": _pod,
    "Deployment.apps": _workload,
    "ReplicaSet.apps": _workload,
    "DaemonSet.apps": _workload,
    "StatefulSet.apps": _stateful,
    "Job.batch": _job,
    "CronJob.batch": _cron_job,
    "Service.": _service,
    "ConfigMap.": _data,
    "Secret.": _data,
    "HorizontalPodAutoscaler.autoscaling": _autoscaler,
    "PodDisruptionBudget.policy": _budget,
    "Node.": _node,
    "PersistentVolumeClaim.": _claim,
    "RoleBinding.rbac.authorization.k8s.io": _binding,
    "ClusterRoleBinding.rbac.authorization.k8s.io": _binding,
    "CustomResourceDefinition.apiextensions.k8s.io": _definition,
}
