"""What policy judges a change of nodes by; measured at planning and again when it is carried out. Pure.

Where a fact cannot be measured, the cautious value stands: an unknown drain counts, an unread budget holds.
"""

from aiops_eks.models import fields
from aiops_eks.planning.drafts import Obj
from aiops_eks.planning.facts import environment_of
from aiops_eks.planning.nodes_budgets import controller_of, held_by
from aiops_eks.planning.nodes_scene import ZONE, Nodes, pool_of, pressures_of
from aiops_shared.guardrails.environments import stricter
from aiops_shared.guardrails.models import Environment, Facts, Reversible

_FULL = 100


def environment(nodes: Nodes) -> Environment:
    """The strictest environment of the pods that move; prod when none moves or its namespace is unknown."""
    moving = {fields.namespace_of(pod) for spot in nodes.spots for pod in spot.moving}
    if not moving:
        return "prod"
    found: Environment = "dev"
    for name in moving:
        found = stricter(found, environment_of(nodes.namespaces.get(name)))
    return found


def headroom(nodes: Nodes) -> bool:
    """Whether every pod that moves may be evicted now, as far as its budgets go."""
    return all(not held_by(pod, nodes.budgets) for spot in nodes.spots for pod in spot.moving)


def zone_drains(nodes: Nodes) -> int:
    """Other nodes of the plan's zones that are being drained. Unknown counts as one."""
    if nodes.draining is None:
        return 1
    zones = {spot.zone for spot in nodes.spots}
    return sum(1 for node in nodes.draining if fields.labels_of(node).get(ZONE, "") in zones)


def pool_drains(nodes: Nodes) -> tuple[int, int]:
    """Nodes of one pool being drained at once, with this plan's, and their share in percent."""
    if nodes.draining is None:
        return 1_000_000, _FULL
    worst = (0, 0)
    for pool in {spot.pool[1] for spot in nodes.spots}:
        drains = 1 + sum(1 for node in nodes.draining if pool_of(node)[1] == pool)
        size = nodes.pool_sizes.get(pool, 0)
        share = min(_FULL, -(-drains * _FULL // size)) if size else _FULL
        worst = max(worst, (drains, share))
    return worst


def bare_pods(nodes: Nodes) -> list[Obj]:
    """Pods that move and that no controller makes again."""
    return [pod for spot in nodes.spots for pod in spot.moving if controller_of(pod) is None]


def measure_nodes(nodes: Nodes, action: str, planned: Reversible) -> Facts:
    """The facts of one plan over nodes; one holds only when it holds for every node."""
    drains, share = pool_drains(nodes)
    moving = sum(len(spot.moving) for spot in nodes.spots)
    bare = bare_pods(nodes)
    return Facts(
        env=environment(nodes),
        controlled=not bare,
        pdb_headroom=headroom(nodes),
        # One pod of a controller at a time: a drain never takes two of one workload together.
        affected_pods=1 if action == "drain" and moving else 0,
        total_pods=moving,
        pressure=all(pressures_of(spot.obj) for spot in nodes.spots),
        az_drains=zone_drains(nodes),
        pool_drains=drains,
        pool_pct=share,
        reversible="none" if action == "drain" and bare else planned,
    )
