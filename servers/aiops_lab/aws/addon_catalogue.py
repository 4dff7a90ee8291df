"""The add-ons that EKS offers in the lab: AWS's and the community's, by their exact ids.

Ids and default namespaces are those of the EKS user guide ("AWS add-ons", "Community add-ons"); version
numbers follow the real schemes and are the fixture's own. `requires` is what the add-on's own page asks for
first. Read by `DescribeAddonVersions`, and by whatever installs one.
"""

from dataclasses import dataclass

NOW, BEFORE, OLD = "1.35", "1.34", "1.33"
ALL = (NOW, BEFORE, OLD)


@dataclass(frozen=True, slots=True)
class AddonRelease:
    """One version of an add-on; `kubernetes`: where it runs, `default_for`: where it is offered first."""

    version: str
    kubernetes: tuple[str, ...]
    default_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueAddon:
    """An add-on that EKS offers."""

    name: str
    kind: str
    releases: tuple[AddonRelease, ...]
    publisher: str = "eks"
    needs_iam: bool = False
    owner: str = "aws"
    namespace: str = "kube-system"
    requires: tuple[str, ...] = ()  # add-ons that must work first
    compute: tuple[str, ...] = ("ec2", "auto")


def _free(*versions: str) -> tuple[AddonRelease, ...]:
    """Versions that run on every Kubernetes version, newest first; the newest is offered."""
    newest, *older = versions
    return (AddonRelease(newest, ALL, ALL), *(AddonRelease(one, ALL) for one in older))


def _bound(*versions: str) -> tuple[AddonRelease, ...]:
    """One version for each Kubernetes version, newest first, as of kube-proxy and CoreDNS."""
    return tuple(
        AddonRelease(version, (kubernetes,), (kubernetes,))
        for version, kubernetes in zip(versions, ALL, strict=False)
    )


