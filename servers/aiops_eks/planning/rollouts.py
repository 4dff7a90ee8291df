"""How a changed pod template goes out: one new replica first, watched, then the rest (decision D10).

Deployment: maxSurge 1, maxUnavailable 0, so that a bad template can never take a serving replica away; pause
as soon as one new replica is there, look, resume, give the strategy back. StatefulSet: the partition.
DaemonSet: one node, held by minReadySeconds, then as its own strategy says. `Recreate` takes all replicas
down at once: no canary is possible, and that is said. Where nothing would be replaced (paused, OnDelete, no
replica), the template is written and nothing is waited for.
Source: Kubernetes documentation, "Deployments: Rolling Update Deployment", "StatefulSets: Update strategies"
and "Forced rollback", "Perform a Rolling Update on a DaemonSet".
"""

import math
from typing import Any

from aiops_eks.planning.drafts import Obj, at, replicas_of
from aiops_shared.guardrails.models import GateCheck, Step
from aiops_shared.results import Frozen

CANARY_WITHIN_S = 300.0
READY_WITHIN_S = 600.0  # an image of some gigabytes has to be pulled first
ROLLOUT_WITHIN_S = 1800.0
STEADY_S = 30.0
_SAFE: dict[str, Any] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
_FORCED_ROLLBACK = (
    "If the first pod does not become ready, the undo gives the template back, but Kubernetes keeps"
    " waiting for that pod: it has to be deleted."
)


class Rollout(Frozen):
    """The steps, what they write, and how many pods they disrupt at once."""

    steps: tuple[Step, ...]
    paths: tuple[str, ...]
    at_once: int
    says: str
    warnings: tuple[str, ...] = ()
    rolls: bool = True  # False: the template is written, no pod is replaced now


def _gate(check: str, within_s: float = ROLLOUT_WITHIN_S, steady_s: float = 0) -> GateCheck:
    return GateCheck(check=check, within_s=within_s, every_s=5, steady_s=steady_s)


def _step(name: str, values: dict[str, Any], gate: GateCheck | None = None) -> Step:
    return Step(name=name, verb="write", values=values, gate=gate)


def _pods(value: Any, total: int, default: int, *, up: bool) -> int:
    """maxUnavailable as a number of pods: an integer, or a percentage of all."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.endswith("%") and value[:-1].isdigit():
        exact = total * int(value[:-1]) / 100
        return math.ceil(exact) if up else math.floor(exact)
    return default


def nodes_of(obj: Obj | None) -> int:
    """On how many nodes a DaemonSet wants to run."""
    value = at(obj, "status", "desiredNumberScheduled")
    return value if isinstance(value, int) else 0


def widest(kind: str, obj: Obj) -> int:
    """How many pods the object's own strategy may take away at once."""
    total = nodes_of(obj) if kind == "DaemonSet" else replicas_of(obj)
    strategy = at(obj, "spec", "strategy" if kind == "Deployment" else "updateStrategy") or {}
    if strategy.get("type") == "OnDelete" or (kind == "Deployment" and at(obj, "spec", "paused")):
        return 0
    if strategy.get("type") == "Recreate":
        return total
    value = at(strategy, "rollingUpdate", "maxUnavailable")
    if kind == "Deployment":  # rounds down, and 0 with surge 0 counts as 1
        found = _pods("25%" if value is None else value, total, 1, up=False)
    else:
        found = _pods(value, total, 1, up=True)
    return min(total, max(1, found))


def _written(values: dict[str, Any], says: str, *warnings: str) -> Rollout:
    """Only the template is written: no pod is replaced by that."""
    step = _step("all", values, _gate("present", 30))
    return Rollout(steps=(step,), paths=tuple(values), at_once=0, says=says, warnings=warnings, rolls=False)


