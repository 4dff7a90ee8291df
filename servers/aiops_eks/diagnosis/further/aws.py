"""What AWS says about the cluster: the frozen facts, when each is worth a call, and how an answer is read.

`clients/further_aws.py` asks; rules say `facts.all(AwsSubnet)`. An answer of AWS is somebody else's text too:
a missing or misshapen field reads as absent (T14), messages are redacted before they come here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiops_eks.diagnosis.case import STARTING, is_stuck
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import Pod, Ref
from aiops_eks.models.aws_addons import Insight, InstalledAddon, Issue, NodeGroup, Support
from aiops_eks.models.aws_ground import FargateProfile, SubnetRoom, TypeLimits
from aiops_eks.models.fields import Obj, part, text, words

SYSTEM = "kube-system"
ZONE = "topology.kubernetes.io/zone"
INSTANCE_TYPE = "node.kubernetes.io/instance-type"
NODE_GROUP = "eks.amazonaws.com/nodegroup"
SHORT_OF_ADDRESSES = frozenset({"InsufficientFreeAddresses"})
NOT_JOINED = frozenset({"NodeCreationFailure", "AccessDenied"})
# How a program's SDK says that AWS did not take it for whom it should be, or did not let it.
AWS_REFUSED = re.compile(
    r"AssumeRoleWithWebIdentity|OpenIDConnect provider|InvalidIdentityToken|169\.254\.170\.23"
    r"|AssumeRoleForPodIdentity|permissions to assume the associated role"
    r"|is not authorized to perform: [a-z0-9-]+:[A-Za-z*]+",
)


@dataclass(frozen=True, slots=True)
class AwsCluster:
    """What DescribeCluster says, with the ends of support of its version where those were told."""

    ref: Ref
    version: str = ""
    status: str = ""
    issues: tuple[Issue, ...] = ()
    public: bool = True
    private: bool = True
    public_from: tuple[str, ...] = ()
    extended_support: bool = False
    standard_ends: datetime | None = None
    extended_ends: datetime | None = None
    issuer: str = ""  # of the cluster's OIDC tokens
    database_gb: int = 0  # what its tier allows; 0: not told


@dataclass(frozen=True, slots=True)
class AwsSubnet:
    """A subnet where nodes or pods may get addresses. `free_blocks`: whole free /28; None: not known."""

    ref: Ref
    zone: str = ""
    cidr: str = ""
    free: int = 0
    free_blocks: int | None = None


@dataclass(frozen=True, slots=True)
class AwsAddon:
    """An installed EKS add-on."""

    told: InstalledAddon

    @property
    def ref(self) -> Ref:
        """The add-on by name."""
        return Ref("Addon", "", self.told.name)


@dataclass(frozen=True, slots=True)
class AwsNodeGroup:
    """A managed node group."""

    told: NodeGroup

    @property
    def ref(self) -> Ref:
        """The group by name."""
        return Ref("Nodegroup", "", self.told.name)


@dataclass(frozen=True, slots=True)
class AwsInsight:
    """A cluster insight that does not pass."""

    told: Insight

    @property
    def ref(self) -> Ref:
        """The insight by its id."""
        return Ref("Insight", "", self.told.id)


@dataclass(frozen=True, slots=True)
class AwsInstanceType:
    """How many addresses a machine can hold."""

    told: TypeLimits

    @property
    def ref(self) -> Ref:
        """The type by name."""
        return Ref("InstanceType", "", self.told.instance_type)


@dataclass(frozen=True, slots=True)
class AwsFargateProfile:
    """A Fargate profile: pods of its namespaces with its labels run there."""

    told: FargateProfile

    @property
    def ref(self) -> Ref:
        """The profile by name."""
        return Ref("FargateProfile", "", self.told.name)


@dataclass(frozen=True, slots=True)
class AwsAssociation:
    """A Pod Identity association: this ServiceAccount is given a role."""

    ref: Ref


@dataclass(frozen=True, slots=True)
class AwsAccess:
    """Whether the cluster lets an IAM principal in; `ref` is named by its ARN."""

    ref: Ref
    exists: bool = True


@dataclass(frozen=True, slots=True)
class StorageSize:
    """How much of the control plane's database is in use, in bytes."""

    ref: Ref
    used_bytes: int


@dataclass(frozen=True, slots=True)
class PluginLog:
    """What the network plugin's agent said on one node of late."""

    ref: Ref  # its pod
    node: str
    lines: tuple[str, ...] = field(default=())


# When a source is worth a call


def whole(facts: Facts) -> bool:
    """The whole cluster is asked about, or what EKS keeps in it."""
    return facts.namespace in {"", SYSTEM}


def without_sandbox(facts: Facts) -> tuple[Pod, ...]:
    """Pods that have a node and no network there, long enough to be asked about."""
    return tuple(pod for pod in facts.pods if has_no_sandbox(facts, pod))


