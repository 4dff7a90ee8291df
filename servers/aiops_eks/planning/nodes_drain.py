"""The drain of nodes: cordon, then the Eviction API, one node after the other. Pure.

One pod of a controller at a time and only with headroom in the disruption budgets; nothing is ever deleted or
forced. What no controller makes again, and what lies in emptyDir volumes, is lost and said.
Source: Kubernetes documentation, "Safely Drain a Node", "API-initiated Eviction".
"""

from collections import Counter
from collections.abc import Sequence

from aiops_eks.models import fields
from aiops_eks.planning.drafts import Obj, at, name_of, uid_of
from aiops_eks.planning.nodes_budgets import (
    budgets_of,
    controller_of,
    held_by,
    is_ready,
    label_of,
    says_of,
    stays,
)
from aiops_eks.planning.nodes_scene import (
    CORDONED,
    WAIT_S,
    ZONE,
    Nodes,
    NodesDraft,
    NodeWish,
    Spot,
    counted,
    names_of,
    pressures_of,
    state_of,
    target_of,
    wave_order,
)
from aiops_shared.guardrails.models import FieldChange, GateCheck, Step, TargetChange
from aiops_shared.guardrails.paths import Key, join

BACK_WITHIN_S = 900.0  # a new node joins in minutes, then the pods start


def drain(nodes: Nodes, wish: NodeWish) -> NodesDraft:
    """Cordon, then evict what moves, node after node; each waits until its pods are ready elsewhere."""
    wait_s = wish.wait_s or WAIT_S
    spots, waves = wave_order(nodes.spots)
    moving = [pod for spot in spots for pod in spot.moving]
    bare = [label_of(pod) for pod in moving if controller_of(pod) is None]
    lost = _lost(moving, bare)
    return NodesDraft(
        action="drain",
        confirm=f"drain {names_of(spots)}: cordon, evict {counted(moving, 'pod')}"
        f" within {wait_s / 60:.0f} min a node",
        targets=tuple(_drained(nodes, spot, wait_s) for spot in spots),
        waves=waves,
        diff=tuple(
            FieldChange(
                path=str(spot.ref),
                before=f"{state_of(spot.obj)}, {counted(spot.moving, 'pod')} to move",
                after=f"cordoned, evicted: {_by_owner(nodes, spot.moving)}",
            )
            for spot in spots
        ),
        reversible="none" if bare else "partial",
        lost=lost,
        warnings=_drain_warnings(nodes, spots, bare),
        shows=_drain_shows(nodes, spots, waves, wait_s),
    )


def _drained(nodes: Nodes, spot: Spot, wait_s: float) -> TargetChange:
    owners = [
        _owner_row(nodes, uid) for uid in dict.fromkeys(_owner_uids(spot.moving)) if uid in nodes.owners
    ]
    alone = GateCheck(check="only_drain_in_zone", within_s=30)
    back = GateCheck(check="pods_back", within_s=BACK_WITHIN_S, args={"owners": owners})
    steps = (
        Step(name="cordon", verb="write", values={CORDONED: True}, gate=alone),
        Step(name="evict", verb="sweep", body={"within_s": wait_s, "owners": owners}, gate=back),
    )
    zone = join((Key("metadata"), Key("labels"), Key(ZONE)))
    return target_of(spot, steps, (zone,), may_go=True)


def _owner_uids(pods: Sequence[Obj]) -> list[str]:
    return [str(ref.get("uid") or "") for pod in pods if (ref := controller_of(pod))]


def _owner_row(nodes: Nodes, uid: str) -> dict[str, object]:
    """A controller and how many of its pods are ready now: what has to be there again after the drain."""
    owner = nodes.owners[uid]
    return {
        "uid": uid,
        "api_version": fields.text(owner, "apiVersion"),
        "kind": fields.text(owner, "kind"),
        "namespace": fields.namespace_of(owner),
        "name": name_of(owner),
        "ready": fields.count(owner, "status", "readyReplicas"),
    }


def _by_owner(nodes: Nodes, pods: Sequence[Obj]) -> str:
    found = Counter(_owner_name(nodes, pod) for pod in pods)
    shown = [f"{name} {count}" if count > 1 else name for name, count in sorted(found.items())]
    rest = f" and {len(shown) - 12} more" if len(shown) > 12 else ""
    return ", ".join(shown[:12]) + rest if shown else "none"


