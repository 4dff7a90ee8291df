"""What each tool needs of Kubernetes and AWS: the source of `deploy/rbac`, `deploy/iam` and `docs/rights.md`.

`eks_aiops.rights_files` renders it; `tests/eks/test_rights_used.py` measures on the lab that nothing is used
that is not given here, and nothing given that is not used. Kinds come from the registries where there are
some, so that a new kind of a diagnosis or a timeline cannot be forgotten: one that KINDS does not name stops
the generator.

A role adds to `read`: bind `plan` or `execute` beside it. `plan` has write verbs since a dry run is
authorised like the real request (decision D14).
"""

from collections.abc import Iterable, Iterator, Mapping

from aiops_eks.clients import scope_reading
from aiops_eks.diagnosis.further import FURTHER
from aiops_shared.auth.rights import AwsRight, KubeRight, Rights, Role
from aiops_shared.kube.changes import forwarding
from aiops_shared.kube.changes import objects as changing

WHAT: Mapping[Role, str] = {
    Role.READ: "What every read tool needs. No Secret, no log of a pod.",
    Role.SECRETS: "Secrets, of which names, types and key names are shown and never a value. Without it a"
    " missing Secret or key is a gap of the diagnosis.",
    Role.SENSITIVE: "Texts that programs and people wrote: logs of pods, the audit log. AIOPS_SENSITIVE_READS"
    " is the switch of the server; this is the cluster's and the account's.",
    Role.FORWARD: "`eks-aiops forward`: keeps what watches tell. It watches Secrets: bind `secrets` too.",
    Role.PLAN: "Dry runs, which are authorised like the real request; the server refuses to send any other.",
    Role.EXECUTE: "What execute_plan and undo_action write.",
}


FORWARD_COMMAND = "eks-aiops forward"
# These take a kind and perhaps a name: any kind that may be named is read by them.
ANY_KIND = ("diagnose", "get_resource", "list_events", "list_resources", "plan_manifest", "scan_manifest")
RBAC, ADMISSION = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
NETWORK, GATEWAY = "networking.k8s.io", "gateway.networking.k8s.io"
READS = ("get", "list")

