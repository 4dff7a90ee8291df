"""What the lab's identities may do in the cluster: ClusterRoles and their bindings (decision D14).

`read` sees; `plan` adds the write verbs, since a dry run is authorised like the real request; `execute` has
the same verbs and is another identity, so that one can be given without the other. Secrets may be read, since
their names, types and key names are shown; the suite never shows a value. Laid into the store before the
world is built, so that every scenario and reset starts with them.
"""

from collections.abc import Iterator

from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import Obj

RBAC = "rbac.authorization.k8s.io"
READ = ("get", "list", "watch")
WRITE = ("create", "update", "patch", "delete")

READABLE: dict[str, tuple[str, ...]] = {
    "": (
        "configmaps",
        "endpoints",
        "events",
        "limitranges",
        "namespaces",
        "nodes",
        "persistentvolumeclaims",
        "persistentvolumes",
        "pods",
        "pods/log",
        "pods/status",
        "resourcequotas",
        "secrets",
        "serviceaccounts",
        "services",
    ),
    "admissionregistration.k8s.io": ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
    "apiextensions.k8s.io": ("customresourcedefinitions",),
    "apiregistration.k8s.io": ("apiservices",),
    "apps": ("*",),
    "argoproj.io": ("*",),
    "autoscaling": ("*",),
    "autoscaling.k8s.io": ("verticalpodautoscalers",),
    "batch": ("*",),
    "cert-manager.io": ("certificates",),
    "certificates.k8s.io": ("certificatesigningrequests",),
    "coordination.k8s.io": ("leases",),
    "discovery.k8s.io": ("endpointslices",),
    "events.k8s.io": ("events",),
    "gateway.networking.k8s.io": ("*",),
    "karpenter.k8s.aws": ("*",),
    "karpenter.sh": ("*",),
    "keda.sh": ("*",),
    "metrics.k8s.io": ("nodes", "pods"),
    "networking.k8s.io": ("*",),
    "policy": ("poddisruptionbudgets",),
    RBAC: ("clusterrolebindings", "clusterroles", "rolebindings", "roles"),
    "scheduling.k8s.io": ("priorityclasses",),
    "security.istio.io": ("peerauthentications",),
    "storage.k8s.io": ("*",),
}
WRITABLE: dict[str, tuple[str, ...]] = {
    "": ("configmaps", "pods", "services"),
    "apps": ("daemonsets", "deployments", "statefulsets"),
    "autoscaling": ("horizontalpodautoscalers",),
    "batch": ("cronjobs", "jobs"),
    "networking.k8s.io": ("ingresses", "networkpolicies"),
    "policy": ("poddisruptionbudgets",),
}


def grant(store: Store) -> None:
    """Create the ClusterRoles and bind each to its group."""
    rules_of = {"read": [*_reading()], "plan": _changing(), "execute": _changing(), "ci": _pipeline()}
    for name, rules in rules_of.items():
        role = f"aiops-{name}"
        store.create(
            {
                "apiVersion": f"{RBAC}/v1",
                "kind": "ClusterRole",
                "metadata": {"name": role},
                "rules": rules,
            },
            manager="eks-aiops",
        )
        store.create(_binding(role, f"aiops:{name}"), manager="eks-aiops")


def _binding(role: str, group: str) -> Obj:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": role},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": group}],
    }


def _pipeline() -> list[Obj]:
    """What the pipeline user of the stories needs: it deploys, and it tidies up too much."""
    return [
        {"apiGroups": ["", "apps"], "resources": ["configmaps", "deployments"], "verbs": [*READ, *WRITE]},
    ]


def _reading() -> Iterator[Obj]:
    for group, resources in READABLE.items():
        yield {"apiGroups": [group], "resources": list(resources), "verbs": list(READ)}
    yield {"nonResourceURLs": ["/metrics"], "verbs": ["get"]}  # what the API server measures of itself


def _changing() -> list[Obj]:
    writes = [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(WRITE)}
        for group, resources in WRITABLE.items()
    ]
    scales = {"apiGroups": ["apps"], "resources": ["deployments/scale", "statefulsets/scale"]}
    return [
        *_reading(),
        *writes,
        {**scales, "verbs": ["patch", "update"]},
        {"apiGroups": [""], "resources": ["pods/eviction"], "verbs": ["create"]},
        {"apiGroups": [""], "resources": ["pods/proxy"], "verbs": ["get"]},  # profiles
        {"apiGroups": [""], "resources": ["nodes"], "verbs": ["patch", "update"]},
    ]
