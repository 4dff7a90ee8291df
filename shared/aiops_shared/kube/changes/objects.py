"""What the cluster's objects say of their own changes: revisions, managedFields, nodes, GitOps.

Each kind is listed page by page and only the changes are kept. A kind that the cluster does not serve has no
changes; one that may not be read is a gap with the right that is missing. Secrets are not listed: a list
brings their values.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

import anyio

from aiops_shared.errors import AiopsError, KindUnknownError
from aiops_shared.kube.changes.differences import Redact
from aiops_shared.kube.changes.gitops import argo_changes, helm_changes, kustomization_changes
from aiops_shared.kube.changes.managers import object_changes
from aiops_shared.kube.changes.nodes import claim_changes, node_changes
from aiops_shared.kube.changes.reading import Obj, moment, part, place
from aiops_shared.kube.changes.records import Change, Source, Span, Told
from aiops_shared.kube.changes.revisions import rollouts
from aiops_shared.kube.models import Kind
from aiops_shared.kube.shapes import mapping, text

AT_ONCE = 8
MOST_OBJECTS = 20_000
REVISIONS = {"ReplicaSet": ("Deployment",), "ControllerRevision": ("StatefulSet", "DaemonSet")}
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
PLAIN = (
    "ConfigMap",
    "CronJob",
    "HorizontalPodAutoscaler",
    "Ingress",
    "LimitRange",
    "MutatingWebhookConfiguration",
    "Namespace",
    "NetworkPolicy",
    "NodePool",
    "PodDisruptionBudget",
    "ResourceQuota",
    "Service",
    "ServiceAccount",
    "ValidatingWebhookConfiguration",
)
OPTIONAL = frozenset({"NodePool"})
CLUSTER_WIDE = frozenset(
    {
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
        "Namespace",
        "NodePool",
        "Node",
        "NodeClaim",
    }
)
GITOPS: dict[str, tuple[str, Callable[[Obj], Iterator[Change]]]] = {
    "Application": ("applications.argoproj.io", argo_changes),
    "HelmRelease": ("helmreleases.helm.toolkit.fluxcd.io", helm_changes),
    "Kustomization": ("kustomizations.kustomize.toolkit.fluxcd.io", kustomization_changes),
}
NODES: dict[str, tuple[str, Callable[[Obj], Iterator[Change]]]] = {
    "Node": ("Node", node_changes),
    "NodeClaim": ("nodeclaims.karpenter.sh", claim_changes),
}


class Lists(Protocol):
    """What of a cluster's API is needed."""

    async def kind(self, word: str) -> Kind:
        """A kind by its name."""
        ...

    def every(
        self, kind: str, namespace: str = "", *, selector: str = "", fields: str = "", at_most: int = 20_000
    ) -> AsyncIterator[Obj]:
        """All objects, page by page."""
        ...


@dataclass
class _Found:
    changes: list[Change] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


async def plain_objects(kube: Lists, span: Span) -> Told:
    """Config objects and the like, by managedFields."""
    found = _Found()
    kinds = [kind for kind in PLAIN if span.kind in {"", kind}]
    if span.kind and span.kind not in {
        *PLAIN,
        *WORKLOADS,
        *REVISIONS,
        *GITOPS,
        *NODES,
        "Secret",
        "Pod",
        "Event",
    }:
        kinds = [span.kind]
    await _at_once([partial(_plain, kube, span, kind, found) for kind in kinds])
    return _told("objects", found)


async def _plain(kube: Lists, span: Span, kind: str, found: _Found) -> None:
    async for obj in _objects(kube, span, kind, found, optional=kind in OPTIONAL):
        found.changes.extend(one for one in object_changes(obj, kind) if span.covers(one))
        if kind == "HorizontalPodAutoscaler":
            found.changes.extend(one for one in _rescaled(obj) if span.covers(one))


