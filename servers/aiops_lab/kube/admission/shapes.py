"""Refuses objects whose fields have the wrong JSON type, as decoding into Go types does.

Only fields that this program reads are checked; the rest is kept as sent.
"""

from collections.abc import Iterator
from typing import Any

from aiops_lab.kube.bodies import go_kind
from aiops_lab.kube.errors import ApiError, bad_request
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj

_TEXT_MAP = {"*": str}
_SELECTOR: dict[str, Any] = {
    "matchLabels": _TEXT_MAP,
    "matchExpressions": [{"key": str, "operator": str, "values": [str]}],
}
_META: dict[str, Any] = {
    "name": str,
    "generateName": str,
    "namespace": str,
    "uid": str,
    "resourceVersion": str,
    "labels": _TEXT_MAP,
    "annotations": _TEXT_MAP,
    "finalizers": [str],
    "ownerReferences": [{"apiVersion": str, "kind": str, "name": str, "uid": str}],
    "deletionTimestamp": str,
    "creationTimestamp": str,
    "managedFields": [dict],
}
_CONTAINER: dict[str, Any] = {
    "name": str,
    "image": str,
    "imagePullPolicy": str,
    "command": [str],
    "args": [str],
    "env": [{"name": str, "value": str, "valueFrom": dict}],
    "envFrom": [dict],
    "ports": [{"containerPort": int, "name": str, "protocol": str}],
    "resources": {"requests": dict, "limits": dict},
    "volumeMounts": [{"name": str, "mountPath": str}],
    "livenessProbe": {"httpGet": dict},
    "readinessProbe": {"httpGet": dict},
    "startupProbe": {"httpGet": dict},
    "securityContext": dict,
}
_POD_SPEC: dict[str, Any] = {
    "containers": [_CONTAINER],
    "initContainers": [_CONTAINER],
    "ephemeralContainers": [_CONTAINER],
    "volumes": [{"name": str}],
    "nodeName": str,
    "nodeSelector": _TEXT_MAP,
    "tolerations": [{"key": str}],
    "restartPolicy": str,
    "terminationGracePeriodSeconds": int,
    "serviceAccountName": str,
    "schedulerName": str,
    "hostNetwork": bool,
    "imagePullSecrets": [{"name": str}],
}
_TEMPLATE: dict[str, Any] = {"metadata": _META, "spec": _POD_SPEC}
_WORKLOAD: dict[str, Any] = {
    "spec": {
        "replicas": int,
        "selector": _SELECTOR,
        "template": _TEMPLATE,
        "strategy": {"type": str, "rollingUpdate": dict},
        "updateStrategy": {"type": str, "rollingUpdate": dict},
        "paused": bool,
        "minReadySeconds": int,
        "revisionHistoryLimit": int,
        "progressDeadlineSeconds": int,
        "parallelism": int,
        "completions": int,
        "backoffLimit": int,
        "suspend": bool,
    },
    "status": dict,
}
_SUBJECTS: dict[str, Any] = {
    "subjects": [{"kind": str, "name": str, "namespace": str}],
    "roleRef": {"kind": str, "name": str},
}
_RULES: dict[str, Any] = {
    "rules": [{"verbs": [str], "apiGroups": [str], "resources": [str], "resourceNames": [str]}]
}
_EVENT: dict[str, Any] = {
    "involvedObject": {"kind": str, "name": str, "namespace": str},
    "reason": str,
    "message": str,
    "type": str,
    "source": {"component": str},
    "count": int,
    "series": {"count": int},
}
_DEFINITION: dict[str, Any] = {
    "spec": {
        "group": str,
        "scope": str,
        "names": {"plural": str, "kind": str, "singular": str, "shortNames": [str], "categories": [str]},
        "versions": [
            {
                "name": str,
                "served": bool,
                "subresources": dict,
                "additionalPrinterColumns": [{"name": str, "type": str, "jsonPath": str, "priority": int}],
            }
        ],
    },
    "status": dict,
}
_PRINTED: dict[str, dict[str, Any]] = {
    "Ingress.networking.k8s.io": {
        "spec": {"rules": [{"host": str}], "tls": [dict], "ingressClassName": str},
        "status": {"loadBalancer": {"ingress": [dict]}},
    },
    "Endpoints.": {"subsets": [{"addresses": [{"ip": str}], "ports": [{"port": int}]}]},
    "EndpointSlice.discovery.k8s.io": {"endpoints": [{"addresses": [str]}], "ports": [{"port": int}]},
    "NetworkPolicy.networking.k8s.io": {"spec": {"podSelector": _SELECTOR}},
    "PersistentVolumeClaim.": {
        "spec": {"accessModes": [str], "volumeName": str},
        "status": {"accessModes": [str], "capacity": dict},
    },
    "PersistentVolume.": {"spec": {"accessModes": [str], "claimRef": dict}, "status": dict},
    "ResourceQuota.": {"spec": {"hard": dict}, "status": {"hard": dict, "used": dict}},
    "ServiceAccount.": {"secrets": [dict]},
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": {"webhooks": [dict]},
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": {"webhooks": [dict]},
    "APIService.apiregistration.k8s.io": {"spec": {"service": dict}, "status": {"conditions": [dict]}},
    "IngressClass.networking.k8s.io": {"spec": {"parameters": dict}},
}
_ANY: dict[str, Any] = {"spec": dict, "status": dict}
_SHAPES: dict[str, dict[str, Any]] = {
    **_PRINTED,
    "Pod.": {"spec": _POD_SPEC, "status": {"phase": str, "conditions": [dict], "containerStatuses": [dict]}},
    "Deployment.apps": _WORKLOAD,
    "ReplicaSet.apps": _WORKLOAD,
    "StatefulSet.apps": _WORKLOAD,
    "DaemonSet.apps": _WORKLOAD,
    "Job.batch": _WORKLOAD,
    "CronJob.batch": {"spec": {"schedule": str, "suspend": bool, "jobTemplate": _WORKLOAD}, "status": dict},
    "Service.": {
        "spec": {"type": str, "selector": _TEXT_MAP, "clusterIP": str, "ports": [{"port": int, "name": str}]},
        "status": dict,
    },
    "ConfigMap.": {"data": _TEXT_MAP, "binaryData": _TEXT_MAP, "immutable": bool},
    "Secret.": {"data": _TEXT_MAP, "stringData": _TEXT_MAP, "type": str, "immutable": bool},
    "Node.": {
        "spec": {"unschedulable": bool, "taints": [{"key": str, "effect": str}]},
        "status": {"conditions": [dict], "addresses": [dict]},
    },
    "Namespace.": {"spec": {"finalizers": [str]}, "status": {"phase": str}},
    "Event.": _EVENT,
    "HorizontalPodAutoscaler.autoscaling": {
        "spec": {
            "minReplicas": int,
            "maxReplicas": int,
            "scaleTargetRef": {"kind": str, "name": str},
            "metrics": [dict],
        },
        "status": dict,
    },
    "PodDisruptionBudget.policy": {"spec": {"selector": _SELECTOR}, "status": dict},
    "Role.rbac.authorization.k8s.io": _RULES,
    "ClusterRole.rbac.authorization.k8s.io": _RULES,
    "RoleBinding.rbac.authorization.k8s.io": _SUBJECTS,
    "ClusterRoleBinding.rbac.authorization.k8s.io": _SUBJECTS,
    "CustomResourceDefinition.apiextensions.k8s.io": _DEFINITION,
}
_GO_NAMES = {str: "string", int: "int32", bool: "bool"}
# The Go struct that holds a field, by the name of what the field stands in.
_HOLDERS = {
    "metadata": "ObjectMeta",
    "template": "PodTemplateSpec",
    "containers": "Container",
    "initContainers": "Container",
    "env": "EnvVar",
    "volumes": "Volume",
    "volumeMounts": "VolumeMount",
    "tolerations": "Toleration",
    "selector": "LabelSelector",
}
_Misfit = tuple[str, Any, str]  # path, value, the Go type wanted


