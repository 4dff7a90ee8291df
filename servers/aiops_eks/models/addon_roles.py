"""What each known add-on is for, what a cluster lacks without it, how a self-managed install is recognised.

Ids are those of the EKS user guide ("AWS add-ons", "Community add-ons"); the sentence about what is lacking
is this suite's own, since it depends on which of our answers need the data. Read by the view `addons` of
`describe_cluster` and by plans about add-ons.
"""

from collections.abc import Iterable
from dataclasses import dataclass

CORE, BASE, MORE = 0, 1, 2  # a cluster does not work without it; operating needs it; only some need it


@dataclass(frozen=True, slots=True)
class AddonRole:
    """One add-on. `seen_as`: names of workloads, of `app.kubernetes.io/name`, or of image repositories."""

    name: str
    category: str
    role: str
    without: str
    weight: int
    seen_as: frozenset[str]
    owner: str = "aws"
    in_auto_mode: bool = False  # EKS Auto Mode brings it (user guide, "Considerations for Auto Mode")


def _role(
    name: str, category: str, role: str, without: str, weight: int, seen_as: str, **more: str | bool
) -> AddonRole:
    names = frozenset((name, *seen_as.split()))
    owner, auto = str(more.get("owner", "aws")), more.get("auto") is True
    return AddonRole(name, category, role, without, weight, names, owner, auto)


ROLES: dict[str, AddonRole] = {
    one.name: one
    for one in (
        _role(
            "vpc-cni",
            "networking",
            "pod addresses from the VPC",
            "pods get no address",
            CORE,
            "aws-node amazon-k8s-cni",
            auto=True,
        ),
        _role("coredns", "networking", "cluster DNS", "names do not resolve", CORE, "", auto=True),
        _role(
            "kube-proxy",
            "networking",
            "Service routing on nodes",
            "Services do not route",
            CORE,
            "",
            auto=True,
        ),
        _role(
            "aws-ebs-csi-driver",
            "storage",
            "EBS volumes",
            "claims on EBS stay Pending",
            BASE,
            "ebs-csi-controller ebs-csi-node",
            auto=True,
        ),
        _role(
            "amazon-cloudwatch-observability",
            "observability",
            "container metrics, logs, Application Signals in CloudWatch",
            "no container metrics, logs or service map in CloudWatch",
            BASE,
            "cloudwatch-agent amazon-cloudwatch-observability-controller-manager",
        ),
        _role(
            "adot",
            "observability",
            "OpenTelemetry metrics and traces",
            "no traces: latency causes lose their path",
            BASE,
            "opentelemetry-operator adot-operator adot-collector",
        ),
        _role(
            "eks-node-monitoring-agent",
            "observability",
            "kernel, disk, network and GPU faults as node conditions",
            "node faults show only once a node is NotReady; auto repair sees less",
            BASE,
            "",
            auto=True,
        ),
        _role(
            "aws-network-flow-monitoring-agent",
            "observability",
            "TCP flows: retransmissions, timeouts",
            "504 root causes lose flow evidence",
            BASE,
            "aws-network-flow-monitor-agent aws-network-sonar-agent",
        ),
        _role(
            "metrics-server",
            "observability",
            "CPU and memory of pods and nodes",
            "HPA on CPU or memory and kubectl top have no data",
            BASE,
            "",
            owner="community",
        ),
        _role(
            "kube-state-metrics",
            "observability",
            "states of objects as metrics",
            "alerts on restarts, replicas and phases have no data",
            BASE,
            "",
            owner="community",
        ),
        _role(
            "prometheus-node-exporter",
            "observability",
            "host metrics for Prometheus",
            "no host disk, load or network metrics in Prometheus",
            BASE,
            "node-exporter",
            owner="community",
        ),
        _role(
            "eks-pod-identity-agent",
            "security",
            "AWS credentials by Pod Identity",
            "Pod Identity associations have no effect",
            BASE,
            "",
            auto=True,
        ),
        _role(
            "aws-guardduty-agent",
            "security",
            "runtime threat detection",
            "no runtime findings (mining, escapes)",
            BASE,
            "",
        ),
        _role(
            "cert-manager",
            "security",
            "certificates in the cluster",
            "no certificates are issued or renewed; adot needs it first",
            BASE,
            "",
            owner="community",
        ),
        _role(
            "snapshot-controller",
            "storage",
            "volume snapshots",
            "volumes cannot be snapshotted",
            BASE,
            "",
        ),
        _role(
            "external-dns",
            "networking",
            "DNS records of Services and Ingresses",
            "DNS records are kept by hand",
            MORE,
            "",
            owner="community",
        ),
        _role(
            "fluent-bit",
            "observability",
            "ships container logs",
            "container logs stay on the nodes unless another agent ships them",
            MORE,
            "aws-for-fluent-bit",
            owner="community",
        ),
        _role(
            "aws-efs-csi-driver",
            "storage",
            "EFS volumes",
            "no shared EFS volumes",
            MORE,
            "efs-csi-controller efs-csi-node",
        ),
        _role(
            "aws-fsx-csi-driver",
            "storage",
            "FSx for Lustre volumes",
            "no FSx volumes",
            MORE,
            "fsx-csi-controller fsx-csi-node",
        ),
        _role(
            "aws-mountpoint-s3-csi-driver",
            "storage",
            "S3 buckets as volumes",
            "no S3 buckets as volumes",
            MORE,
            "s3-csi-node s3-csi-controller",
        ),
        _role(
            "aws-secrets-store-csi-driver-provider",
            "security",
            "secrets of Secrets Manager as files",
            "Secrets Manager values are not mounted",
            MORE,
            "csi-secrets-store-provider-aws secrets-store-csi-driver-provider-aws",
        ),
        _role(
            "aws-privateca-connector-for-kubernetes",
            "security",
            "certificates of AWS Private CA",
            "cert-manager cannot use AWS Private CA",
            MORE,
            "aws-privateca-issuer",
        ),
        _role(
            "sriov-network-metrics-exporter",
            "observability",
            "SR-IOV network metrics",
            "no SR-IOV device metrics",
            MORE,
            "",
        ),
        *(
            _role(f"amazon-sagemaker-{end}", "ml", role, f"no {role}", MORE, "")
            for end, role in (
                ("hyperpod-taskgovernance", "task governance on HyperPod"),
                ("hyperpod-training-operator", "distributed training on HyperPod"),
                ("hyperpod-observability", "HyperPod dashboards"),
                ("hyperpod-inference", "inference on HyperPod"),
                ("spaces", "notebooks and editors on the cluster"),
            )
        ),
    )
}


def known_as(words: Iterable[str]) -> str:
    """The add-on that a workload with these names is; empty for any other."""
    found = set(words)
    return next((name for name, one in ROLES.items() if one.seen_as & found), "")


def names_to_look_for() -> tuple[str, ...]:
    """Values of `app.kubernetes.io/name` under which charts install them outside kube-system."""
    found = {name for one in ROLES.values() if one.category != "ml" for name in one.seen_as}
    return tuple(sorted(found))
