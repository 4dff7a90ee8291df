"""Trials of what EKS says: add-ons, the cluster itself, its version's support, insights, node groups.

Words: the EKS API reference (AddonIssue, Nodegroup Issue, ClusterIssue) and the EKS user guide.
"""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from aiops_lab.aws.access import Access
from aiops_lab.aws.account import ACCOUNT_ID, Insight
from aiops_lab.kube.control_metrics import GIB, ControlPlaneMeter
from aiops_lab.scenarios.base import Build, Expect, Stage, nothing
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.trials.aws_base import (
    DAY_S,
    addon,
    always,
    cluster,
    expected,
    group_name,
    in_aws,
    label_nodes,
    node_group,
    since,
)
from aiops_lab.scenarios.trials.base import Role, Trial

CLUSTER = "my-cluster"
NODE_ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/{CLUSTER}-node"
_ADDONS = ("coredns", "vpc-cni", "aws-ebs-csi-driver")
_FEWER = (
    "InsufficientNumberOfReplicas",
    "The add-on is unhealthy because it doesn't have the desired number of replicas.",
)
_SICK = (
    _FEWER,
    ("AccessDenied", "The add-on doesn't have the permissions that it needs to run."),
    ("AdmissionRequestDenied", 'admission webhook "policy.example.com" denied the request'),
)
_CLASH = (
    "ConfigurationConflict",
    (
        "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts: "
        "ConfigMap coredns - .data.Corefile"
    ),
)


def _which(names: Names) -> str:
    return _ADDONS[names.seed % len(_ADDONS)]


def _sick(stage: Stage, names: Names) -> None:
    issue = _SICK[names.seed % len(_SICK)]
    addon(stage, _which(names), status="DEGRADED", issues=(issue,))


def _well(stage: Stage, names: Names) -> None:
    addon(stage, _which(names), status="ACTIVE", issues=())


def _clash(stage: Stage, names: Names) -> None:
    status = ("UPDATE_FAILED", "CREATE_FAILED")[names.seed % 2]
    addon(stage, _which(names), status=status, issues=(_CLASH,))


def _updating(stage: Stage, names: Names) -> None:
    addon(stage, _which(names), status="UPDATING", issues=())


def _proxy_of(*versions: str) -> Build:
    return always(
        lambda stage, names: addon(stage, "kube-proxy", version=versions[names.seed % len(versions)])
    )


def _add_ons() -> Iterator[Trial]:
    def trials(code: str, *which: tuple[Role, Build, Expect, str]) -> Iterator[Trial]:
        for role, build, expect, says in which:
            yield in_aws(code, role, build, expect, says=says)

    sick, clash = expected("ADDON_DEGRADED", "Addon", _which), expected("ADDON_CONFLICT", "Addon", _which)
    behind = expected("ADDON_BEHIND", "Addon", "kube-proxy")
    none = nothing
    yield from trials(
        "ADDON_DEGRADED",
        ("positive", since(_sick), sick, "EKS calls an add-on degraded."),
        ("look_alike", since(_clash), clash, "Not well either: its fields collide."),
        ("recovered", since(_sick, until=_well), none, "It was, and is ACTIVE again."),
    )
    yield from trials(
        "ADDON_CONFLICT",
        ("positive", since(_clash), clash, "Somebody set the same fields."),
        ("look_alike", since(_updating), none, "An update is in progress."),
        ("recovered", since(_clash, until=_well), none, "It was updated with OVERWRITE."),
    )
    yield from trials(
        "ADDON_BEHIND",
        (
            "positive",
            _proxy_of("v1.31.3-eksbuild.2", "v1.30.9-eksbuild.3"),
            behind,
            "Four or five versions behind.",
        ),
        (
            "look_alike",
            _proxy_of("v1.33.3-eksbuild.4", "v1.32.6-eksbuild.6"),
            none,
            "Behind, and still supported.",
        ),
        (
            "recovered",
            since(
                lambda stage, names: addon(stage, "kube-proxy", version="v1.31.3-eksbuild.2"),
                until=lambda stage, names: addon(stage, "kube-proxy", version="v1.35.0-eksbuild.2"),
            ),
            none,
            "It was updated.",
        ),
    )


# the cluster itself

_BROKEN = (
    ("KmsKeyDisabled", "The KMS key of the cluster's secrets encryption is disabled.", ("alias/eks",)),
    ("Ec2SubnetNotFound", "We could not find a subnet of the cluster.", ("subnet-0ddd",)),
    ("IamRoleNotFound", "We could not find the cluster's IAM role.", ("my-cluster-cluster",)),
)


