"""Karpenter, as far as stories need it: nodes of a served NodePool are replaced, and pending pods bring one.

Silent until a scenario says `stage.serve_pool(...)`: worlds that only tell of a NodePool stay as they are.
After sigs.k8s.io/karpenter: pkg/controllers/disruption (an empty node goes after `consolidateAfter`),
pkg/controllers/provisioning (a batch of pending pods becomes NodeClaims within the pool's limits),
pkg/controllers/nodeclaim/lifecycle (Launched, Registered, Initialized, Ready). A node that went is replaced
within 150 s.
"""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from aiops_lab.resources import quantity
from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.events import Said
from aiops_lab.world.nodes import ZONES, node
from aiops_lab.world.objects import Key, Obj, condition, controller_of, labels_of, meta, stamp

BY = "karpenter"
POOL = "karpenter.sh/nodepool"
EMPTY_S = 15.0  # consolidateAfter of the pools in these stories
BATCH_S = 10.0  # batchMaxDuration
LAUNCHED_S, REGISTERED_S, READY_S = 20.0, 60.0, 85.0  # after the claim: instance, node object, pods may come
_CPU, _MEMORY = 4, "15896992Ki"  # of the m5.xlarge that `node` makes
_FIRST_OCTET = 101
_ENDED = frozenset({"Succeeded", "Failed"})


@dataclass
class _Pool:
    """What is known of a served pool."""

    ready_s: float = READY_S
    nodes: dict[str, str] = field(default_factory=dict)  # node -> its zone
    coming: dict[str, str] = field(default_factory=dict)  # claim -> zone, until its node is ready