# Kind -> API group and resource. What stands here can be read; another kind needs a rule of your own.
KINDS: Mapping[str, tuple[str, str]] = {
    "ConfigMap": ("", "configmaps"),
    "Endpoints": ("", "endpoints"),
    "Event": ("", "events"),
    "LimitRange": ("", "limitranges"),
    "Namespace": ("", "namespaces"),
    "Node": ("", "nodes"),
    "PersistentVolume": ("", "persistentvolumes"),
    "PersistentVolumeClaim": ("", "persistentvolumeclaims"),
    "Pod": ("", "pods"),
    "PodTemplate": ("", "podtemplates"),
    "ReplicationController": ("", "replicationcontrollers"),
    "ResourceQuota": ("", "resourcequotas"),
    "Secret": ("", "secrets"),
    "Service": ("", "services"),
    "ServiceAccount": ("", "serviceaccounts"),
    "MutatingWebhookConfiguration": (ADMISSION, "mutatingwebhookconfigurations"),
    "ValidatingAdmissionPolicy": (ADMISSION, "validatingadmissionpolicies"),
    "ValidatingAdmissionPolicyBinding": (ADMISSION, "validatingadmissionpolicybindings"),
    "ValidatingWebhookConfiguration": (ADMISSION, "validatingwebhookconfigurations"),
    "CustomResourceDefinition": ("apiextensions.k8s.io", "customresourcedefinitions"),
    "APIService": ("apiregistration.k8s.io", "apiservices"),
    "ControllerRevision": ("apps", "controllerrevisions"),
    "DaemonSet": ("apps", "daemonsets"),
    "Deployment": ("apps", "deployments"),
    "ReplicaSet": ("apps", "replicasets"),
    "StatefulSet": ("apps", "statefulsets"),
    "Application": ("argoproj.io", "applications"),
    "HorizontalPodAutoscaler": ("autoscaling", "horizontalpodautoscalers"),
    "VerticalPodAutoscaler": ("autoscaling.k8s.io", "verticalpodautoscalers"),
    "CronJob": ("batch", "cronjobs"),
    "Job": ("batch", "jobs"),
    "Certificate": ("cert-manager.io", "certificates"),
    "Lease": ("coordination.k8s.io", "leases"),
    "EndpointSlice": ("discovery.k8s.io", "endpointslices"),
    "NodeClass": ("eks.amazonaws.com", "nodeclasses"),
    "Gateway": (GATEWAY, "gateways"),
    "GatewayClass": (GATEWAY, "gatewayclasses"),
    "HTTPRoute": (GATEWAY, "httproutes"),
    "HelmRelease": ("helm.toolkit.fluxcd.io", "helmreleases"),
    "EC2NodeClass": ("karpenter.k8s.aws", "ec2nodeclasses"),
    "NodeClaim": ("karpenter.sh", "nodeclaims"),
    "NodePool": ("karpenter.sh", "nodepools"),
    "Kustomization": ("kustomize.toolkit.fluxcd.io", "kustomizations"),
    "NodeMetrics": ("metrics.k8s.io", "nodes"),
    "PodMetrics": ("metrics.k8s.io", "pods"),
    "Ingress": (NETWORK, "ingresses"),
    "IngressClass": (NETWORK, "ingressclasses"),
    "NetworkPolicy": (NETWORK, "networkpolicies"),
    "PodDisruptionBudget": ("policy", "poddisruptionbudgets"),
    "ClusterRole": (RBAC, "clusterroles"),
    "ClusterRoleBinding": (RBAC, "clusterrolebindings"),
    "Role": (RBAC, "roles"),
    "RoleBinding": (RBAC, "rolebindings"),
    "PriorityClass": ("scheduling.k8s.io", "priorityclasses"),
    "PeerAuthentication": ("security.istio.io", "peerauthentications"),
    "CSIDriver": ("storage.k8s.io", "csidrivers"),
    "CSINode": ("storage.k8s.io", "csinodes"),
    "StorageClass": ("storage.k8s.io", "storageclasses"),
    "VolumeAttachment": ("storage.k8s.io", "volumeattachments"),
}
_TEMPLATED = ("CronJob", "DaemonSet", "Deployment", "Job", "Pod", "StatefulSet")
_AROUND_A_WORKLOAD = (
    *("DaemonSet", "Deployment", "HorizontalPodAutoscaler", "Job", "Namespace", "Node", "Pod"),
    *("PodDisruptionBudget", "ReplicaSet", "ReplicationController", "StatefulSet"),
)
_AROUND_A_NODE = ("Event", "EC2NodeClass", "NodePool", *_AROUND_A_WORKLOAD)


def _said(words: Iterable[str]) -> Iterator[str]:
    """The kinds of a registry; `Gateway.gateway.networking.k8s.io` or `nodepools.karpenter.sh` too."""
    plural = {f"{resource}.{group}": kind for kind, (group, resource) in KINDS.items()}
    for word in words:
        kind = plural.get(word) or word.partition(".")[0]
        if kind not in KINDS:
            raise KeyError(f"{word}: name its group and resource in aiops_eks.clients.rights.KINDS")
        yield kind