def _broken(stage: Stage, names: Names) -> None:
    cluster(stage, issues=(_BROKEN[names.seed % len(_BROKEN)],))


def _mended(stage: Stage, names: Names) -> None:
    del names
    cluster(stage, issues=())


def _version(*versions: str, support: str = "EXTENDED") -> Build:
    def change(stage: Stage, names: Names) -> None:
        version = versions[names.seed % len(versions)]
        cluster(stage, kubernetes=version, support_type=support)
        addon(stage, "kube-proxy", version=f"v{version}.1-eksbuild.2")

    return always(change)


_DEPRECATED = Insight(
    "33333333-3333-4333-8333-333333333333",
    "Deprecated APIs removed in Kubernetes v1.36",
    "UPGRADE_READINESS",
    "Checks for usage of deprecated APIs that are scheduled for removal in Kubernetes v1.36.",
    status="ERROR",
    reason="Deprecated API usage detected within last 30 days and your cluster is on Kubernetes v1.35.",
    recommendation="Update manifests and API clients to newer APIs before the upgrade.",
)


def _insight(status: str) -> Build:
    def change(stage: Stage, names: Names) -> None:
        made = replace(
            _DEPRECATED, insight_id=f"{names.seed}3333333-3333-4333-8333-333333333333", status=status
        )
        stage.aws.insights = {**stage.aws.insights, made.insight_id: made}

    return always(change)


def _insight_id(names: Names) -> str:
    return f"{names.seed}3333333-3333-4333-8333-333333333333"


_CLUSTER_TRIALS = (
    in_aws(
        "EKS_CLUSTER_UNHEALTHY",
        "positive",
        since(_broken),
        expected("EKS_CLUSTER_UNHEALTHY", "Cluster", CLUSTER),
        says="Something that the cluster stands on is gone.",
    ),
    in_aws(
        "EKS_CLUSTER_UNHEALTHY",
        "look_alike",
        since(lambda stage, names: cluster(stage, status="UPDATING")),
        says="It is being updated.",
    ),
    in_aws("EKS_CLUSTER_UNHEALTHY", "recovered", since(_broken, until=_mended), says="It was put right."),
    in_aws(
        "CLUSTER_SUPPORT_ENDING",
        "positive",
        _version("1.34", "1.33", "1.32"),
        expected("CLUSTER_SUPPORT_ENDING", "Cluster", CLUSTER),
        says="Support ends soon, or is extended already.",
    ),
    in_aws("CLUSTER_SUPPORT_ENDING", "look_alike", _version("1.35"), says="The newest version, for months."),
    in_aws(
        "CLUSTER_SUPPORT_ENDING",
        "recovered",
        since(
            lambda stage, names: cluster(stage, kubernetes="1.33"),
            until=lambda stage, names: cluster(stage, kubernetes="1.35"),
        ),
        says="It was upgraded.",
    ),
    in_aws(
        "EKS_INSIGHT_ERROR",
        "positive",
        _insight("ERROR"),
        expected("EKS_INSIGHT_ERROR", "Insight", _insight_id),
        says="The next upgrade would break something.",
    ),
    in_aws("EKS_INSIGHT_ERROR", "look_alike", _insight("WARNING"), says="Only a warning."),
    in_aws("EKS_INSIGHT_ERROR", "recovered", _insight("PASSING"), says="Nobody uses it any more."),
)


# node groups

_LAUNCH = (
    (
        "AsgInstanceLaunchFailures",
        (
            "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU "
            "capacity than your "
            "current vCPU limit allows. Launching EC2 instance failed."
        ),
        ("eks-group-1a2b",),
    ),
    (
        "IamInstanceProfileNotFound",
        "We couldn't find the IAM instance profile for your managed node group.",
        ("eks-3c4d",),
    ),
    (
        "Ec2SubnetInvalidConfiguration",
        (
            "One or more Amazon EC2 Subnets of your node group does not automatically assign public IP "
            "addresses to "
            "instances launched into it."
        ),
        ("subnet-0aaa",),
    ),
)
_NOT_JOINED = (
    "NodeCreationFailure",
    "Instances failed to join the kubernetes cluster",
    ("i-0123456789abcdef0",),
)


