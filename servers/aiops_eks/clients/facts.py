"""Gathers what a diagnosis may know about a cluster, a namespace or one object.

Called by the tool `diagnose`. Every kind is listed once for the whole scope, all at the same time within a
deadline; then `details` asks more about the worst suspects only. A source that fails is a gap that the
answer names, never an error. Text that somebody else wrote is redacted here, whole, before any rule cuts it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

import anyio

from aiops_eks.clients.details import Details
from aiops_eks.clients.further import Further
from aiops_eks.clients.further_aws import Brought, FurtherAws
from aiops_eks.clients.gathering import gathered
from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.changes import revision
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import (
    Container,
    Event,
    Pod,
    Ref,
    Service,
    Termination,
    Workload,
)
from aiops_eks.diagnosis.result import Ask
from aiops_eks.diagnosis.scope import Gathered
from aiops_eks.models.fields import part, text
from aiops_eks.ports import Clusters, Kube, Obj, SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError, KindUnknownError, NotFoundError
from aiops_shared.kube.nearest import nearest

WITHIN_S = 20.0  # for the lists, and again for the details
MOST_OBJECTS = 20_000
WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job")
NAMESPACED = ("Pod", "Event", *WORKLOADS, "Service", "EndpointSlice", "PersistentVolumeClaim")


@dataclass
class _Shelf:
    """What the lists brought, by kind."""

    objects: dict[str, tuple[Obj, ...]] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)

    def of(self, kind: str) -> tuple[Obj, ...]:
        return self.objects.get(kind, ())


@dataclass(frozen=True)
class FactsReader:
    """Fulfils the port of `tools/diagnose.py`."""

    clusters: Clusters
    clock: Clock
    sensitive: SensitiveReads
    redact: Callable[[str], str]

    async def gather(self, ask: Ask) -> Gathered:
        """The facts of the scope. Raises NotFoundError, with the nearest names, for an unknown object."""
        kube = await self.clusters.open(ask.cluster)
        target = await _target(kube, ask)
        namespace = target.namespace if target else ask.namespace
        shelf = await _listed(kube, namespace)
        facts = self._facts(kube.cluster, namespace, shelf, await self.clock.now())
        further = Further(kube, self.redact)
        cloud = FurtherAws(self.clusters, ask.cluster, self.redact)
        facts = await self._beside(kube, cloud, await further.of(facts), target)
        facts = await further.of(facts)
        return Gathered(_with(facts, await cloud.of(facts)), target)

    async def _beside(self, kube: Kube, cloud: FurtherAws, facts: Facts, target: Ref | None) -> Facts:
        """The details and AWS at the same time: neither waits for the other."""
        brought = Brought()

        async def ask_aws() -> None:
            nonlocal brought
            brought = await cloud.of(facts)

        async with anyio.create_task_group() as group:
            group.start_soon(ask_aws)
            detailed = await self._details(kube).of(facts, target)
        return _with(detailed, brought)

    async def live(self, ask: Ask) -> Obj:
        """One object as its owner would write it. Raises NotFoundError with the nearest names."""
        kube = await self.clusters.open(ask.cluster)
        target = await _target(kube, ask)
        if target is None:
            raise InvalidInputError("object", "kind and name are needed", "name exactly one object")
        return _as_written(await kube.get(ask.kind, target.namespace, target.name), target.kind)

    def _details(self, kube: Kube) -> Details:
        return Details(kube, self.sensitive, self.redact)

    def _facts(self, cluster: str, namespace: str, shelf: _Shelf, now: datetime) -> Facts:
        workloads = tuple(reading.workload(obj, kind) for kind in WORKLOADS for obj in shelf.of(kind))
        pods = reading.with_owners((self._pod(obj) for obj in shelf.of("Pod")), workloads)
        return Facts(
            cluster=cluster,
            now=now,
            namespace=namespace,
            pods=pods,
            events=tuple(self._event(obj) for obj in shelf.of("Event")),
            workloads=tuple(w for w in workloads if _is_current(w)),
            services=tuple(_services(shelf)),
            nodes=tuple(reading.node(obj) for obj in shelf.of("Node")),
            claims=tuple(reading.claim(obj, _classes(shelf)) for obj in shelf.of("PersistentVolumeClaim")),
            revisions=tuple(r for obj in shelf.of("ReplicaSet") if (r := revision(obj)) is not None),
            gaps=tuple(shelf.gaps),
            logs_allowed=self.sensitive.allowed,
        )

    def _pod(self, obj: Obj) -> Pod:
        pod = reading.pod(obj)
        containers = tuple(self._container(container) for container in pod.containers)
        return replace(pod, message=self.redact(pod.message), containers=containers)

    def _container(self, container: Container) -> Container:
        return replace(
            container,
            waiting_message=self.redact(container.waiting_message),
            command=tuple(self.redact(word) for word in container.command),
            ended=self._termination(container.ended),
            last=self._termination(container.last),
        )

    def _termination(self, found: Termination | None) -> Termination | None:
        return replace(found, message=self.redact(found.message)) if found and found.message else found

    def _event(self, obj: Obj) -> Event:
        event = reading.event(obj)
        return replace(event, message=self.redact(event.message))


def _with(facts: Facts, brought: Brought) -> Facts:
    """The facts with what AWS says beside them."""
    others = {**facts.others, **brought.others}
    return replace(facts, others=others, gaps=(*facts.gaps, *brought.gaps))


async def _target(kube: Kube, ask: Ask) -> Ref | None:
    """The object asked about, checked to be there."""
    if not ask.kind or not ask.name:
        return None
    kind = await kube.kind(ask.kind)
    if ask.namespace or not kind.namespaced:
        namespace = ask.namespace if kind.namespaced else ""
        await kube.get(ask.kind, namespace, ask.name)
        return Ref(kind.kind, namespace, ask.name)
    return await _anywhere(kube, kind.kind, ask)


async def _anywhere(kube: Kube, kind: str, ask: Ask) -> Ref:
    """The one object of that name in any namespace."""
    page = await kube.list(ask.kind, "", fields=f"metadata.name={ask.name}", limit=10)
    places = sorted(reading.ref_of(obj, kind) for obj in page.items)
    if len(places) == 1:
        return places[0]
    if places:
        names = ", ".join(place.namespace for place in places)
        raise NotFoundError(f"{kind} {ask.name}", "is in more than one namespace", f"name one of: {names}")
    known = [reading.ref_of(obj, kind) async for obj in kube.every(ask.kind, "", at_most=5_000)]
    near = nearest(ask.name, (ref.name for ref in known))
    raise NotFoundError(
        f"{kind} {ask.name}", "not found in any namespace", f"nearest: {', '.join(near) or 'none'}"
    )


async def _listed(kube: Kube, namespace: str) -> _Shelf:
    """All lists of the scope, at the same time; what fails or is late is a gap."""
    shelf = _Shelf()
    wanted = [*((kind, namespace) for kind in NAMESPACED), ("Node", "")]
    with anyio.move_on_after(WITHIN_S) as deadline:
        await gathered([partial(_list, kube, shelf, kind, place) for kind, place in wanted])
        if any(text(claim, "status", "phase") == "Pending" for claim in shelf.of("PersistentVolumeClaim")):
            wanted.append(("StorageClass", ""))  # of no interest to a claim that has its volume
            await _list(kube, shelf, "StorageClass", "")
    if deadline.cancelled_caught:
        late = [kind for kind, _ in wanted if kind not in shelf.objects]
        shelf.gaps.extend(f"{kind}: no answer within {WITHIN_S:.0f} s" for kind in late)
    return shelf


async def _list(kube: Kube, shelf: _Shelf, kind: str, namespace: str) -> None:
    try:
        shelf.objects[kind] = tuple([obj async for obj in kube.every(kind, namespace, at_most=MOST_OBJECTS)])
    except KindUnknownError:
        shelf.gaps.append(f"{kind}: the cluster serves no such kind")
    except AiopsError as problem:
        shelf.gaps.append(f"{kind}: {problem.wire()[:160]}")


def _classes(shelf: _Shelf) -> dict[str, bool] | None:
    """Of each StorageClass whether it waits for a consumer; None when they were not read."""
    if "StorageClass" not in shelf.objects:
        return None
    found = shelf.of("StorageClass")
    return {reading.ref_of(o).name: o.get("volumeBindingMode") == "WaitForFirstConsumer" for o in found}


def _is_current(workload: Workload) -> bool:
    """Old ReplicaSets of a Deployment say nothing about today."""
    return workload.ref.kind != "ReplicaSet" or workload.desired > 0


def _services(shelf: _Shelf) -> Iterable[Service]:
    ready: dict[Ref, int] = {}
    for one in shelf.of("EndpointSlice"):
        ref, count = reading.ready_addresses(one)
        ready[ref] = ready.get(ref, 0) + count
    known = "EndpointSlice" in shelf.objects
    for obj in shelf.of("Service"):
        yield reading.service(obj, ready.get(reading.ref_of(obj, "Service"), 0) if known else None)


_SERVER_SET = ("managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink")
_CLIENT_NOTES = ("kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision")


def _as_written(obj: Obj, kind: str) -> Obj:
    """Without status and what the server adds."""
    meta = {key: value for key, value in part(obj, "metadata").items() if key not in _SERVER_SET}
    notes = {key: value for key, value in part(meta, "annotations").items() if key not in _CLIENT_NOTES}
    meta = {key: value for key, value in meta.items() if key != "annotations"}
    if notes:
        meta["annotations"] = notes
    rest = {
        key: value for key, value in obj.items() if key not in {"status", "metadata", "kind", "apiVersion"}
    }
    return {
        "apiVersion": obj.get("apiVersion", ""),
        "kind": obj.get("kind") or kind,
        "metadata": meta,
        **rest,
    }
