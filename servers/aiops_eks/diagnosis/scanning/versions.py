"""API versions that newer Kubernetes does not serve, with what to write instead.

Source: https://kubernetes.io/docs/reference/using-api/deprecation-guide/. A version is rewritten only where
the newer one has the same fields; elsewhere the guide names what moved.
"""

from collections.abc import Iterator

from aiops_eks.diagnosis.scanning.checking import Check, Hit
from aiops_eks.diagnosis.scanning.subjects import Spot, mapping

_SOURCE = "https://kubernetes.io/docs/reference/using-api/deprecation-guide/"
_RBAC = ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")
_APPS = ("Deployment", "DaemonSet", "ReplicaSet", "StatefulSet", "ControllerRevision")
_FLOW = ("FlowSchema", "PriorityLevelConfiguration")

# (old version, kinds, removed in, new version, same fields)
_REMOVED: tuple[tuple[str, tuple[str, ...], str, str, bool], ...] = (
    ("extensions/v1beta1", ("Deployment", "DaemonSet", "ReplicaSet"), "1.16", "apps/v1", True),
    ("extensions/v1beta1", ("NetworkPolicy",), "1.16", "networking.k8s.io/v1", True),
    ("extensions/v1beta1", ("Ingress",), "1.22", "networking.k8s.io/v1", False),
    ("apps/v1beta1", _APPS, "1.16", "apps/v1", True),
    ("apps/v1beta2", _APPS, "1.16", "apps/v1", True),
    ("networking.k8s.io/v1beta1", ("Ingress",), "1.22", "networking.k8s.io/v1", False),
    ("networking.k8s.io/v1beta1", ("IngressClass",), "1.22", "networking.k8s.io/v1", True),
    ("rbac.authorization.k8s.io/v1beta1", _RBAC, "1.22", "rbac.authorization.k8s.io/v1", True),
    ("rbac.authorization.k8s.io/v1alpha1", _RBAC, "1.22", "rbac.authorization.k8s.io/v1", True),
    ("scheduling.k8s.io/v1beta1", ("PriorityClass",), "1.22", "scheduling.k8s.io/v1", True),
    (
        "storage.k8s.io/v1beta1",
        ("StorageClass", "CSIDriver", "CSINode", "VolumeAttachment"),
        "1.22",
        "storage.k8s.io/v1",
        True,
    ),
    ("storage.k8s.io/v1beta1", ("CSIStorageCapacity",), "1.27", "storage.k8s.io/v1", True),
    ("coordination.k8s.io/v1beta1", ("Lease",), "1.22", "coordination.k8s.io/v1", True),
    (
        "admissionregistration.k8s.io/v1beta1",
        ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
        "1.22",
        "admissionregistration.k8s.io/v1",
        False,
    ),
    ("apiextensions.k8s.io/v1beta1", ("CustomResourceDefinition",), "1.22", "apiextensions.k8s.io/v1", False),
    ("apiregistration.k8s.io/v1beta1", ("APIService",), "1.22", "apiregistration.k8s.io/v1", True),
    ("certificates.k8s.io/v1beta1", ("CertificateSigningRequest",), "1.22", "certificates.k8s.io/v1", False),
    ("batch/v1beta1", ("CronJob",), "1.25", "batch/v1", True),
    ("policy/v1beta1", ("PodDisruptionBudget",), "1.25", "policy/v1", True),
    ("policy/v1beta1", ("PodSecurityPolicy",), "1.25", "Pod Security Admission", False),
    ("discovery.k8s.io/v1beta1", ("EndpointSlice",), "1.25", "discovery.k8s.io/v1", False),
    ("events.k8s.io/v1beta1", ("Event",), "1.25", "events.k8s.io/v1", False),
    ("node.k8s.io/v1beta1", ("RuntimeClass",), "1.25", "node.k8s.io/v1", True),
    ("autoscaling/v2beta1", ("HorizontalPodAutoscaler",), "1.25", "autoscaling/v2", False),
    ("autoscaling/v2beta2", ("HorizontalPodAutoscaler",), "1.26", "autoscaling/v2", True),
    ("flowcontrol.apiserver.k8s.io/v1beta1", _FLOW, "1.26", "flowcontrol.apiserver.k8s.io/v1", False),
    ("flowcontrol.apiserver.k8s.io/v1beta2", _FLOW, "1.29", "flowcontrol.apiserver.k8s.io/v1", False),
    ("flowcontrol.apiserver.k8s.io/v1beta3", _FLOW, "1.32", "flowcontrol.apiserver.k8s.io/v1", False),
)
_BY_NAME = {
    (version, kind): (gone, new, same) for version, kinds, gone, new, same in _REMOVED for kind in kinds
}


def _replacement(spot: Spot) -> tuple[str, str, bool] | None:
    found = _BY_NAME.get((str(spot.obj.get("apiVersion")), spot.kind))
    if found is None:
        return None
    gone, new, same = found
    spec = mapping(spot.obj, "spec")
    if new == "apps/v1":  # the selector had a default before
        same = same and bool(mapping(spec, "selector")) and "rollbackTo" not in spec
    if new == "policy/v1":  # an empty selector selected nothing before, and everything since
        same = same and bool(mapping(spec, "selector"))
    return gone, new, same


def removed(spot: Spot) -> Iterator[Hit]:
    """A version that is gone."""
    if (found := _replacement(spot)) is not None:
        gone, new, same = found
        says = f"{spot.obj.get('apiVersion')} {spot.kind} is not served since {gone}: {new}"
        yield Hit("apiVersion", says, fixable=same)


def _renew(spot: Spot) -> str | None:
    found = _replacement(spot)
    if found is not None and found[2]:
        spot.obj["apiVersion"] = found[1]
    return None


CHECKS = (
    Check("removed-api", "high", "practice", "object", "use the newer version", _SOURCE, removed, _renew),
)