class Provisioner(Controller):
    """Keeps the nodes of served pools."""

    kind = "Node"
    watches = ("Pod",)

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._pools: dict[str, _Pool] = {}
        self._rng = Random()
        self._made = 0

    def reset(self) -> None:
        """No pool is served."""
        super().reset()
        self._pools.clear()
        self._made = 0

    def serve(self, name: str, ready_s: float = READY_S) -> None:
        """From now on this NodePool's nodes are replaced, and pods that fit nowhere bring one.

        `ready_s`: how long a node takes from its claim until pods may come.
        """
        self._rng = Random(f"karpenter/{self.cluster.seed}")
        pool = self._pools.setdefault(name, _Pool(ready_s))
        for found in self.cluster.cache.all("Node"):
            if labels_of(found).get(POOL) == name:
                pool.nodes[meta(found)["name"]] = _zone(found)
                self._claim(name, _zone(found), node_obj=found)
        self._count(name)

    def hear(self, change: str, obj: Obj) -> None:
        """Nothing, while no pool is served."""
        if self._pools:
            super().hear(change, obj)
            if obj["kind"] == "Pod" and _is_pending(obj):
                self.cluster.clock.call_later(BATCH_S, self._look_for_pending)

    def keys_for(self, change: str, obj: Obj) -> list[Key]:
        """The node that a pod stands on or has left, if it takes no pods."""
        del change
        name = obj["spec"].get("nodeName") or ""
        found = self.cluster.cache.get("Node", "", name) if name else None
        return [("", name)] if found is not None and found["spec"].get("unschedulable") else []

    def reconcile(self, key: Key) -> None:
        """A node that is gone is replaced; one that was emptied goes."""
        name = key[1]
        found = self.cluster.cache.get("Node", *key)
        for pool_name, pool in self._pools.items():
            if found is None and name in pool.nodes:
                zone = pool.nodes.pop(name)
                self._forget(name)
                self._order(pool_name, zone)
            elif found is not None and labels_of(found).get(POOL) == pool_name:
                pool.nodes[name] = _zone(found)
                if self._is_drained(found):
                    self.cluster.clock.call_later(EMPTY_S, lambda: self._terminate(name))

    def _is_drained(self, found: Obj) -> bool:
        return bool(found["spec"].get("unschedulable")) and not self._moving(meta(found)["name"])

    def _moving(self, name: str) -> list[Obj]:
        pods = self.cluster.cache.on_node(name)
        running = [pod for pod in pods if (pod.get("status") or {}).get("phase") not in _ENDED]
        return [pod for pod in running if (controller_of(pod) or {}).get("kind") != "DaemonSet"]

    def _terminate(self, name: str) -> None:
        """An empty node goes: its claim, its DaemonSet pods, the node."""
        found = self.cluster.cache.get("Node", "", name)
        if found is None or not self._is_drained(found):
            return  # uncordoned meanwhile
        self.cluster.say(Said(found, "DisruptionTerminating", f"Disrupting Node: Empty/{name}", BY))
        for pod in self.cluster.cache.on_node(name):
            self.cluster.remove(pod, grace_s=0)
        self.cluster.remove(found)

    def _forget(self, name: str) -> None:
        for claim in self.cluster.cache.all("NodeClaim"):
            if (claim.get("status") or {}).get("nodeName") == name:
                self.cluster.remove(claim)
        for pod in self.cluster.cache.on_node(name):  # pod garbage collection: its node is gone
            self.cluster.remove(pod, grace_s=0)

    def _look_for_pending(self) -> None:
        if not any(_is_pending(pod) for pod in self.cluster.cache.all("Pod")):
            return
        for name, pool in self._pools.items():
            if not pool.coming:  # one batch, one node: what still pends when it is there brings the next
                self._order(name, self._thinnest_zone(pool))

    def _thinnest_zone(self, pool: _Pool) -> str:
        zones = [*pool.nodes.values(), *pool.coming.values()]
        return min(ZONES, key=lambda zone: (zones.count(zone), zone))

    def _order(self, name: str, zone: str) -> None:
        """A new NodeClaim, if the pool's limits leave room."""
        pool, found = self._pools[name], self.cluster.cache.get("NodePool", "", name)
        if found is None:
            return
        limit = (found["spec"].get("limits") or {}).get("cpu")
        used = _CPU * (len(pool.nodes) + len(pool.coming))
        if limit is not None and used + _CPU > quantity(limit):
            words = f'all available instance types exceed limits for nodepool: "{name}"'
            for pod in [pod for pod in self.cluster.cache.all("Pod") if _is_pending(pod)]:
                said = f"Failed to schedule pod, {words}"
                self.cluster.say(Said(pod, "FailedScheduling", said, BY, warning=True))
            return
        claim = self._claim(name, zone)
        pool.coming[claim] = zone
        later = self.cluster.clock.call_later
        later(LAUNCHED_S, lambda: self._mark(claim, "Launched"))
        later(REGISTERED_S, lambda: self._mark(claim, "Registered"))
        later(pool.ready_s, lambda: self._join(name, claim, zone))

    def _claim(self, pool: str, zone: str, node_obj: Obj | None = None) -> str:
        name = f"{pool}-{''.join(self._rng.choice('bcdfghjklmnpqrstvwxz2456789') for _ in range(5))}"
        made = {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"}
        labels = {POOL: pool, "topology.kubernetes.io/zone": zone}
        labels |= {"node.kubernetes.io/instance-type": "m5.xlarge", "karpenter.sh/capacity-type": "on-demand"}
        self.cluster.store.create(
            {
                "apiVersion": "karpenter.sh/v1",
                "kind": "NodeClaim",
                "metadata": {"name": name, "labels": labels},
                "spec": {"nodeClassRef": made, "requirements": [], "resources": {"requests": {"cpu": "1"}}},
            },
            manager=BY,
        )
        if node_obj is not None:
            self._ready(name, node_obj)
        return name

    def _mark(self, claim: str, kind: str) -> None:
        found = self.cluster.cache.get("NodeClaim", "", claim)
        if found is not None:
            status = found.get("status") or {}
            others = [each for each in status.get("conditions") or () if each["type"] != kind]
            made = _condition(kind, self.cluster.clock.now())
            self.cluster.write_status(found, {**status, "conditions": [*others, made]})

    def _join(self, name: str, claim: str, zone: str) -> None:
        """The new machine is a node, ready for pods."""
        pool = self._pools.get(name)
        if pool is None or self.cluster.cache.get("NodeClaim", "", claim) is None:
            return
        pool.coming.pop(claim, None)
        self._made += 1
        instance = f"i-0{self._rng.getrandbits(64):016x}"
        made = node(ZONES.index(zone), _FIRST_OCTET + self._made, instance, self.cluster.clock.now())
        meta(made)["labels"][POOL] = name
        joined = self.cluster.store.create(made, manager="kubelet")
        pool.nodes[meta(joined)["name"]] = zone
        self._ready(claim, joined)
        self._count(name)
        self.cluster.clock.call_later(BATCH_S, self._look_for_pending)

    def _ready(self, claim: str, joined: Obj) -> None:
        found = self.cluster.cache.get("NodeClaim", "", claim)
        if found is not None:
            now = self.cluster.clock.now()
            kinds = ("Launched", "Registered", "Initialized", "Ready")
            status = {
                "nodeName": meta(joined)["name"],
                "providerID": joined["spec"].get("providerID", ""),
                "capacity": {"cpu": str(_CPU), "memory": _MEMORY},
                "conditions": [_condition(kind, now) for kind in kinds],
            }
            self.cluster.write_status(found, status)

    def _count(self, name: str) -> None:
        found, pool = self.cluster.cache.get("NodePool", "", name), self._pools[name]
        if found is not None:
            size = len(pool.nodes)
            resources = {"cpu": str(size * _CPU), "nodes": str(size)}
            self.cluster.write_status(found, {**(found.get("status") or {}), "resources": resources})


def _condition(kind: str, now: datetime) -> Obj:
    made = {"type": kind, "status": "True", "reason": kind, "message": ""}
    return {**made, "lastTransitionTime": stamp(now)}


def _zone(found: Obj) -> str:
    return labels_of(found).get("topology.kubernetes.io/zone", ZONES[0])


def _is_pending(pod: Obj) -> bool:
    found = condition(pod, "PodScheduled")
    return bool(found and found["status"] == "False" and found.get("reason") == "Unschedulable")
