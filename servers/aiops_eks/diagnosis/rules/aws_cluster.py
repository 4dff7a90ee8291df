"""What EKS says of the cluster itself: health, end of support, insights in error, a closed endpoint, etcd.

Sources: the EKS API reference (ClusterIssue, ClusterVersionInformation, Insight),
https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html
"""

from collections.abc import Iterator
from datetime import datetime

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.aws import (
    SHORT_OF_ADDRESSES,
    AwsCluster,
    AwsInsight,
    AwsNodeGroup,
    StorageSize,
)
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.quoting import plain_name, quoted
from aiops_shared.results import Evidence, Severity

DAY_S = 86_400.0
SOON_S = 60 * DAY_S
NEARLY_FULL = 0.9
GB = 2**30
STANDARD_GB = 8  # EKS user guide, "Provisioned Control Plane"
_VERSIONS = "https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html"
UNHEALTHY = Cause(
    code="EKS_CLUSTER_UNHEALTHY",
    severity="high",
    means="EKS reports the cluster's own infrastructure as broken: a role, key, subnet or security "
    "group is gone.",
    told_by="DescribeCluster lists a health issue. It says what AWS cannot do for the cluster; what "
    "runs may go on.",
    source="EKS API, ClusterIssue",
    next_step="repair what the issue names (role, KMS key, subnet, security group) through IaC",
)
SUPPORT = Cause(
    code="CLUSTER_SUPPORT_ENDING",
    severity="info",
    means="The cluster's Kubernetes version is about to lose support, or costs the price of extended "
    "support.",
    told_by="DescribeClusterVersions: standard support ends within 60 days or has ended. High only when "
    "extended "
    "support, too, ends within 60 days: EKS then upgrades by itself.",
    source=_VERSIONS,
    next_step="describe_cluster(include=insights) for what stands in the way, then plan the upgrade",
    sop="addon-upgrade",
)
INSIGHT = Cause(
    code="EKS_INSIGHT_ERROR",
    severity="medium",
    means="An EKS insight is in error: the next upgrade, or a feature, will fail on it.",
    told_by="ListInsights has it with status ERROR; a WARNING is shown by describe_cluster and is no "
    "finding.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/cluster-insights.html",
    next_step="describe_cluster(include=insights) for the resources and the recommendation",
)
ENDPOINT = Cause(
    code="ENDPOINT_ACCESS_RESTRICTED",
    severity="high",
    means="Nodes cannot reach the API server: its private endpoint is off, and the public one lets only "
    "some in.",
    told_by="New nodes do not join (NodeCreationFailure), private access is off and public access is "
    "limited to some "
    "addresses. With private access on, or open to all, it is another reason.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html",
    next_step="turn on private endpoint access through IaC, or add the nodes' NAT addresses to the "
    "public CIDRs",
)
ETCD = Cause(
    code="ETCD_NEAR_QUOTA",
    severity="high",
    means="The control plane's database is nearly full; at its quota it takes no more writes.",
    told_by="The API server's own size of its storage is above 90 % of the quota. Once it refuses "
    "writes it is "
    "ETCD_SPACE_EXCEEDED.",
    source="https://docs.aws.amazon.com/eks/latest/best-practices/control-plane.html (etcd database size)",
    next_step="find what there is too much of (describe_cluster(include=control_plane), list_resources) "
    "and delete it: "
    "events, old Jobs, ConfigMaps, custom objects",
)


def broken(facts: Facts) -> Iterator[Told]:
    """EKS_CLUSTER_UNHEALTHY, one an issue."""
    for cluster in facts.all(AwsCluster):
        issues = [
            issue for issue in cluster.issues if issue.code not in SHORT_OF_ADDRESSES or not _told_of(facts)
        ]
        if not issues:
            continue
        codes = ", ".join(dict.fromkeys(plain_name(issue.code) for issue in issues))
        yield Told(
            cause=UNHEALTHY,
            at=cluster.ref,
            subject=cluster.ref,
            predicate=f"is not healthy in AWS: {codes}",
            root_cause=f"EKS reports {codes} for the cluster itself.",
            hurts=(cluster.ref,),
            evidence=tuple(
                Evidence(
                    source="eks",
                    query=f"DescribeCluster {cluster.ref.name} health",
                    says=f"{plain_name(issue.code)}: {quoted(issue.message)}",
                )
                for issue in issues[:3]
            ),
            agree=4,
        )


def _told_of(facts: Facts) -> bool:
    """Whether a node group says the same of addresses."""
    return any(i.code in SHORT_OF_ADDRESSES for one in facts.all(AwsNodeGroup) for i in one.told.issues)


def support(facts: Facts) -> Iterator[Told]:
    """CLUSTER_SUPPORT_ENDING."""
    for cluster in facts.all(AwsCluster):
        found = _support(facts, cluster)
        if found is None:
            continue
        severity, words = found
        ends = [("standard", cluster.standard_ends), ("extended", cluster.extended_ends)]
        says = "; ".join(f"{kind} support ends {_day(end)}" for kind, end in ends if end)
        policy = "EXTENDED" if cluster.extended_support else "STANDARD"
        yield Told(
            cause=SUPPORT,
            at=cluster.ref,
            subject=cluster.ref,
            predicate=f"runs Kubernetes {plain_name(cluster.version)}, {words}",
            root_cause=f"Kubernetes {plain_name(cluster.version)} of the cluster: {words} (upgrade "
            f"policy {policy}).",
            hurts=(cluster.ref,),
            evidence=(Evidence(source="eks", query="DescribeClusterVersions", says=says),),
            agree=4,
            severity=severity,
        )


