"""What the server fills in where the client said nothing, as far as controllers and printers read it.

After the `defaults.go` and `strategy.go` of each API group.
"""

import base64
import zlib
from collections.abc import Callable

from aiops_lab.kube.admission.pod_defaults import default_pod, default_pod_spec, fill
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, dig, name_of

_ROLLING: Obj = {"maxSurge": "25%", "maxUnavailable": "25%"}


def with_defaults(resource: Resource, obj: Obj) -> Obj:
    """Fill in a kind's defaults, in place; returns the same object."""
    default = _DEFAULTS.get(resource.storage)
    if default is not None:
        default(obj)
    return obj


def _template(obj: Obj) -> Obj:
    """Default a workload's pod template; returns the workload's spec."""
    spec: Obj = obj.setdefault("spec", {})
    if isinstance(pod_spec := dig(spec, "template", "spec"), dict):
        default_pod_spec(pod_spec)
    return spec


def _deployment(obj: Obj) -> None:
    spec = _template(obj)
    fill(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    strategy = spec.setdefault("strategy", {})
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        fill(strategy, {"rollingUpdate": {}})
        fill(strategy["rollingUpdate"], _ROLLING)


def _replica_set(obj: Obj) -> None:
    fill(_template(obj), {"replicas": 1})
    if labels := dig(obj, "spec", "template", "metadata", "labels"):
        fill(obj["metadata"], {"labels": dict(labels)})


def _stateful_set(obj: Obj) -> None:
    spec = _template(obj)
    fill(spec, {"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"})
    fill(spec, {"serviceName": ""})
    fill(spec, {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}})
    strategy = spec.setdefault("updateStrategy", {})
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        fill(strategy, {"rollingUpdate": {"partition": 0}})


def _daemon_set(obj: Obj) -> None:
    spec = _template(obj)
    fill(spec, {"revisionHistoryLimit": 10})
    strategy = spec.setdefault("updateStrategy", {})
    fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        fill(strategy, {"rollingUpdate": {}})
        fill(strategy["rollingUpdate"], {"maxSurge": 0, "maxUnavailable": 1})


def _job(obj: Obj) -> None:
    spec = _template(obj)
    fill(spec, {"parallelism": 1, "backoffLimit": 6, "completionMode": "NonIndexed", "suspend": False})
    fill(spec, {"completions": 1} if spec["parallelism"] == 1 else {})
    replaced = "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed"
    fill(spec, {"manualSelector": False, "podReplacementPolicy": replaced})
    if spec.get("selector") or spec.get("manualSelector") or not isinstance(spec.get("template"), dict):
        return
    uid, name = obj["metadata"]["uid"], name_of(obj)
    own = {"batch.kubernetes.io/controller-uid": uid}
    spec["selector"] = {"matchLabels": own}
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    labels |= {**own, "batch.kubernetes.io/job-name": name, "controller-uid": uid, "job-name": name}
    if not obj["metadata"].get("labels"):
        obj["metadata"]["labels"] = dict(labels)  # SetDefaults_Job, which runs on what is read from etcd too


def _cron_job(obj: Obj) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, {"concurrencyPolicy": "Allow", "suspend": False})
    fill(spec, {"successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1})
    if isinstance(pod_spec := dig(spec, "jobTemplate", "spec", "template", "spec"), dict):
        default_pod_spec(pod_spec)


def _service(obj: Obj) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, {"type": "ClusterIP", "sessionAffinity": "None"})
    for port in spec.get("ports") or []:
        fill(port, {"protocol": "TCP"})
        fill(port, {"targetPort": port.get("port")})
    if spec["type"] == "ExternalName":
        return
    seed = zlib.crc32(obj["metadata"]["uid"].encode())
    fill(spec, {"clusterIP": f"172.20.{seed >> 8 & 0xFF}.{seed % 254 + 1}"})
    fill(spec, {"clusterIPs": [spec["clusterIP"]], "internalTrafficPolicy": "Cluster"})
    fill(spec, {"ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"})
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        fill(spec, {"externalTrafficPolicy": "Cluster"})
        for index, port in enumerate(spec.get("ports") or []):
            fill(port, {"nodePort": 30000 + (seed + index) % 2768})
    obj.setdefault("status", {"loadBalancer": {}})


def _namespace(obj: Obj) -> None:
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = name_of(obj)
    obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    obj.setdefault("status", {"phase": "Active"})


def _secret(obj: Obj) -> None:
    fill(obj, {"type": "Opaque"})
    for key, value in (obj.pop("stringData", None) or {}).items():
        obj.setdefault("data", {})[key] = base64.b64encode(str(value).encode()).decode()


def _claim(obj: Obj) -> None:
    fill(obj.setdefault("spec", {}), {"volumeMode": "Filesystem"})
    obj.setdefault("status", {"phase": "Pending"})


def _volume(obj: Obj) -> None:
    fill(obj.setdefault("spec", {}), {"volumeMode": "Filesystem", "persistentVolumeReclaimPolicy": "Retain"})
    obj.setdefault("status", {"phase": "Pending"})


def _autoscaler(obj: Obj) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, {"minReplicas": 1})
    average = {"type": "Utilization", "averageUtilization": 80}
    fill(spec, {"metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": average}}]})
    obj.setdefault("status", {"currentMetrics": None, "desiredReplicas": 0})


