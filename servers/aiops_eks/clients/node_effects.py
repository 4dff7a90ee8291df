"""The executor's hand for nodes: fulfils `Effects` and `Sweeper` (the eviction of a node's pods, R13).

Pods go through the Eviction API alone, with their uid as precondition, and only those that the API server
names as this node's in the moment before. A budget's no (429) is waited for, never gone around.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiops_eks.clients.effects import KubeEffects
from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.node_surroundings import NodeSurroundings, budgets_in, draining, pods_on
from aiops_eks.models import fields
from aiops_eks.planning.drafts import Obj, name_of, uid_of
from aiops_eks.planning.nodes_budgets import (
    budgets_of,
    choose,
    controller_of,
    is_going,
    movable,
    waiting_text,
)
from aiops_eks.planning.nodes_facts import measure_nodes
from aiops_eks.planning.nodes_scene import Spot
from aiops_eks.ports import KubeReadWrite
from aiops_shared.errors import AiopsError, NotFoundError, ThrottledError
from aiops_shared.guardrails.environments import stricter
from aiops_shared.guardrails.models import (
    Facts,
    GateCheck,
    GateResult,
    Json,
    ObjectRef,
    Part,
    Plan,
    Round,
    Step,
)
from aiops_shared.guardrails.permits import Permit

_SHOWN = 3


@dataclass(frozen=True)
class NodeEffects:
    """Effects on the nodes of one cluster."""

    kube: KubeReadWrite
    surroundings: NodeSurroundings
    plain: KubeEffects

    async def read(self, ref: ObjectRef) -> Json | None:
        """The node now, or None when it is gone."""
        return await self.plain.read(ref)

    async def apply_step(
        self, ref: ObjectRef, step: Step, current: Json | None, permit: Permit
    ) -> Json | None:
        """Write the node."""
        return await self.plain.apply_step(ref, step, current, permit)

    async def replace(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """The way back: uncordon, or the taint as it was."""
        return await self.plain.replace(ref, body, permit)

    async def create(self, ref: ObjectRef, body: Json, permit: Permit) -> Json:
        """No plan deletes a node, so none is created again."""
        return await self.plain.create(ref, body, permit)

    async def delete(self, ref: ObjectRef, uid: str, permit: Permit) -> None:
        """No plan creates a node, so none is deleted."""
        await self.plain.delete(ref, uid, permit)

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        """One look at what must hold."""
        if check.check == "only_drain_in_zone":
            return await self._only_drain(ref)
        if check.check == "pods_back":
            return await self._pods_back(check.args.get("owners", []))
        return await self.plain.look(ref, check)

    async def _only_drain(self, ref: ObjectRef) -> GateResult:
        """Asked after the cordon: of two drains that began at the same time both stand down."""
        node = await self.read(ref)
        if node is None:
            return GateResult(state="failed", says=f"{ref} is gone")
        spot = Spot(ref=ref, obj=node)
        others = [
            each for each in await draining(self.kube, [spot]) if Spot(ref=ref, obj=each).zone == spot.zone
        ]
        if others:
            says = f"{name_of(others[0])} of zone {spot.zone} is being drained too"
            return GateResult(state="failed", says=says)
        return GateResult(state="met", says="no other drain in its zone")

    async def _pods_back(self, owners: Sequence[dict[str, Any]]) -> GateResult:
        """Whether every workload has as many ready pods again as before, wherever they run."""
        found = await gathered([partial(self._missing, owner) for owner in owners])
        short = [each for each in found if isinstance(each, str) and each]
        errors = [each for each in found if isinstance(each, AiopsError)]
        if errors:
            return GateResult(state="waiting", says=str(errors[0]))
        if short:
            more = f" and {len(short) - _SHOWN} more" if len(short) > _SHOWN else ""
            return GateResult(
                state="waiting", says=f"not ready elsewhere yet: {', '.join(short[:_SHOWN])}{more}"
            )
        return GateResult(state="met", says="all its pods are ready elsewhere")

    async def _missing(self, owner: dict[str, Any]) -> str:
        """How many ready pods a controller lacks against before the drain; one that is gone lacks none."""
        word = f"{owner['api_version']}/{owner['kind']}"
        try:
            now = await self.kube.get(word, owner["namespace"], owner["name"])
        except NotFoundError:
            return ""
        wanted = min(owner["ready"], fields.count(now, "spec", "replicas", otherwise=owner["ready"]))
        ready = fields.count(now, "status", "readyReplicas")
        name = f"{owner['namespace']}/{owner['name']}"
        return "" if ready >= wanted else f"{name} ({ready} of {wanted})"

    async def parts(self, ref: ObjectRef, step: Step) -> Round:
        """The pods that are left on the node, and those that may go now."""
        left = movable(await pods_on(self.kube, ref.name))
        if not left:
            return Round(says="empty")
        spaces = sorted({fields.namespace_of(pod) for pod in left})
        listed = await gathered([partial(budgets_in, self.kube, name) for name in spaces])
        budgets: dict[str, tuple[Obj, ...] | None] = {}
        for name, found in zip(spaces, listed, strict=True):
            if isinstance(found, AiopsError):
                raise found
            budgets[name] = found
        owners = (step.body or {}).get("owners", [])
        choice = choose(left, budgets, await self._busy(left, budgets, owners))
        return Round(
            left=frozenset(uid_of(pod) for pod in left),
            going=frozenset(uid_of(pod) for pod in left if is_going(pod)),
            todo=tuple(Part(ref=_pod_ref(ref, pod), uid=uid_of(pod)) for pod in choice.todo),
            says=waiting_text(left, choice),
        )

    async def _busy(
        self,
        left: Sequence[Obj],
        budgets: dict[str, tuple[Obj, ...] | None],
        owners: Sequence[dict[str, Any]],
    ) -> frozenset[str]:
        """Controllers that no budget guards, with a pod here still and moved ones not ready elsewhere."""
        here = Counter(
            str((controller_of(pod) or {}).get("uid")) for pod in left if not budgets_of(pod, budgets)
        )
        asked = [owner for owner in owners if here[owner["uid"]] and owner["ready"] > 1]
        found = await gathered([partial(self._missing, owner) for owner in asked])
        return frozenset(owner["uid"] for owner, short in zip(asked, found, strict=True) if short)

    async def carry_part(self, ref: ObjectRef, step: Step, part: Part, permit: Permit) -> str:
        """Evict one pod; what its budget says against it, or nothing."""
        del step
        permit.covers(ref)
        try:
            await self.kube.evict(
                part.ref.namespace, part.ref.name, uid=part.uid, dry_run=False, permit=permit
            )
        except ThrottledError as refused:
            return f"{refused.reason}; {refused.hint}" if refused.hint else refused.reason
        except NotFoundError:
            return ""
        return ""

    async def measure(self, plan: Plan) -> Facts:
        """The plan's facts over all of its nodes, measured again now."""
        refs = [target.ref for target in plan.targets]
        nodes = await self.surroundings.around_refs(self.kube, refs, moves=plan.action == "drain")
        fresh = measure_nodes(nodes, plan.action, plan.reversible)
        return fresh.model_copy(
            update={
                # A relabelled namespace may make the judgement stricter, never milder.
                "env": stricter(plan.facts.env, fresh.env),
                "confidence_pct": plan.facts.confidence_pct,
                "sop": plan.facts.sop,
            }
        )


def _pod_ref(node: ObjectRef, pod: Obj) -> ObjectRef:
    return ObjectRef(
        cluster=node.cluster,
        api_version="v1",
        kind="Pod",
        namespace=fields.namespace_of(pod),
        name=name_of(pod),
    )
