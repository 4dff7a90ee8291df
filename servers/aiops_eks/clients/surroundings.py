"""Gathers what stands around one object that may be changed, and asks the API server for dry runs.

Called by the plan tools, and again by the executor's adapter when a plan is carried out (decision D3). All
sources are asked at the same time; one that fails is a gap that is said, and leaves the cautious fact.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import anyio

from aiops_eks.diagnosis.quantities import millicores, whole_bytes
from aiops_eks.planning.drafts import Around, Draft, DryRun, Obj, at, uid_of
from aiops_eks.planning.facts import selects
from aiops_eks.planning.wording import one_line
from aiops_eks.ports import KubeReadWrite, WritableClusters
from aiops_shared.clock import Clock
from aiops_shared.errors import AccessDeniedError, AiopsError, ConflictError, InvalidInputError, NotFoundError
from aiops_shared.guardrails.models import ObjectRef, Step
from aiops_shared.guardrails.paths import write
from aiops_shared.kube import remarks

GATHER_WITHIN_S = 20.0
_HAS_PODS = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job")
_MAX_PODS = 20_000
_MAX_OWNERS = 5
_DRY_TRIES = 5
_MOST_REMARKS = 5
_NO_DRY_RUN = "does not support dry run"
_BY_HAND = "kubectl"  # kubectl-client-side-apply, kubectl-edit, …: field managers of people


@dataclass
class _Found:
    """What arrived before the deadline."""

    parts: dict[str, Any] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)

    async def take(self, name: str, ask: Callable[[], Awaitable[Any]]) -> None:
        try:
            self.parts[name] = await ask()
        except AiopsError as problem:
            self.gaps.append(f"{name}: {one_line(problem.wire(), 200)}")


def kind_word(ref: ObjectRef) -> str:
    """The kind with its group: two groups may serve kinds of one name (Service of v1 and of Knative)."""
    return f"{ref.api_version}/{ref.kind}"


def selector_text(selector: Obj | None) -> str:
    """A LabelSelector as the API's query parameter; empty for what selects nothing or everything."""
    selector = selector or {}
    terms = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for item in selector.get("matchExpressions") or []:
        key, values = item.get("key", ""), ",".join(item.get("values") or [])
        words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": str(key)}
        terms.append(words.get(str(item.get("operator")), f"!{key}"))
    return ",".join(terms)


async def _all(kube: KubeReadWrite, kind: str, namespace: str, selector: str = "") -> tuple[Obj, ...]:
    found = kube.every(kind, namespace, selector=selector, at_most=_MAX_PODS)
    return tuple([item async for item in found])


def owned_by(items: Iterable[Obj], uid: str) -> tuple[Obj, ...]:
    """Those that name this owner."""
    return tuple(
        item
        for item in items
        if any(ref.get("uid") == uid for ref in at(item, "metadata", "ownerReferences") or [])
    )


async def _owners(kube: KubeReadWrite, obj: Obj, namespace: str) -> "_Owners":
    """The controllers above an object, nearest first; one that cannot be read stays as its reference says."""
    found: list[Obj] = []
    unread = ""
    while len(found) < _MAX_OWNERS and not unread:
        references = at(found[-1] if found else obj, "metadata", "ownerReferences") or []
        above = next((ref for ref in references if ref.get("controller")), None)
        if above is None:
            break
        kind, name = str(above.get("kind") or ""), str(above.get("name") or "")
        try:
            found.append(await kube.get(f"{above.get('apiVersion')}/{kind}", namespace, name))
        except AiopsError as problem:
            unread = f"owner {kind.lower()} {name}: {one_line(problem.wire(), 200)}"
            found.append({"kind": kind, "metadata": {"name": name, "uid": above.get("uid")}})
    return _Owners(tuple(found), unread)


@dataclass(frozen=True)
class _Owners:
    """The chain, and why it ends early."""

    chain: tuple[Obj, ...] = ()
    unread: str = ""


def _requests_of(pod: Obj) -> tuple[int, int]:
    memory = cpu = 0
    for container in at(pod, "spec", "containers") or []:
        asked = at(container, "resources", "requests") or {}
        memory += whole_bytes(asked.get("memory")) or 0
        cpu += millicores(asked.get("cpu")) or 0
    return memory, cpu


def _takes_pods(node: Obj) -> bool:
    """Ready, and without a taint that keeps an ordinary pod away (tolerations are not weighed: cautious)."""
    conditions = at(node, "status", "conditions") or []
    down = any(item.get("type") == "Ready" and item.get("status") != "True" for item in conditions)
    taints = at(node, "spec", "taints") or []
    return not down and not any(item.get("effect") in {"NoSchedule", "NoExecute"} for item in taints)


