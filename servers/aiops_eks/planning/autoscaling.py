"""Autoscaling of a workload: its HorizontalPodAutoscaler made, or its bounds and targets changed. Pure.

Rules B1 and B18. An HPA on utilisation divides usage by the request, so every container needs one
(`pkg/controller/podautoscaler/metrics/utilization.go`); zero replicas switch it off; KEDA owns the HPAs
that it makes; a VPA that writes requests moves what the HPA divides by.
"""

import re
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from aiops_eks.diagnosis.quantities import amount
from aiops_eks.models import fields
from aiops_eks.planning.diffing import changed_fields
from aiops_eks.planning.drafts import Around, Draft, Obj, at, containers_of, name_of, replicas_of
from aiops_eks.planning.facts import gitops_owner_of
from aiops_eks.planning.wording import one_line
from aiops_eks.planning.workloads import SCALABLE
from aiops_shared.errors import ActionRefusedError, InvalidInputError
from aiops_shared.guardrails.models import FieldChange, GateCheck, GateResult, ObjectRef, Step
from aiops_shared.guardrails.paths import write
from aiops_shared.results import Frozen

API = "autoscaling/v2"
CPU_PCT = 70  # where nobody says
ACTIVE_WITHIN_S = 180.0
_MOST_PCT = 1_000_000


class Bounds(Frozen):
    """The arguments of plan_workload_change(action=autoscale)."""

    least: int | None = None
    most: int | None = None
    cpu_pct: int | None = None
    memory_pct: int | None = None


class Rivals(Frozen):
    """Who else scales in the namespace: VerticalPodAutoscalers and KEDA's ScaledObjects."""

    vpas: tuple[dict[str, Any], ...] = Field(default_factory=tuple)
    scaled_objects: tuple[dict[str, Any], ...] = Field(default_factory=tuple)
    gaps: tuple[str, ...] = ()


_BOUNDS = re.compile(r"(?:([0-9]{1,5})-)?([0-9]{1,5})?((?:,(?:cpu|memory)=[0-9]{1,4})*)")


def bounds_of(action: str, text: str | None, others: bool) -> Bounds:
    """`3-10,cpu=70` as bounds. Raises InvalidInputError, also for arguments of another action."""
    if action != "autoscale":
        if text:
            raise InvalidInputError(
                "autoscale", f"not an argument of {action}", "it belongs to action=autoscale"
            )
        return Bounds()
    if others:
        raise InvalidInputError("arguments", "autoscale takes `autoscale` alone", "one change a plan")
    plain = "".join((text or "").split())
    found = _BOUNDS.fullmatch(plain if plain[:1].isdecimal() else f",{plain}")
    if not plain or found is None:
        raise InvalidInputError(
            "autoscale", "is not min-max and targets", "for example 3-10,cpu=70,memory=80"
        )
    aims = dict(part.split("=") for part in found[3].split(",") if part)
    numbers = [found[1], found[2], aims.get("cpu"), aims.get("memory")]
    least, most, cpu, memory = (None if each is None else int(each) for each in numbers)
    if 0 in (least, most, cpu, memory):
        raise InvalidInputError("autoscale", "0 switches an HPA off", "at least 1")
    if least is not None and most is not None and least > most:
        raise InvalidInputError("autoscale", f"min {least} is above max {most}")
    return Bounds(least=least, most=most, cpu_pct=cpu, memory_pct=memory)


def current_of(around: Around) -> Obj | None:
    """The HPA of the workload. Raises InvalidInputError when several fight over it."""
    found = [hpa for hpa in around.hpas if _aims_at(hpa, "scaleTargetRef", around)]
    if len(found) > 1:
        names = ", ".join(name_of(hpa) for hpa in found)
        raise InvalidInputError(
            f"autoscale {around.ref}", f"several HPAs scale it: {names}", "delete all but one"
        )
    return found[0] if found else None


def _aims_at(obj: Obj, key: str, around: Around) -> bool:
    target = at(obj, "spec", key) or {}
    kind = target.get("kind") or "Deployment"  # KEDA's default
    return kind == around.ref.kind and target.get("name") == around.ref.name


def hpa_ref(around: Around, hpa: Obj | None) -> ObjectRef:
    """Where the HPA is, or is to be: under the workload's name."""
    return around.ref.model_copy(
        update={
            "api_version": API,
            "kind": "HorizontalPodAutoscaler",
            "name": name_of(hpa) or around.ref.name,
        }
    )


