"""Pods that no node takes.

The scheduler reports per node the first filter that refused it. Filters run in a fixed order, so a node
refused by a later one fitted all the earlier: the latest filter named is the nearest to a fit and gives the
code. Sources: `pkg/scheduler/framework` (texts), `pkg/scheduler/apis/config/v1/default_plugins.go` (order).
"""

import re
from collections.abc import Mapping, Sequence

from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.further.aws import AwsNodeGroup
from aiops_eks.diagnosis.objects import LabelRule, Node, Ref
from aiops_eks.diagnosis.quoting import plain_name, quoted
from aiops_eks.diagnosis.rules import karpenter_claims
from aiops_shared.results import Evidence

_SOURCE = "pkg/scheduler/framework/plugins; default_plugins.go"


def _cause(code: str, means: str, told_by: str, next_step: str) -> Cause:
    return Cause(code, "high", means, f"FailedScheduling says `{told_by}`.", _SOURCE, next_step)


def _insufficient(code: str, what: str, told_by: str) -> Cause:
    step = (
        f"lower the {what} request, free capacity, or let the node group or NodePool grow (describe_cluster)"
    )
    return _cause(code, f"No node that fits otherwise has enough free {what}.", told_by, step)


INSUFFICIENT_CPU = _insufficient("INSUFFICIENT_CPU", "CPU", "Insufficient cpu")
INSUFFICIENT_MEMORY = _insufficient("INSUFFICIENT_MEMORY", "memory", "Insufficient memory")
INSUFFICIENT_GPU = _insufficient("INSUFFICIENT_GPU", "GPU", "Insufficient nvidia.com/gpu")
INSUFFICIENT_STORAGE = _insufficient(
    "INSUFFICIENT_EPHEMERAL_STORAGE", "ephemeral storage", "Insufficient ephemeral-storage"
)
TOO_MANY_PODS = _insufficient("TOO_MANY_PODS", "pod slot", "Too many pods")
BRANCH_INTERFACES = Cause(
    "SECURITY_GROUP_PODS_LIMIT",
    "high",
    "Pods with a security group of their own need a branch interface, and no fitting node has one left.",
    "FailedScheduling says `Insufficient vpc.amazonaws.com/pod-eni`. Pods without a SecurityGroupPolicy "
    "still start "
    "there.",
    "https://docs.aws.amazon.com/eks/latest/userguide/security-groups-for-pods.html",
    "use an instance type with more branch interfaces, add nodes, or take pods out of the "
    "SecurityGroupPolicy; nodes "
    "without ENABLE_POD_ENI (plan_addon_change) have none",
    "subnet-ip-exhaustion",
)
NODE_SELECTOR_UNMATCHED = _cause(
    "NODE_SELECTOR_UNMATCHED",
    "No node has the labels that the pod's node selector or affinity asks for.",
    "didn't match Pod's node affinity/selector",
    "compare nodeSelector and affinity with the nodes' labels (list_resources kind=Node)",
)
TAINT_NOT_TOLERATED = _cause(
    "TAINT_NOT_TOLERATED",
    "Every node that would fit has a taint that the pod does not tolerate.",
    "had untolerated taint",
    "add the toleration if the pod belongs there, or remove the taint that should be gone",
)
POD_AFFINITY_UNMATCHED = _cause(
    "POD_AFFINITY_UNMATCHED",
    "No node fulfils the pod's affinity to other pods.",
    "didn't match pod affinity rules",
    "check that the pods it wants to be near exist and run",
)
ANTI_AFFINITY_CONFLICT = _cause(
    "ANTI_AFFINITY_CONFLICT",
    "Each node already runs a pod that this one must not share a node with.",
    "didn't match pod anti-affinity rules",
    "make the anti-affinity preferred, or add nodes: it needs one per replica",
)
TOPOLOGY_SPREAD_CONFLICT = _cause(
    "TOPOLOGY_SPREAD_CONFLICT",
    "Any node would break the pod's topology spread.",
    "didn't match pod topology spread constraints",
    "look for a zone without nodes or room; use whenUnsatisfiable ScheduleAnyway if it may be uneven",
)
VOLUME_ZONE_CONFLICT = _cause(
    "VOLUME_ZONE_CONFLICT",
    "The pod's volume lives in a zone where no fitting node has room.",
    "didn't match PersistentVolume's node affinity",
    "add a node in the volume's zone; a volume does not move between zones",
)
PVC_UNBOUND = _cause(
    "PVC_UNBOUND",
    "The pod waits for a PersistentVolumeClaim that is missing or gets no volume.",
    "unbound immediate PersistentVolumeClaims, persistentvolumeclaim not found, or no volume to bind",
    "diagnose the claim: its class, its provisioner, its access mode",
)
HOST_PORT_TAKEN = _cause(
    "HOST_PORT_TAKEN",
    "The host port is taken on every fitting node.",
    "didn't have free ports for the requested pod ports",
    "drop hostPort, or run one per node as a DaemonSet",
)
NODES_CORDONED = _cause(
    "NODES_CORDONED",
    "The nodes that would fit are cordoned.",
    "were unschedulable",
    "uncordon a node that was forgotten, or add one",
)
UNSCHEDULABLE = _cause(
    "UNSCHEDULABLE",
    "No node takes the pod; the scheduler's words are quoted.",
    "another reason",
    "read the quote",
)