def _support(facts: Facts, cluster: AwsCluster) -> tuple[Severity, str] | None:
    """How bad it is, and in words; None while there is time."""
    left_s = -facts.age_s(cluster.standard_ends) if cluster.standard_ends else None
    last_s = -facts.age_s(cluster.extended_ends) if cluster.extended_ends else None
    if last_s is not None and last_s <= SOON_S:
        return "high", f"whose extended support ends {_in_days(last_s)}: EKS then upgrades it by itself"
    if left_s is None or left_s > SOON_S:
        return None
    if left_s > 0:
        billed = cluster.extended_support
        after = "extended support is billed then" if billed else "EKS upgrades it by itself then"
        return "info", f"whose standard support ends {_in_days(left_s)}: {after}"
    ended = round(-left_s / DAY_S)
    return "medium", f"whose standard support ended {ended} days ago: extended support is billed"


def _in_days(seconds: float) -> str:
    return f"in {max(0, round(seconds / DAY_S))} days" if seconds > 0 else "now"


def _day(moment: datetime) -> str:
    return moment.date().isoformat()


def insights(facts: Facts) -> Iterator[Told]:
    """EKS_INSIGHT_ERROR, one an insight."""
    for insight in facts.all(AwsInsight):
        one = insight.told
        if one.status != "ERROR":
            continue
        title = quoted(one.name)
        yield Told(
            cause=INSIGHT,
            at=insight.ref,
            subject=Ref("Cluster", "", facts.cluster),
            predicate=f"has an insight in error: {title}",
            root_cause=f"EKS insight {title} ({plain_name(one.category)}) is in error for Kubernetes "
            f"{plain_name(one.kubernetes)}.",
            hurts=(insight.ref,),
            evidence=(Evidence(source="eks", query=f"DescribeInsight {one.id}", says=quoted(one.reason)),),
            agree=4,
            explained_by=_same_said(facts, one.name),
        )


def _same_said(facts: Facts, title: str) -> tuple[Ref, ...]:
    """Objects whose own finding says what the insight says."""
    words = title.lower()
    nodes = tuple(node.ref for node in facts.nodes) if "kubelet" in words else ()
    return (*nodes, Ref("Addon", "", "kube-proxy")) if "kube-proxy" in words else nodes


def endpoint(facts: Facts) -> Iterator[Told]:
    """ENDPOINT_ACCESS_RESTRICTED."""
    late = [
        group
        for group in facts.all(AwsNodeGroup)
        if any(issue.code == "NodeCreationFailure" for issue in group.told.issues)
    ]
    for cluster in facts.all(AwsCluster):
        if not late or not is_shut(cluster):
            continue
        cidrs = ", ".join(plain_name(cidr) for cidr in cluster.public_from[:5])
        yield Told(
            cause=ENDPOINT,
            at=cluster.ref,
            subject=late[0].ref,
            predicate="gets no nodes: the API endpoint is public only, and not open to them",
            root_cause=f"The private endpoint is off and the public one lets in {cidrs} only, while new "
            "nodes of "
            f"{len(late)} node groups do not join.",
            hurts=tuple(group.ref for group in late),
            evidence=(
                Evidence(
                    source="eks",
                    query=f"DescribeCluster {cluster.ref.name}",
                    says=f"endpointPrivateAccess false, publicAccessCidrs {cidrs}",
                ),
                Evidence(
                    source="eks", query=f"DescribeNodegroup {late[0].ref.name}", says="NodeCreationFailure"
                ),
            ),
            agree=3,
            doubt=1,  # the addresses that the nodes come from are not known
        )


def is_shut(cluster: AwsCluster) -> bool:
    """Whether nodes must come by the public endpoint and it is not open to everybody."""
    return not cluster.private and cluster.public and "0.0.0.0/0" not in cluster.public_from


def nearly_full(facts: Facts) -> Iterator[Told]:
    """ETCD_NEAR_QUOTA."""
    told = next((one.database_gb for one in facts.all(AwsCluster) if one.database_gb), 0)
    quota_bytes = (told or STANDARD_GB) * GB
    for size in facts.all(StorageSize):
        if size.used_bytes < NEARLY_FULL * quota_bytes:
            continue
        share = 100 * size.used_bytes / quota_bytes
        words = f"{size.used_bytes / GB:.1f} of {quota_bytes / GB:.0f} GB ({share:.0f} %)"
        says = f"{words}; quota {'of the cluster by its tier' if told else 'of the standard tier'}"
        yield Told(
            cause=ETCD,
            at=size.ref,
            subject=size.ref,
            predicate=f"has a nearly full database: {words}",
            root_cause=f"The control plane's etcd holds {words}; at the quota it refuses every write.",
            hurts=(size.ref,),
            evidence=(
                Evidence(source="control plane metrics", query="apiserver_storage_size_bytes", says=says),
            ),
            agree=3 + bool(told),
        )


RULES = (
    WorldRule((UNHEALTHY,), broken),
    WorldRule((SUPPORT,), support),
    WorldRule((INSIGHT,), insights),
    WorldRule((ENDPOINT,), endpoint),
    WorldRule((ETCD,), nearly_full),
)
