"""What of a Kubernetes object is billed: its pods, its volumes, its load balancer. Pure.

Objects may be misshapen. Called by `estimate_reading` for an object as it is and as it would be. What cannot
be priced says why, in words that quote nothing of the object but its kind and name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiops_cost.analysis.fleet import Fleet, Pod
from aiops_cost.analysis.fleets import may_stand
from aiops_cost.analysis.pool_slices import tolerates
from aiops_cost.clients.fleet_shapes import Span, number, pod_of
from aiops_shared.kube.shapes import mapping, meta, rows, text

Obj = dict[str, Any]
GIB = 1024**3
MOST_PODS = 500
NOW = Span(0, 3600)
PLURALS = {
    "Deployment": "deployments.apps",
    "StatefulSet": "statefulsets.apps",
    "DaemonSet": "daemonsets.apps",
    "ReplicaSet": "replicasets.apps",
    "Pod": "pods",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Service": "services",
    "Ingress": "ingresses.networking.k8s.io",
    "NodePool": "nodepools.karpenter.sh",
}
WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod"})
# Kinds that cost nothing by themselves: said, so that nobody thinks they were overlooked.
FREE = frozenset(
    {
        "ConfigMap",
        "Secret",
        "Namespace",
        "ServiceAccount",
        "Role",
        "RoleBinding",
        "ClusterRole",
        "ClusterRoleBinding",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "StorageClass",
        "PriorityClass",
        "EC2NodeClass",
    }
)
WHY_NOT = {
    "Job": "it ends; what it costs depends on how long it runs",
    "CronJob": "what it costs depends on how long its jobs run",
    "HorizontalPodAutoscaler": "it decides later how many pods there are; estimate its workload",
}
_NLB = frozenset({"service.k8s.aws/nlb", "eks.amazonaws.com/nlb"})
_NLB_TYPES = frozenset({"nlb", "nlb-ip", "external"})
_TYPE = "service.beta.kubernetes.io/aws-load-balancer-type"
_ALB = frozenset({"alb", "eks-auto-alb"})


@dataclass(frozen=True, slots=True)
class Claim:
    """A volume that is asked for, `count` times."""

    name: str
    storage_class: str | None  # None: the cluster's default
    gib: int
    count: int = 1


@dataclass(frozen=True, slots=True)
class Billed:
    """What an object has that AWS bills. `gaps`: what of it cannot be known."""

    pods: tuple[Pod, ...] = ()
    claims: tuple[Claim, ...] = ()
    balancer: str = ""  # alb, nlb, clb
    gaps: tuple[str, ...] = ()


NOTHING = Billed()


@dataclass(frozen=True, slots=True)
class Change:
    """An object before and after; None: it is not there."""

    kind: str
    namespace: str
    name: str
    before: Obj | None
    after: Obj | None
    notes: tuple[str, ...] = field(default=())

    @property
    def label(self) -> str:
        """As lines name it."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"

    @property
    def owner(self) -> tuple[str, str, str]:
        """As pods name their workload."""
        return self.namespace, self.kind, self.name


def name_of(obj: Mapping[str, Any]) -> str:
    """Its name, or what it would be called."""
    return text(meta(obj).get("name")) or text(meta(obj).get("generateName"))


def billed(obj: Obj | None, change: Change, fleet: Fleet) -> Billed:
    """What is billed of one version of an object."""
    if obj is None:
        return NOTHING
    if change.kind in WORKLOADS:
        return _workload(obj, change, fleet)
    spec = mapping(obj.get("spec"))
    if change.kind == "PersistentVolumeClaim":
        return Billed(claims=(_claim(change.name, spec),))
    if change.kind == "Service":
        return Billed(balancer=_service(obj, spec))
    if change.kind == "Ingress":
        named = text(spec.get("ingressClassName")) or _notes(obj).get("kubernetes.io/ingress.class", "")
        return Billed(balancer="alb" if named in _ALB else "")
    return NOTHING


def replicas_of(obj: Obj | None) -> int:
    """How many pods a workload asks for; one when it does not say (apps/v1 defaults)."""
    said = mapping((obj or {}).get("spec")).get("replicas")
    return said if isinstance(said, int) and not isinstance(said, bool) and said >= 0 else 1


def _workload(obj: Obj, change: Change, fleet: Fleet) -> Billed:
    spec = mapping(obj.get("spec"))
    template = obj if change.kind == "Pod" else mapping(spec.get("template"))
    about = {**meta(template), "namespace": change.namespace, "name": change.name, "ownerReferences": []}
    pod = pod_of({"metadata": about, "spec": mapping(template.get("spec"))}, NOW)
    pod = replace(pod, node="", owner_kind=change.kind, owner_name=change.name)
    gaps = []
    if not pod.requests.cores or not pod.requests.memory_bytes:
        missing = " and ".join(
            word
            for word, has in (("CPU", pod.requests.cores), ("memory", pod.requests.memory_bytes))
            if not has
        )
        gaps.append(f"{change.label} requests no {missing}: that part of its room is not counted")
    if pod.rules.unread:
        gaps.append(f"{change.label} has placement rules that are not weighed: {', '.join(pod.rules.unread)}")
    if change.kind == "DaemonSet":
        count = sum(tolerates(pod, node.taints) and may_stand(pod, node.labels) for node in fleet.nodes)
    else:
        count = 1 if change.kind == "Pod" else replicas_of(obj)
    kept = min(count, MOST_PODS + 1)
    pods = tuple(replace(pod, name=f"{change.name}-{place}") for place in range(kept))
    claims = tuple(
        replace(_claim(name_of(one), mapping(one.get("spec"))), count=count)
        for one in rows(spec, "volumeClaimTemplates")
    )
    return Billed(pods, claims, gaps=tuple(gaps))


def _claim(name: str, spec: Obj) -> Claim:
    asked = number(mapping(mapping(spec.get("resources")).get("requests")).get("storage"))
    said = spec.get("storageClassName")
    # EBS sells whole GiB: the CSI driver rounds up (aws-ebs-csi-driver, util.RoundUpGiB).
    gib = -int(-asked // GIB) if asked > 0 else 0
    return Claim(name, said if isinstance(said, str) else None, gib)


def _notes(obj: Obj) -> dict[str, str]:
    found = mapping(meta(obj).get("annotations"))
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _service(obj: Obj, spec: Obj) -> str:
    """Which balancer a Service gets: AWS Load Balancer Controller's and EKS Auto Mode's are NLBs, the in-tree
    controller's a Classic one unless it is told otherwise (EKS guide, "Route TCP and UDP traffic").
    """
    if text(spec.get("type")) != "LoadBalancer":
        return ""
    if text(spec.get("loadBalancerClass")) in _NLB or _notes(obj).get(_TYPE) in _NLB_TYPES:
        return "nlb"
    return "clb"
