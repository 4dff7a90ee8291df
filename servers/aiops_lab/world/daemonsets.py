"""DaemonSets: one pod on every node that takes it; an update replaces them one node at a time."""

from aiops_lab.world.cluster import Controller
from aiops_lab.world.events import Said
from aiops_lab.world.node_fit import matches_node, tolerates
from aiops_lab.world.objects import (
    Key,
    Obj,
    being_deleted,
    is_active,
    is_ready,
    key_of,
    labels_of,
    meta,
)
from aiops_lab.world.replicas import pod_of
from aiops_lab.world.statefulsets import REVISION, template_digest

BY = "daemonset-controller"
_TOLERATED = (
    ("not-ready", "NoExecute"),
    ("unreachable", "NoExecute"),
    ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"),
    ("pid-pressure", "NoSchedule"),
    ("unschedulable", "NoSchedule"),
)


class DaemonSets(Controller):
    """Keeps one pod per node."""

    kind = "DaemonSet"
    watches = ("Pod", "Node")

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """A pod concerns its DaemonSet, a node all of them."""
        if obj["kind"] == "Node":
            return (
                [] if change == "MODIFIED" else [key_of(each) for each in self.cluster.cache.all("DaemonSet")]
            )
        return list(super().keys_for(change, obj))

    def reconcile(self, key: Key) -> None:
        """Create, delete, replace; then the status."""
        found = self.cluster.cache.get("DaemonSet", *key)
        if found is None or being_deleted(found):
            return
        pods = {pod["spec"]["nodeName"]: pod for pod in self.cluster.cache.owned(found, "Pod")}
        nodes = [meta(node)["name"] for node in self.cluster.cache.all("Node") if self._fits(found, node)]
        missing = [name for name in nodes if name not in pods]
        refusal = self.create_pods(found, (self._new_pod(found, name) for name in missing), BY)
        for name in nodes:
            if name in pods and not is_active(pods[name]) and not being_deleted(pods[name]):
                self.cluster.remove(pods[name])
        for name in sorted(set(pods) - set(nodes)):
            self.cluster.remove(pods[name])
        self._update(found, list(pods.values()), len(nodes))
        self._write_status(found, len(nodes))
        if refusal is None:
            self.worked(key)
        else:
            self.retry(key)

    def _fits(self, found: Obj, node: Obj) -> bool:
        pod = self._pod(found, "", "")
        taints = [each for each in node["spec"].get("taints") or () if each["effect"] != "PreferNoSchedule"]
        return matches_node(pod, node) and all(tolerates(pod, each) for each in taints)

    def _pod(self, found: Obj, name: str, node: str) -> Obj:
        pod = pod_of(found, name, generate=f"{meta(found)['name']}-")
        pod["spec"]["nodeName"] = node
        pod["spec"]["tolerations"] = [
            *(found["spec"]["template"]["spec"].get("tolerations") or ()),
            *(
                {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": effect}
                for what, effect in _TOLERATED
            ),
        ]
        meta(pod)["labels"] |= {REVISION: template_digest(found), "pod-template-generation": "1"}
        return pod

    def _new_pod(self, found: Obj, node: str) -> Obj:
        return self._pod(found, f"{meta(found)['name']}-{self.cluster.letters(5)}", node)

    def _update(self, found: Obj, pods: list[Obj], nodes: int) -> None:
        strategy = found["spec"].get("updateStrategy") or {}
        outdated = [pod for pod in pods if labels_of(pod).get(REVISION) != template_digest(found)]
        healthy = len(pods) == nodes and all(is_ready(pod) and not being_deleted(pod) for pod in pods)
        if strategy.get("type") != "OnDelete" and outdated and healthy:
            self.cluster.remove(outdated[0])
            words = f"Deleted pod: {meta(outdated[0])['name']}"
            self.cluster.say(Said(found, "SuccessfulDelete", words, BY))

    def _write_status(self, found: Obj, nodes: int) -> None:
        pods = [pod for pod in self.cluster.cache.owned(found, "Pod") if is_active(pod)]
        ready = sum(is_ready(pod) for pod in pods)
        updated = sum(labels_of(pod).get(REVISION) == template_digest(found) for pod in pods)
        status = {
            "observedGeneration": meta(found).get("generation", 1),
            "desiredNumberScheduled": nodes,
            "currentNumberScheduled": len(pods),
            "updatedNumberScheduled": updated,
            "numberReady": ready,
            "numberAvailable": ready,
            "numberMisscheduled": 0,
        }
        if nodes > ready:
            status["numberUnavailable"] = nodes - ready
        self.cluster.write_status(found, status)
