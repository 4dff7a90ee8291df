"""How a changed pod template goes out: one new replica first, watched, then the rest (decision D10).

Deployment: maxSurge 1, maxUnavailable 0, so that a bad template can never take a serving replica away; pause
when one new replica runs, look, resume, give the strategy back. StatefulSet: the partition. DaemonSet: one
node at a time. `Recreate` takes all replicas down at once: no canary is possible, and that is said.
Source: Kubernetes documentation, "Deployments: Rolling Update Deployment", "StatefulSets: Partitioned rolling
updates".
"""

from typing import Any

from aiops_eks.planning.drafts import Obj, at, replicas_of
from aiops_shared.guardrails.models import GateCheck, Step
from aiops_shared.results import Frozen

CANARY_WITHIN_S = 300.0
ROLLOUT_WITHIN_S = 1800.0
STEADY_S = 30.0
_SAFE: dict[str, Any] = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


class Rollout(Frozen):
    """The steps, what they write, and how many pods they disrupt at once."""

    steps: tuple[Step, ...]
    paths: tuple[str, ...]
    at_once: int
    says: str
    warnings: tuple[str, ...] = ()


def _gate(check: str, within_s: float = ROLLOUT_WITHIN_S, steady_s: float = 0) -> GateCheck:
    return GateCheck(check=check, within_s=within_s, every_s=5, steady_s=steady_s)


def _deployment(obj: Obj, values: dict[str, Any], steady_s: float) -> Rollout:
    strategy = at(obj, "spec", "strategy") or {}
    replicas = replicas_of(obj)
    if strategy.get("type") == "Recreate":
        step = Step(
            name="all", verb="write", values=values, gate=_gate("rollout_complete", steady_s=steady_s)
        )
        return Rollout(
            steps=(step,),
            paths=tuple(values),
            at_once=replicas,
            says=f"all {replicas} replicas at once (strategy Recreate)",
            warnings=(
                "Strategy Recreate stops every replica before a new one starts: no canary is possible.",
            ),
        )
    if replicas <= 1:
        step = Step(
            name="all",
            verb="write",
            values={**values, "spec.strategy": _SAFE},
            gate=_gate("rollout_complete", steady_s=steady_s),
        )
        settle = Step(name="settle", verb="write", values={"spec.strategy": strategy or None})
        return Rollout(
            steps=(step, settle),
            paths=(*values, "spec.strategy"),
            at_once=min(replicas, 1),
            says="one replica: the new one must be ready before the old one goes",
        )
    steps = (
        Step(
            name="canary",
            verb="write",
            values={**values, "spec.strategy": _SAFE},
            gate=_gate("canary_ready", CANARY_WITHIN_S),
        ),
        Step(
            name="hold", verb="write", values={"spec.paused": True}, gate=_gate("canary_ready", 600, steady_s)
        ),
        Step(name="rest", verb="write", values={"spec.paused": None}, gate=_gate("rollout_complete")),
        Step(name="settle", verb="write", values={"spec.strategy": strategy or None}),
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
    if replicas <= 1 or strategy.get("type") == "OnDelete":
        step = Step(
            name="all", verb="write", values=values, gate=_gate("rollout_complete", steady_s=steady_s)
        )
        return Rollout(steps=(step,), paths=tuple(values), at_once=min(replicas, 1), says="one replica")
    partition = {"type": "RollingUpdate", "rollingUpdate": {"partition": replicas - 1}}
    steps = (
        Step(
            name="canary",
            verb="write",
            values={**values, "spec.updateStrategy": partition},
            gate=_gate("canary_ready", CANARY_WITHIN_S, steady_s),
        ),
        Step(
            name="rest",
            verb="write",
            values={"spec.updateStrategy": strategy or None},
            gate=_gate("rollout_complete"),
        ),
    )
    return Rollout(
        steps=steps,
        paths=(*values, "spec.updateStrategy"),
        at_once=1,
        says=f"pod {replicas - 1} first, watched for {steady_s:.0f} s, then downwards",
    )


def _daemon_set(obj: Obj, values: dict[str, Any], steady_s: float) -> Rollout:
    strategy = at(obj, "spec", "updateStrategy") or {}
    one = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    steps = (
        Step(
            name="all",
            verb="write",
            values={**values, "spec.updateStrategy": one},
            gate=_gate("rollout_complete", steady_s=steady_s),
        ),
        Step(name="settle", verb="write", values={"spec.updateStrategy": strategy or None}),
    )
    return Rollout(steps=steps, paths=(*values, "spec.updateStrategy"), at_once=1, says="one node at a time")


_BY_KIND = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set}


def rollout(kind: str, obj: Obj, values: dict[str, Any], steady_s: float = STEADY_S) -> Rollout:
    """The staged rollout of a template change (`values`: path -> new value) of a workload."""
    return _BY_KIND[kind](obj, values, steady_s)
