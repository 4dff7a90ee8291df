"""The organisation's rules as ValidatingAdmissionPolicies: the same expressions, kept by the cluster itself.

For operators: `admission_policies(RuleFiles(directory).book())`, written out with `dump_manifests`
(docs/scanning.md). Source: https://kubernetes.io/docs/reference/access-authn-authz/validating-admission-policy/.
The bindings warn and audit; who trusts a rule changes `validationActions` to Deny.
"""

from typing import Final

from aiops_eks.diagnosis.scanning.organisation import OrgRule, RuleBook
from aiops_eks.diagnosis.scanning.subjects import Obj

# Kinds as admission names them: group, plural.
_RESOURCES: Final[dict[str, tuple[str, str]]] = {
    "Pod": ("", "pods"),
    "Service": ("", "services"),
    "ConfigMap": ("", "configmaps"),
    "ServiceAccount": ("", "serviceaccounts"),
    "Namespace": ("", "namespaces"),
    "PersistentVolumeClaim": ("", "persistentvolumeclaims"),
    "ReplicationController": ("", "replicationcontrollers"),
    "Deployment": ("apps", "deployments"),
    "StatefulSet": ("apps", "statefulsets"),
    "DaemonSet": ("apps", "daemonsets"),
    "ReplicaSet": ("apps", "replicasets"),
    "Job": ("batch", "jobs"),
    "CronJob": ("batch", "cronjobs"),
    "Ingress": ("networking.k8s.io", "ingresses"),
    "NetworkPolicy": ("networking.k8s.io", "networkpolicies"),
    "HorizontalPodAutoscaler": ("autoscaling", "horizontalpodautoscalers"),
    "PodDisruptionBudget": ("policy", "poddisruptionbudgets"),
    "Role": ("rbac.authorization.k8s.io", "roles"),
    "ClusterRole": ("rbac.authorization.k8s.io", "clusterroles"),
    "RoleBinding": ("rbac.authorization.k8s.io", "rolebindings"),
    "ClusterRoleBinding": ("rbac.authorization.k8s.io", "clusterrolebindings"),
}
_POD_SPEC: Final = (
    "object.kind == 'Pod' ? object.spec : (object.kind == 'CronJob' ? "
    "object.spec.jobTemplate.spec.template.spec : object.spec.template.spec)"
)
_CONTAINERS: Final = (
    "(has(variables.podSpec.initContainers) ? variables.podSpec.initContainers : []) + "
    "variables.podSpec.containers"
)
_WITH_PODS: Final = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob")


def admission_policies(book: RuleBook) -> list[Obj]:
    """A policy and a binding for each rule; a rule without kinds is bound to the kinds that make pods, or to
    every kind known here when it asks nothing of pods.
    """
    return [made for rule in book.rules for made in (_policy(rule), _binding(rule))]


def _name(rule: OrgRule) -> str:
    return f"{rule.rule_set}-{rule.id}"


def _policy(rule: OrgRule) -> Obj:
    asks_pods = "variables." in rule.expression
    kinds = rule.kinds or (_WITH_PODS if asks_pods else tuple(_RESOURCES))
    variables = [
        {"name": "podSpec", "expression": _POD_SPEC},
        {"name": "containers", "expression": _CONTAINERS},
    ]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": _name(rule)},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [_rule(kind) for kind in kinds]},
            **({"variables": variables} if asks_pods else {}),
            "validations": [{"expression": rule.expression, "message": rule.message}],
        },
    }


def _rule(kind: str) -> Obj:
    """A kind that is not known here is guessed as the API names most: its lower-case plural, any group."""
    group, plural = _RESOURCES.get(kind, ("*", f"{kind.lower()}s"))
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE"],
        "resources": [plural],
    }


def _binding(rule: OrgRule) -> Obj:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": _name(rule)},
        "spec": {"policyName": _name(rule), "validationActions": ["Warn", "Audit"]},
    }