def draft(around: Around, hpa: Obj | None, rivals: Rivals, bounds: Bounds) -> Draft:
    """One HPA made or changed. Raises InvalidInputError and ActionRefusedError."""
    _refuse(around, hpa, rivals)
    wanted = _wanted(around, hpa, bounds)
    _check_requests(around, wanted)
    ref, gate = hpa_ref(around, hpa), GateCheck(check="hpa_active", within_s=ACTIVE_WITHIN_S, every_s=5)
    least, most = wanted["spec"]["minReplicas"], wanted["spec"]["maxReplicas"]
    common: dict[str, Any] = {
        "action": "autoscale",
        "ref": ref,
        "reversible": "full",
        "warnings": tuple(_warnings(around, rivals, wanted)),
        "shows": _shows(around, wanted),
    }
    if hpa is None:
        step = Step(name="create HPA", verb="create", body=wanted, gate=gate)
        return Draft(
            confirm=f"autoscale {around.ref} between {least} and {most} replicas ({_aims(wanted)})",
            steps=(step,),
            paths=("spec",),
            diff=tuple(_new_rows(wanted)),
            **common,
        )
    values = {
        f"spec.{key}": wanted["spec"][key]
        for key in ("minReplicas", "maxReplicas", "metrics")
        if wanted["spec"][key] != at(hpa, "spec", key)
    }
    if not values:
        raise InvalidInputError(f"autoscale {around.ref}", f"{name_of(hpa)} is so already", "nothing to plan")
    step = Step(name="change HPA", verb="write", values=values, gate=gate)
    return Draft(
        confirm=f"autoscale {around.ref} between {least} and {most} replicas ({_aims(wanted)}), by changing "
        f"HPA {name_of(hpa)}",
        steps=(step,),
        paths=tuple(values),
        reads=("spec.minReplicas", "spec.maxReplicas", "spec.scaleTargetRef"),
        diff=changed_fields(hpa, write(hpa, values)),
        **common,
    )


