"""Fields that no schema knows: refused when asked to be strict, else dropped with a warning.

Field names of the types in k8s.io/api (apps/v1, core/v1, meta/v1), for pods and workloads only; other
kinds keep what they are sent.
"""

from collections.abc import Iterator

from aiops_lab.kube.errors import ApiError, bad_request
from aiops_lab.kube.resources import Resource
from aiops_lab.kube.wire import Obj, dig

_TOP = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_META = frozenset(
    [
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "labels",
        "annotations",
        "ownerReferences",
        "finalizers",
        "managedFields",
    ]
)
_POD_SPEC = frozenset(
    [
        "volumes",
        "initContainers",
        "containers",
        "ephemeralContainers",
        "restartPolicy",
        "terminationGracePeriodSeconds",
        "activeDeadlineSeconds",
        "dnsPolicy",
        "nodeSelector",
        "serviceAccountName",
        "serviceAccount",
        "automountServiceAccountToken",
        "nodeName",
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "shareProcessNamespace",
        "securityContext",
        "imagePullSecrets",
        "hostname",
        "subdomain",
        "affinity",
        "schedulerName",
        "tolerations",
        "hostAliases",
        "priorityClassName",
        "priority",
        "dnsConfig",
        "readinessGates",
        "runtimeClassName",
        "enableServiceLinks",
        "preemptionPolicy",
        "overhead",
        "topologySpreadConstraints",
        "setHostnameAsFQDN",
        "os",
        "hostUsers",
        "schedulingGates",
        "resourceClaims",
        "resources",
    ]
)
_CONTAINER = frozenset(
    [
        "name",
        "image",
        "command",
        "args",
        "workingDir",
        "ports",
        "envFrom",
        "env",
        "resources",
        "resizePolicy",
        "restartPolicy",
        "volumeMounts",
        "volumeDevices",
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "imagePullPolicy",
        "securityContext",
        "stdin",
        "stdinOnce",
        "tty",
        "targetContainerName",
    ]
)
_SPECS: dict[str, frozenset[str]] = {
    "Deployment.apps": frozenset(
        [
            "replicas",
            "selector",
            "template",
            "strategy",
            "minReadySeconds",
            "revisionHistoryLimit",
            "paused",
            "progressDeadlineSeconds",
        ]
    ),
    "ReplicaSet.apps": frozenset(["replicas", "minReadySeconds", "selector", "template"]),
    "StatefulSet.apps": frozenset(
        [
            "replicas",
            "selector",
            "template",
            "volumeClaimTemplates",
            "serviceName",
            "podManagementPolicy",
            "updateStrategy",
            "revisionHistoryLimit",
            "minReadySeconds",
            "persistentVolumeClaimRetentionPolicy",
            "ordinals",
        ]
    ),
    "DaemonSet.apps": frozenset(
        ["selector", "template", "updateStrategy", "minReadySeconds", "revisionHistoryLimit"]
    ),
    "Pod.": _POD_SPEC,
}
_Found = tuple[Obj, str, str]  # holder, key, path


def settle_unknown(resource: Resource, obj: Obj, mode: str) -> list[str]:
    """Drop unknown fields in place and return their paths; `Strict` refuses them. Raises ApiError 400."""
    if mode not in {"", "Ignore", "Warn", "Strict"}:
        raise bad_request(f"invalid fieldValidation {mode[:40]!r}: must be Ignore, Warn or Strict")
    found = list(_unknown(resource, obj))
    if found and mode == "Strict":
        raise _refused(resource, [path for _, _, path in found])
    for holder, key, _ in found:
        del holder[key]
    return [] if mode == "Ignore" else [path for _, _, path in found]


def _refused(resource: Resource, paths: list[str]) -> ApiError:
    said = ", ".join(f'unknown field "{path}"' for path in paths[:20])
    return bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
        f"strict decoding error: {said}"
    )


def _unknown(resource: Resource, obj: Obj) -> Iterator[_Found]:
    known = _SPECS.get(resource.storage)
    if known is None:
        return
    yield from _beside(obj, _TOP, "")
    yield from _beside(obj.get("metadata"), _META, "metadata.")
    yield from _beside(obj.get("spec"), known, "spec.")
    path = () if resource.storage == "Pod." else ("template",)
    if path:
        yield from _beside(dig(obj, "spec", "template"), frozenset({"metadata", "spec"}), "spec.template.")
    where = ("spec", *path, "spec") if path else ("spec",)
    yield from _in_pod_spec(dig(obj, *where), ".".join(where) + ".")


def _in_pod_spec(spec: object, prefix: str) -> Iterator[_Found]:
    if not isinstance(spec, dict):
        return
    if prefix != "spec.":
        yield from _beside(spec, _POD_SPEC, prefix)
    for part in ("containers", "initContainers", "ephemeralContainers"):
        held = spec.get(part)
        for index, container in enumerate(held if isinstance(held, list) else []):
            yield from _beside(container, _CONTAINER, f"{prefix}{part}[{index}].")


def _beside(holder: object, known: frozenset[str], prefix: str) -> Iterator[_Found]:
    if isinstance(holder, dict):
        yield from [(holder, key, prefix + key) for key in holder if key not in known and key[:1] != "$"]
