"""Gathers what stands around nodes that may be changed, and asks the API server for dry runs.

Called by `plan_node_change`, and again by the nodes' hand when a plan is carried out (D3). At any size of the
cluster only the pods of the nodes in question are listed (field selector `spec.nodeName`), the budgets of
their namespaces, their controllers, the nodes that are cordoned, and how many nodes the pool has.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.surroundings import dry_write, tried
from aiops_eks.models import fields
from aiops_eks.planning.drafts import DryRun, Obj, name_of, uid_of
from aiops_eks.planning.nodes_budgets import controller_of, held_by, movable
from aiops_eks.planning.nodes_scene import (
    MOST_NODES,
    POOLS,
    ZONE,
    Nodes,
    NodesAsked,
    NodesDraft,
    Spot,
    pool_of,
)
from aiops_eks.planning.wording import one_line
from aiops_eks.ports import KubeReadWrite, WritableClusters
from aiops_shared.clock import Clock
from aiops_shared.errors import AiopsError, InvalidInputError, NotFoundError
from aiops_shared.guardrails.models import ObjectRef
from aiops_shared.kube.nearest import nearest

MOST_OWNERS = 200
MOST_LOOKED_AT = 20  # cordoned nodes whose pods are listed; a further one counts as being drained
_MOST_PODS = 2_000  # of one node
_PAGE = 500


@dataclass(frozen=True)
class NodeSurroundings:
    """Fulfils `NodesAround` of the node desk."""

    clusters: WritableClusters
    clock: Clock

    async def around(self, asked: NodesAsked, *, moves: bool) -> Nodes:
        """Everything a plan of these nodes reasons from; `moves`: their pods will be evicted.

        Raises NotFoundError with the nearest names, InvalidInputError for more than 20 nodes.
        """
        asked.check()
        kube = await self.clusters.open(asked.cluster)
        found = await _asked(kube, asked)
        if len(found) > MOST_NODES:
            raise InvalidInputError(
                "nodes", f"{len(found)} nodes match", f"at most {MOST_NODES} a plan: name fewer"
            )
        return await self._around(kube, found, moves=moves)

    async def around_refs(self, kube: KubeReadWrite, refs: Sequence[ObjectRef], *, moves: bool) -> Nodes:
        """The same for nodes that are known. Raises NotFoundError when one is gone."""
        return await self._around(kube, await _named(kube, [ref.name for ref in refs]), moves=moves)

    async def _around(self, kube: KubeReadWrite, found: Sequence[Obj], *, moves: bool) -> Nodes:
        gaps: list[str] = []
        listed = await gathered([partial(pods_on, kube, name_of(node)) for node in found])
        spots = tuple(
            Spot(ref=_ref(kube, node), obj=node, pods=_raised(pods))
            for node, pods in zip(found, listed, strict=True)
        )
        moving = [pod for spot in spots for pod in spot.moving]
        spaces = sorted({fields.namespace_of(pod) for pod in moving})
        namespaces = await _each(kube, "Namespace", [("", name) for name in spaces], gaps)
        nodes = Nodes(
            cluster=kube.cluster,
            now=await self.clock.now(),
            spots=spots,
            namespaces={name_of(obj): obj for obj in namespaces},
        )
        if moves:
            nodes = await _with_moves(kube, nodes, gaps)
        return nodes.model_copy(update={"gaps": tuple(gaps)})

    async def dry_run(self, draft: NodesDraft, nodes: Nodes) -> DryRun:
        """The first step on every node, and one eviction, as server-side dry runs: nothing is stored."""
        kube = await self.clusters.open(nodes.cluster)
        by_name = {spot.ref: spot for spot in nodes.spots}
        said: list[str] = []
        for target in draft.targets:
            dry = await tried(partial(dry_write, kube, target.steps[0], by_name[target.ref].obj, target.ref))
            said += dry.remarks
            if dry.validation == "schema_only":
                return dry
        if draft.action == "drain" and (pod := _first_free(nodes)) is not None:
            dry = await tried(partial(_dry_evict, kube, pod))
            if dry.validation == "schema_only":
                return dry
        return DryRun(validation="server_dry_run", remarks=tuple(dict.fromkeys(said)))


async def _dry_evict(kube: KubeReadWrite, pod: Obj) -> Obj | None:
    await kube.evict(fields.namespace_of(pod), name_of(pod), uid=uid_of(pod), dry_run=True)
    return pod


def _first_free(nodes: Nodes) -> Obj | None:
    moving = (pod for spot in nodes.spots for pod in spot.moving)
    return next((pod for pod in moving if not held_by(pod, nodes.budgets)), None)


def _ref(kube: KubeReadWrite, node: Obj) -> ObjectRef:
    return ObjectRef(cluster=kube.cluster, api_version="v1", kind="Node", name=name_of(node))


def _raised(found: tuple[Obj, ...] | AiopsError) -> tuple[Obj, ...]:
    if isinstance(found, AiopsError):
        raise found
    return found


async def pods_on(kube: KubeReadWrite, node: str) -> tuple[Obj, ...]:
    """The pods of one node, asked of the API server by the node's name."""
    found = kube.every("Pod", "", fields=f"spec.nodeName={node}", at_most=_MOST_PODS)
    return tuple([pod async for pod in found])


async def budgets_in(kube: KubeReadWrite, namespace: str) -> tuple[Obj, ...]:
    """The disruption budgets of one namespace."""
    return tuple([pdb async for pdb in kube.every("PodDisruptionBudget", namespace)])


async def _asked(kube: KubeReadWrite, asked: NodesAsked) -> list[Obj]:
    if asked.names:
        return await _named(kube, list(dict.fromkeys(asked.names)))
    if asked.selector:
        found = await _selected(kube, asked.selector)
        if not found:
            raise NotFoundError("nodes", f"none matches {asked.selector}", "list_resources(kind=Node)")
        return found
    return await _of_pool(kube, asked.pool)


