"""Add-ons that EKS itself calls unhealthy, that somebody else's settings keep from being updated, or that are
too old.

A degraded add-on whose pods have a finding of their own is that finding's symptom.
Sources: the EKS API reference (AddonIssue),
https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting-eks-add-ons.html,
https://kubernetes.io/releases/version-skew-policy/
"""

import re
from collections.abc import Iterator

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.aws import SYSTEM, AwsAddon, AwsCluster
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.quoting import plain_name, quoted
from aiops_eks.models.aws_addons import Issue
from aiops_shared.results import Evidence, Severity

CONFLICT = "ConfigurationConflict"
BROKEN = frozenset({"DEGRADED", "CREATE_FAILED", "UPDATE_FAILED", "DELETE_FAILED"})
CORE = frozenset({"vpc-cni", "coredns", "kube-proxy"})
MOST_BEHIND = 3  # minor versions that kube-proxy may be older than the API server
_MINOR = re.compile(r"^v?1\.(\d{1,3})\b")
# What an add-on runs as, where it is not named as the add-on.
_RUNS_AS = {
    "vpc-cni": ("aws-node",),
    "aws-ebs-csi-driver": ("ebs-csi-controller", "ebs-csi-node"),
    "aws-efs-csi-driver": ("efs-csi-controller", "efs-csi-node"),
}
_HOW = {
    "AccessDenied": "give the add-on's role or service account the rights that EKS names",
    "AddonPermissionFailure": "give the add-on its IAM role (Pod Identity association or service "
    "account role)",
    "AdmissionRequestDenied": "let the webhook or policy that refused it through, then update the "
    "add-on again",
    "ClusterUnreachable": "check the cluster's endpoint, its security group and its subnets",
    "InsufficientNumberOfReplicas": "diagnose its workload in kube-system: pods are missing or not ready",
    "K8sResourceNotFound": "somebody removed a part of it: install it again with resolveConflicts OVERWRITE",
    "UnsupportedAddonModification": "somebody changed fields that EKS owns: undo that, or give "
    "configuration values",
    "AddonSubscriptionNeeded": "subscribe to the add-on in AWS Marketplace",
}
DEGRADED = Cause(
    code="ADDON_DEGRADED",
    severity="high",
    means="EKS calls an add-on unhealthy, or could not install, update or remove it.",
    told_by="DescribeAddon says DEGRADED or …_FAILED, with its issue. One that is being created or "
    "updated is in "
    "progress. When the add-on's own pods have a finding, this is its symptom; when fields collide it is "
    "ADDON_CONFLICT.",
    source="EKS API, AddonIssue; https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting-eks-add-ons.html",
    next_step="describe_cluster(include=addons); then what the issue names",
    sop="addon-upgrade",
)
CONFLICTING = Cause(
    code="ADDON_CONFLICT",
    severity="medium",
    means="An add-on cannot be installed or updated: somebody else set the same fields (a self-managed "
    "install).",
    told_by=f"An issue {CONFLICT} of the add-on. Its pods may well run, in the version before.",
    source="EKS API, AddonIssue ConfigurationConflict",
    next_step="plan_addon_change(action=update) with a choice: OVERWRITE takes EKS's values, PRESERVE "
    "keeps yours; "
    "put what you need into its configuration values first",
    sop="addon-upgrade",
)
BEHIND = Cause(
    code="ADDON_BEHIND",
    severity="medium",
    means="kube-proxy is of a version that does not go with the cluster's.",
    told_by=f"The add-on's minor version is newer than the cluster's, or more than {MOST_BEHIND} older; "
    "less than that is allowed.",
    source="https://kubernetes.io/releases/version-skew-policy/",
    next_step="plan_addon_change(action=update) to the version that EKS offers for this cluster",
    sop="addon-upgrade",
)


def unhealthy(facts: Facts) -> Iterator[Told]:
    """ADDON_DEGRADED or ADDON_CONFLICT, one an add-on."""
    for addon in facts.all(AwsAddon):
        one = addon.told
        if one.status not in BROKEN and not (one.issues and one.status == "ACTIVE"):
            continue
        clash = next((issue for issue in one.issues if issue.code == CONFLICT), None)
        issue = clash or next(iter(one.issues), Issue(one.status))
        yield _told(facts, addon, issue, CONFLICTING if clash else DEGRADED)


def _told(facts: Facts, addon: AwsAddon, issue: Issue, cause: Cause) -> Told:
    one, code = addon.told, plain_name(issue.code)
    status = plain_name(one.status)
    severity: Severity | None = None if cause is CONFLICTING or one.name in CORE else "medium"
    says = f"{status}, {code}" + (f": {quoted(issue.message)}" if issue.message else "")
    how = _HOW.get(issue.code, "")
    return Told(
        cause=cause,
        at=addon.ref,
        subject=addon.ref,
        predicate=f"({plain_name(one.version)}) is {status}: {code}",
        root_cause=f"EKS reports add-on {plain_name(one.name)} as {status} with issue {code}.",
        hurts=(addon.ref,),
        evidence=(Evidence(source="eks", query=f"DescribeAddon {one.name}", says=says),),
        agree=3 + bool(one.issues),
        doubt=int(code == "InsufficientNumberOfReplicas" and _all_there(facts, one.name)),
        severity=severity,
        explained_by=() if cause is CONFLICTING else _own(facts, one.name),
        next_step=f"{how}; describe_cluster(include=addons)" if how and cause is DEGRADED else "",
    )


def _own(facts: Facts, addon: str) -> tuple[Ref, ...]:
    """The add-on's workloads and pods: whose finding explains its health."""
    names = _RUNS_AS.get(addon, (addon,))
    works = [w.ref for name in names for w in facts.named(SYSTEM, name)]
    return (*works, *(pod.ref for ref in works for pod in facts.pods_of(ref)))


def _all_there(facts: Facts, addon: str) -> bool:
    works = [w for name in _RUNS_AS.get(addon, (addon,)) for w in facts.named(SYSTEM, name)]
    return bool(works) and all(w.available >= w.desired for w in works)


def behind(facts: Facts) -> Iterator[Told]:
    """ADDON_BEHIND."""
    cluster = next(iter(facts.all(AwsCluster)), None)
    addon = next((each for each in facts.all(AwsAddon) if each.told.name == "kube-proxy"), None)
    ours, wanted = _minor(addon.told.version if addon else ""), _minor(cluster.version if cluster else "")
    if addon is None or ours is None or wanted is None or 0 <= wanted - ours <= MOST_BEHIND:
        return
    how = f"{wanted - ours} minor versions older" if ours < wanted else "newer"
    says = f"kube-proxy {plain_name(addon.told.version)}, cluster 1.{wanted}"
    yield Told(
        cause=BEHIND,
        at=addon.ref,
        subject=addon.ref,
        predicate=f"is {how} than the cluster ({says})",
        root_cause=f"Add-on kube-proxy 1.{ours} is {how} than the API server 1.{wanted}: outside what is "
        "supported.",
        hurts=(addon.ref,),
        evidence=(Evidence(source="eks", query="DescribeAddon kube-proxy, DescribeCluster", says=says),),
        agree=3,
    )


def _minor(version: str) -> int | None:
    found = _MINOR.match(version)
    return int(found[1]) if found else None


RULES = (WorldRule((DEGRADED, CONFLICTING), unhealthy), WorldRule((BEHIND,), behind))
