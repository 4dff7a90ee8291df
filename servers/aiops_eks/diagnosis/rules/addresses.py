"""Pods that get no address: the subnet is empty, it has no whole /28 left, or the node may hold no more.

The event is the same for all three. What tells them apart are the subnets' figures, the plugin's own log and
how many pods the machine can hold; without them the answer is POD_IP_UNAVAILABLE, and says less. Called by
`sandbox.py`.
Sources: amazon-vpc-cni-k8s `pkg/ipamd/ipamd.go`, `cmd/routed-eni-cni-plugin`,
https://docs.aws.amazon.com/eks/latest/userguide/cni-increase-ip-addresses.html
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from aiops_eks.diagnosis.case import EVENT_RECENT_S, Case
from aiops_eks.diagnosis.findings import Cause, Told
from aiops_eks.diagnosis.further.aws import (
    INSTANCE_TYPE,
    SYSTEM,
    ZONE,
    AwsInstanceType,
    AwsSubnet,
    PluginLog,
)
from aiops_eks.diagnosis.objects import Event, Node, Pod, Ref
from aiops_eks.diagnosis.quantities import duration_text
from aiops_eks.diagnosis.quoting import quoted
from aiops_shared.results import Evidence

NO_ADDRESS = "failed to assign an IP address"
BEFORE = 40  # characters of a long message that are shown before its telling words
ENOUGH_S = 60.0  # who got an address this long after the first failure shows that there are some elsewhere
_SOURCE = "amazon-vpc-cni-k8s pkg/ipamd; https://docs.aws.amazon.com/eks/latest/userguide/cni-increase-ip-addresses.html"
_EMPTY = re.compile(r"InsufficientFreeAddressesInSubnet")
_NO_BLOCK = re.compile(r"InsufficientCidrBlocks")
_SUBNET = re.compile(r"\bsubnet-[0-9a-f]{1,17}\b")
SUBNET_IP_EXHAUSTION = Cause(
    code="SUBNET_IP_EXHAUSTION",
    severity="high",
    means="A subnet has no free address, or in prefix mode no whole free /28, for the pods of its nodes.",
    told_by="Pods on its nodes get no address (event, or the network plugin's log) and EC2 counts 0 "
    "free addresses, or 0 free /28 blocks where the plugin asks for prefixes. A subnet with room and a full "
    "node is NODE_ADDRESSES_EXHAUSTED; with figures unknown it is POD_IP_UNAVAILABLE.",
    source=_SOURCE,
    next_step="describe_cluster(include=subnets); a subnet cannot grow: add a secondary CIDR with new "
    "subnets for pods",
    sop="subnet-ip-exhaustion",
)
POD_IP_UNAVAILABLE = Cause(
    code="POD_IP_UNAVAILABLE",
    severity="high",
    means="The network plugin has no address for the pod: most likely its subnet is exhausted.",
    told_by="FailedCreatePodSandBox with `failed to assign an IP address`, on several nodes or while no "
    "other node gives an address either, and the subnets' figures are not known or do not explain it. "
    "When only one node fails and others still start pods it is NODE_ADDRESSES_EXHAUSTED.",
    source="amazon-vpc-cni-k8s, add cmd",
    next_step="describe_cluster(include=subnets) for free addresses and free /28 blocks",
    sop="subnet-ip-exhaustion",
)
NODE_ADDRESSES_EXHAUSTED = Cause(
    code="NODE_ADDRESSES_EXHAUSTED",
    severity="high",
    means="A node has no address left for pods: its network interfaces are full, or its plugin is stuck.",
    told_by="`failed to assign an IP address` while its subnet has room and the node holds as many pods "
    "as its instance type has addresses; or on one node only, while pods on other nodes got addresses after "
    "the first failure.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html (pods per "
    "interface)",
    next_step="compare the node's pods with the addresses its instance type can hold; look at aws-node "
    "on it; prefix "
    "delegation or a larger instance type gives more",
    sop="subnet-ip-exhaustion",
)
CAUSES = (SUBNET_IP_EXHAUSTION, POD_IP_UNAVAILABLE, NODE_ADDRESSES_EXHAUSTED)


@dataclass(frozen=True, slots=True)
class Want:
    """A pod without an address, with what is known about why."""

    case: Case
    event: Event | None  # the kubelet's; None where it has expired
    line: str  # the plugin's, where its log was read and says something
    node: Node | None

    @property
    def zone(self) -> str:
        """Where the node stands."""
        return self.node.labels.get(ZONE, "") if self.node else ""

    @property
    def of_node(self) -> tuple[AwsSubnet, ...]:
        """The subnets that may be the node's: the one its plugin names, else those of its zone."""
        known = self.case.facts.all(AwsSubnet)
        named = set(_SUBNET.findall(self.line))
        return tuple(s for s in known if s.ref.name in named) or tuple(
            s for s in known if s.zone == self.zone
        )

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What the kubelet and the plugin said."""
        said = (_said(self.case, self.event),) if self.event else (self.case.status_evidence(),)
        return (*said, *((_log_evidence(self),) if self.line else ()))


def no_address(case: Case) -> Told | None:
    """The nearest of the three causes; None when it is not an address that the pod lacks."""
    want = _want(case)
    if want is None:
        return None
    empty = _empty_subnet(want)
    if empty is not None:
        return _exhausted(want, empty)
    limit = _full_machine(want)
    if limit is not None and want.node is not None:
        return _node_full(want, want.node, limit)
    if want.event is None:
        return None  # an old line of the plugin's alone explains nothing
    return _unknown(want)


def _want(case: Case) -> Want | None:
    event = next((e for e in case.recent("FailedCreatePodSandBox") if NO_ADDRESS in e.message), None)
    other = event is None and bool(case.recent("FailedCreatePodSandBox", "FailedMount", "FailedAttachVolume"))
    lines = [line for log in case.facts.all(PluginLog) if log.node == case.pod.node for line in log.lines]
    line = next((line for line in reversed(lines) if _EMPTY.search(line) or _NO_BLOCK.search(line)), "")
    if (event is None and not line) or other:
        return None
    return Want(case, event, line, case.facts.node(case.pod.node))


def _said(case: Case, event: Event) -> Evidence:
    """The event's own words, which stand behind the sandbox's long id."""
    start = max(0, event.message.find(NO_ADDRESS) - BEFORE)
    return case.event_evidence(replace(event, message=event.message[start:]))


def _log_evidence(want: Want) -> Evidence:
    query = f"log of {SYSTEM}/aws-node on node {want.case.pod.node}"
    found = _EMPTY.search(want.line) or _NO_BLOCK.search(want.line)
    start = max(0, found.start() - BEFORE) if found else 0
    return Evidence(source="pod log", query=query, says=quoted(want.line[start:]))


# the subnet


def _empty_subnet(want: Want) -> AwsSubnet | None:
    """The subnet that has nothing left to give to this node, if that is so."""
    found = want.of_node
    empty = [s for s in found if s.free == 0]
    if empty and (len(empty) == len(found) or _EMPTY.search(want.line)):
        return empty[0]
    unbroken = [s for s in found if s.free_blocks == 0]
    if unbroken and _NO_BLOCK.search(want.line):
        return unbroken[0]
    return None


def _exhausted(want: Want, subnet: AwsSubnet) -> Told:
    case, name = want.case, subnet.ref.name
    none_free = subnet.free == 0
    lack = "0 free addresses" if none_free else f"no free /28 block ({subnet.free} scattered addresses free)"
    figures = (
        f"{subnet.free} free addresses, {_blocks(subnet)} free /28 blocks; {subnet.cidr} in {subnet.zone}"
    )
    told_by_plugin = bool(want.line)
    return Told(
        cause=SUBNET_IP_EXHAUSTION,
        at=subnet.ref,
        subject=case.subject,
        predicate=f"cannot start: {name} has {lack}",
        root_cause=f"Subnet {name} ({subnet.cidr}, {subnet.zone}) has {lack}. In order: "
        f"{_chain(want, subnet)}.",
        hurts=(case.pod.ref,),
        evidence=(
            want.evidence[0],
            Evidence(source="ec2", query=f"DescribeSubnets {name}", says=figures),
            *want.evidence[1:],
            *_grew(want),
        ),
        agree=3 + told_by_plugin + (want.event is not None),
        doubt=int(not none_free and not told_by_plugin),
        ruled_out=_ruled_out(case),
        next_step=_actions(want, subnet),
        since=want.event.first_at if want.event else case.pod.created_at,
    )


def _blocks(subnet: AwsSubnet) -> str:
    return "unknown" if subnet.free_blocks is None else str(subnet.free_blocks)


def _chain(want: Want, subnet: AwsSubnet) -> str:
    """What happened in the order of its beginning, each with how long ago."""
    facts, case = want.case.facts, want.case
    links = [
        (facts.age_s(e.first_at or e.last_at), f"{e.about} grew ({e.reason})") for e in _growth(want)[:1]
    ]
    links.append((facts.age_s(case.pod.created_at), f"{case.pod.ref} was placed in {subnet.zone}"))
    if want.event is not None:
        first = want.event.first_at or want.event.last_at
        links.append((facts.age_s(first), f"its sandbox failed, {want.event.count}x so far"))
    ordered = sorted(links, key=lambda link: -link[0])
    said = [f"{duration_text(age_s)} ago {words}" for age_s, words in ordered]
    waiting = sum(1 for pod in _without_address(case) if _zone_of(case, pod) == want.zone)
    return "; ".join([*said, f"{max(1, waiting)} pods wait in {subnet.zone} now"])


def _growth(want: Want) -> list[Event]:
    """What made the workload bigger before the pod came, the last of it first."""
    case, facts = want.case, want.case.facts
    about = {case.subject, Ref("HorizontalPodAutoscaler", case.pod.namespace, case.subject.name)}
    said = [e for ref in about for e in facts.events_about(ref)]
    grew = [e for e in said if e.reason == "SuccessfulRescale" or "Scaled up" in e.message]
    before = [e for e in grew if facts.age_s(e.first_at or e.last_at) >= facts.age_s(case.pod.created_at)]
    return sorted(before, key=lambda e: (e.reason != "SuccessfulRescale", facts.age_s(e.last_at)))


def _grew(want: Want) -> tuple[Evidence, ...]:
    return tuple(want.case.event_evidence(e) for e in _growth(want)[:1])


def _ruled_out(case: Case) -> tuple[str, ...]:
    """Who is suspected when requests time out, as far as the cluster's own state can clear it."""
    facts = case.facts
    found = ["database: a pod that never got an address never called it"]
    dns = facts.workload(Ref("Deployment", SYSTEM, "coredns"))
    if dns is not None and dns.desired and dns.available >= dns.desired:
        found.append(f"coredns: {dns.available} of {dns.desired} available")
    own = [r for r in facts.revisions if r.owner == case.subject]
    newest = min((facts.age_s(r.created_at) for r in own), default=None)
    if newest is not None and newest - facts.age_s(case.pod.created_at) > ENOUGH_S:
        found.append(
            f"deployment: its newest revision is {duration_text(newest)} old, older than the trouble"
        )
    found.append("node_cpu: the pods were placed, so their requests fit")
    return tuple(found)


