"""Node groups that bring no nodes, nodes that are not let in, machines of different images, no kube-proxy.

A group that cannot launch explains the pods that wait for room. What EKS calls degraded is quoted; where
AWS's other figures know more (a subnet without addresses, a role without access entry) the finding stands
there.
Sources: the EKS API reference (Nodegroup Issue),
https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html
"""

from collections.abc import Iterator, Sequence

from aiops_eks.diagnosis.evidence import stated
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.findings import Cause, Told, WorldRule
from aiops_eks.diagnosis.further.aws import (
    NODE_GROUP,
    NOT_JOINED,
    SHORT_OF_ADDRESSES,
    SYSTEM,
    AwsAccess,
    AwsCluster,
    AwsNodeGroup,
    AwsSubnet,
)
from aiops_eks.diagnosis.objects import Node, Ref
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import plain_name, quoted
from aiops_eks.diagnosis.rules.addresses import SUBNET_IP_EXHAUSTION
from aiops_eks.diagnosis.rules.aws_cluster import is_shut
from aiops_eks.diagnosis.rules.node_upkeep import is_leaving
from aiops_eks.models.aws_addons import Issue
from aiops_shared.results import Evidence

IMAGE = "eks.amazonaws.com/nodegroup-image"
COMPUTE = "eks.amazonaws.com/compute-type"  # fargate | auto | hybrid: EKS runs what nodes need there
DRIFTED_S = 7 * 86_400.0  # an update of a group takes hours
JOINED_S = 300.0
BROKEN = frozenset({"DEGRADED", "CREATE_FAILED", "DELETE_FAILED"})
_SOURCE = "EKS API, Nodegroup Issue; https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html"
_HOW = {
    "AsgInstanceLaunchFailures": "read the Auto Scaling group's activity: capacity, quota, template or "
    "encryption key",
    "NodeCreationFailure": "instances run and do not join: check the role's access entry, the endpoint, "
    "routes and "
    "bootstrap of the template",
    "InsufficientFreeAddresses": "describe_cluster(include=subnets); give the group subnets with free "
    "addresses",
    "InstanceLimitExceeded": "raise the account's EC2 quota, or use another instance type",
    "Ec2SubnetInvalidConfiguration": "let its subnets assign public addresses, or give them a route "
    "through a NAT",
    "Ec2SubnetNotFound": "a subnet was deleted: make the group again with subnets that exist",
    "Ec2LaunchTemplateNotFound": "the launch template was deleted: restore it or make the group again",
    "Ec2LaunchTemplateVersionMismatch": "put the group back to the template version that EKS made, or "
    "update it",
    "IamInstanceProfileNotFound": "restore the instance profile that EKS made for the group",
    "IamNodeRoleNotFound": "restore the node role, with the same name",
    "AccessDenied": "EKS may not act, or the node role may not enter: check the access entry of the "
    "node role",
    "AutoScalingGroupInvalidConfiguration": "undo the change of the Auto Scaling group that EKS does "
    "not allow",
    "AutoScalingGroupNotFound": "the Auto Scaling group was deleted: make the node group again",
    "Ec2SecurityGroupNotFound": "restore the cluster's security group",
    "AmiIdNotFound": "the image of the template is gone: give a release that exists",
}
DEGRADED = Cause(
    code="NODEGROUP_DEGRADED",
    severity="high",
    means="A managed node group cannot launch or keep its nodes.",
    told_by="DescribeNodegroup lists a health issue; its code is quoted. Addresses that ran out are "
    "SUBNET_IP_EXHAUSTION, a role that is not let in is ACCESS_ENTRY_MISSING, a closed endpoint is "
    "ENDPOINT_ACCESS_RESTRICTED. Pods that wait for its nodes are its symptoms.",
    source=_SOURCE,
    next_step="describe_cluster(include=nodes) and what the issue names",
)
NO_ENTRY = Cause(
    code="ACCESS_ENTRY_MISSING",
    severity="high",
    means="The cluster does not know an IAM role that must enter it: its nodes are refused.",
    told_by="New nodes do not join (NodeCreationFailure, AccessDenied) and ListAccessEntries has no "
    "entry for the node "
    "role. With an entry it is another reason (NODEGROUP_DEGRADED).",
    source="https://docs.aws.amazon.com/eks/latest/userguide/access-entries.html",
    next_step="create an access entry of type EC2_LINUX for the role (IaC); describe_cluster(include=access)",
)
DRIFT = Cause(
    code="AMI_DRIFT",
    severity="info",
    means="Nodes of one group run different machine images: an update stopped half-way, or never took.",
    told_by=f"Label {IMAGE} differs within a group, and the older image's nodes are more than a week "
    "older than "
    "the first node of the newer. Within a week it is an update in progress.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/managed-node-update-behavior.html",
    next_step="describe_cluster(include=nodes); finish the node group's update, or roll it back",
)
NO_PROXY = Cause(
    code="KUBE_PROXY_MISSING",
    severity="high",
    means="A node has no kube-proxy: Services do not work from its pods.",
    told_by="DaemonSet kube-system/kube-proxy exists and runs elsewhere, and no pod of it is on this "
    "node, which is "
    "Ready for five minutes. Where the DaemonSet does not exist, something else does its work; a "
    "crashing one has its "
    "own finding.",
    source="https://kubernetes.io/docs/reference/command-line-tools-reference/kube-proxy/",
    next_step="see why the DaemonSet leaves the node out (tolerations, affinity); plan_addon_change "
    "puts it right",
)


