"""PodDisruptionBudgets: how many of the selected pods may go now.

The eviction endpoint of the API simulator reads `disruptionsAllowed` and refuses at 0. Numbers as in
`pkg/controller/disruption`: a percentage counts from the replicas of the pods' controllers, rounded up.
"""

import math

from aiops_lab.world.cluster import Controller
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
        expected = self._expected(pods)
        healthy = sum(is_ready(pod) for pod in pods)
        desired = _desired(found["spec"], expected)
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

    def _expected(self, pods: list[Obj]) -> int:
        owners: dict[str, int] = {}
        bare = 0
        for pod in pods:
            owner = controller_of(pod)
            found = (
                self.cluster.cache.get(owner["kind"], meta(pod)["namespace"], owner["name"])
                if owner
                else None
            )
            if owner is None or found is None:
                bare += 1
                continue
            top = controller_of(found) if owner["kind"] == "ReplicaSet" else None
            if top is not None:
                found = self.cluster.cache.get(top["kind"], meta(pod)["namespace"], top["name"]) or found
            owners[meta(found)["uid"]] = int(found["spec"].get("replicas", 1))
        return bare + sum(owners.values())


def _desired(spec: Obj, expected: int) -> int:
    if (least := spec.get("minAvailable")) is not None:
        return _share(least, expected)
    return max(0, expected - _share(spec.get("maxUnavailable", 0), expected))


def _share(value: str | int, of: int) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(of * int(value.removesuffix("%")) / 100)
    return int(value)