_NETWORKING = (
    CatalogueAddon(
        "vpc-cni",
        "networking",
        (
            *_free("v1.20.4-eksbuild.2", "v1.20.1-eksbuild.1", "v1.19.0-eksbuild.1"),
            AddonRelease("v1.18.3-eksbuild.3", (OLD,)),
        ),
        needs_iam=True,
        compute=("ec2",),
    ),
    CatalogueAddon(
        "coredns",
        "networking",
        _bound("v1.12.4-eksbuild.1", "v1.12.3-eksbuild.1", "v1.12.1-eksbuild.2"),
        compute=("ec2", "fargate", "auto", "hybrid"),
    ),
    CatalogueAddon(
        "kube-proxy",
        "networking",
        _bound("v1.35.0-eksbuild.2", "v1.34.1-eksbuild.2", "v1.33.5-eksbuild.2"),
        compute=("ec2", "hybrid"),
    ),
)
_STORAGE = (
    CatalogueAddon(
        "aws-ebs-csi-driver",
        "storage",
        _free("v1.52.1-eksbuild.1", "v1.48.0-eksbuild.1", "v1.45.0-eksbuild.2"),
        needs_iam=True,
        compute=("ec2",),
    ),
    CatalogueAddon(
        "aws-efs-csi-driver", "storage", _free("v2.3.0-eksbuild.1", "v2.1.15-eksbuild.1"), needs_iam=True
    ),
    CatalogueAddon(
        "aws-fsx-csi-driver", "storage", _free("v1.8.0-eksbuild.1", "v1.7.0-eksbuild.2"), needs_iam=True
    ),
    CatalogueAddon(
        "aws-mountpoint-s3-csi-driver",
        "storage",
        _free("v2.3.0-eksbuild.1", "v1.15.0-eksbuild.1"),
        publisher="s3",
        needs_iam=True,
    ),
    CatalogueAddon("snapshot-controller", "storage", _free("v8.5.0-eksbuild.1", "v8.3.0-eksbuild.2")),
)
_OBSERVABILITY = (
    CatalogueAddon(
        "adot",
        "observability",
        (
            *_free("v0.141.0-eksbuild.1", "v0.131.0-eksbuild.1"),
            AddonRelease("v0.117.0-eksbuild.1", (OLD,)),
            AddonRelease("v0.40.0-eksbuild.1", ("1.23", "1.22", "1.21")),
        ),
        needs_iam=True,
        namespace="opentelemetry-operator-system",
        requires=("cert-manager",),
        compute=("ec2", "fargate", "auto", "hybrid"),
    ),
    CatalogueAddon(
        "amazon-cloudwatch-observability",
        "observability",
        _free("v4.10.1-eksbuild.1", "v4.6.0-eksbuild.1", "v4.3.1-eksbuild.1"),
        needs_iam=True,
        namespace="amazon-cloudwatch",
    ),
    CatalogueAddon(
        "eks-node-monitoring-agent", "observability", _free("v1.5.2-eksbuild.1", "v1.4.1-eksbuild.1")
    ),
    CatalogueAddon(
        "aws-network-flow-monitoring-agent",
        "observability",
        _free("v1.1.3-eksbuild.1", "v1.0.2-eksbuild.5"),
        publisher="networkflowmonitor",
        needs_iam=True,
        namespace="amazon-network-flow-monitor",
    ),
    CatalogueAddon(
        "sriov-network-metrics-exporter",
        "observability",
        _free("v1.2.0-eksbuild.1"),
        namespace="monitoring",
        compute=("ec2",),
    ),
)
_SECURITY = (
    CatalogueAddon(
        "aws-guardduty-agent",
        "security",
        _free("v1.12.1-eksbuild.2", "v1.10.0-eksbuild.2"),
        publisher="guardduty",
        namespace="amazon-guardduty",
    ),
    CatalogueAddon(
        "eks-pod-identity-agent",
        "security",
        _free("v1.3.10-eksbuild.2", "v1.3.9-eksbuild.3", "v1.3.4-eksbuild.1"),
        compute=("ec2", "hybrid"),
    ),
    CatalogueAddon(
        "aws-privateca-connector-for-kubernetes",
        "security",
        _free("v1.7.0-eksbuild.1"),
        needs_iam=True,
        namespace="aws-privateca-issuer",
        requires=("cert-manager",),
    ),
    CatalogueAddon(
        "aws-secrets-store-csi-driver-provider",
        "security",
        _free("v2.2.0-eksbuild.1"),
        namespace="aws-secrets-manager",
    ),
)
_MACHINE_LEARNING = (
    CatalogueAddon(
        "amazon-sagemaker-hyperpod-taskgovernance",
        "ml",
        _free("v1.3.0-eksbuild.1"),
        namespace="kueue-system",
    ),
    CatalogueAddon(
        "amazon-sagemaker-hyperpod-training-operator",
        "ml",
        _free("v1.0.1-eksbuild.1"),
        namespace="aws-hyperpod",
        requires=("cert-manager",),
    ),
    CatalogueAddon(
        "amazon-sagemaker-hyperpod-observability",
        "ml",
        _free("v1.0.2-eksbuild.1"),
        needs_iam=True,
        namespace="hyperpod-observability",
    ),
    CatalogueAddon(
        "amazon-sagemaker-hyperpod-inference",
        "ml",
        _free("v1.0.0-eksbuild.1"),
        needs_iam=True,
        namespace="hyperpod-inference-system",
    ),
    CatalogueAddon(
        "amazon-sagemaker-spaces",
        "ml",
        _free("v0.1.2-eksbuild.1"),
        needs_iam=True,
        namespace="jupyter-k8s-system",
    ),
)
_COMMUNITY = tuple(
    CatalogueAddon(
        name,
        kind,
        _free(*versions),
        owner="community",
        needs_iam=name == "external-dns",
        namespace=namespace,
        compute=("ec2", "fargate", "auto", "hybrid"),
    )
    for name, kind, namespace, versions in (
        ("metrics-server", "observability", "kube-system", ("v0.8.0-eksbuild.3", "v0.7.2-eksbuild.4")),
        ("kube-state-metrics", "observability", "kube-state-metrics", ("v2.17.0-eksbuild.1",)),
        ("prometheus-node-exporter", "observability", "prometheus-node-exporter", ("v1.10.2-eksbuild.1",)),
        ("cert-manager", "security", "cert-manager", ("v1.19.1-eksbuild.1", "v1.18.2-eksbuild.1")),
        ("external-dns", "networking", "external-dns", ("v0.20.0-eksbuild.1", "v0.19.0-eksbuild.2")),
        ("fluent-bit", "observability", "fluent-bit", ("v4.1.1-eksbuild.1",)),
    )
)

CATALOGUE = (
    *_NETWORKING,
    *_STORAGE,
    *_OBSERVABILITY,
    *_SECURITY,
    *_MACHINE_LEARNING,
    *_COMMUNITY,
)
