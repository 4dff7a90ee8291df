"""What a NoExecute taint does to the pods of its node: at once, after their toleration's seconds, or never.

After pkg/controller/tainteviction (taint_eviction.go).
"""

from datetime import datetime, timedelta

from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.events import Said
from aiops_lab.world.node_fit import covers, tolerates
from aiops_lab.world.objects import Key, Obj, being_deleted, key_of, meta

BY = "taint-eviction-controller"


class TaintEvictions(Controller):
    """Deletes pods that do not tolerate their node any longer."""

    kind = "Pod"
    watches = ("Node",)

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._deadlines: dict[str, datetime] = {}

    def reset(self) -> None:
        """Nobody has to go."""
        super().reset()
        self._deadlines.clear()

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """The pods of a node with taints, or of one that had some."""
        if change == "DELETED" or not (_taints(obj) or self._deadlines):
            return []
        return [key_of(pod) for pod in self.cluster.cache.on_node(meta(obj)["name"])]

    def hears(self, kind: str) -> bool:
        """Nodes, and the pods that come onto them."""
        return kind in ("Node", "Pod")

    def hear(self, change: str, obj: Obj) -> None:
        """A pod that comes onto a tainted node is concerned too."""
        if obj["kind"] == "Node":
            super().hear(change, obj)
        elif obj["kind"] == "Pod" and change != "DELETED" and (name := obj["spec"].get("nodeName")):
            node = self.cluster.cache.get("Node", "", name)
            if node is not None and _taints(node):
                self.wake(key_of(obj))

    def reconcile(self, key: Key) -> None:
        """Delete one pod, plan its deletion or call it off."""
        pod = self.cluster.cache.get("Pod", *key)
        if pod is None or being_deleted(pod):
            return
        node = self.cluster.cache.get("Node", "", pod["spec"].get("nodeName") or "")
        taints, uid = _taints(node) if node else [], meta(pod)["uid"]
        full = "/".join(key)
        if not taints:
            if self._deadlines.pop(uid, None) is not None:
                self._say(pod, f"Cancelling deletion of Pod {full}")
            return
        seconds = _tolerated_s(pod, taints)
        if seconds is None:
            self._deadlines.pop(uid, None)
            return
        now = self.cluster.clock.now()
        end = self._deadlines.setdefault(uid, now + timedelta(seconds=seconds))
        if end > now and seconds > 0:
            self.wake(key, after_s=(end - now).total_seconds())
            return
        self._deadlines.pop(uid, None)
        self._say(pod, f"Marking for deletion Pod {full}")
        self.cluster.remove(pod)

    def _say(self, pod: Obj, words: str) -> None:
        self.cluster.say(Said(pod, "TaintManagerEviction", words, BY))


def _taints(node: Obj) -> list[Obj]:
    return [each for each in node["spec"].get("taints") or () if each["effect"] == "NoExecute"]


def _tolerated_s(pod: Obj, taints: list[Obj]) -> float | None:
    """For how many seconds the pod may stay; None for ever (getMinTolerationTime)."""
    if not all(tolerates(pod, each) for each in taints):
        return 0.0
    used = [
        next(each for each in pod["spec"]["tolerations"] if covers(each, taint))
        for taint in taints
        if pod["spec"].get("tolerations")
    ]
    limits = [float(each["tolerationSeconds"]) for each in used if each.get("tolerationSeconds") is not None]
    return max(0.0, min(limits)) if limits else None