def groups(facts: Facts) -> Iterator[Told]:
    """NODEGROUP_DEGRADED, or what is known to be behind it."""
    for group in facts.all(AwsNodeGroup):
        if not group.told.issues and group.told.status not in BROKEN:
            continue
        issue = next(iter(group.told.issues), Issue(group.told.status))
        if _behind_closed_door(facts, issue):
            continue
        yield _dry(facts, group, issue) or _not_let_in(facts, group, issue) or _degraded(group, issue)


def _behind_closed_door(facts: Facts, issue: Issue) -> bool:
    """ENDPOINT_ACCESS_RESTRICTED says it."""
    return issue.code == "NodeCreationFailure" and any(is_shut(one) for one in facts.all(AwsCluster))


def _said(group: AwsNodeGroup, issue: Issue) -> Evidence:
    words = f": {quoted(issue.message)}" if issue.message else ""
    says = f"{plain_name(group.told.status)}, {plain_name(issue.code)}{words}"
    return Evidence(source="eks", query=f"DescribeNodegroup {group.ref.name}", says=says)


def _degraded(group: AwsNodeGroup, issue: Issue) -> Told:
    code = plain_name(issue.code)
    return Told(
        cause=DEGRADED,
        at=group.ref,
        subject=group.ref,
        predicate=f"cannot bring nodes: {code}",
        root_cause=f"EKS reports node group {group.ref.name} as {plain_name(group.told.status)} with {code}.",
        hurts=(group.ref,),
        evidence=(_said(group, issue),),
        agree=3 + bool(issue.message),
        next_step=_HOW.get(issue.code, ""),
    )


def _dry(facts: Facts, group: AwsNodeGroup, issue: Issue) -> Told | None:
    """The subnet that has no address for a new node."""
    if issue.code not in SHORT_OF_ADDRESSES:
        return None
    subnet = next((s for s in facts.all(AwsSubnet) if s.ref.name in group.told.subnets and s.free == 0), None)
    if subnet is None:
        return None
    says = f"{subnet.free} free addresses; {subnet.cidr} in {subnet.zone}"
    return Told(
        cause=SUBNET_IP_EXHAUSTION,
        at=subnet.ref,
        subject=group.ref,
        predicate=f"cannot launch nodes: {subnet.ref.name} has 0 free addresses",
        root_cause=f"Subnet {subnet.ref.name} ({subnet.cidr}, {subnet.zone}) has 0 free addresses for "
        "the nodes of "
        f"{group.ref.name}.",
        hurts=(group.ref,),
        evidence=(
            _said(group, issue),
            Evidence(source="ec2", query=f"DescribeSubnets {subnet.ref.name}", says=says),
        ),
        agree=4,
    )