def read_by_tool() -> dict[str, tuple[str, ...]]:
    """Tool -> the kinds it reads whatever it is asked for, from the registries."""
    diagnosed = [one.kind for one in FURTHER]
    scope = ("Pod", "Event", "Service", "Node", *scope_reading.WORKLOADS)
    changes = (
        *(*changing.PLAIN, *changing.WORKLOADS, *changing.REVISIONS),
        *(word for shelf in (changing.GITOPS, changing.NODES) for word, _ in shelf.values()),
        "Secret",
    )
    seen = {
        "diagnose": (
            *(*diagnosed, *scope, scope_reading.CLAIM, scope_reading.CLASS, scope_reading.ENDPOINTS),
            "PodMetrics",
        ),
        "list_changes": changes,
        FORWARD_COMMAND: ("Event", *forwarding.KINDS, *forwarding.OPTIONAL.values()),
        "describe_cluster": (
            *("Application", "ClusterRole", "ClusterRoleBinding", "ConfigMap", "CustomResourceDefinition"),
            *("EC2NodeClass", "Ingress", "Node", "NodeClaim", "NodeClass", "NodePool", "Role"),
            *("RoleBinding", "Secret"),
            *("ServiceAccount", *_TEMPLATED),
        ),
        "get_pod_logs": ("Namespace", "Pod", "DaemonSet", "Deployment", "Job", "ReplicaSet", "StatefulSet"),
        "plan_workload_change": _AROUND_A_WORKLOAD,
        "plan_manifest": _AROUND_A_WORKLOAD,
        "plan_addon_change": ("DaemonSet", "Deployment", "StatefulSet"),
        "plan_node_change": _AROUND_A_NODE,
        "execute_plan": (*_AROUND_A_NODE, *WRITABLE),
        "undo_action": (*_AROUND_A_WORKLOAD, *WRITABLE),
    }
    return {tool: tuple(sorted(set(_said(words)))) for tool, words in seen.items()}


# Kinds that plan_manifest may apply and delete with these roles; policy refuses others whatever the role.
WRITABLE = (
    *("ConfigMap", "CronJob", "DaemonSet", "Deployment", "HorizontalPodAutoscaler", "Ingress", "Job"),
    *("NetworkPolicy", "PodDisruptionBudget", "Service", "StatefulSet"),
)
SCALED = ("DaemonSet", "Deployment", "StatefulSet")  # plan_workload_change
DEBUG_NAMESPACE = "aiops-system"  # planning.disk_commands.SPACE
_MANIFEST = ("plan_manifest", "scan_manifest")
_DONE = ("execute_plan", "undo_action")


def _reading() -> Iterator[KubeRight]:
    tools_of: dict[str, set[str]] = {kind: set(ANY_KIND) for kind in KINDS}
    for tool, kinds in read_by_tool().items():
        for kind in kinds:
            tools_of[kind].add(tool)
    for kind, (group, resource) in KINDS.items():
        role = Role.SECRETS if kind == "Secret" else Role.READ
        yield KubeRight(role, tuple(sorted(tools_of[kind])), group, resource, READS)
    yield KubeRight(Role.READ, ("describe_cluster", "diagnose"), "", "/metrics", ("get",))
    yield KubeRight(Role.SENSITIVE, ("diagnose", "get_pod_logs"), "", "pods/log", ("get",))
    for kind in _said(("Event", *forwarding.KINDS, *forwarding.OPTIONAL.values())):
        yield KubeRight(Role.FORWARD, (FORWARD_COMMAND,), *KINDS[kind], ("watch",))
    lease = ("coordination.k8s.io", "leases", ("create", "get", "update"))  # of those that send events on
    yield KubeRight(Role.FORWARD, (FORWARD_COMMAND,), *lease, DEBUG_NAMESPACE)


def _planning() -> Iterator[KubeRight]:
    for kind in WRITABLE:
        yield KubeRight(Role.PLAN, _MANIFEST, *KINDS[kind], ("create", "patch"))
        if kind != "StatefulSet":  # policy refuses its deletion before anything is tried
            yield KubeRight(Role.PLAN, ("plan_manifest",), *KINDS[kind], ("delete",))
    for kind in SCALED:
        yield KubeRight(Role.PLAN, ("plan_workload_change",), *KINDS[kind], ("update",))
    yield KubeRight(Role.PLAN, ("plan_manifest",), "", "pods", ("delete",))
    yield KubeRight(Role.PLAN, ("plan_manifest", "plan_node_change"), "", "pods/eviction", ("create",))
    yield KubeRight(Role.PLAN, ("plan_node_change",), "", "nodes", ("update",))
    yield KubeRight(Role.PLAN, ("plan_node_change",), "", "pods", ("create",), DEBUG_NAMESPACE)