def _priority_class(obj: Obj) -> None:
    fill(obj, {"preemptionPolicy": "PreemptLowerPriority"})


def _webhooks(obj: Obj) -> None:
    for hook in obj.get("webhooks") or []:
        fill(hook, {"failurePolicy": "Fail", "matchPolicy": "Equivalent", "timeoutSeconds": 10})
        fill(hook, {"namespaceSelector": {}, "objectSelector": {}})
        if obj["kind"].startswith("Mutating"):
            fill(hook, {"reinvocationPolicy": "Never"})
        for rule in hook.get("rules") or []:
            fill(rule, {"scope": "*"})
        if isinstance(service := dig(hook, "clientConfig", "service"), dict):
            fill(service, {"port": 443})


def _storage_class(obj: Obj) -> None:
    fill(obj, {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"})


def _csi_driver(obj: Obj) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, {"attachRequired": True, "podInfoOnMount": False, "storageCapacity": False})
    fill(spec, {"requiresRepublish": False, "seLinuxMount": False})
    fill(spec, {"fsGroupPolicy": "ReadWriteOnceWithFSType", "volumeLifecycleModes": ["Persistent"]})


def _network_policy(obj: Obj) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, {"policyTypes": ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]})


def _limit_range(obj: Obj) -> None:
    """A maximum is the default limit, a default limit or a minimum the default request."""
    for item in dig(obj, "spec", "limits", default=[]) or []:
        if item.get("type") == "Container":
            limits = {**(item.get("max") or {}), **(item.get("default") or {})}
            requests = {**(item.get("min") or {}), **limits, **(item.get("defaultRequest") or {})}
            item["default"], item["defaultRequest"] = limits, requests


def _definition(obj: Obj) -> None:
    names = dig(obj, "spec", "names", default={})
    if isinstance(names, dict) and names.get("kind"):
        fill(names, {"singular": str(names["kind"]).lower(), "listKind": f"{names['kind']}List"})
    accepted = [
        {"type": kind, "status": "True", "reason": "Accepted"} for kind in ("NamesAccepted", "Established")
    ]
    obj.setdefault("status", {"conditions": accepted, "acceptedNames": names})


_DEFAULTS: dict[str, Callable[[Obj], None]] = {
    "Pod.": default_pod,
    "Deployment.apps": _deployment,
    "ReplicaSet.apps": _replica_set,
    "StatefulSet.apps": _stateful_set,
    "DaemonSet.apps": _daemon_set,
    "Job.batch": _job,
    "CronJob.batch": _cron_job,
    "Service.": _service,
    "Namespace.": _namespace,
    "Secret.": _secret,
    "PersistentVolumeClaim.": _claim,
    "PersistentVolume.": _volume,
    "HorizontalPodAutoscaler.autoscaling": _autoscaler,
    "LimitRange.": _limit_range,
    "StorageClass.storage.k8s.io": _storage_class,
    "PriorityClass.scheduling.k8s.io": _priority_class,
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": _webhooks,
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": _webhooks,
    "CSIDriver.storage.k8s.io": _csi_driver,
    "NetworkPolicy.networking.k8s.io": _network_policy,
    "CustomResourceDefinition.apiextensions.k8s.io": _definition,
}