def has_no_sandbox(facts: Facts, pod: Pod) -> bool:
    """Whether a pod was placed and no container of it was ever made."""
    waits = bool(pod.node) and pod.phase == "Pending" and not pod.host_network
    made = any(c.running_since or c.ended or c.last for c in pod.containers)
    fresh = all(c.waiting_reason in STARTING for c in pod.containers)
    return waits and fresh and not made and pod.deleted_at is None and is_stuck(facts, pod)


def nodes_missing(facts: Facts) -> bool:
    """Pods wait for a node, a node is away, or EKS says that the group or cluster is not well."""
    waiting = any(not pod.node and pod.phase == "Pending" and is_stuck(facts, pod) for pod in facts.pods)
    away = any((ready := node.condition("Ready")) is None or ready.status != "True" for node in facts.nodes)
    return waiting or away or (whole(facts) and bool(facts.nodes) and _managed(facts))


def _managed(facts: Facts) -> bool:
    return any(NODE_GROUP in node.labels for node in facts.nodes)


def _asks_network(facts: Facts) -> bool:
    short = any(i.code in SHORT_OF_ADDRESSES for i in _issues(facts))
    return short or bool(without_sandbox(facts))


def _issues(facts: Facts) -> list[Issue]:
    clusters = [issue for one in facts.all(AwsCluster) for issue in one.issues]
    return [*clusters, *(issue for one in facts.all(AwsNodeGroup) for issue in one.told.issues)]


def _node_not_created(facts: Facts) -> bool:
    return bool(roles_not_joined(facts))


def roles_not_joined(facts: Facts) -> list[str]:
    """The roles of nodes that start and do not join."""
    groups = [g.told for g in facts.all(AwsNodeGroup) if any(i.code in NOT_JOINED for i in g.told.issues)]
    return sorted({group.node_role for group in groups if group.node_role})


def wants_fargate(pod: Pod) -> bool:
    """Whether a pod asks for Fargate by the label that its nodes bear."""
    return pod.node_selector.get("eks.amazonaws.com/compute-type") == "fargate"


def _fargate(facts: Facts) -> bool:
    return any(not pod.node and wants_fargate(pod) for pod in facts.pods)


def _identity(facts: Facts) -> bool:
    return any(AWS_REFUSED.search(line) for tail in facts.logs for line in tail.lines)


@dataclass(frozen=True, slots=True)
class AwsKind:
    """One source: what it is called in a gap, and when it is worth its calls."""

    type: type[Any]
    what: str
    when: Callable[[Facts], bool]


AWS: tuple[AwsKind, ...] = (
    AwsKind(AwsCluster, "eks:DescribeCluster", lambda facts: whole(facts) or _asks_network(facts)),
    AwsKind(AwsInsight, "eks:ListInsights", whole),
    AwsKind(AwsAddon, "eks:DescribeAddon", whole),
    AwsKind(AwsNodeGroup, "eks:DescribeNodegroup", nodes_missing),
    AwsKind(AwsSubnet, "ec2:DescribeSubnets", _asks_network),
    AwsKind(AwsInstanceType, "ec2:DescribeInstanceTypes", lambda facts: bool(without_sandbox(facts))),
    AwsKind(AwsFargateProfile, "eks:ListFargateProfiles", _fargate),
    AwsKind(AwsAssociation, "eks:ListPodIdentityAssociations", _identity),
    AwsKind(AwsAccess, "eks:DescribeAccessEntry", _node_not_created),
)


# How an answer is read


def cluster(name: str, told: Obj, issues: tuple[Issue, ...], support: Support | None) -> AwsCluster:
    """DescribeCluster's `cluster`, its issues, and how long its version is supported."""
    network = part(told, "resourcesVpcConfig")
    tier = text(told, "controlPlaneScalingConfig", "tier") or "standard"
    return AwsCluster(
        ref=Ref("Cluster", "", name),
        version=text(told, "version"),
        status=text(told, "status"),
        issues=issues,
        public=network.get("endpointPublicAccess") is not False,
        private=network.get("endpointPrivateAccess") is True,
        public_from=tuple(words(network, "publicAccessCidrs")),
        extended_support=text(told, "upgradePolicy", "supportType") != "STANDARD",
        standard_ends=support.standard_ends if support else None,
        extended_ends=support.extended_ends if support else None,
        issuer=text(told, "identity", "oidc", "issuer"),
        database_gb=support.database_gb.get(tier, 0) if support else 0,
    )


def subnet(told: SubnetRoom) -> AwsSubnet:
    """A subnet with its room."""
    return AwsSubnet(Ref("Subnet", "", told.id), told.zone, told.cidr, told.free, told.free_blocks)


__all__ = ["AWS", "AwsKind", "Ref"]