def _executing() -> Iterator[KubeRight]:
    for kind in WRITABLE:
        yield KubeRight(Role.EXECUTE, _DONE, *KINDS[kind], ("create", "delete", "patch", "update"))
    yield KubeRight(Role.EXECUTE, ("execute_plan",), "", "pods", ("delete",))
    yield KubeRight(Role.EXECUTE, ("execute_plan",), "", "pods/eviction", ("create",))
    yield KubeRight(Role.EXECUTE, _DONE, "", "nodes", ("update",))
    yield KubeRight(Role.EXECUTE, ("execute_plan",), "", "pods", ("create", "delete"), DEBUG_NAMESPACE)
    yield KubeRight(Role.EXECUTE, ("execute_plan",), "", "pods/proxy", ("get",))


def kube_rights() -> tuple[KubeRight, ...]:
    """Every rule of Kubernetes. Raises KeyError for a kind of a registry that KINDS does not name."""
    return (*_reading(), *_planning(), *_executing())


# AWS. Which action allows which resource and condition: the "Actions, resources, and condition keys" pages
# of EKS, EC2, Systems Manager, CloudWatch Logs, CloudTrail and IAM in the Service Authorization Reference.
# sts:GetCallerIdentity needs no right (STS API reference).
def _eks(what: str) -> str:
    return f"arn:aws:eks:*:*:{what}/*"


CLUSTER, ADDON, NODE_GROUP, CAPABILITY = (_eks(w) for w in ("cluster", "addon", "nodegroup", "capability"))
ENTRY, ASSOCIATION, FARGATE = (_eks(w) for w in ("access-entry", "podidentityassociation", "fargateprofile"))
AUDIT_GROUPS = (
    "arn:aws:logs:*:*:log-group:/aws/eks/*/cluster",
    "arn:aws:logs:*:*:log-group:/aws/eks/*/cluster:*",
)
RUN_SHELL = "arn:aws:ssm:*::document/AWS-RunShellScript"
INSTANCES = "arn:aws:ec2:*:*:instance/*"
ROLES = "arn:aws:iam::*:role/*"
MANAGED_TAG, KARPENTER_TAG = "eks:cluster-name", "eks:eks-cluster-name"
VIEW, FIND, WHEN = "describe_cluster", "diagnose", "list_changes"
# Whoever opens a cluster by its name in AWS, which is every tool but those that look at our own records.
OPENING = (
    *(*ANY_KIND, VIEW, WHEN, "execute_plan", "get_pod_logs", "list_clusters"),
    *("plan_addon_change", "plan_node_change", "plan_workload_change", "undo_action", FORWARD_COMMAND),
)


def _aws(tools: str, action: str, *resources: str, role: Role = Role.READ) -> AwsRight:
    return AwsRight(role, tuple(tools.split()), action, resources or ("*",))