def _owner_name(nodes: Nodes, pod: Obj) -> str:
    """The pod's workload as people call it: the Deployment above its ReplicaSet."""
    ref = controller_of(pod)
    if ref is None:
        return f"{label_of(pod)} (no controller)"
    above = controller_of(nodes.owners.get(str(ref.get("uid")), {})) or ref
    return f"{fields.namespace_of(pod)}/{above.get('name')}"


def empty_dirs(pod: Obj) -> list[str]:
    """Its emptyDir volumes: what they hold goes with the pod."""
    volumes = fields.items(pod, "spec", "volumes")
    return [fields.text(each, "name") for each in volumes if each.get("emptyDir") is not None]


def _lost(moving: Sequence[Obj], bare: Sequence[str]) -> tuple[str, ...]:
    emptied = [label_of(pod) for pod in moving if empty_dirs(pod)]
    said = [f"pod {name}: no controller makes it again" for name in bare[:10]]
    if len(bare) > 10:
        said.append(f"and {len(bare) - 10} more pods without a controller")
    if emptied:
        rest = f" and {len(emptied) - 5} more" if len(emptied) > 5 else ""
        said.append(f"emptyDir data of {', '.join(emptied[:5])}{rest}")
    return (*said, "the evicted pods' logs; they come back elsewhere, an undo only uncordons")


def _drain_warnings(nodes: Nodes, spots: Sequence[Spot], bare: Sequence[str]) -> tuple[str, ...]:
    said = []
    if bare:
        said.append(
            f"{counted(bare, 'pod')} without a controller: nothing makes them again ({', '.join(bare[:5])})."
        )
    for spot in spots:
        for uid, count in Counter(_owner_uids(spot.moving)).items():
            owner = nodes.owners.get(uid)
            pods = [pod for pod in spot.moving if (controller_of(pod) or {}).get("uid") == uid]
            if owner and count == at(owner, "spec", "replicas") and not budgets_of(pods[0], nodes.budgets):
                said.append(
                    f"All {count} replicas of {fields.namespace_of(owner)}/{name_of(owner)} run on"
                    f" {spot.ref.name} and no budget guards them."
                )
    calm = [label_of(pod) for spot in spots for pod in spot.moving if _asks_for_peace(pod)]
    if calm:
        said.append(f"Karpenter was asked not to disturb {counted(calm, 'pod')} ({', '.join(calm[:3])}).")
    if nodes.draining is None:
        said.append("Whether other nodes are being drained is not known.")
    return tuple(said[:6])


def _asks_for_peace(pod: Obj) -> bool:
    """A batch run that would start anew (karpenter.sh, "Pod-Level Controls"); evictions do not heed it."""
    return (at(pod, "metadata", "annotations") or {}).get("karpenter.sh/do-not-disrupt") == "true"


def _drain_shows(nodes: Nodes, spots: Sequence[Spot], waves: Sequence[int], wait_s: float) -> dict[str, str]:
    held = Counter(why for spot in spots for pod in spot.moving if (why := held_by(pod, nodes.budgets)))
    budgets = {
        uid_of(pdb): says_of(pdb)
        for spot in spots
        for pod in spot.moving
        for pdb in budgets_of(pod, nodes.budgets)
    }
    kept = Counter(why for spot in spots for pod in spot.pods if (why := stays(pod)))
    unready = sum(1 for spot in spots for pod in spot.moving if not is_ready(pod))
    shows = {
        "blocked_now": "; ".join(f"{count} by {why}" for why, count in held.items()) or "nothing",
        "budgets": "; ".join(list(budgets.values())[:6]) or "none",
        "stay": ", ".join(f"{count} {why}" for why, count in sorted(kept.items())) or "none",
        "waits": f"{wait_s / 60:.0f} min a node for budgets, then uncordons and escalates; never forces",
    }
    if unready:
        shows["not_ready"] = f"{unready} of the pods that move"
    if len(spots) > 1:
        shows["rollout"] = "one node, then the next once its pods are ready elsewhere: " + ", ".join(
            f"{spot.ref.name} ({spot.zone or 'no zone'})" for spot in spots
        )
    pressed = [f"{spot.ref.name}: {', '.join(found)}" for spot in spots if (found := pressures_of(spot.obj))]
    shows["pressure"] = "; ".join(pressed) or "none"
    return shows
