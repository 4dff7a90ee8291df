"""Changes of nodes: cordon, uncordon, taint (drain has a room of its own): facts and wish -> draft. Pure.

Source: Kubernetes documentation, "Manual Node administration", "Taints and Tolerations".
"""

import re
from collections.abc import Callable, Sequence

from aiops_eks.models import fields
from aiops_eks.planning.drafts import Obj, at
from aiops_eks.planning.nodes_budgets import label_of
from aiops_eks.planning.nodes_drain import drain
from aiops_eks.planning.nodes_scene import (
    CORDONED,
    Nodes,
    NodesDraft,
    NodeWish,
    Spot,
    names_of,
    state_of,
    target_of,
    wave_order,
)
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.models import ActionName, FieldChange, GateCheck, Step, TargetChange
from aiops_shared.guardrails.paths import Key, Pick, join

_TAINT = re.compile(
    r"(?P<key>(?:[a-z0-9][a-z0-9.-]{0,251}/)?[A-Za-z0-9][A-Za-z0-9_.-]{0,62})"
    r"(?:=(?P<value>[A-Za-z0-9_.-]{0,63}))?:(?P<effect>NoSchedule|PreferNoSchedule|NoExecute)(?P<off>-?)"
)


def _written(spots: Sequence[Spot], values: dict[str, object], name: str) -> tuple[TargetChange, ...]:
    gate = GateCheck(check="present", within_s=30)
    step = Step(name=name, verb="write", values=values, gate=gate)
    return tuple(target_of(spot, (step,)) for spot in spots)


def cordon(nodes: Nodes, wish: NodeWish) -> NodesDraft:
    """No new pod comes onto the nodes; those that run stay."""
    del wish
    return _switched(nodes, "cordon", wanted=True)


def uncordon(nodes: Nodes, wish: NodeWish) -> NodesDraft:
    """Pods may come onto the nodes again."""
    del wish
    return _switched(nodes, "uncordon", wanted=False)


def _switched(nodes: Nodes, action: ActionName, *, wanted: bool) -> NodesDraft:
    spots, waves = wave_order([s for s in nodes.spots if bool(at(s.obj, "spec", "unschedulable")) != wanted])
    if not spots:
        raise InvalidInputError(
            action, f"{names_of(nodes.spots)} {_already(nodes, wanted)}", "nothing to plan"
        )
    after = "cordoned" if wanted else "schedulable"
    left = len(nodes.spots) - len(spots)
    return NodesDraft(
        action=action,
        confirm=f"{action} {names_of(spots)}",
        targets=_written(spots, {CORDONED: True if wanted else None}, action),
        waves=waves,
        diff=tuple(FieldChange(path=str(s.ref), before=state_of(s.obj), after=after) for s in spots),
        warnings=(f"{left} of the nodes named are {after} already and are left out.",) if left else (),
    )


def _already(nodes: Nodes, wanted: bool) -> str:
    verb = "is" if len(nodes.spots) == 1 else "are"
    return f"{verb} {'cordoned' if wanted else 'schedulable'} already"


def taint(nodes: Nodes, wish: NodeWish) -> NodesDraft:
    """Set one taint, or take it off (`key:Effect-`).

    Raises InvalidInputError for a NoExecute taint over pods that do not tolerate it: Kubernetes would delete
    them at once and ask no disruption budget.
    """
    found = parsed_taint(wish.taint)
    key, value, effect, off = found["key"], found["value"], found["effect"], bool(found["off"])
    spots, waves = wave_order(
        [s for s in nodes.spots if _taint_of(s.obj, key, effect) != (None if off else value)]
    )
    if not spots:
        raise InvalidInputError("taint", f"{names_of(nodes.spots)} already so", "nothing to plan")
    for spot in spots:
        _only_one_effect(spot, key, effect)
        if effect == "NoExecute" and not off:
            _all_tolerate(spot, key, value)
    made: dict[str, str] = {"key": key, **({"value": value} if value else {}), "effect": effect}
    path = join((Key("spec"), Key("taints"), Pick("key", key)))
    shown = f"{key}{'=' + value if value else ''}:{effect}"
    return NodesDraft(
        action="taint",
        confirm=f"{'remove taint' if off else 'taint'} {shown} {'from' if off else 'on'} {names_of(spots)}",
        targets=_written(spots, {path: None if off else made}, "taint"),
        waves=waves,
        diff=tuple(
            FieldChange(
                path=f"{spot.ref} taint {key}",
                before=_shown_taint(_taint_of(spot.obj, key, effect), effect),
                after=_shown_taint(None if off else value, effect),
            )
            for spot in spots
        ),
    )


def parsed_taint(text: str) -> dict[str, str]:
    """key, value, effect, off (empty where not given). Raises InvalidInputError."""
    match = _TAINT.fullmatch(text)
    if match is None:
        raise InvalidInputError(
            "taint", "is no taint", "as dedicated=batch:NoSchedule; dedicated:NoSchedule- removes"
        )
    return match.groupdict(default="")


def _taint_of(node: Obj, key: str, effect: str) -> str | None:
    """The value of a taint that is there."""
    taints = fields.items(node, "spec", "taints")
    return next(
        (fields.text(t, "value") for t in taints if (t.get("key"), t.get("effect")) == (key, effect)), None
    )


def _shown_taint(value: str | None, effect: str) -> str:
    return "none" if value is None else f"{value}:{effect}".lstrip(":")


def _only_one_effect(spot: Spot, key: str, effect: str) -> None:
    others = [str(t.get("effect")) for t in fields.items(spot.obj, "spec", "taints") if t.get("key") == key]
    if set(others) - {effect}:
        raise InvalidInputError(
            "taint",
            f"{spot.ref} has {key} with {', '.join(others)}",
            "remove that one first: one effect a key",
        )


def _all_tolerate(spot: Spot, key: str, value: str) -> None:
    driven = [label_of(pod) for pod in spot.pods if not _tolerates(pod, key, value)]
    if driven:
        raise InvalidInputError(
            "taint",
            f"NoExecute would delete {len(driven)} pods of {spot.ref} past every budget"
            f" ({', '.join(driven[:3])})",
            "drain the node first, or use NoSchedule",
        )


def _tolerates(pod: Obj, key: str, value: str) -> bool:
    for each in fields.items(pod, "spec", "tolerations"):
        fits = each.get("key") in (None, "", key) and each.get("effect") in (None, "", "NoExecute")
        exists = each.get("operator") == "Exists"
        if fits and (exists or (each.get("key") == key and fields.text(each, "value") == value)):
            return True
    return False


_ACTIONS: dict[str, Callable[[Nodes, NodeWish], NodesDraft]] = {
    "cordon": cordon,
    "uncordon": uncordon,
    "taint": taint,
    "drain": drain,
}


def check_fits(action: str, wish: NodeWish) -> None:
    """What can be refused before anything is asked of the cluster. Raises InvalidInputError."""
    if action == "taint":
        parsed_taint(wish.taint)
    elif wish.taint:
        raise InvalidInputError("taint", f"not an argument of {action}", "it belongs to action=taint")
    if wish.wait_s is not None and action != "drain":
        raise InvalidInputError("wait_minutes", f"not an argument of {action}", "it belongs to action=drain")


def draft(action: str, nodes: Nodes, wish: NodeWish) -> NodesDraft:
    """The change that the wish asks for."""
    return _ACTIONS[action](nodes, wish)
