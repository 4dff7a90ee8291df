"""Asks every source of changes at the same time and joins what they told.

A source that fails, is late or was never switched on is a gap in the answer and stops no other.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import anyio

from aiops_shared.aws.eks_cluster import EksCluster
from aiops_shared.errors import AiopsError
from aiops_shared.kube.changes import aws, objects
from aiops_shared.kube.changes.differences import Redact
from aiops_shared.kube.changes.journal import NOT_KEPT
from aiops_shared.kube.changes.merging import merged
from aiops_shared.kube.changes.records import Change, Gap, Source, Span, Timeline, Told, cluster_key
from aiops_shared.kube.models import Kind

WITHIN_S = 25.0


class Cluster(objects.Lists, Protocol):
    """A cluster's API as the timeline needs it."""

    @property
    def cluster(self) -> str:
        """The cluster's name."""
        ...

    async def kinds(self) -> tuple[Kind, ...]:
        """Every kind that it serves."""
        ...


class Journal(Protocol):
    """What `eks-aiops forward` kept."""

    async def changes(self, cluster: str, span: Span) -> Told:
        """The kept changes of the span; a gap where none were kept."""
        ...


@dataclass(frozen=True, slots=True)
class Sources:
    """Where to ask. Without `eks` the reason is said."""

    kube: Cluster
    redact: Redact
    eks: EksCluster | None = None
    no_eks: str = ""
    journal: Journal | None = None


async def read_changes(sources: Sources, span: Span, *, within_s: float = WITHIN_S) -> Timeline:
    """Everything that the sources know of the span, newest first."""
    asked = _asked(sources, span)
    told: dict[Source, Told] = {}

    async def ask(source: Source, act: Callable[[], Awaitable[Told]]) -> None:
        with anyio.move_on_after(within_s):
            try:
                told[source] = await act()
            except AiopsError as error:
                told[source] = Told(source, gaps=(error.wire()[:400],))
            return
        told[source] = Told(source, gaps=(f"no answer within {within_s:g} s",))

    async with anyio.create_task_group() as tasks:
        for source, act in asked.items():
            tasks.start_soon(ask, source, act)
    found = [told[source] for source in asked]
    changes = [change for one in found for change in one.changes if _wanted(span, change)]
    return Timeline(tuple(merged(changes)), tuple(_gaps(sources, span, found)), tuple(found))


def _asked(sources: Sources, span: Span) -> dict[Source, Callable[[], Awaitable[Told]]]:
    kube, eks = sources.kube, sources.eks
    asked: dict[Source, Callable[[], Awaitable[Told]]] = {}
    if span.kind not in aws.AWS_KINDS:
        asked["revisions"] = partial(objects.revisions, kube, span, sources.redact)
        asked["objects"] = partial(objects.plain_objects, kube, span)
        asked["gitops"] = partial(objects.gitops, kube, span)
        asked["nodes"] = partial(objects.nodes, kube, span)
        if sources.journal is not None:
            asked["journal"] = partial(sources.journal.changes, cluster_key(kube.cluster, eks), span)
    if eks is None:
        return asked
    if span.kind not in aws.AWS_KINDS:
        asked["audit"] = partial(_audit, sources, eks, span)
    if not span.namespace and (not span.kind or span.kind in aws.AWS_KINDS):
        asked["cloudtrail"] = partial(aws.cloudtrail, eks, span)
        asked["eks"] = partial(aws.updates, eks, span)
    return asked


async def _audit(sources: Sources, eks: EksCluster, span: Span) -> Told:
    return await aws.audit(eks, span, await kinds_by_plural(sources.kube), sources.redact)


async def kinds_by_plural(kube: Any) -> Mapping[str, str]:
    """The Kind of each plural; empty when discovery fails, and plurals stand for themselves."""
    try:
        return {kind.plural: kind.kind for kind in reversed(await kube.kinds())}
    except AiopsError:
        return {}


def _wanted(span: Span, change: Change) -> bool:
    """Pods come and go all day: their own rows are shown to who asks for pods."""
    return span.covers(change) and (change.kind != "Pod" or span.kind == "Pod" or change.verb == "evict")


def _gaps(sources: Sources, span: Span, found: Sequence[Told]) -> list[Gap]:
    gaps = [Gap(one.source, gap) for one in found for gap in one.gaps]
    if sources.eks is None:
        gaps.append(Gap("audit, cloudtrail, eks", sources.no_eks or "AWS is not known for this cluster"))
    if sources.journal is None and span.kind not in aws.AWS_KINDS:
        gaps.append(Gap("journal", NOT_KEPT))
    return gaps