def _not_let_in(facts: Facts, group: AwsNodeGroup, issue: Issue) -> Told | None:
    role = group.told.node_role
    if issue.code not in NOT_JOINED or not role or not facts.was_read(AwsAccess):
        return None
    if not any(entry.ref.name == role and not entry.exists for entry in facts.all(AwsAccess)):
        return None
    return Told(
        cause=NO_ENTRY,
        at=Ref("AccessEntry", "", plain_name(role)),
        subject=group.ref,
        predicate="gets no nodes: its role has no access entry",
        root_cause=f"Nodes of {group.ref.name} start and are refused: the cluster has no access entry "
        "for their role "
        f"{plain_name(role)}.",
        hurts=(group.ref,),
        evidence=(
            _said(group, issue),
            Evidence(source="eks", query=f"DescribeAccessEntry {plain_name(role)}", says="not found"),
        ),
        agree=3,
    )


def drift(facts: Facts) -> Iterator[Told]:
    """AMI_DRIFT."""
    found: dict[str, list[Node]] = {}
    for node in facts.nodes:
        if node.labels.get(NODE_GROUP) and node.labels.get(IMAGE) and not is_leaving(node):
            found.setdefault(node.labels[NODE_GROUP], []).append(node)
    for name, nodes in sorted(found.items()):
        if (told := _drifted(facts, name, nodes)) is not None:
            yield told


def _drifted(facts: Facts, group: str, nodes: Sequence[Node]) -> Told | None:
    """A group whose newer image has been around for a week while older ones stay."""
    age_s = {node.name: facts.age_s(node.created_at) for node in nodes}
    newest = min(nodes, key=lambda node: (age_s[node.name], node.name)).labels[IMAGE]
    since_s = max(age_s[node.name] for node in nodes if node.labels[IMAGE] == newest)
    left = [node for node in nodes if node.labels[IMAGE] != newest and age_s[node.name] > since_s]
    if not left or since_s < DRIFTED_S:
        return None
    ref = Ref("Nodegroup", "", plain_name(group))
    images = sorted({plain_name(node.labels[IMAGE]) for node in left})
    return Told(
        cause=DRIFT,
        at=ref,
        subject=ref,
        predicate=f"runs {1 + len(images)} machine images: {len(left)} of {len(nodes)} nodes are left behind",
        root_cause=f"The newest image of node group {ref.name} is {plain_name(newest)}, in use for "
        f"{duration_text(since_s)}; {len(left)} nodes still run {', '.join(images[:3])}.",
        hurts=tuple(node.ref for node in left),
        evidence=tuple(
            stated(node.ref, "labels", f"image {plain_name(node.labels[IMAGE])}") for node in left[:3]
        ),
        agree=3,
    )


def proxies(facts: Facts) -> Iterator[Told]:
    """KUBE_PROXY_MISSING."""
    daemons = facts.workload(Ref("DaemonSet", SYSTEM, "kube-proxy"))
    if daemons is None or not daemons.ready:
        return
    covered = {pod.node for pod in facts.pods_of(daemons.ref)}
    for node in facts.nodes:
        ready = node.condition("Ready")
        well = ready is not None and ready.status == "True" and facts.age_s(ready.since) > JOINED_S
        if not well or node.name in covered or COMPUTE in node.labels or is_leaving(node):
            continue
        if facts.age_s(node.created_at) < JOINED_S:
            continue
        yield Told(
            cause=NO_PROXY,
            at=node.ref,
            subject=node.ref,
            predicate="has no kube-proxy: its pods reach no Service",
            root_cause=f"Node {node.name} is Ready and DaemonSet kube-system/kube-proxy has no pod on "
            "it, while it "
            f"runs on {len(covered)} others.",
            hurts=(node.ref,),
            evidence=(
                stated(daemons.ref, "pods", f"on {len(covered)} nodes, none on {node.name}"),
                stated(node.ref, "condition Ready", f"True for {duration_text(facts.age_s(ready.since))}"),
            )
            if ready
            else (),
            agree=3,
            explained_by=(daemons.ref,),
            shared=daemons.ref,
        )


RULES = (
    WorldRule((DEGRADED, NO_ENTRY, SUBNET_IP_EXHAUSTION), groups),
    WorldRule((DRIFT,), drift),
    WorldRule((NO_PROXY,), proxies),
)