# In the order of the scheduler's filters: a later one is nearer to a fit.
_FILTERS: tuple[tuple[Cause, re.Pattern[str]], ...] = tuple(
    (cause, re.compile(pattern))
    for cause, pattern in (
        (NODES_CORDONED, r"were unschedulable"),
        (TAINT_NOT_TOLERATED, r"untolerated taint"),
        (NODE_SELECTOR_UNMATCHED, r"didn't match Pod's node affinity/selector|didn't match node selector"),
        (HOST_PORT_TAKEN, r"didn't have free ports"),
        (TOO_MANY_PODS, r"Too many pods"),
        (INSUFFICIENT_STORAGE, r"Insufficient ephemeral-storage"),
        (
            INSUFFICIENT_GPU,
            (
                r"Insufficient (?:nvidia|amd|gpu\.intel)\.com/|Insufficient "
                r"aws\.amazon\.com/neuron"
            ),
        ),
        (BRANCH_INTERFACES, r"Insufficient vpc\.amazonaws\.com/pod-eni"),
        (INSUFFICIENT_CPU, r"Insufficient cpu"),
        (INSUFFICIENT_MEMORY, r"Insufficient memory"),
        (
            VOLUME_ZONE_CONFLICT,
            r"volume node affinity conflict|match PersistentVolume's node affinity|no available volume zone",
        ),
        (TOPOLOGY_SPREAD_CONFLICT, r"topology spread constraints"),
        (POD_AFFINITY_UNMATCHED, r"didn't match pod affinity rules"),
        (ANTI_AFFINITY_CONFLICT, r"anti-affinity rules"),
        (
            PVC_UNBOUND,
            (
                r"unbound immediate PersistentVolumeClaims|didn't find available persistent volumes to bind"
                r"|persistentvolumeclaim \"[^\"]+\" (?:not found|is being deleted|bound to non-existent)"
                r"|bound to non-existent pv|binding volumes: "
            ),
        ),
    )
)
_UNWELL = tuple(
    f"node.kubernetes.io/{word}"
    for word in (
        "memory-pressure",
        "disk-pressure",
        "pid-pressure",
        "not-ready",
        "unreachable",
        "network-unavailable",
    )
)
_CLAIM = re.compile(r"persistentvolumeclaim \"([a-z0-9.-]{1,253})\" not found")


# What another node would bring.
_ROOM = (
    INSUFFICIENT_CPU,
    INSUFFICIENT_MEMORY,
    INSUFFICIENT_GPU,
    INSUFFICIENT_STORAGE,
    TOO_MANY_PODS,
    NODE_SELECTOR_UNMATCHED,
    BRANCH_INTERFACES,
)
OTHERS = "Failed to schedule pod"  # Karpenter speaks in its own words, with the scheduler's reason


def _nearest(case: Case, refused: str) -> Cause:
    """The latest filter that refused a node.

    Nodes that the pod does not select are out of the question as long as there are others: what keeps those
    from taking it is the cause, although their filter comes earlier.
    """
    found = [cause for cause, pattern in _FILTERS if pattern.search(refused)]
    if len(found) > 1 and NODE_SELECTOR_UNMATCHED in found and _selected(case):
        found.remove(NODE_SELECTOR_UNMATCHED)
    return found[-1] if found else UNSCHEDULABLE


def _selected(case: Case) -> list[Node]:
    """The nodes that the pod's node selector and required node affinity take."""
    pod = case.pod
    return [
        node
        for node in case.facts.nodes
        if all(node.labels.get(key) == value for key, value in pod.node_selector.items())
        and (not pod.node_affinity or any(_holds(term, node.labels) for term in pod.node_affinity))
    ]


def _holds(term: Sequence[LabelRule], labels: Mapping[str, str]) -> bool:
    return bool(term) and all(_rule_holds(rule, labels.get(rule.key)) for rule in term)


def _rule_holds(rule: LabelRule, value: str | None) -> bool:
    match rule.operator:
        case "In":
            return value in rule.values
        case "NotIn":
            return value not in rule.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False  # Gt and Lt: not worth a guess