def _actions(want: Want, subnet: AwsSubnet) -> str:
    """A subnet cannot be grown (C9); prefixes need whole /28 blocks; the rest is relief."""
    others = sorted(
        (s for s in want.case.facts.all(AwsSubnet) if s.free > 0 and s.zone != subnet.zone),
        key=lambda s: (-s.free, s.ref),
    )
    room = ", ".join(f"{s.zone} ({s.ref.name}: {s.free} free)" for s in others[:2])
    viable = subnet.free_blocks is not None and subnet.free_blocks > 0
    prefix = (
        f"possible here, {subnet.free_blocks} free /28"
        if viable
        else f"not viable here: {_blocks(subnet)} free /28"
    )
    return (
        "1. through IaC: add a secondary CIDR to the VPC and a new subnet for pods (CNI subnet "
        "discovery or custom "
        f"networking); 2. prefix delegation: {prefix}; 3. relief, with approval: lower WARM_IP_TARGET and "
        "WARM_ENI_TARGET with plan_addon_change, or spread replicas"
        + (f" to {room}" if room else " to other zones")
    )


# the machine


def _full_machine(want: Want) -> AwsInstanceType | None:
    """The machine's limits when its pods have all the addresses it can hold."""
    if want.node is None or not any(s.free > 0 for s in want.of_node):
        return None
    kind = want.node.labels.get(INSTANCE_TYPE, "")
    limit = next((t for t in want.case.facts.all(AwsInstanceType) if t.ref.name == kind), None)
    if limit is None or not limit.told.interfaces:
        return None
    return limit if _served(want.case, want.node.name) >= limit.told.addresses_for_pods else None