def change_pct(around: Around, hpa: Obj | None, wanted: Draft) -> int:
    """How far the bounds move, in percent (B1); for a new HPA away from the replicas that run now.

    A lower bound above what runs, and an upper one below it, move the workload; so does an upper bound far
    above: all count.
    """
    now = replicas_of(around.obj)
    before = at(hpa, "spec") or {"minReplicas": now, "maxReplicas": now}
    after = at(wanted.steps[0].body, "spec") or {
        key: wanted.steps[0].values.get(f"spec.{key}", before.get(key))
        for key in ("minReplicas", "maxReplicas")
    }
    changes = [0]
    for key in ("minReplicas", "maxReplicas"):
        was, will = before.get(key) or 1, after.get(key) or 1
        changes.append(-(-abs(will - was) * 100 // was))
    return min(max(changes), _MOST_PCT)


def _refuse(around: Around, hpa: Obj | None, rivals: Rivals) -> None:
    thing = f"autoscale {around.ref}"
    if around.ref.kind not in SCALABLE:
        raise InvalidInputError(
            thing, f"not possible for a {around.ref.kind}", f"possible for {', '.join(SCALABLE)}"
        )
    if around.owners:
        above = f"{str(around.owners[0].get('kind', '')).lower()} {name_of(around.owners[0])}"
        raise InvalidInputError(thing, f"{above} sets its replicas", f"autoscale {above}")
    if replicas_of(around.obj) == 0:
        raise ActionRefusedError(thing, "it has 0 replicas, which switches an HPA off", "scale it first")
    keda = next((one for one in rivals.scaled_objects if _aims_at(one, "scaleTargetRef", around)), None)
    owners = [ref.get("kind") for ref in at(hpa, "metadata", "ownerReferences") or []]
    if keda is not None or "ScaledObject" in owners:
        name = name_of(keda) if keda else "its owner"
        raise ActionRefusedError(
            thing, f"KEDA scales it (ScaledObject {name}) by an HPA of its own", "change the ScaledObject"
        )


def _wanted(around: Around, hpa: Obj | None, bounds: Bounds) -> Obj:
    """The HPA as it is to be."""
    if hpa is None:
        if bounds.most is None:
            raise InvalidInputError(
                "max_replicas", f"{around.ref} has no HPA yet", "say the most it may have"
            )
        least = bounds.least or min(replicas_of(around.obj), bounds.most)
        aims = {"cpu": bounds.cpu_pct, "memory": bounds.memory_pct}
        if not any(aims.values()):
            aims["cpu"] = CPU_PCT
        metrics = [_metric(resource, pct) for resource, pct in aims.items() if pct]
        return _made(around, least, bounds.most, metrics)
    spec = at(hpa, "spec") or {}
    least = bounds.least or spec.get("minReplicas") or 1
    most = bounds.most or spec.get("maxReplicas") or 1
    if least > most:
        raise InvalidInputError("autoscale", f"min {least} is above max {most} of {name_of(hpa)}")
    metrics = list(spec.get("metrics") or [])
    for resource, pct in (("cpu", bounds.cpu_pct), ("memory", bounds.memory_pct)):
        if pct:
            metrics = [*(one for one in metrics if _resource(one) != resource), _metric(resource, pct)]
    return _made(around, least, most, metrics)


def _made(around: Around, least: int, most: int, metrics: list[Any]) -> Obj:
    target = {"apiVersion": around.ref.api_version, "kind": around.ref.kind, "name": around.ref.name}
    return {
        "apiVersion": API,
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": around.ref.name, "namespace": around.ref.namespace},
        "spec": {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": most, "metrics": metrics},
    }


def _metric(resource: str, pct: int) -> Obj:
    aim = {"type": "Utilization", "averageUtilization": pct}
    return {"type": "Resource", "resource": {"name": resource, "target": aim}}


def _resource(metric: Any) -> str:
    return str(at(metric, "resource", "name") or "") if isinstance(metric, dict) else ""


def _by_utilisation(hpa: Obj) -> list[str]:
    return [
        _resource(one)
        for one in hpa["spec"]["metrics"]
        if at(one, "resource", "target", "type") == "Utilization" and _resource(one)
    ]


def _aims(hpa: Obj) -> str:
    aims = [
        f"{_resource(one)} at {at(one, 'resource', 'target', 'averageUtilization')} %"
        for one in hpa["spec"]["metrics"]
        if _resource(one)
    ]
    return ", ".join(aims) or "its own metrics"


def _check_requests(around: Around, wanted: Obj) -> None:
    """Without a request there is nothing to divide by, and the HPA does nothing."""
    for resource in _by_utilisation(wanted):
        without = [
            str(each.get("name"))
            for each in containers_of(around.obj)
            if not amount(
                str(
                    at(each, "resources", "requests", resource)
                    or at(each, "resources", "limits", resource)
                    or ""
                )
            )
        ]
        if without:
            raise ActionRefusedError(
                f"autoscale {around.ref}",
                f"container {', '.join(without)} has no {resource} request, so its utilisation is unknown",
                f"plan action=resources with {resource}_request first",
            )


def _warnings(around: Around, rivals: Rivals, wanted: Obj) -> Iterator[str]:
    resources = _by_utilisation(wanted)
    for vpa in rivals.vpas:
        mode = at(vpa, "spec", "updatePolicy", "updateMode") or "Recreate"
        if _aims_at(vpa, "targetRef", around) and mode != "Off":
            yield (
                f"VerticalPodAutoscaler {one_line(name_of(vpa), 100)} ({one_line(str(mode), 20)}) writes the "
                "requests that this HPA divides by: the two work against each other; set it to Off."
            )
    if "memory" in resources:
        killed = any(_oom_killed(pod) for pod in around.pods)
        leak = " Its pods were OOMKilled: a leak only grows to max, diagnose first." if killed else ""
        yield f"Memory seldom falls when load does: an HPA on it scales up and stays up.{leak}"
    if gitops := gitops_owner_of(around.obj):
        owner = one_line(gitops, 120)
        yield f"{owner} owns the workload: take `replicas` out of git, or each sync resets them."
    now, least = replicas_of(around.obj), wanted["spec"]["minReplicas"]
    if least > now:
        yield f"min is above the {now} that run: {least - now} pods are added at once."
    if wanted["spec"]["maxReplicas"] < now:
        yield f"max is below the {now} that run: pods are removed at once."
    yield from (f"Not seen: {one_line(gap, 160)}" for gap in rivals.gaps)


def _oom_killed(pod: Obj) -> bool:
    return any(
        fields.text(each, state, "terminated", "reason") == "OOMKilled"
        for each in fields.items(pod, "status", "containerStatuses")
        for state in ("state", "lastState")
    )


def _shows(around: Around, wanted: Obj) -> dict[str, str]:
    return {
        "now": f"{replicas_of(around.obj)} replicas",
        "verification": "the HPA reads its metrics within 3 min (ScalingActive), or the change is undone",
        "targets": _aims(wanted),
    }


def _new_rows(wanted: Obj) -> Iterator[FieldChange]:
    spec = wanted["spec"]
    for key in ("minReplicas", "maxReplicas"):
        yield FieldChange(path=f"spec.{key}", before="", after=str(spec[key]))
    yield FieldChange(path="spec.metrics", before="", after=_aims(wanted))


def hpa_active(hpa: Obj) -> GateResult:
    """Whether the HPA reads what it scales by."""
    found = fields.conditions_of(hpa).get("ScalingActive")
    if found is None:
        return GateResult(state="waiting", says="the HPA controller has not looked at it yet")
    if fields.text(found, "status") == "True":
        return GateResult(state="met", says="ScalingActive: it reads its metrics")
    why = one_line(f"{fields.text(found, 'reason')}: {fields.text(found, 'message')}", 240)
    return GateResult(state="waiting", says=f"not ScalingActive: {why}")