def check_shape(resource: Resource, obj: Obj) -> None:
    """Raises ApiError 400 at the first field of a wrong type."""
    shape: dict[str, Any] = {
        "metadata": _META,
        **_SHAPES.get(resource.storage, _ANY),
    }
    if _fits(obj, shape):
        return
    for path, value, wanted in _misfits(obj, shape, ""):
        raise _refused(resource, path, value, wanted)


def _fits(value: Any, shape: Any) -> bool:
    """Whether `_misfits` finds nothing: asked for every write, so without paths and generators."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and _fits_map(value, shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(item is not None and _fits(item, shape[0]) for item in value)
    return isinstance(value, shape) and not (shape is int and isinstance(value, bool))


def _fits_map(value: Obj, shape: dict[str, Any]) -> bool:
    of_each = shape.get("*")
    for key, held in value.items():
        inner = of_each or shape.get(key)
        if inner is None or held is None or type(held) is inner:
            continue
        kind = type(inner)  # maps and lists of maps are most of it: no call for their outside
        if kind is dict and type(held) is dict:
            fits = _fits_map(held, inner)
        elif kind is list and type(held) is list and type(inner[0]) is dict:
            fits = all(type(each) is dict and _fits_map(each, inner[0]) for each in held)
        else:
            fits = _fits(held, inner)
        if not fits:
            return False
    return True


def _misfits(value: Any, shape: Any, path: str) -> Iterator[_Misfit]:
    if value is None or shape is object:
        return
    if isinstance(shape, dict):
        yield from _misfit_map(value, shape, path)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield path, value, f"[]{_go_type(shape[0], path)}"
            return
        for item in value:
            if item is None:
                yield path, item, _go_type(shape[0], path)
            yield from _misfits(item, shape[0], path)
    elif not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        yield path, value, _go_type(shape, path)


def _misfit_map(value: Any, shape: dict[str, Any], path: str) -> Iterator[_Misfit]:
    if not isinstance(value, dict):
        yield path, value, _go_type(shape, path)
        return
    if "*" in shape:
        for held in value.values():
            yield from _misfits(held, shape["*"], path)  # Go names the map, not the key
        return
    for key, inner in shape.items():
        if (held := value.get(key)) is not None:
            yield from _misfits(held, inner, f"{path}.{key}" if path else key)


def _go_type(shape: Any, path: str) -> str:
    if isinstance(shape, dict) and "*" in shape:
        return f"map[string]{_go_type(shape['*'], path)}"
    if isinstance(shape, list):
        return f"[]{_go_type(shape[0], path)}"
    if isinstance(shape, dict) or shape is dict:
        return f"v1.{_HOLDERS.get(path.rpartition('.')[2], path.rpartition('.')[2].capitalize())}"
    return _GO_NAMES[shape]


def _holder(kind: str, path: str) -> str:
    parents = path.split(".")[:-1]
    if not parents:
        return kind
    if parents[-1] in {"spec", "status"}:
        in_pod = kind == "Pod" or "template" in parents
        return f"{'Pod' if in_pod else kind}{parents[-1].capitalize()}"
    return _HOLDERS.get(parents[-1], kind)


def _refused(resource: Resource, path: str, value: Any, wanted: str) -> ApiError:
    kind = resource.kind
    return bad_request(
        f'{kind} in version "{resource.version}" cannot be handled as a {kind}: json: cannot unmarshal '
        f"{go_kind(value)} into Go struct field {_holder(kind, path)}.{path} of type {wanted}"
    )