def _deployment(obj: Obj, values: dict[str, Any], steady_s: float) -> Rollout:
    strategy = at(obj, "spec", "strategy") or {}
    replicas = replicas_of(obj)
    if at(obj, "spec", "paused"):
        return _written(
            values,
            "written only: the rollout is paused",
            "The Deployment is paused: nothing goes out, and nothing is verified, until it is resumed.",
        )
    if replicas == 0:
        return _written(values, "written only: it has no replica")
    if strategy.get("type") == "Recreate":
        step = _step("all", values, _gate("rollout_complete", steady_s=steady_s))
        return Rollout(
            steps=(step,),
            paths=tuple(values),
            at_once=replicas,
            says=f"all {replicas} replicas at once (strategy Recreate)",
            warnings=(
                "Strategy Recreate stops every replica before a new one starts: no canary is possible.",
            ),
        )
    settle = _step("settle", {"spec.strategy": strategy or None})
    if replicas == 1:
        both = _step("all", {**values, "spec.strategy": _SAFE}, _gate("rollout_complete", steady_s=steady_s))
        return Rollout(
            steps=(both, settle),
            paths=(*values, "spec.strategy"),
            at_once=1,
            says="one replica: the new one must be ready before the old one goes",
        )
    steps = (
        _step("canary", {**values, "spec.strategy": _SAFE}, _gate("canary_started", CANARY_WITHIN_S)),
        _step("hold", {"spec.paused": True}, _gate("canary_ready", READY_WITHIN_S, steady_s)),
        _step("rest", {"spec.paused": None}, _gate("rollout_complete")),
        settle,
    )
    return Rollout(
        steps=steps,
        paths=(*values, "spec.strategy", "spec.paused"),
        at_once=1,
        says=f"1 of {replicas} first, watched for {steady_s:.0f} s, then the rest one by one",
    )


def _stateful_set(obj: Obj, values: dict[str, Any], steady_s: float) -> Rollout:
    replicas = replicas_of(obj)
    strategy = at(obj, "spec", "updateStrategy") or {}
    held = int(at(strategy, "rollingUpdate", "partition") or 0)
    if strategy.get("type") == "OnDelete":
        return _written(values, "written only: strategy OnDelete", _on_delete("pod"))
    if replicas <= held:
        why = f"partition {held} holds back all {replicas} replicas" if replicas else "it has no replica"
        return _written(values, f"written only: {why}")
    warnings = _forced_rollback(obj)
    if replicas == 1:
        step = _step("all", values, _gate("rollout_complete", steady_s=steady_s))
        return Rollout(
            steps=(step,), paths=tuple(values), at_once=1, says="its only replica", warnings=warnings
        )
    first = max(replicas - 1, held)
    partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": first}}
    canary = _gate("canary_ready", READY_WITHIN_S, steady_s)
    steps = (
        _step("canary", {**values, "spec.updateStrategy": partition}, canary),
        _step("rest", {"spec.updateStrategy": strategy or None}, _gate("rollout_complete")),
    )
    return Rollout(
        steps=steps,
        paths=(*values, "spec.updateStrategy"),
        at_once=widest("StatefulSet", obj),
        says=f"pod {first} first, watched for {steady_s:.0f} s, then downwards"
        + (f" to {held}" if held else ""),
        warnings=warnings,
    )


def _forced_rollback(obj: Obj) -> tuple[str, ...]:
    if at(obj, "spec", "podManagementPolicy") == "Parallel":
        return ()
    return (_FORCED_ROLLBACK,)


def _on_delete(what: str) -> str:
    return f"Strategy OnDelete: each {what} takes it when it is deleted; nothing is verified now."


def _daemon_set(obj: Obj, values: dict[str, Any], steady_s: float) -> Rollout:
    strategy = at(obj, "spec", "updateStrategy") or {}
    nodes = nodes_of(obj)
    if strategy.get("type") == "OnDelete":
        return _written(values, "written only: strategy OnDelete", _on_delete("node's pod"))
    if nodes == 0:
        return _written(values, "written only: it runs on no node")
    surge = bool(at(strategy, "rollingUpdate", "maxSurge") not in {None, 0, "0%"})
    rolling = {"maxUnavailable": 0, "maxSurge": 1} if surge else {"maxUnavailable": 1, "maxSurge": 0}
    own_s = at(obj, "spec", "minReadySeconds")
    # The controller goes on to the second node only after the first was ready for that long.
    one = {
        "spec.updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        "spec.minReadySeconds": max(math.ceil(steady_s), own_s or 0),
    }
    own = {"spec.updateStrategy": strategy or None, "spec.minReadySeconds": own_s}
    canary = _gate("canary_ready", READY_WITHIN_S, steady_s)
    return Rollout(
        steps=(_step("canary", {**values, **one}, canary), _step("rest", own, _gate("rollout_complete"))),
        paths=(*values, *own),
        at_once=widest("DaemonSet", obj),
        says=f"1 of {nodes} nodes first, watched for {steady_s:.0f} s, then as its strategy says",
    )


_BY_KIND = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set}


def rollout(kind: str, obj: Obj, values: dict[str, Any], steady_s: float = STEADY_S) -> Rollout:
    """The staged rollout of a template change (`values`: path -> new value) of a workload."""
    return _BY_KIND[kind](obj, values, steady_s)
