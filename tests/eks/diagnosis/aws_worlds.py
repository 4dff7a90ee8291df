"""What AWS says in the small worlds of the rule tests: `with_aws(world(...), cluster(...), subnet(...))`."""

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from typing import Any

from aiops_eks.diagnosis.answering import answer
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further.aws import (
    AwsAddon,
    AwsCluster,
    AwsInsight,
    AwsInstanceType,
    AwsNodeGroup,
    AwsSubnet,
    PluginLog,
)
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.diagnosis.scope import Gathered
from aiops_eks.models.aws_addons import Insight, InstalledAddon, Issue, NodeGroup
from aiops_eks.models.aws_ground import TypeLimits
from aiops_shared.results import Finding


def with_aws(facts: Facts, *told: Any) -> Facts:
    """The facts with these beside them; each kind that is given counts as read."""
    kinds: dict[type[Any], list[Any]] = defaultdict(list)
    for one in told:
        kinds[type(one)].append(one)
    return replace(facts, others={**facts.others, **{kind: tuple(each) for kind, each in kinds.items()}})


def findings(facts: Facts) -> tuple[Finding, ...]:
    """What is found in these facts."""
    return answer(Gathered(facts)).findings


def codes(facts: Facts) -> list[str]:
    """Their codes, the worst first."""
    return [one.code for one in findings(facts)]


def cluster(version: str = "1.35", **more: Any) -> AwsCluster:
    """A cluster that is well."""
    return AwsCluster(Ref("Cluster", "", "lab"), version=version, status="ACTIVE", **more)


def subnet(
    name: str = "subnet-0a", zone: str = "zone-a", *, free: int = 0, blocks: int | None = 0
) -> AwsSubnet:
    """A subnet with so much room."""
    return AwsSubnet(Ref("Subnet", "", name), zone, "10.9.0.0/24", free, blocks)


def machine(kind: str = "t3.small", interfaces: int = 3, addresses: int = 4) -> AwsInstanceType:
    """An instance type."""
    return AwsInstanceType(TypeLimits(kind, interfaces, addresses))


def plugin(*lines: str, node: str = "node-a") -> PluginLog:
    """What the network plugin said on a node."""
    return PluginLog(Ref("Pod", "kube-system", f"aws-node-{node}"), node, lines)


def addon(
    name: str = "coredns", *, status: str = "ACTIVE", version: str = "v1.12.4", **issues: str
) -> AwsAddon:
    """An add-on with issues by code."""
    found = tuple(Issue(code, words) for code, words in issues.items())
    return AwsAddon(InstalledAddon(name, version, status, found))


def group(
    name: str = "blue", *, role: str = "", subnets: tuple[str, ...] = (), **issues: str
) -> AwsNodeGroup:
    """A node group with issues by code."""
    found = tuple(Issue(code, words) for code, words in issues.items())
    status = "DEGRADED" if found else "ACTIVE"
    return AwsNodeGroup(NodeGroup(name, status, subnets=subnets, node_role=role, issues=found))


def insight(name: str, status: str = "ERROR") -> AwsInsight:
    """An insight."""
    return AwsInsight(Insight("id-1", name, "UPGRADE_READINESS", status, reason="seen", kubernetes="1.36"))


def ends(standard: datetime | None, extended: datetime | None, **more: Any) -> AwsCluster:
    """A cluster whose version's support ends then."""
    return cluster("1.33", standard_ends=standard, extended_ends=extended, **more)