def unschedulable(case: Case) -> Told | None:
    """The nearest of the scheduler's reasons."""
    if case.container is not None or case.pod.node or case.pod.deleted_at is not None:
        return None
    events, condition = case.recent("FailedScheduling", within_s=3600.0), case.pod.condition("PodScheduled")
    said = condition.message if condition and condition.reason == "Unschedulable" else ""
    own = [e for e in events if not e.message.startswith(OTHERS)]
    words = (own[0].message if own else "") or said
    if not words:
        return None
    refused = words.partition("preemption:")[0]
    cause = _nearest(case, refused)
    place = _place(case, cause, refused)
    query = f"{case.pod.ref} condition PodScheduled"
    evidence = [Evidence(source="kubernetes", query=query, says=quoted(said))] if said else []
    return Told(
        cause=cause,
        at=place,
        subject=case.subject,
        predicate=f"cannot be scheduled: {cause.means[0].lower()}{cause.means[1:].rstrip('.')}",
        root_cause=f"The scheduler finds no node for {case.pod.ref}: {cause.means}",
        hurts=(case.pod.ref,),
        evidence=(*evidence, *(case.event_evidence(e) for e in own[:1])),
        agree=bool(own) + bool(said) + (cause is not UNSCHEDULABLE),
        ruled_out=("container, image and configuration: no node was ever chosen",),
        explained_by=(place,) if cause is PVC_UNBOUND else (*_troubled(case, cause), *_awaited(case, cause)),
        shared=_shared(case, cause),
    )


def _troubled(case: Case, cause: Cause) -> tuple[Ref, ...]:
    """The nodes that the pod belongs to and whose taint only says that they are not well."""
    if cause is not TAINT_NOT_TOLERATED:
        return ()
    return tuple(node.ref for node in _selected(case) if any(t.startswith(_UNWELL) for t in node.taints))


def _awaited(case: Case, cause: Cause) -> tuple[Ref, ...]:
    """Who should bring a node with room, and does not get on."""
    if cause not in _ROOM:
        return ()
    groups = [group.ref for group in case.facts.all(AwsNodeGroup) if group.told.issues]
    return (*groups, *(claim.ref for claim in karpenter_claims.refs(case.facts)))


def _shared(case: Case, cause: Cause) -> Ref | None:
    """The node whose taint or cordon keeps this pod and others away, where all that fit have it."""
    nodes = sorted(_selected(case) or case.facts.nodes, key=lambda node: node.name)
    if cause is NODES_CORDONED:
        return next((node.ref for node in nodes if node.cordoned), None)
    if cause is TAINT_NOT_TOLERATED:
        return next((node.ref for node in nodes if node.taints and not node.cordoned), None)
    return None


def _place(case: Case, cause: Cause, words: str) -> Ref:
    """The claim that is missing or unbound; otherwise what asks for the impossible."""
    if cause is not PVC_UNBOUND:
        return case.subject
    match = _CLAIM.search(words)
    names = [match[1]] if match else list(case.pod.claims)
    claims = [Ref("PersistentVolumeClaim", case.pod.namespace, name) for name in names]
    phases = {c.ref: c.phase for c in case.facts.claims}
    return next((c for c in claims if phases.get(c) != "Bound"), case.subject)


GATED_S = 600.0
GATED = Cause(
    code="SCHEDULING_GATED",
    severity="medium",
    means="A scheduling gate holds the pod back; whoever set it must remove it.",
    told_by="spec.schedulingGates is not empty for ten minutes; the scheduler has not tried. A queue that "
    "holds "
    "pods back for a while works so on purpose.",
    source="pkg/scheduler/framework/plugins/schedulinggates",
    next_step="ask the controller named by the gate",
)


def gated(case: Case) -> Told | None:
    """SCHEDULING_GATED."""
    if case.container is not None or not case.pod.gates or case.pod.node or case.pod.deleted_at is not None:
        return None
    if case.facts.age_s(case.pod.created_at) < GATED_S:
        return None
    gates = ", ".join(plain_name(gate) for gate in case.pod.gates[:3])
    return Told(
        cause=GATED,
        at=case.subject,
        subject=case.subject,
        predicate=f"is held back by scheduling gate {gates}",
        root_cause=f"{case.pod.ref} has the scheduling gates {gates}.",
        hurts=(case.pod.ref,),
        evidence=(
            Evidence(source="kubernetes", query=f"{case.pod.ref} spec", says=f"schedulingGates {gates}"),
        ),
        agree=3,
    )


RULES = (
    CaseRule((GATED,), gated),
    CaseRule((*(cause for cause, _ in _FILTERS), UNSCHEDULABLE), unschedulable),
)