async def _named(kube: KubeReadWrite, names: Sequence[str]) -> list[Obj]:
    if len(names) > MOST_NODES:
        raise InvalidInputError("names", f"{len(names)} nodes", f"at most {MOST_NODES} a plan")
    found = await gathered([partial(kube.get, "v1/Node", "", name) for name in names])
    for each in found:
        if isinstance(each, AiopsError):
            raise each
    return [each for each in found if isinstance(each, dict)]


async def _selected(kube: KubeReadWrite, selector: str) -> list[Obj]:
    return [node async for node in kube.every("v1/Node", "", selector=selector, at_most=MOST_NODES + 1)]


async def _of_pool(kube: KubeReadWrite, pool: str) -> list[Obj]:
    for key, _ in POOLS:
        if found := await _selected(kube, f"{key}={pool}"):
            return found
    known = {pool_of(node)[1] async for node in kube.every("v1/Node", "", at_most=5_000)}
    near = ", ".join(nearest(pool, known)) or ", ".join(sorted(known - {""})[:5]) or "no node names a pool"
    raise NotFoundError(f"nodepool {pool}", "no node belongs to it", f"nearest: {near}")


async def _each(
    kube: KubeReadWrite, kind: str, keys: Sequence[tuple[str, str]], gaps: list[str]
) -> list[Obj]:
    """Objects by namespace and name; one that cannot be read is a gap."""
    found = await gathered([partial(kube.get, kind, namespace, name) for namespace, name in keys])
    for (_, name), each in zip(keys, found, strict=True):
        if isinstance(each, AiopsError):
            gaps.append(f"{kind} {name}: {one_line(each.wire(), 160)}")
    return [each for each in found if isinstance(each, dict)]


async def _with_moves(kube: KubeReadWrite, nodes: Nodes, gaps: list[str]) -> Nodes:
    """Budgets, controllers, other drains and the pools' sizes: what a drain is judged by."""
    spaces = sorted({fields.namespace_of(pod) for spot in nodes.spots for pod in spot.moving})
    listed = await gathered([partial(budgets_in, kube, name) for name in spaces])
    budgets: dict[str, tuple[Obj, ...] | None] = {}
    for name, found in zip(spaces, listed, strict=True):
        budgets[name] = None if isinstance(found, AiopsError) else found
        if isinstance(found, AiopsError):
            gaps.append(f"budgets of {name}: {one_line(found.wire(), 160)}")
    return nodes.model_copy(
        update={
            "budgets": budgets,
            "owners": await _owners(kube, nodes, gaps),
            "draining": await _draining_or_gap(kube, nodes, gaps),
            "pool_sizes": await _pool_sizes(kube, nodes, gaps),
        }
    )


async def _owners(kube: KubeReadWrite, nodes: Nodes, gaps: list[str]) -> dict[str, Obj]:
    refs: dict[str, tuple[str, str, str]] = {}
    for spot in nodes.spots:
        for pod in spot.moving:
            if ref := controller_of(pod):
                word = f"{ref.get('apiVersion')}/{ref.get('kind')}"
                refs[str(ref.get("uid"))] = (word, fields.namespace_of(pod), str(ref.get("name")))
    if len(refs) > MOST_OWNERS:
        gaps.append(f"readiness of {len(refs) - MOST_OWNERS} of {len(refs)} controllers")
    asked = list(refs.items())[:MOST_OWNERS]
    found = await gathered([partial(kube.get, *key) for _, key in asked])
    return {uid: each for (uid, _), each in zip(asked, found, strict=True) if isinstance(each, dict)}


async def _draining_or_gap(kube: KubeReadWrite, nodes: Nodes, gaps: list[str]) -> tuple[Obj, ...] | None:
    try:
        return await draining(kube, nodes.spots)
    except AiopsError as problem:
        gaps.append(f"other drains: {one_line(problem.wire(), 160)}")
        return None


async def draining(kube: KubeReadWrite, spots: Iterable[Spot]) -> tuple[Obj, ...]:
    """Other nodes of the same zones or pools that are cordoned and not yet empty: whoever began it."""
    own = {spot.ref.name for spot in spots}
    zones, pools = {spot.zone for spot in spots}, {spot.pool for spot in spots}
    near = [
        node
        async for node in kube.every("v1/Node", "", fields="spec.unschedulable=true")
        if name_of(node) not in own
        and (fields.labels_of(node).get(ZONE, "") in zones or pool_of(node) in pools)
    ]
    looked, rest = near[:MOST_LOOKED_AT], near[MOST_LOOKED_AT:]
    pods = await gathered([partial(pods_on, kube, name_of(node)) for node in looked])
    busy = [
        node
        for node, found in zip(looked, pods, strict=True)
        if isinstance(found, AiopsError) or movable(found)
    ]
    return (*busy, *rest)


async def _pool_sizes(kube: KubeReadWrite, nodes: Nodes, gaps: list[str]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for key, name in {spot.pool for spot in nodes.spots}:
        try:
            sizes[name] = await _counted(kube, f"{key}={name}" if name else "")
        except AiopsError as problem:
            gaps.append(f"size of pool {name}: {one_line(problem.wire(), 160)}")
    return sizes


async def _counted(kube: KubeReadWrite, selector: str) -> int:
    """How many nodes: rows of the server-side Table, which carry no objects."""
    total, cursor = 0, ""
    while True:
        page: Any = await kube.table("v1/Node", "", selector=selector, limit=_PAGE, cursor=cursor)
        total, cursor = total + len(page.rows), page.cursor
        if not cursor:
            return total
