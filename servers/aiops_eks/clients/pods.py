"""Reads a scope's pods for a diagnosis: a small scope whole, a large one by rows and only its suspects whole.

Called by `facts.py`. A Table row with the object's metadata tells labels, owner, node and whether a pod looks
well, at a fraction of the whole object's bytes (D30 has rows without objects; the metadata saves the fan-out
over namespaces). Whole are read: what does not look well, and some of what rules compare it with: siblings,
pods behind a Service that has no endpoints, pods of a node in trouble.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from aiops_eks.clients.gathering import gathered
from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.objects import Node, Pod, Ref, Service, Workload
from aiops_eks.models.health import judge_row, seconds_of
from aiops_eks.ports import Kube, Obj
from aiops_shared.errors import AiopsError, NotFoundError
from aiops_shared.kube.models import DescribedRow

K = TypeVar("K", bound=Hashable)
WHOLE = 500  # a scope of no more pods is read whole: one page
MOST_PODS = 50_000
MOST_SUSPECTS = 1_000
SIBLINGS = 3  # of each owner, Service or node, to compare with
MOST_COMPARED = 200
QUIET_S = 3600.0  # a restart longer ago than this is history


@dataclass(frozen=True)
class PodReader:
    """The pods of one scope. `read` makes a fact of a whole object, its texts redacted."""

    kube: Kube
    now: datetime
    read: Callable[[Obj], Pod]
    whole: int = WHOLE

    async def of(self, namespace: str) -> tuple[tuple[Pod, ...], tuple[str, ...]]:
        """The pods, and what was left out. Raises `AiopsError`."""
        page = await self.kube.list("Pod", namespace, limit=self.whole)
        if not page.cursor:
            return tuple(self.read(obj) for obj in page.items), ()
        wells: list[Pod] = []
        suspects: list[Pod] = []
        async for row in self.kube.every_row("Pod", namespace, at_most=MOST_PODS):
            (wells if _is_well(row) else suspects).append(_of_row(row))
        found, gaps = await self._read_whole(suspects[:MOST_SUSPECTS])
        if len(suspects) > MOST_SUSPECTS:
            left = len(suspects) - MOST_SUSPECTS
            gaps = (*gaps, f"Pod: {left} more pods do not look well; name a namespace to see them")
        return (*wells, *found), gaps

    async def compared(
        self,
        pods: Sequence[Pod],
        workloads: Sequence[Workload],
        services: Sequence[Service],
        nodes: Sequence[Node],
    ) -> tuple[tuple[Pod, ...], tuple[str, ...]]:
        """The pods, those whole that rules compare the suspects with; the whole list where none is light."""
        light = {pod.ref: pod for pod in pods if not pod.whole}
        if not light:
            return tuple(pods), ()
        chosen = list(dict.fromkeys(_worth_comparing(pods, workloads, services, nodes)))[:MOST_COMPARED]
        found, gaps = await self._read_whole([light[ref] for ref in chosen if ref in light])
        read = {pod.ref: pod for pod in found}
        return tuple(read.get(pod.ref, pod) for pod in pods), gaps

    async def _read_whole(self, pods: Sequence[Pod]) -> tuple[tuple[Pod, ...], tuple[str, ...]]:
        answers = await gathered([partial(self._one, pod) for pod in pods])
        failed = [each for each in answers if isinstance(each, AiopsError)]
        gaps = (f"Pod: {len(failed)} pods not read: {failed[0].wire()[:160]}",) if failed else ()
        return tuple(each for each in answers if isinstance(each, Pod)), gaps

    async def _one(self, pod: Pod) -> Pod | None:
        try:
            return self.read(await self.kube.get("Pod", pod.namespace, pod.name))
        except NotFoundError:
            return None  # it went meanwhile


def _is_well(row: DescribedRow) -> bool:
    """Whether row and metadata leave nothing to ask: running or done, and no restart of late."""
    health = judge_row("Pod", row.cells)
    if health is None or health.badness or row.metadata.get("deletionTimestamp"):
        return False
    ended_s = seconds_of(str(row.cells.get("restarts") or "").partition(" ")[2])
    return ended_s is None or ended_s > QUIET_S


def _of_row(row: DescribedRow) -> Pod:
    """A pod as its row tells it; the rest of its fields is unknown."""
    done = str(row.cells.get("status")) in {"Completed", "Succeeded"}
    node = str(row.cells.get("node") or "")
    known: Obj = {
        "metadata": row.metadata,
        "spec": {"nodeName": "" if node == "<none>" else node},
        "status": {
            "phase": "Succeeded" if done else "Running",
            "conditions": [{"type": "Ready", "status": "False" if done else "True"}],
        },
    }
    return replace(reading.pod(known), whole=False)


def _worth_comparing(
    pods: Sequence[Pod], workloads: Sequence[Workload], services: Sequence[Service], nodes: Sequence[Node]
) -> Iterable[Ref]:
    """Some light pods beside each thing that is not well."""
    by_parent = _grouped(pods, lambda pod: pod.parent)
    troubled = {pod.parent for pod in pods if pod.whole and pod.parent is not None}
    troubled |= {one.ref for one in workloads if one.ready < one.desired}
    for parent in sorted(troubled):
        yield from _first(by_parent.get(parent, ()))
    by_space = _grouped(pods, lambda pod: pod.namespace)
    for service in services:
        if service.selector and service.ready_addresses == 0:
            near = by_space.get(service.ref.namespace, ())
            yield from _first(pod for pod in near if service.selector.items() <= pod.labels.items())
    by_node = _grouped(pods, lambda pod: pod.node)
    for node in nodes:
        if node.cordoned or node.deleted_at or _in_trouble(node):
            yield from _first(by_node.get(node.name, ()))


def _in_trouble(node: Node) -> bool:
    """Not ready, or with any other condition that a well node does not have."""
    return any((one.type == "Ready") != (one.status == "True") for one in node.conditions)


def _first(pods: Iterable[Pod]) -> Iterable[Ref]:
    light = (pod.ref for pod in pods if not pod.whole)
    return [ref for ref, _ in zip(light, range(SIBLINGS), strict=False)]


def _grouped(pods: Iterable[Pod], by: Callable[[Pod], K]) -> Mapping[K, list[Pod]]:
    found: dict[K, list[Pod]] = {}
    for pod in pods:
        found.setdefault(by(pod), []).append(pod)
    return found
