"""DaemonSets that do not run where something needs them.

A node agent that a taint keeps away from a node is as it should be until a pod there needs it: then the fault
is at the DaemonSet, not at the pod.
Source: `pkg/controller/daemon/daemon_controller.go` (NodeShouldRunDaemonPod), `pkg/volume/csi/csi_client.go`.
"""

import re

from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.evidence import stated
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.objects import Node, Workload
from aiops_eks.diagnosis.quoting import plain_name

_DRIVER = re.compile(r"driver name ([a-z0-9.-]{1,63}) not found in the list of registered CSI drivers")
_OF_KUBERNETES = ("node.kubernetes.io/", "node-role.kubernetes.io/", "node.cloudprovider.kubernetes.io/")
DAEMONSET_NOT_TOLERATING = Cause(
    code="DAEMONSET_NOT_TOLERATING",
    severity="high",
    means="A node agent does not tolerate a node's taint, and pods that do run there need it.",
    told_by="A pod's volume has no driver on its node, the driver's DaemonSet runs on other nodes and not on "
    "this one, and this one has a taint of somebody's own. With a broken driver pod on the node, that one "
    "holds the finding; a DaemonSet that nobody misses is fine.",
    source="pkg/controller/daemon/daemon_controller.go",
    next_step="add the toleration to the DaemonSet's template with plan_manifest(action=apply)",
)


def agent_kept_away(case: Case) -> Told | None:
    """DAEMONSET_NOT_TOLERATING."""
    node = case.facts.node(case.pod.node)
    if case.container is not None or node is None:
        return None
    for event in case.recent("FailedMount", "FailedAttachVolume"):
        match = _DRIVER.search(event.message)
        agent = _agent(case, match[1]) if match else None
        taints = _own_taints(node)
        if match is None or agent is None or not taints:
            continue
        there = {pod.node for pod in case.facts.pods_of(agent.ref)}
        if not there or node.name in there:
            continue
        return Told(
            cause=DAEMONSET_NOT_TOLERATING,
            at=agent.ref,
            subject=case.subject,
            predicate=f"gets no volume: {agent.ref.name} does not run on {node.name}",
            root_cause=f"{agent.ref} provides {plain_name(match[1])} and is kept from {node.ref} by its "
            f"taint {taints[0]}, which {case.subject} tolerates.",
            hurts=(case.pod.ref,),
            evidence=(
                case.event_evidence(event),
                stated(agent.ref, "pods", f"on {len(there)} nodes, not on {node.name}"),
                stated(node.ref, "spec.taints", ", ".join(taints)),
            ),
            agree=4,
            ruled_out=("a crashing driver: it has no pod on this node",),
        )
    return None


def _agent(case: Case, driver: str) -> Workload | None:
    """The DaemonSet of a driver, by its name: ebs.csi.aws.com is served by ebs-csi-node."""
    stem = "-".join(driver.split(".")[:2])
    found = (w for w in case.facts.workloads if w.ref.kind == "DaemonSet")
    return next((w for w in found if w.ref.name.startswith(stem)), None)


def _own_taints(node: Node) -> list[str]:
    keeps = [t for t in node.taints if t.endswith((":NoSchedule", ":NoExecute"))]
    return [plain_name(t) for t in keeps if not t.startswith(_OF_KUBERNETES)]


MOUNTS = (CaseRule((DAEMONSET_NOT_TOLERATING,), agent_kept_away),)