def _served(case: Case, node: str) -> int:
    """Pods of a node that have an address of their own."""
    waiting = {pod.ref for pod in _without_address(case)} | {case.pod.ref}
    return sum(
        1
        for pod in case.facts.pods_on(node)
        if _has_address(pod) and pod.phase in {"Pending", "Running"} and pod.ref not in waiting
    )


def _has_address(pod: Pod) -> bool:
    """One of its own; of a pod that is known by its row alone it is likely when no DaemonSet made it."""
    return not pod.host_network and (pod.whole or pod.parent is None or pod.parent.kind != "DaemonSet")


def _node_full(want: Want, node: Node, limit: AwsInstanceType) -> Told:
    case, kind, most = want.case, limit.ref.name, limit.told.addresses_for_pods
    subnet = max(want.of_node, key=lambda s: s.free)
    figures = f"{subnet.free} free addresses, {_blocks(subnet)} free /28 blocks"
    each = f"{limit.told.interfaces} interfaces with {limit.told.addresses_each} addresses each"
    return Told(
        cause=NODE_ADDRESSES_EXHAUSTED,
        at=node.ref,
        subject=case.subject,
        predicate=f"cannot start: node {node.name} uses all {most} pod addresses of its type {kind}",
        root_cause=f"Node {node.name} is at the limit of its interfaces ({each}), while its subnet "
        f"{subnet.ref.name} has {subnet.free} free addresses.",
        hurts=(case.pod.ref,),
        evidence=(
            *want.evidence[:1],
            Evidence(source="ec2", query=f"DescribeInstanceTypes {kind}", says=f"{each}: {most} for pods"),
            Evidence(source="ec2", query=f"DescribeSubnets {subnet.ref.name}", says=figures),
        ),
        agree=4,
        ruled_out=(f"subnet: {subnet.ref.name} has {subnet.free} free addresses",),
        next_step=_more_for_node(limit, subnet),
        since=want.event.first_at if want.event else None,
        shared=Ref("InstanceType", "", kind),
    )


