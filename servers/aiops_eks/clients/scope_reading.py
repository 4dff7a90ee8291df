"""Lists a scope, a cluster or a namespace, and makes facts of what comes: the first step of a diagnosis.

Called by `facts.py`. Every kind is listed once, all at the same time within a deadline, and each object
becomes a fact as it comes, so that of a large list nothing whole is kept. A source that fails is a gap, never
an error. Text that somebody else wrote is redacted here, whole, before any rule cuts it.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

import anyio

from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.pods import WHOLE, PodReader
from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.changes import revision
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import (
    Container,
    Event,
    Pod,
    Ref,
    Revision,
    Service,
    Sick,
    Termination,
    Workload,
)
from aiops_eks.models.fields import part, text
from aiops_eks.models.health import judge_object, without_time
from aiops_eks.models.reasons import Reasons, tells_enough
from aiops_eks.ports import Kube, Obj
from aiops_shared.errors import AiopsError, KindUnknownError

WITHIN_S = 20.0
MOST_OBJECTS = 20_000
WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job")
CLAIM, CLASS, ENDPOINTS = "PersistentVolumeClaim", "StorageClass", "EndpointSlice"


@dataclass
class _Shelf:
    """What the lists brought, by kind."""

    found: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)

    def of(self, kind: str) -> tuple[Any, ...]:
        return self.found.get(kind, ())


@dataclass(frozen=True)
class ScopeReader:
    """One cluster's lists. `whole`: up to how many pods a scope is read whole."""

    kube: Kube
    now: datetime
    redact: Callable[[str], str]
    logs_allowed: bool
    whole: int = WHOLE
    sick: list[Sick] = field(default_factory=list)  # pods that are not well, as they come

    async def of(self, namespace: str) -> Facts:
        """The facts that lists alone give; an empty namespace means all."""
        shelf = await self._listed(namespace)
        listed = [one for kind in WORKLOADS for one in shelf.of(kind)]
        workloads = tuple(one.workload for one in listed)
        templates = {one.workload.ref: one.template for one in listed if one.template is not None}
        with anyio.move_on_after(WITHIN_S):
            for read in shelf.of("Pod"):
                await self._reader.on_troubled_nodes(shelf.of("Node"), namespace, read)
        tops = reading.Tops(workloads)
        pods = [pod for read in shelf.found.pop("Pod", ()) for pod in read.all(templates, tops)]
        return Facts(
            cluster=self.kube.cluster,
            now=self.now,
            namespace=namespace,
            pods=tuple(pods),
            sick=tuple(self.sick),
            events=shelf.of("Event"),
            workloads=tuple(w for w in workloads if _is_current(w)),
            services=tuple(_services(shelf)),
            nodes=shelf.of("Node"),
            claims=tuple(reading.claim(obj, _classes(shelf)) for obj in shelf.of(CLAIM)),
            revisions=tuple(one.revision for one in listed if one.revision is not None),
            gaps=tuple(shelf.gaps),
            logs_allowed=self.logs_allowed,
        )

    @property
    def _reader(self) -> PodReader:
        return PodReader(self.kube, self._pod, self.whole)

    async def _listed(self, namespace: str) -> _Shelf:
        shelf = _Shelf()
        readers: dict[str, Callable[[Obj], Any]] = {
            "Event": self._event,
            **{kind: partial(_workload, kind) for kind in WORKLOADS},
            "Service": lambda obj: reading.service(obj, None),
            ENDPOINTS: reading.ready_addresses,
            CLAIM: lambda obj: obj,  # read once the classes are known
            "Node": reading.node,
        }
        asks: dict[str, Callable[[], Awaitable[None]]] = {"Pod": partial(self._pods, shelf, namespace)}
        for kind, read in readers.items():
            place = "" if kind == "Node" else namespace
            asks[kind] = partial(self._list, shelf, kind, place, read)
        with anyio.move_on_after(WITHIN_S) as deadline:
            await gathered(list(asks.values()))
            if any(text(claim, "status", "phase") == "Pending" for claim in shelf.of(CLAIM)):
                asks[CLASS] = partial(self._list, shelf, CLASS, "", _class)
                await asks[CLASS]()  # of no interest to a claim that has its volume
        if deadline.cancelled_caught:
            late = [kind for kind in asks if kind not in shelf.found]
            shelf.gaps.extend(f"{kind}: no answer within {WITHIN_S:.0f} s" for kind in late)
        return shelf

    async def _list(self, shelf: _Shelf, kind: str, namespace: str, read: Callable[[Obj], Any]) -> None:
        async def ask() -> Sequence[Any]:
            return [read(obj) async for obj in self.kube.every(kind, namespace, at_most=MOST_OBJECTS)]

        await _kept(shelf, kind, ask)

    async def _pods(self, shelf: _Shelf, namespace: str) -> None:
        async def ask() -> Sequence[Any]:
            found = await self._reader.of(namespace)
            shelf.gaps.extend(found.gaps)
            return [found]

        await _kept(shelf, "Pod", ask)

    def _pod(self, obj: Obj) -> Pod:
        pod = reading.pod(obj)
        health = judge_object("Pod", obj, self.now)
        if health is not None and health.unhealthy:
            cause = Reasons(self.redact).of(obj)
            self.sick.append(Sick(pod.ref, without_time(health.word), cause, tells_enough(obj)))
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


async def _kept(shelf: _Shelf, kind: str, ask: Callable[[], Awaitable[Sequence[Any]]]) -> None:
    """What a list brought, whole or not at all; why not is a gap."""
    try:
        shelf.found[kind] = tuple(await ask())
    except KindUnknownError:
        shelf.gaps.append(f"{kind}: the cluster serves no such kind")
    except AiopsError as problem:
        shelf.gaps.append(f"{kind}: {problem.wire()[:160]}")


@dataclass(frozen=True, slots=True)
class _Listed:
    """One controller of pods, and what its pods are made of."""

    workload: Workload
    revision: Revision | None
    template: Pod | None


def _workload(kind: str, obj: Obj) -> _Listed:
    """A controller; the template only of those that have pods of their own, a Deployment's are its sets'."""
    made = reading.workload(obj, kind)
    template = None
    if kind != "Deployment" and made.desired:
        spec = part(obj, "spec", "template", "spec")
        template = reading.pod({"metadata": {"namespace": made.ref.namespace}, "spec": spec})
    return _Listed(made, revision(obj) if kind == "ReplicaSet" else None, template)


def _class(obj: Obj) -> tuple[str, bool]:
    """A StorageClass's name, and whether it waits for a consumer."""
    return reading.ref_of(obj).name, obj.get("volumeBindingMode") == "WaitForFirstConsumer"


def _classes(shelf: _Shelf) -> dict[str, bool] | None:
    """Of each StorageClass whether it waits for a consumer; None when they were not read."""
    return dict(shelf.of(CLASS)) if CLASS in shelf.found else None


def _is_current(workload: Workload) -> bool:
    """Old ReplicaSets of a Deployment say nothing about today."""
    return workload.ref.kind != "ReplicaSet" or workload.desired > 0


def _services(shelf: _Shelf) -> Iterable[Service]:
    ready: dict[Ref, int] = {}
    for ref, addresses in shelf.of(ENDPOINTS):
        ready[ref] = ready.get(ref, 0) + addresses
    known = ENDPOINTS in shelf.found
    for service in shelf.of("Service"):
        yield replace(service, ready_addresses=ready.get(service.ref, 0) if known else None)
