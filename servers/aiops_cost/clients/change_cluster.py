"""What the cluster's API shows beside a changed bill: nodes that came, pods that wait, pools, autoscalers.

Read side by side within a deadline; what may not be read, or is too slow, is a warning and a missing fact.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import anyio

from aiops_cost.analysis.change_case import Launch, Seen
from aiops_cost.analysis.fleet import SPOT, Node
from aiops_cost.clients.fleet_shapes import Span, node_of, nodepool_of, seconds
from aiops_shared.errors import AiopsError, KindUnknownError, NotFoundError
from aiops_shared.kube.shapes import mapping, meta, rows, text

if TYPE_CHECKING:
    from aiops_shared.kube.api import KubeApi
    from aiops_shared.kube.clusters import ClusterDirectory

WITHIN_S: Final = 12.0
MOST: Final = 5000
CATEGORY, FAMILY = "karpenter.k8s.aws/instance-category", "karpenter.k8s.aws/instance-family"
_LACKING: Final = ("memory", "cpu", "pods", "ephemeral-storage")
Obj = dict[str, Any]


@dataclass(slots=True)
class _Found:
    """What came; a field that nobody could fill stays empty, with a warning."""

    nodes: list[tuple[Node, float]] | None = None
    waiting: list[Obj] = field(default_factory=list)
    pools: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scalers: list[tuple[str, int, int]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


async def seen(
    clusters: "ClusterDirectory", cluster: str | None, span: tuple[datetime, datetime]
) -> tuple[Seen | None, list[str]]:
    """The facts, None when the cluster itself cannot be reached, and what was left out. Raises nothing."""
    try:
        kube = await clusters.open(cluster)
    except AiopsError as error:
        return None, [f"cluster facts left out: {error}"]
    found = _Found()
    reads: tuple[tuple[str, Callable[[KubeApi, _Found, Span], Awaitable[None]]], ...] = (
        ("nodes", _nodes),
        ("pending pods", _waiting),
        ("NodePools", _pools),
        ("autoscalers", _scalers),
    )
    window = Span(span[0].timestamp(), span[1].timestamp())
    async with anyio.create_task_group() as tasks:
        for what, read in reads:
            tasks.start_soon(_kept, what, read, kube, found, window)
    return _told(found, window) if found.nodes is not None else None, found.warnings


async def _kept(
    what: str,
    read: "Callable[[KubeApi, _Found, Span], Awaitable[None]]",
    kube: "KubeApi",
    found: _Found,
    window: Span,
) -> None:
    try:
        with anyio.fail_after(WITHIN_S):
            await read(kube, found, window)
    except TimeoutError:
        found.warnings.append(f"{what} left out: no answer within {WITHIN_S:g} s")
    except (KindUnknownError, NotFoundError):
        return  # no Karpenter here: nothing to say
    except AiopsError as error:
        found.warnings.append(f"{what} left out: {error}")


async def _nodes(kube: "KubeApi", found: _Found, window: Span) -> None:
    found.nodes = [
        (node_of(obj, window), seconds(meta(obj).get("creationTimestamp")) or 0.0)
        async for obj in kube.every("nodes", at_most=MOST)
    ]


async def _waiting(kube: "KubeApi", found: _Found, window: Span) -> None:
    del window
    async for pod in kube.every("pods", fields="status.phase=Pending", at_most=MOST):
        if _refused(pod):
            found.waiting.append(pod)


async def _pools(kube: "KubeApi", found: _Found, window: Span) -> None:
    del window
    async for obj in kube.every("nodepools.karpenter.sh", at_most=MOST):
        pool = nodepool_of(obj)
        for key in (CATEGORY, FAMILY):
            operator, values = pool.requirements.get(key, ("", ()))
            if operator == "In" and values:
                found.pools[pool.name] = values


async def _scalers(kube: "KubeApi", found: _Found, window: Span) -> None:
    del window
    async for obj in kube.every("horizontalpodautoscalers.autoscaling", at_most=MOST):
        about, spec, status = meta(obj), mapping(obj.get("spec")), mapping(obj.get("status"))
        name = f"{text(about.get('namespace'))}/{text(about.get('name'))}"
        now = next(_of_cpu(rows(status, "currentMetrics"), "current"), None)
        for target in _of_cpu(rows(spec, "metrics"), "target"):
            if now is not None:
                found.scalers.append((name, target, now))


def _of_cpu(metrics: Sequence[Obj], side: str) -> Iterator[int]:
    """Average utilisation of CPU, percent of requests."""
    for one in metrics:
        resource = mapping(one.get("resource"))
        value = mapping(resource.get(side)).get("averageUtilization")
        if resource.get("name") == "cpu" and isinstance(value, int):
            yield value


def _refused(pod: Obj) -> str:
    """The scheduler's words about a pod that fits nowhere."""
    for one in rows(pod.get("status"), "conditions"):
        if one.get("type") == "PodScheduled" and one.get("reason") == "Unschedulable":
            return text(one.get("message"))
    return ""


def _told(found: _Found, window: Span) -> Seen:
    nodes = found.nodes or []
    kinds: dict[str, int] = {}
    for node, _ in nodes:
        kinds[node.instance_type] = kinds.get(node.instance_type, 0) + 1
    lacking: dict[str, int] = {}
    for pod in found.waiting:
        for name in _LACKING:
            if f"Insufficient {name}" in _refused(pod):
                lacking[name] = lacking.get(name, 0) + 1
    return Seen(
        nodes=len(nodes),
        instance_types=kinds,
        launches=tuple(
            Launch(node.name, node.instance_type, node.capacity_type == SPOT, node.pool)
            for node, born_s in nodes
            if window.since_s <= born_s
        ),
        graviton=sum(node.architecture == "arm64" for node, _ in nodes),
        spot=sum(node.capacity_type == SPOT for node, _ in nodes),
        pending=len(found.waiting),
        lacking=lacking,
        only_families=found.pools,
        scaled_on_cpu=tuple(found.scalers),
    )
