"""Defaults of pods and pod templates.

After pkg/apis/core/v1/defaults.go and the admission plugins that are on by default.
"""

from typing import Any

from aiops_lab.kube.quantities import parse_quantity
from aiops_lab.kube.wire import Obj, dig

_POD_SPEC: Obj = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "schedulerName": "default-scheduler",
}
_CONTAINER: Obj = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE: Obj = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_NODE_TROUBLE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_MODE_0644 = 420


def fill(obj: Obj, defaults: Obj) -> None:
    """Set what is not set yet."""
    for key, value in defaults.items():
        if obj.get(key) is None:
            obj[key] = value


def default_pod_spec(spec: Obj) -> None:
    """The defaults that a template gets as well as a pod."""
    fill(spec, {**_POD_SPEC, "securityContext": {}})
    if name := spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", name)
    for field in ("containers", "initContainers", "ephemeralContainers"):
        for container in spec.get(field) or []:
            _default_container(container)
    for volume in spec.get("volumes") or []:
        for source in ("configMap", "secret", "projected", "downwardAPI"):
            if isinstance(volume.get(source), dict):
                volume[source].setdefault("defaultMode", _MODE_0644)


def _default_container(container: Obj) -> None:
    fill(container, {**_CONTAINER, "imagePullPolicy": _pull_policy(str(container.get("image", "")))})
    fill(container, {"resources": {}})
    for port in container.get("ports") or []:
        fill(port, {"protocol": "TCP"})
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(probe := container.get(name), dict):
            fill(probe, _PROBE)
            if isinstance(probe.get("httpGet"), dict):
                fill(probe["httpGet"], {"path": "/", "scheme": "HTTP"})


def _pull_policy(image: str) -> str:
    last = image.rpartition("/")[2]
    tagged = "@" in image or (":" in last and not last.endswith(":latest"))
    return "IfNotPresent" if tagged else "Always"


def default_pod(pod: Obj) -> None:
    """What only a pod gets: account, tolerations, requests from limits, its first status."""
    spec = pod.setdefault("spec", {})
    spec.setdefault("serviceAccountName", "default")
    default_pod_spec(spec)
    fill(spec, {"priority": 0, "preemptionPolicy": "PreemptLowerPriority", "enableServiceLinks": True})
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        resources = container["resources"]
        if limits := resources.get("limits"):
            resources["requests"] = {**limits, **(resources.get("requests") or {})}
    tolerations = spec.setdefault("tolerations", [])
    for key in _NODE_TROUBLE:
        if not any(t.get("key") in {key, None} for t in tolerations):
            tolerations.append(
                {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            )
    pod.setdefault("status", {"phase": "Pending", "qosClass": qos_class(spec)})


def qos_class(spec: Obj) -> str:
    """Guaranteed, Burstable or BestEffort, by requests and limits of every container."""
    containers: list[Any] = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    whole = [
        dig(c, "resources", part, r)
        for c in containers
        for part in ("requests", "limits")
        for r in ("cpu", "memory")
    ]
    if not any(whole):
        return "BestEffort"
    guaranteed = all(
        dig(c, "resources", "limits", r) is not None
        and parse_quantity(dig(c, "resources", "limits", r))
        == parse_quantity(dig(c, "resources", "requests", r))
        for c in containers
        for r in ("cpu", "memory")
    )
    return "Guaranteed" if guaranteed else "Burstable"
