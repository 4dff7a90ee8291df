"""What a diagnosis is asked about, and which objects belong to it.

Called by `clients/facts.py`, which lists accordingly, and by `tools/diagnose.py`, which keeps the findings
that touch the question.
"""

from dataclasses import dataclass

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further.workloads import Autoscaler, Budget
from aiops_eks.diagnosis.objects import Pod, Ref, selects


@dataclass(frozen=True, slots=True)
class Gathered:
    """The facts, as an answer is made of them."""

    facts: Facts

    @property
    def target(self) -> Ref | None:
        """The one object that was asked about, if any."""
        return self.facts.target

    @property
    def scope(self) -> str:
        """The question in words."""
        if self.target is not None:
            return str(self.target)
        return f"namespace {self.facts.namespace}" if self.facts.namespace else "all namespaces"


def around(facts: Facts, target: Ref) -> frozenset[Ref]:
    """The object with what belongs to it: its owner, its pods, their needs, what scales or keeps it."""
    pods = [pod for pod in facts.pods if _belongs(facts, pod, target)]
    found = {target}
    for pod in pods:
        found |= {pod.ref, pod.subject, *(need.target for need in pod.needs)}
        found |= {Ref("PersistentVolumeClaim", pod.namespace, claim) for claim in pod.claims}
        found |= {pod.parent} if pod.parent else set()
    if target.kind == "Pod":  # a pod suffers from its node; a workload's finding names the node itself
        found |= {Ref("Node", "", pod.node) for pod in pods if pod.node}
    found |= {one.ref for one in facts.all(Autoscaler) if one.target in found}
    return frozenset(found | {one.ref for one in facts.all(Budget) if any(map(one.covers, pods))})


def _belongs(facts: Facts, pod: Pod, target: Ref) -> bool:
    if target in {pod.ref, pod.owner, pod.parent} or target in {need.target for need in pod.needs}:
        return True
    if target.kind == "Node":
        return pod.node == target.name
    if pod.namespace != target.namespace:
        return False
    if target.kind == "PersistentVolumeClaim":
        return target.name in pod.claims
    return any(s.ref == target and selects(s.selector, pod.labels) for s in facts.services)
