"""Gathers what a diagnosis may know about a cluster, a namespace or one object.

Called by the tool `diagnose`. Every kind is listed once for the whole scope, all at the same time within a
deadline; then come details (the log of the run that ended, the objects it refers to) of the worst suspects
only. A source that fails is a gap that the answer names, never an error. Text that somebody else wrote is
redacted here, whole, before any rule cuts it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

import anyio

from aiops_eks.clients.gathering import gathered
from aiops_eks.diagnosis import reading
from aiops_eks.diagnosis.case import Case, broken_containers, is_stuck
from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import (
    Container,
    Event,
    LogTail,
    Lookup,
    Pod,
    Ref,
    Service,
    Termination,
    Workload,
)
from aiops_eks.diagnosis.scope import Ask, Gathered
from aiops_eks.models.fields import part
from aiops_eks.ports import Clusters, Kube, Obj, SensitiveReads
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError, KindUnknownError, NotFoundError
from aiops_shared.kube.nearest import nearest

WITHIN_S = 20.0  # for the lists, and again for the details
MOST_OBJECTS = 20_000
WORST = 10
PER_OWNER = 2
MOST_LOOKUPS = 40
LOG_LINES = 60
LOG_BYTES = 64_000
WORKLOADS = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job")
NAMESPACED = ("Pod", "Event", *WORKLOADS, "Service", "EndpointSlice", "PersistentVolumeClaim")
METRICS = "pods.metrics.k8s.io"
CLUSTER_WIDE = ("Node", "StorageClass")

T = TypeVar("T")


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
        return Gathered(await self._with_details(kube, facts, target), target)

    async def live(self, ask: Ask) -> Obj:
        """One object as its owner would write it. Raises NotFoundError with the nearest names."""
        kube = await self.clusters.open(ask.cluster)
        target = await _target(kube, ask)
        if target is None:
            raise InvalidInputError("object", "kind and name are needed", "name exactly one object")
        return _as_written(await kube.get(ask.kind, target.namespace, target.name), target.kind)

    def _facts(self, cluster: str, namespace: str, shelf: _Shelf, now: datetime) -> Facts:
        workloads = tuple(reading.workload(obj, kind) for kind in WORKLOADS for obj in shelf.of(kind))
        pods = reading.with_owners((self._pod(obj) for obj in shelf.of("Pod")), workloads)
        classes = dict(map(_class, shelf.of("StorageClass")))
        return Facts(
            cluster=cluster,
            now=now,
            namespace=namespace,
            pods=pods,
            events=tuple(self._event(obj) for obj in shelf.of("Event")),
            workloads=tuple(w for w in workloads if _is_current(w)),
            services=tuple(_services(shelf)),
            nodes=tuple(reading.node(obj) for obj in shelf.of("Node")),
            claims=tuple(
                reading.claim(obj, classes if "StorageClass" in shelf.objects else None)
                for obj in shelf.of("PersistentVolumeClaim")
            ),
            usage=tuple(usage for obj in shelf.of(METRICS) for usage in reading.usages(obj)),
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

    # details of the suspects

    async def _with_details(self, kube: Kube, facts: Facts, target: Ref | None) -> Facts:
        broken = _worst(broken_containers(facts, facts.pods), target)
        stuck = [Case(facts, pod) for pod in facts.pods if is_stuck(facts, pod)]
        gaps: list[str] = []
        suspects = [*broken, *_worst(stuck, target)]
        lookups = await _within(partial(_lookups, kube, suspects, gaps), gaps, "references")
        logs: Sequence[LogTail] = ()
        if broken and not self.sensitive.allowed:
            gaps.append(NO_LOGS)
        elif broken:
            await self.sensitive.allow(
                f"logs of {len(broken)} failing containers in {facts.namespace or 'all namespaces'}"
            )
            logs = await _within(partial(self._logs, kube, broken, gaps), gaps, "pod logs")
        return replace(facts, lookups=tuple(lookups), logs=tuple(logs), gaps=(*facts.gaps, *gaps))

    async def _logs(self, kube: Kube, broken: Sequence[Case], gaps: list[str]) -> Sequence[LogTail]:
        found = await gathered([partial(self._log, kube, case) for case in broken])
        failed = [each for each in found if isinstance(each, AiopsError)]
        if failed:
            gaps.append(f"logs of {len(failed)} containers: {failed[0].wire()[:160]}")
        return [tail for tail in found if isinstance(tail, LogTail)]

    async def _log(self, kube: Kube, case: Case) -> LogTail | None:
        """The log of the run that ended; of the present one where none ended yet."""
        container = case.container
        if container is None:
            return None
        previous = container.ended is None and container.last is not None
        if not previous and container.ended is None and container.running_since is None:
            return None  # it never ran: there is no log
        lines = await kube.logs(
            case.pod.namespace,
            case.pod.name,
            container=container.name,
            previous=previous,
            tail=LOG_LINES,
            limit_bytes=LOG_BYTES,
        )
        texts = tuple(self.redact(line.text) for line in lines)
        return LogTail(case.pod.ref, container.name, previous or container.ended is not None, texts)


NO_LOGS = (
    "pod logs were not read (AIOPS_SENSITIVE_READS is off): they would say why a program ended by itself and "
    "which setting it asked for"
)


async def _within(act: Callable[[], Awaitable[Sequence[T]]], gaps: list[str], what: str) -> Sequence[T]:
    """The result, or nothing and a gap when it does not come in time."""
    with anyio.move_on_after(WITHIN_S):
        return await act()
    gaps.append(f"{what}: no answer within {WITHIN_S:.0f} s")
    return ()


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
    wanted = [*((kind, namespace) for kind in (*NAMESPACED, METRICS)), *((kind, "") for kind in CLUSTER_WIDE)]
    with anyio.move_on_after(WITHIN_S) as deadline:
        await gathered([partial(_list, kube, shelf, kind, place) for kind, place in wanted])
    if deadline.cancelled_caught:
        late = [kind for kind, _ in wanted if kind not in shelf.objects]
        shelf.gaps.extend(f"{kind}: no answer within {WITHIN_S:.0f} s" for kind in late)
    return shelf


async def _list(kube: Kube, shelf: _Shelf, kind: str, namespace: str) -> None:
    try:
        shelf.objects[kind] = tuple([obj async for obj in kube.every(kind, namespace, at_most=MOST_OBJECTS)])
    except KindUnknownError:
        if kind != METRICS:
            shelf.gaps.append(f"{kind}: the cluster serves no such kind")
    except AiopsError as problem:
        shelf.gaps.append(f"{kind}: {problem.wire()[:160]}")


def _class(obj: Obj) -> tuple[str, bool]:
    return reading.ref_of(obj).name, obj.get("volumeBindingMode") == "WaitForFirstConsumer"


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


def _worst(found: Sequence[Case], target: Ref | None) -> list[Case]:
    """The ten worst, at most two per owner; those asked about come first."""
    first = sorted(found, key=lambda case: target not in {case.pod.ref, case.pod.owner, case.pod.parent})
    seen: dict[tuple[Ref, str], int] = {}
    chosen: list[Case] = []
    for case in first:
        key = (case.subject, case.container.name if case.container else "")
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= PER_OWNER and len(chosen) < WORST:
            chosen.append(case)
    return chosen


async def _lookups(kube: Kube, suspects: Sequence[Case], gaps: list[str]) -> Sequence[Lookup]:
    """Whether the ConfigMaps and Secrets that the suspects refer to exist."""
    wanted = dict.fromkeys(need.target for case in suspects for need in case.needs)
    for case in suspects:
        wanted |= dict.fromkeys(Ref("Secret", case.pod.namespace, name) for name in case.pod.pull_secrets)
    chosen = list(wanted)[:MOST_LOOKUPS]
    shelves = sorted({(ref.kind, ref.namespace) for ref in chosen})
    listed = await gathered([partial(_names, kube, kind, namespace) for kind, namespace in shelves])
    names: dict[tuple[str, str], tuple[str, ...]] = {}
    for shelf, answer in zip(shelves, listed, strict=True):
        if isinstance(answer, AiopsError):
            gaps.append(f"names of {shelf[0]}s in {shelf[1]}: {answer.wire()[:160]}")
        else:
            names[shelf] = answer
    found = await gathered([partial(_lookup, kube, ref, names) for ref in chosen])
    return [lookup for lookup in found if isinstance(lookup, Lookup)]


async def _names(kube: Kube, kind: str, namespace: str) -> tuple[str, ...]:
    """Names of a kind by Table: no value of a Secret or ConfigMap comes over the wire."""
    found: list[str] = []
    cursor = ""
    while len(found) < MOST_OBJECTS:
        page = await kube.table(kind, namespace, cursor=cursor)
        place = next((i for i, column in enumerate(page.columns) if column.lower() == "name"), 0)
        found.extend(str(row[place]) for row in page.rows)
        cursor = page.cursor
        if not cursor:
            break
    return tuple(found)


async def _lookup(kube: Kube, ref: Ref, names: Mapping[tuple[str, str], tuple[str, ...]]) -> Lookup | None:
    known = names.get((ref.kind, ref.namespace))
    if known is None:
        return None
    if ref.name not in known:
        return Lookup(ref, exists=False, nearest=nearest(ref.name, known)[:3])
    if ref.kind != "ConfigMap":
        return Lookup(ref, exists=True)
    obj = await kube.get("ConfigMap", ref.namespace, ref.name)
    keys = (*part(obj, "data"), *part(obj, "binaryData"))
    return Lookup(ref, exists=True, keys=tuple(keys))


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
