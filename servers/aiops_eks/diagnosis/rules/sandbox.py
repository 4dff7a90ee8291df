"""Pods that get no sandbox: no address (told by `addresses.py`), no network, no runtime.

Source: `pkg/kubelet/kuberuntime` (event FailedCreatePodSandBox).
"""

from aiops_eks.diagnosis.case import Case
from aiops_eks.diagnosis.findings import CaseRule, Cause, Told
from aiops_eks.diagnosis.rules import addresses

NOT_READY = "NetworkNotReady"
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
    """SUBNET_IP_EXHAUSTION, NODE_ADDRESSES_EXHAUSTED, POD_IP_UNAVAILABLE or SANDBOX_FAILED."""
    if case.container is not None or case.pod.deleted_at is not None or case.pod.phase != "Pending":
        return None
    if not case.pod.node:
        return None
    return addresses.no_address(case) or _failed(case)


def _failed(case: Case) -> Told | None:
    events = case.recent("FailedCreatePodSandBox", NOT_READY)
    if not events:
        return None
    node = case.facts.node(case.pod.node)
    evidence = (case.status_evidence(), case.event_evidence(events[0]))
    return Told(
        cause=SANDBOX_FAILED,
        at=case.subject,
        subject=case.subject,
        predicate="cannot start: it gets no sandbox",
        root_cause=f"{case.pod.ref} gets no sandbox on node {case.pod.node}; the kubelet's words are quoted.",
        hurts=(case.pod.ref,),
        evidence=evidence,
        agree=len(evidence),
        ruled_out=("image and configuration: no container was created yet",),
        explained_by=(node.ref,) if node else (),
    )


RULES = (CaseRule((*addresses.CAUSES, SANDBOX_FAILED), sandbox),)