def roomiest(nodes: tuple[Obj, ...], pods: tuple[Obj, ...]) -> tuple[int, int]:
    """Memory (bytes) and CPU (millicores) left on the node with the most free memory that takes pods."""
    free: dict[str, list[int]] = {}
    for node in nodes:
        if at(node, "spec", "unschedulable") or not _takes_pods(node):
            continue
        room = at(node, "status", "allocatable") or {}
        free[str(at(node, "metadata", "name"))] = [
            whole_bytes(room.get("memory")) or 0,
            millicores(room.get("cpu")) or 0,
        ]
    for pod in pods:
        left = free.get(str(at(pod, "spec", "nodeName")))
        if left and at(pod, "status", "phase") not in {"Succeeded", "Failed"}:
            memory, cpu = _requests_of(pod)
            left[0] -= memory
            left[1] -= cpu
    best = max(free.values(), default=[0, 0])
    return max(0, best[0]), max(0, best[1])


@dataclass(frozen=True)
class KubeSurroundings:
    """Fulfils `planning.drafts.Surroundings` over the clusters' APIs."""

    clusters: WritableClusters
    clock: Clock

    async def around(
        self, cluster: str | None, kind: str, namespace: str, name: str, *, must_exist: bool = False
    ) -> Around:
        """Everything a plan of one object reasons from."""
        kube = await self.clusters.open(cluster)
        found_kind = await kube.kind(kind)
        where = namespace if found_kind.namespaced else ""
        if found_kind.namespaced and not namespace:
            raise InvalidInputError(
                "namespace", f"missing: {found_kind.kind} is namespaced", "name its namespace"
            )
        ref = ObjectRef(
            cluster=kube.cluster,
            api_version=found_kind.api_version,
            kind=found_kind.kind,
            namespace=where,
            name=name,
        )
        obj = await kube.get(kind_word(ref), ref.namespace, ref.name) if must_exist else None
        return await self._gathered(kube, ref, obj or await self._object(kube, ref), room=True)

    async def around_ref(self, kube: KubeReadWrite, ref: ObjectRef, *, room: bool = True) -> Around:
        """The same for a reference whose kind is known; `room`: also how much the nodes have left."""
        return await self._gathered(kube, ref, await self._object(kube, ref), room=room)

    async def _gathered(self, kube: KubeReadWrite, ref: ObjectRef, obj: Obj | None, *, room: bool) -> Around:
        found = _Found()
        with anyio.move_on_after(GATHER_WITHIN_S) as deadline:
            async with anyio.create_task_group() as tasks:
                for name, ask in self._questions(kube, ref, obj, room=room).items():
                    tasks.start_soon(found.take, name, ask)
        if deadline.cancelled_caught:
            found.gaps.append(f"not everything answered within {GATHER_WITHIN_S:.0f} s")
        return self._assemble(ref, obj, found, await self.clock.now())

    async def _object(self, kube: KubeReadWrite, ref: ObjectRef) -> Obj | None:
        try:
            return await kube.get(kind_word(ref), ref.namespace, ref.name)
        except NotFoundError as error:
            if error.code != NotFoundError.code:
                raise
            return None

    def _questions(
        self, kube: KubeReadWrite, ref: ObjectRef, obj: Obj | None, *, room: bool
    ) -> dict[str, Callable[[], Awaitable[Any]]]:
        asks: dict[str, Callable[[], Awaitable[Any]]] = {}
        space = ref.namespace
        if space:
            asks["namespace"] = lambda: kube.get("Namespace", "", space)
            asks["pdbs"] = lambda: _all(kube, "PodDisruptionBudget", space)
        if ref.kind == "NetworkPolicy":
            asks["neighbours"] = lambda: _all(kube, "Pod", space)
        if obj is None:
            return asks
        if at(obj, "metadata", "ownerReferences"):
            asks["owners"] = lambda: _owners(kube, obj, space)
        if ref.kind in _HAS_PODS:
            chosen = selector_text(at(obj, "spec", "selector"))
            asks["pods"] = lambda: _all(kube, "Pod", space, chosen)
            asks["hpas"] = lambda: _all(kube, "HorizontalPodAutoscaler", space)
        if ref.kind in _HAS_PODS and room:
            asks["room"] = lambda: self._room(kube)
        if ref.kind == "Deployment":
            asks["replica_sets"] = lambda: _all(kube, "ReplicaSet", space)
        return asks

    async def _room(self, kube: KubeReadWrite) -> tuple[int, int]:
        return roomiest(await _all(kube, "Node", ""), await _all(kube, "Pod", ""))

    def _assemble(self, ref: ObjectRef, obj: Obj | None, found: _Found, now: Any) -> Around:
        parts = found.parts
        labels = at(obj, "spec", "selector")
        pods = tuple(
            pod for pod in parts.get("pods", ()) if selects(labels, at(pod, "metadata", "labels") or {})
        )
        if ref.kind == "Pod" and obj is not None:
            pods = (obj,)
        room, owners = parts.get("room"), parts.get("owners", _Owners())
        return Around(
            ref=ref,
            now=now,
            obj=obj,
            namespace=parts.get("namespace"),
            pods=pods,
            replica_sets=owned_by(parts.get("replica_sets", ()), uid_of(obj)),
            pdbs=parts.get("pdbs") if ref.namespace else (),
            hpas=parts.get("hpas", ()),
            owners=owners.chain,
            neighbours=parts.get("neighbours"),
            free_memory_bytes=room[0] if room else None,
            free_cpu_millicores=room[1] if room else None,
            gaps=(*found.gaps, *filter(None, [owners.unread])),
        )

    async def dry_run(self, draft: Draft, around: Around) -> DryRun:
        """The first step as a server-side dry run: real admission, real validation, nothing stored."""
        kube = await self.clusters.open(draft.ref.cluster)
        return await tried(lambda: _dry(kube, draft.steps[0], around))

    async def dry_apply(self, manifest: Obj, around: Around) -> DryRun:
        """The server-side apply of a manifest, dry.

        Fields that people wrote by kubectl are taken over, and that is said; those of programs (Helm, a
        controller) are not: ConflictError.
        """
        kube = await self.clusters.open(around.ref.cluster)
        try:
            return await tried(lambda: kube.apply(manifest, dry_run=True))
        except ConflictError as conflict:
            if not conflict.managers or not all(owner.startswith(_BY_HAND) for owner in conflict.managers):
                raise
            found = await tried(lambda: kube.apply(manifest, force=True, dry_run=True))
            return found.model_copy(update={"takes_over": tuple(sorted(conflict.managers))})