def _issue(*issues: tuple[str, str, tuple[str, ...]], status: str = "DEGRADED") -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        del rng
        label_nodes(stage, names, 20 * DAY_S)
        found = (issues[names.seed % len(issues)],) if issues else ()
        node_group(stage, names, status=status, issues=found)

    return build


def _was_degraded(stage: Stage, names: Names, rng: Random) -> None:
    label_nodes(stage, names, 20 * DAY_S)
    node_group(stage, names, status="DEGRADED", issues=(_LAUNCH[0],))
    stage.at(rng.uniform(20, 60) * 60, lambda: node_group(stage, names))


def _shut(*, cidrs: tuple[str, ...], known_role: bool = True) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        (_issue if known_role else _not_let_in)(_NOT_JOINED)(stage, names, rng)
        cluster(stage, public_cidrs=cidrs, private=False)

    return build


def _not_let_in(*issues: tuple[str, str, tuple[str, ...]]) -> Build:
    """Somebody removed the access entry of the nodes' role."""

    def build(stage: Stage, names: Names, rng: Random) -> None:
        _issue(*issues)(stage, names, rng)
        access = stage.aws.area(Access)
        access.without = access.without | {NODE_ROLE}

    return build


_DEGRADED = expected("NODEGROUP_DEGRADED", "Nodegroup", group_name)
_GROUP_TRIALS = (
    in_aws("NODEGROUP_DEGRADED", "positive", _issue(*_LAUNCH), _DEGRADED, says="Nothing can be launched."),
    in_aws("NODEGROUP_DEGRADED", "look_alike", _issue(status="UPDATING"), says="It is being updated."),
    in_aws("NODEGROUP_DEGRADED", "recovered", _was_degraded, says="It launches again."),
    in_aws(
        "ACCESS_ENTRY_MISSING",
        "positive",
        _not_let_in(_NOT_JOINED),
        expected("ACCESS_ENTRY_MISSING", "AccessEntry", NODE_ROLE),
        says="Instances start, and the cluster does not know their role.",
    ),
    in_aws(
        "ACCESS_ENTRY_MISSING",
        "look_alike",
        _issue(_NOT_JOINED),
        _DEGRADED,
        says="They do not join, and their role is let in.",
    ),
    in_aws(
        "ACCESS_ENTRY_MISSING",
        "recovered",
        _issue(status="ACTIVE"),
        says="It was put right; all nodes are there.",
    ),
    in_aws(
        "ENDPOINT_ACCESS_RESTRICTED",
        "positive",
        _shut(cidrs=("203.0.113.0/24",)),
        expected("ENDPOINT_ACCESS_RESTRICTED", "Cluster", CLUSTER),
        says="The endpoint is public only, and not for the nodes.",
    ),
    in_aws(
        "ENDPOINT_ACCESS_RESTRICTED",
        "look_alike",
        _shut(cidrs=("0.0.0.0/0",), known_role=False),
        expected("ACCESS_ENTRY_MISSING", "AccessEntry", NODE_ROLE),
        says="It is open to all; their role is not let in.",
    ),
    in_aws(
        "ENDPOINT_ACCESS_RESTRICTED",
        "recovered",
        always(lambda stage, names: cluster(stage, public_cidrs=("203.0.113.0/24",), private=False)),
        says="Restricted in the same way, and every node is there.",
    ),
)


# etcd


def _database(gib: float, *, tier: str = "standard", until_gib: float = 0) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        del names
        full = int((gib + rng.uniform(0, 0.3)) * GIB)
        meter = stage.aws.area(ControlPlaneMeter)
        cluster(stage, tier=tier)
        meter.database_bytes = full
        if until_gib:
            stage.at(rng.uniform(20, 50) * 60, lambda: setattr(meter, "database_bytes", int(until_gib * GIB)))

    return build


_ETCD_TRIALS = (
    in_aws(
        "ETCD_NEAR_QUOTA",
        "positive",
        _database(7.5),
        expected("ETCD_NEAR_QUOTA", "Cluster", CLUSTER),
        says="F-b8: 7.5 of 8 GB.",
    ),
    in_aws(
        "ETCD_NEAR_QUOTA",
        "look_alike",
        _database(7.5, tier="tier-xl"),
        says="The same, where 16 GB are allowed.",
    ),
    in_aws("ETCD_NEAR_QUOTA", "recovered", _database(7.5, until_gib=3.1), says="Cleaned and compacted."),
)
TRIALS: tuple[Trial, ...] = (*_add_ons(), *_CLUSTER_TRIALS, *_GROUP_TRIALS, *_ETCD_TRIALS)
