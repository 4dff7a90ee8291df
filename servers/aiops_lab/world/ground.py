"""The ground every world stands on: namespaces, nodes, and what EKS itself puts into kube-system."""

from typing import TYPE_CHECKING

from aiops_lab.scenarios.shapes import namespace
from aiops_lab.world.nodes import node

if TYPE_CHECKING:
    from aiops_lab.world.world import World

ENVIRONMENTS = {"production": "prod", "staging": "staging", "dev": "dev"}


def lay_ground(world: "World") -> None:
    """Create it, a month before T0."""
    for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
        world.put(namespace(name))
    for name, label in ENVIRONMENTS.items():
        world.put(namespace(name, env=label))
    rng, now = world.cluster.rng, world.clock.now()
    for place in range(6):
        instance = f"i-0{rng.getrandbits(64):016x}"
        world.put(node(place, 41 + place, instance, now), by="kubelet")