def _more_for_node(limit: AwsInstanceType, subnet: AwsSubnet) -> str:
    """Prefixes first where the subnet still has whole blocks for them."""
    if not limit.told.nitro or subnet.free_blocks == 0:
        return "1. a larger instance type, or more nodes; 2. spread the pods"
    most = limit.told.most_pods(prefixes=True)
    return (
        "1. prefix delegation: set ENABLE_PREFIX_DELEGATION with plan_addon_change and make the nodes anew "
        f"({subnet.ref.name} has {_blocks(subnet)} free /28; the type then holds up to {min(most, 250)} "
        "pods); "
        "2. a larger instance type, or more nodes"
    )


# neither is known


def _unknown(want: Want) -> Told:
    case = want.case
    failing = {pod.node for pod in _without_address(case)} | {case.pod.node}
    others = _served_elsewhere(want, failing)
    if want.node is not None and len(failing) == 1 and others:
        text = (
            f"Node {case.pod.node} has no address for {case.pod.ref}, while {len(others)} pods on other "
            "nodes got "
            "theirs since: its interfaces are full, or its network plugin is stuck."
        )
        words = f"gets no IP address on node {case.pod.node}"
        return _plain(want, NODE_ADDRESSES_EXHAUSTED, words, text, want.node.ref)
    many = f" on {len(failing)} nodes" if len(failing) > 1 else ""
    text = f"{case.pod.ref} gets no IP address on node {case.pod.node}: the plugin has none to give{many}."
    return _plain(want, POD_IP_UNAVAILABLE, "gets no IP address", text, case.subject)


def _plain(want: Want, cause: Cause, words: str, text: str, at: Ref) -> Told:
    case = want.case
    free = [f"subnet: {s.ref.name} has {s.free} free addresses" for s in want.of_node if s.free > 0]
    plugin = Ref("DaemonSet", SYSTEM, "aws-node")
    return Told(
        cause=cause,
        at=at,
        subject=case.subject,
        predicate=f"cannot start: it {words}",
        root_cause=text,
        hurts=(case.pod.ref,),
        evidence=(case.status_evidence(), *want.evidence),
        agree=3,
        ruled_out=("image and configuration: no container was created yet", *free[:1]),
        shared=plugin if cause is POD_IP_UNAVAILABLE and case.facts.workload(plugin) else None,
    )


def _without_address(case: Case) -> Sequence[Pod]:
    facts = case.facts
    refused = {
        e.about
        for e in facts.events
        if e.reason == "FailedCreatePodSandBox"
        and NO_ADDRESS in e.message
        and facts.age_s(e.last_at) <= EVENT_RECENT_S
    }
    return [pod for ref in sorted(refused) if (pod := facts.pod(ref)) is not None and pod.phase == "Pending"]


def _zone_of(case: Case, pod: Pod) -> str:
    node = case.facts.node(pod.node)
    return node.labels.get(ZONE, "") if node else ""


def _served_elsewhere(want: Want, failing: set[str]) -> list[Pod]:
    """Pods of other nodes, not on the host's network, whose containers started after the first failure."""
    case, event = want.case, want.event
    began = case.facts.age_s((event.first_at or event.last_at) if event else None) - ENOUGH_S
    return [
        pod
        for pod in case.facts.pods
        if pod.node
        and pod.node not in failing
        and not pod.host_network
        and case.facts.age_s(pod.created_at) < began
        and any(c.running_since for c in pod.containers)
    ]