async def tried(ask: Callable[[], Awaitable[Obj | None]]) -> DryRun:
    """A dry run; where it is not allowed, or a webhook does not take part, only the schema is known (D14)."""
    try:
        with remarks.heard() as said:
            obj = await ask()
        return DryRun(validation="server_dry_run", obj=obj, remarks=tuple(said.texts[:_MOST_REMARKS]))
    except AccessDeniedError as denied:
        return DryRun(validation="schema_only", missing=(one_line(str(denied), 300),))
    except AiopsError as problem:
        # apiserver `pkg/admission/plugin/webhook/errors`: admission webhook "x" does not support dry run
        if _NO_DRY_RUN not in str(problem):
            raise
        return DryRun(validation="schema_only", missing=(one_line(problem.reason, 300),))


async def dry_write(kube: KubeReadWrite, step: Step, obj: Obj, ref: ObjectRef) -> Obj:
    """Status moves every few seconds, and the resourceVersion with it: a dry run that met that looks again.

    Raises ConflictError when the spec itself moved (D2).
    """
    for _ in range(_DRY_TRIES):
        try:
            return await kube.replace(write(obj, step.values), dry_run=True)
        except ConflictError:
            now = await kube.get(kind_word(ref), ref.namespace, ref.name)
            if (uid_of(now), _generation(now)) != (uid_of(obj), _generation(obj)):
                raise
            obj = now
    return await kube.replace(write(obj, step.values), dry_run=True)


def _generation(obj: Obj) -> Any:
    return at(obj, "metadata", "generation")


async def _dry(kube: KubeReadWrite, step: Step, around: Around) -> Obj | None:
    ref = around.ref
    if step.verb == "write" and around.obj is not None:
        return await dry_write(kube, step, around.obj, ref)
    if step.verb == "create":
        return await kube.create(step.body, dry_run=True)
    if step.verb == "delete":
        await kube.delete(kind_word(ref), ref.namespace, ref.name, uid=uid_of(around.obj), dry_run=True)
        return around.obj
    if step.verb == "evict":
        await kube.evict(ref.namespace, ref.name, uid=uid_of(around.obj), dry_run=True)
        return around.obj
    return await kube.apply(step.body, dry_run=True)