def _rescaled(obj: Obj) -> Iterator[Change]:
    """What an autoscaler did: a kind of change of its own, and nobody's decision."""
    at, target = moment(part(obj, "status").get("lastScaleTime")), part(obj, "spec", "scaleTargetRef")
    if at is None:
        return
    namespace, name = place(obj)
    size = part(obj, "status").get("desiredReplicas")
    yield Change(
        at,
        "autoscale",
        text(target.get("kind")),
        text(target.get("name")),
        namespace,
        (f"replicas → {size}",),
        client=f"HorizontalPodAutoscaler {name}",
        sources=("objects",),
    )


async def revisions(kube: Lists, span: Span, redact: Redact) -> Told:
    """Rollouts of workloads, and the other writes of their objects."""
    found = _Found()
    wanted = [kind for kind in WORKLOADS if span.kind in {"", kind}]
    shelves = [shelf for shelf, owners in REVISIONS.items() if set(owners) & set(wanted)]
    objects: dict[str, list[Obj]] = {}

    async def take(kind: str) -> None:
        objects[kind] = [obj async for obj in _objects(kube, span, kind, found, named=kind in WORKLOADS)]

    await _at_once([partial(take, kind) for kind in (*wanted, *shelves)])
    owners = [{**obj, "kind": kind} for kind in wanted for obj in objects.get(kind, [])]
    kept = [obj for shelf in shelves for obj in objects.get(shelf, [])]
    rolled = [one for one in rollouts(kept, owners, redact) if span.covers(one)]
    found.changes.extend(rolled)
    for owner in owners:
        for one in object_changes(owner, owner["kind"]):
            if span.covers(one) and not _is_rollout(one, rolled):
                found.changes.append(one)
    return _told("revisions", found)


def _is_rollout(change: Change, rolled: Iterable[Change]) -> bool:
    """The write of a workload that its new revision tells already."""
    near = timedelta(seconds=5)
    return any(one.place == change.place and abs(one.at - change.at) <= near for one in rolled)


async def gitops(kube: Lists, span: Span) -> Told:
    """Syncs of Argo CD and Flux, where the cluster has them."""
    return await _special("gitops", GITOPS, kube, span)


async def nodes(kube: Lists, span: Span) -> Told:
    """Nodes and NodeClaims."""
    if span.namespace:
        return Told("nodes")
    return await _special("nodes", NODES, kube, span)


async def _special(
    source: Source, shelf: dict[str, tuple[str, Callable[[Obj], Iterator[Change]]]], kube: Lists, span: Span
) -> Told:
    found = _Found()

    async def take(kind: str, word: str, read: Callable[[Obj], Iterator[Change]]) -> None:
        async for obj in _objects(
            kube, span, word, found, optional=kind != "Node", cluster_wide=source == "nodes"
        ):
            found.changes.extend(one for one in read(obj) if span.covers(one))

    await _at_once([partial(take, kind, *how) for kind, how in shelf.items() if span.kind in {"", kind}])
    return _told(source, found)


async def _objects(
    kube: Lists,
    span: Span,
    kind: str,
    found: _Found,
    *,
    optional: bool = False,
    named: bool = True,
    cluster_wide: bool = False,
) -> AsyncIterator[Obj]:
    """A kind's objects in the span's scope; what goes wrong is a gap."""
    cluster_wide = cluster_wide or kind in CLUSTER_WIDE
    if cluster_wide and span.namespace and kind != span.kind:
        return
    fields = f"metadata.name={span.name}" if span.name and named else ""
    try:
        found.asked.append(kind)
        async for obj in kube.every(
            kind, "" if cluster_wide else span.namespace, fields=fields, at_most=MOST_OBJECTS
        ):
            yield mapping(obj)
    except KindUnknownError:
        if not optional:
            found.gaps.append(f"{kind}: the cluster serves no such kind")
    except AiopsError as error:
        found.gaps.append(f"{kind}: {error.wire()[:160]}")


def _told(source: Source, found: _Found) -> Told:
    return Told(source, tuple(found.changes), tuple(found.gaps), f"list {', '.join(sorted(found.asked))}")


async def _at_once(acts: Sequence[Callable[[], Any]]) -> None:
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def one(act: Callable[[], Any]) -> None:
        async with limiter:
            await act()

    async with anyio.create_task_group() as tasks:
        for act in acts:
            tasks.start_soon(one, act)
