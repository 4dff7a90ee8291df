"""PodDisruptionBudgets: how many of the selected pods may go now.

The eviction endpoint of the API simulator reads `disruptionsAllowed` and refuses at 0. Numbers as in
`pkg/controller/disruption`: a percentage counts from the replicas of the pods' controllers, rounded up.
"""

import math

from aiops_lab.world.cluster import Controller
from aiops_lab.world.events import Said
from aiops_lab.world.objects import (
    Key,
    Obj,
    being_deleted,
    controller_of,
    is_active,
    is_ready,
    key_of,
    labels_of,
    merge_conditions,
    meta,
    selects,
)

BY = "controllermanager"


class DisruptionBudgets(Controller):
    """Keeps the status of every budget."""

    kind = "PodDisruptionBudget"
    watches = ("Pod", "ReplicaSet", "StatefulSet")

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """The budgets of its namespace that select this pod; a resized workload concerns all of them."""
        del change
        budgets = self.cluster.cache.all("PodDisruptionBudget", meta(obj)["namespace"])
        if obj["kind"] == "Pod":
            budgets = [each for each in budgets if selects(each["spec"].get("selector"), labels_of(obj))]
        return [key_of(each) for each in budgets]

    def reconcile(self, key: Key) -> None:
        """Count and write."""
        found = self.cluster.cache.get("PodDisruptionBudget", *key)
        if found is None or being_deleted(found):
            return
        pods = [
            pod
            for pod in self.cluster.cache.selected("Pod", key[0], found["spec"].get("selector"))
            if is_active(pod)
        ]
        expected, desired = self._counted(found, pods)
        healthy = sum(is_ready(pod) for pod in pods)
        allowed = max(0, healthy - desired) if expected else 0
        reason = "SufficientPods" if allowed else "InsufficientPods"
        holds = "True" if allowed else "False"
        made = {"type": "DisruptionAllowed", "status": holds, "reason": reason, "message": ""}
        made["observedGeneration"] = meta(found).get("generation", 1)
        old = (found.get("status") or {}).get("conditions") or ()
        self.cluster.write_status(
            found,
            {
                "observedGeneration": meta(found).get("generation", 1),
                "expectedPods": expected,
                "currentHealthy": healthy,
                "desiredHealthy": desired,
                "disruptionsAllowed": allowed,
                "conditions": merge_conditions(old, [made], self.cluster.clock.now()),
            },
        )

    def _counted(self, found: Obj, pods: list[Obj]) -> tuple[int, int]:
        """(expected, desired healthy): a number of pods counts pods, all else counts what owners want."""
        spec, least = found["spec"], found["spec"].get("minAvailable")
        if not pods:
            self.cluster.say(Said(found, "NoPods", "No matching pods found", BY))
        if isinstance(least, int) and spec.get("maxUnavailable") is None:
            return len(pods), least
        expected = self._expected(found, pods)
        if spec.get("maxUnavailable") is not None:
            return expected, max(0, expected - _share(spec["maxUnavailable"], expected))
        return expected, _share(least, expected) if least is not None else 0

    def _expected(self, found: Obj, pods: list[Obj]) -> int:
        owners: dict[str, int] = {}
        bare = False
        for pod in pods:
            top = self._top(pod)
            if top is None:
                bare = True
            else:
                owners[meta(top)["uid"]] = int(top["spec"].get("replicas", 1))
        if bare:
            self.cluster.say(Said(found, "UnmanagedPods", _unmanaged(found), BY, warning=True))
        return sum(owners.values())

    def _top(self, pod: Obj) -> Obj | None:
        owner, home = controller_of(pod), meta(pod)["namespace"]
        found = self.cluster.cache.get(owner["kind"], home, owner["name"]) if owner else None
        above = controller_of(found) if found is not None and found["kind"] == "ReplicaSet" else None
        if above is not None:
            return self.cluster.cache.get(above["kind"], home, above["name"]) or found
        return found


def _unmanaged(found: Obj) -> str:
    labels = (found["spec"].get("selector") or {}).get("matchLabels") or {}
    shown = " ".join(f"{key}: {value}" for key, value in sorted(labels.items()))
    return (
        f"Pods selected by this PodDisruptionBudget (selector: &LabelSelector{{MatchLabels:map[string]string"
        f"{{{shown},}},MatchExpressions:[]LabelSelectorRequirement{{}},}}) were found to be unmanaged. As a "
        "result, the status of the PDB cannot be calculated correctly, which may result in undefined "
        'behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer '
        "value."
    )


def _share(value: str | int, of: int) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(of * int(value.removesuffix("%")) / 100)
    return int(value)
