"""Workloads and autoscalers as analyses see them, from their objects. Pure; an object may be misshapen (T14).

Called by the advisers of requests, autoscaling, network and observability.
"""

import re
from collections.abc import Iterator
from typing import Any

from aiops_cost.analysis.autoscaling import Autoscaler, Metric
from aiops_cost.analysis.sizing import Container, Heap
from aiops_shared.kube.quantities import amount
from aiops_shared.kube.shapes import mapping, meta, rows, text, words

Obj = dict[str, Any]
MANAGED_BY = "app.kubernetes.io/managed-by"
# Heaps that follow the memory limit, and heaps of a fixed size (java(1); node --help).
_SHARE = re.compile(r"-XX:M(?:ax|in|initial)RAMPercentage=[\d.]+|-XX:InitialRAMPercentage=[\d.]+")
_FIXED = re.compile(r"-Xmx(\d+)([kKmMgG])|--max[-_]old[-_]space[-_]size=(\d+)")
_SCALE = {"k": 2**10, "m": 2**20, "g": 2**30}
_JAVA = re.compile(r"(?:^|/)java$")


def pod_spec(workload: Obj) -> Obj:
    """The pod template's spec."""
    return mapping(mapping(mapping(workload.get("spec")).get("template")).get("spec"))


def replicas_of(workload: Obj) -> int:
    """How many pods it wants: `replicas`, or one for each node that a DaemonSet is for."""
    wanted = mapping(workload.get("spec")).get("replicas", 1)
    daemons = mapping(workload.get("status")).get("desiredNumberScheduled")
    return daemons if isinstance(daemons, int) else wanted if isinstance(wanted, int) else 1


def containers_of(workload: Obj) -> tuple[Container, ...]:
    """Its containers, and sidecars (init containers that keep running), with requests as admission fills
    them in: a limit without a request is the request (core/v1 defaults).
    """
    spec = pod_spec(workload)
    sidecars = [one for one in rows(spec, "initContainers") if one.get("restartPolicy") == "Always"]
    return tuple(_container(one) for one in (*rows(spec, "containers"), *sidecars))


def _container(one: Obj) -> Container:
    resources = mapping(one.get("resources"))
    requests, limits = mapping(resources.get("requests")), mapping(resources.get("limits"))
    return Container(
        name=text(one.get("name")),
        cpu=_size(requests.get("cpu", limits.get("cpu"))),
        memory=_size(requests.get("memory", limits.get("memory"))),
        cpu_limit=_size(limits.get("cpu")),
        memory_limit=_size(limits.get("memory")),
        heap=heap_of(one),
    )


def _size(quantity: object) -> float:
    return float(amount(quantity) or 0)


def heap_of(container: Obj) -> Heap:
    """What its command line and variables say of a heap."""
    said = [*words(container.get("command")), *words(container.get("args"))]
    said += [text(one.get("value")) for one in rows(container, "env")]
    line = " ".join(said)
    if found := _SHARE.search(line):
        return Heap(found[0], share=True)
    if fixed := _FIXED.search(line):
        unit = _SCALE[fixed[2].lower()] if fixed[2] else 2**20
        return Heap(fixed[0], bytes=float(int(fixed[1] or fixed[3]) * unit))
    if any(_JAVA.search(word) for word in said):
        # Without options the JVM's heap is a quarter of what its container may use (JDK 10 and later).
        return Heap("java without -Xmx", share=True)
    return Heap()


def labels_selected(workload: Obj) -> dict[str, str]:
    """`matchLabels` of its selector."""
    chosen = mapping(mapping(mapping(workload.get("spec")).get("selector")).get("matchLabels"))
    return {key: value for key, value in chosen.items() if isinstance(value, str)}


def variables_of(container: Obj) -> dict[str, str]:
    """Plain values of its environment; what comes from elsewhere is not known."""
    return {text(one.get("name")): text(one.get("value")) for one in rows(container, "env") if "value" in one}


def autoscaler_of(obj: Obj) -> Autoscaler:
    """A HorizontalPodAutoscaler (autoscaling/v2)."""
    spec, about = mapping(obj.get("spec")), meta(obj)
    target = mapping(spec.get("scaleTargetRef"))
    return Autoscaler(
        namespace=text(about.get("namespace")),
        name=text(about.get("name")),
        target_kind=text(target.get("kind")),
        target_name=text(target.get("name")),
        least=_whole(spec.get("minReplicas"), 1),
        most=_whole(spec.get("maxReplicas"), 1),
        metrics=tuple(_metrics(spec)),
        current=_whole(mapping(obj.get("status")).get("currentReplicas"), 0),
        owner=text(mapping(about.get("labels")).get(MANAGED_BY)),
    )


def _metrics(spec: Obj) -> Iterator[Metric]:
    for one in rows(spec, "metrics"):
        kind = text(one.get("type"))
        source = mapping(one.get(kind[:1].lower() + kind[1:]))
        aim = mapping(source.get("target"))
        way = text(aim.get("type"))
        name = text(source.get("name")) or text(mapping(source.get("metric")).get("name"))
        share = aim.get("averageUtilization")
        value = (
            share / 100
            if isinstance(share, int)
            else _size(aim.get("averageValue") if way == "AverageValue" else aim.get("value"))
        )
        yield Metric(kind, name, way, float(value))


def _whole(value: object, other: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else other


def oom_kills(pods: list[Obj]) -> int:
    """Containers whose present or last end was an OOM kill; the API keeps one end for each."""
    return sum(
        any(
            mapping(mapping(status.get(when)).get("terminated")).get("reason") == "OOMKilled"
            for when in ("state", "lastState")
        )
        for pod in pods
        for status in rows(mapping(pod.get("status")), "containerStatuses")
    )


def vertical_target(obj: Obj) -> tuple[str, str, str, str]:
    """Namespace, kind and name of what a VerticalPodAutoscaler is for, and its mode."""
    spec = mapping(obj.get("spec"))
    target = mapping(spec.get("targetRef"))
    mode = text(mapping(spec.get("updatePolicy")).get("updateMode")) or "Recreate"
    return text(meta(obj).get("namespace")), text(target.get("kind")), text(target.get("name")), mode
