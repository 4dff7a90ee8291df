"""Pods that get no sandbox: no address, no network, no runtime.

Whether the subnet is exhausted or only the node's own interfaces are full is told apart roughly by who
else suffers; the subnets' figures decide (`describe_cluster`).
Sources: `pkg/kubelet/kuberuntime` (event FailedCreatePodSandBox), amazon-vpc-cni-k8s (add cmd).
"""

from collections.abc import Sequence

from aiops_eks.diagnosis.case import EVENT_RECENT_S, Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Event, Pod, Ref

NO_ADDRESS = "failed to assign an IP address"
NOT_READY = "NetworkNotReady"
ENOUGH_S = (
    60.0  # a pod elsewhere that got its address this long after the first failure shows the subnet has some
)
POD_IP_UNAVAILABLE = Cause(
    code="POD_IP_UNAVAILABLE",
    severity="high",
    means="The network plugin has no address for the pod: most likely its subnet is exhausted.",
    told_by="FailedCreatePodSandBox with `failed to assign an IP address`, on several nodes or while no "
    "other node "
    "gives an address either. When only one node fails and others still start pods it is "
    "NODE_ADDRESSES_EXHAUSTED.",
    source="amazon-vpc-cni-k8s, add cmd",
    next_step="describe_cluster(include=subnets) for free addresses and free /28 blocks",
    sop="subnet-ip-exhaustion",
)
NODE_ADDRESSES_EXHAUSTED = Cause(
    code="NODE_ADDRESSES_EXHAUSTED",
    severity="high",
    means="One node has no address left for pods: its network interfaces are full, or its plugin is stuck.",
    told_by="`failed to assign an IP address` on one node only, while pods on other nodes got addresses "
    "after the "
    "first failure. On several nodes it is POD_IP_UNAVAILABLE.",
    source="https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html (pods per "
    "interface)",
    next_step="compare the node's pods with the addresses its instance type can hold; look at aws-node on "
    "it; "
    "prefix delegation or a larger instance type gives more",
    sop="subnet-ip-exhaustion",
)
SANDBOX_FAILED = Cause(
    code="SANDBOX_FAILED",
    severity="high",
    means="The pod's sandbox (network, runtime) cannot be made; the kubelet's words are quoted.",
    told_by="FailedCreatePodSandBox or NetworkNotReady without an address problem, and no finding about the "
    "node "
    "itself explains it.",
    source="pkg/kubelet/kuberuntime/kuberuntime_sandbox.go",
    next_step="check the CNI pods and the container runtime on that node",
)


def sandbox(case: Case) -> Told | None:
    """POD_IP_UNAVAILABLE, NODE_ADDRESSES_EXHAUSTED or SANDBOX_FAILED."""
    events = case.recent("FailedCreatePodSandBox", NOT_READY) if case.container is None else ()
    if not events or case.pod.deleted_at is not None or case.pod.phase != "Pending":
        return None
    node = case.facts.node(case.pod.node)
    where = node.ref if node else None
    if any(NO_ADDRESS in e.message for e in events):
        return _no_address(case, next(e for e in events if NO_ADDRESS in e.message), where)
    text = f"{case.pod.ref} gets no sandbox on node {case.pod.node}; the kubelet's words are quoted."
    return _told(
        case, SANDBOX_FAILED, "gets no sandbox", text, events, case.subject, (where,) if where else ()
    )


def _no_address(case: Case, event: Event, node: Ref | None) -> Told:
    failing = {pod.node for pod in _without_address(case)} | {case.pod.node}
    others = _served_elsewhere(case, failing, event)
    if node is not None and len(failing) == 1 and others:
        text = (
            f"Node {case.pod.node} has no address for {case.pod.ref}, while {len(others)} pods on other "
            "nodes got "
            "theirs since: its interfaces are full, or its network plugin is stuck."
        )
        return _told(
            case,
            NODE_ADDRESSES_EXHAUSTED,
            f"gets no IP address on node {case.pod.node}",
            text,
            (event,),
            node,
        )
    many = f" on {len(failing)} nodes" if len(failing) > 1 else ""
    text = f"{case.pod.ref} gets no IP address on node {case.pod.node}: the plugin has none to give{many}."
    return _told(case, POD_IP_UNAVAILABLE, "gets no IP address", text, (event,), case.subject)


def _without_address(case: Case) -> list[Pod]:
    facts = case.facts
    refused = {
        e.about
        for e in facts.events
        if e.reason == "FailedCreatePodSandBox"
        and NO_ADDRESS in e.message
        and facts.age_s(e.last_at) <= EVENT_RECENT_S
    }
    return [pod for ref in sorted(refused) if (pod := facts.pod(ref)) is not None and pod.phase == "Pending"]


def _served_elsewhere(case: Case, failing: set[str], event: Event) -> list[Pod]:
    """Pods of other nodes, not on the host's network, whose containers started after the first failure."""
    began = case.facts.age_s(event.first_at or event.last_at) - ENOUGH_S
    return [
        pod
        for pod in case.facts.pods
        if pod.node
        and pod.node not in failing
        and not pod.host_network
        and case.facts.age_s(pod.created_at) < began
        and any(c.running_since for c in pod.containers)
    ]


def _told(
    case: Case,
    cause: Cause,
    words: str,
    text: str,
    events: Sequence[Event],
    at: Ref,
    explained_by: tuple[Ref, ...] = (),
) -> Told:
    evidence = (case.status_evidence(), case.event_evidence(events[0]))
    return Told(
        cause=cause,
        at=at,
        subject=case.subject,
        predicate=f"cannot start: it {words}",
        root_cause=text,
        hurts=(case.pod.ref,),
        evidence=evidence,
        agree=len(evidence) + (cause is not SANDBOX_FAILED),
        ruled_out=("image and configuration: no container was created yet",),
        explained_by=explained_by,
    )


RULES = (CaseRule((POD_IP_UNAVAILABLE, NODE_ADDRESSES_EXHAUSTED, SANDBOX_FAILED), sandbox),)