AWS_RIGHTS: tuple[AwsRight, ...] = (
    AwsRight(Role.FORWARD, (FORWARD_COMMAND,), "events:PutEvents", ("arn:aws:events:*:*:event-bus/*",)),
    AwsRight(Role.READ, OPENING, "eks:ListClusters"),
    AwsRight(Role.READ, OPENING, "eks:DescribeCluster", (CLUSTER,)),
    _aws("list_clusters describe_cluster diagnose", "eks:DescribeClusterVersions"),
    _aws("describe_cluster diagnose list_changes plan_addon_change execute_plan", "eks:ListAddons", CLUSTER),
    _aws("describe_cluster diagnose execute_plan plan_addon_change undo_action", "eks:DescribeAddon", ADDON),
    _aws("describe_cluster plan_addon_change execute_plan", "eks:DescribeAddonVersions"),
    _aws("describe_cluster diagnose list_changes", "eks:ListNodegroups", CLUSTER),
    _aws("describe_cluster diagnose", "eks:DescribeNodegroup", NODE_GROUP),
    _aws("describe_cluster diagnose", "eks:ListInsights", CLUSTER),
    _aws("describe_cluster diagnose", "eks:DescribeInsight", CLUSTER),
    _aws(
        "describe_cluster list_changes execute_plan undo_action",
        "eks:ListUpdates",
        CLUSTER,
        ADDON,
        NODE_GROUP,
    ),
    _aws(
        "describe_cluster list_changes execute_plan undo_action",
        "eks:DescribeUpdate",
        CLUSTER,
        ADDON,
        NODE_GROUP,
    ),
    _aws("describe_cluster", "eks:ListCapabilities", CLUSTER),
    _aws("describe_cluster", "eks:DescribeCapability", CAPABILITY),
    _aws("describe_cluster", "eks:ListAccessEntries", CLUSTER),
    _aws("describe_cluster diagnose", "eks:DescribeAccessEntry", ENTRY),
    _aws("describe_cluster", "eks:ListAssociatedAccessPolicies", ENTRY),
    _aws("describe_cluster diagnose", "eks:ListPodIdentityAssociations", CLUSTER),
    _aws("describe_cluster diagnose", "eks:DescribePodIdentityAssociation", ASSOCIATION),
    _aws("describe_cluster diagnose", "eks:ListFargateProfiles", CLUSTER),
    _aws("describe_cluster diagnose", "eks:DescribeFargateProfile", FARGATE),
    _aws("describe_cluster diagnose", "ec2:DescribeSubnets"),
    _aws("describe_cluster diagnose", "ec2:DescribeNetworkInterfaces"),
    _aws("describe_cluster diagnose", "ec2:GetSubnetCidrReservations"),
    _aws("describe_cluster diagnose", "ec2:DescribeInstanceTypes"),
    _aws("describe_cluster", "iam:GetRole", ROLES),
    _aws("describe_cluster", "iam:ListOpenIDConnectProviders"),
    _aws("list_changes", "cloudtrail:LookupEvents"),
    _aws("list_changes diagnose", "logs:StartQuery", *AUDIT_GROUPS, role=Role.SENSITIVE),
    _aws("list_changes diagnose", "logs:GetQueryResults", *AUDIT_GROUPS, role=Role.SENSITIVE),
    _aws("list_changes diagnose", "logs:StopQuery", role=Role.SENSITIVE),
    _aws("plan_node_change", "ssm:DescribeInstanceInformation", role=Role.PLAN),
    _aws("plan_node_change", "ssm:ListCommandInvocations", role=Role.PLAN),
    _aws("plan_addon_change execute_plan", "eks:DescribeAddonConfiguration", role=Role.PLAN),
    _aws("execute_plan undo_action", "eks:CreateAddon", CLUSTER, role=Role.EXECUTE),
    _aws("execute_plan undo_action", "eks:UpdateAddon", ADDON, role=Role.EXECUTE),
    _aws("execute_plan undo_action", "eks:DeleteAddon", ADDON, role=Role.EXECUTE),
    _aws("execute_plan", "ssm:SendCommand", RUN_SHELL, role=Role.EXECUTE),
    AwsRight(Role.EXECUTE, ("execute_plan",), "ssm:SendCommand", (INSTANCES,), MANAGED_TAG),
    AwsRight(Role.EXECUTE, ("execute_plan",), "ssm:SendCommand", (INSTANCES,), KARPENTER_TAG),
    _aws("execute_plan", "ssm:ListCommandInvocations", role=Role.EXECUTE),
    _aws("execute_plan", "ssm:GetCommandInvocation", role=Role.EXECUTE),
)


def rights() -> Rights:
    """The whole table."""
    return Rights("eks", tuple(kube_rights()), AWS_RIGHTS, WHAT)
