"""Preemption: which pods of lower priority would have to go, and the words when none would help.

After pkg/scheduler/framework/preemption and plugins/defaultpreemption.
"""

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from aiops_lab.world.cluster import Cluster
from aiops_lab.world.node_fit import Refusal
from aiops_lab.world.objects import Obj, being_deleted, condition, labels_of, meta, selects

_NO_HELP = Refusal(("Preemption is not helpful for scheduling",))
_NO_VICTIMS = Refusal(("No preemption victims found for incoming pod",))


class Look(Protocol):
    """A look at the nodes with some pods thought away."""

    def refuse(self, node: Obj) -> Refusal | None:
        """Why the node does not take the pod even then."""
        ...


def priority_of(pod: Obj) -> int:
    """The pod's priority, 0 when it has none."""
    return int(pod["spec"].get("priority") or 0)


class Preemption:
    """Looks for the node where the least has to go; `chosen` is that node and its victims."""

    def __init__(self, pod: Obj, cluster: Cluster, attempt: Callable[[tuple[Obj, ...]], Look]) -> None:
        self._pod, self._cluster, self._attempt = pod, cluster, attempt
        self.chosen: tuple[str, list[Obj]] | None = None
        self.waits = False  # victims are on their way out

    def look(self, refusals: dict[str, Refusal]) -> str:
        """Choose, or say why nothing helps."""
        if self._pod["spec"].get("preemptionPolicy") == "Never":
            return "not eligible due to preemptionPolicy=Never."
        if self._victims_terminate(refusals):
            self.waits = True
            return "not eligible due to a terminating pod on the nominated node."
        found: dict[str, list[Obj]] = {}
        reasons: Counter[str] = Counter()
        for name, refusal in refusals.items():
            outcome = _NO_HELP if refusal.final else self._victims(name)
            if isinstance(outcome, Refusal):
                reasons.update(outcome.reasons)
            else:
                found[name] = outcome
        if found:
            name = min(found, key=lambda each: (*self._cost(found[each]), each))
            self.chosen = (name, found[name])
        said = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
        return f"0/{len(refusals)} nodes are available: {said}."

    def _victims_terminate(self, refusals: dict[str, Refusal]) -> bool:
        name = (self._pod.get("status") or {}).get("nominatedNodeName")
        if not name or name not in refusals or refusals[name].final:
            return False
        there = self._cluster.cache.on_node(name)
        return any(
            being_deleted(each) and condition(each, "DisruptionTarget") is not None
            for each in there
            if priority_of(each) < priority_of(self._pod)
        )

    def _victims(self, name: str) -> list[Obj] | Refusal:
        """The fewest and least important pods without which the pod fits (SelectVictimsOnNode)."""
        node = self._cluster.cache.get("Node", "", name)
        ended = ("Succeeded", "Failed")
        lower = [
            each
            for each in self._cluster.cache.on_node(name)
            if priority_of(each) < priority_of(self._pod)
            and (each.get("status") or {}).get("phase") not in ended
        ]
        if not lower or node is None:
            return _NO_VICTIMS
        if (refusal := self._attempt(tuple(lower)).refuse(node)) is not None:
            return refusal
        lower.sort(
            key=lambda each: (not self._protected(each), -priority_of(each), meta(each)["creationTimestamp"])
        )
        gone = list(lower)
        for each in lower:
            rest = [other for other in gone if other is not each]
            if self._attempt(tuple(rest)).refuse(node) is None:
                gone = rest
        return gone

    def _protected(self, pod: Obj) -> bool:
        """Whether a disruption budget has nothing left for this pod."""
        budgets = self._cluster.cache.all("PodDisruptionBudget", meta(pod)["namespace"])
        return any(
            selects(each["spec"].get("selector"), labels_of(pod))
            and not (each.get("status") or {}).get("disruptionsAllowed")
            for each in budgets
        )

    def _cost(self, victims: list[Obj]) -> tuple[int, int, int, int]:
        priorities = [priority_of(each) for each in victims]
        broken = sum(self._protected(each) for each in victims)
        return broken, max(priorities, default=0), sum(priorities), len(victims)
