"""AWS's own advisers: Compute Optimizer and Cost Optimization Hub, shown beside ours and in no total.

They look at machines, not at pods: whether they agree with the pool's plan is said. An account that never
enrolled is told so; both are free.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiops_cost.clients.compute_plan import Plans, plans
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.models.money import nano, worded
from aiops_cost.models.savings import Advice, Scope
from aiops_shared.errors import AiopsError
from aiops_shared.results.wording import cut, quotable

OPTIMIZER, HUB = "Compute Optimizer", "Cost Optimization Hub"
Voice = tuple[str, str, str]
MOST: Final = 1000
MOST_HUB: Final = 100
LINES: Final = 4


@dataclass(frozen=True)
class VoiceAdviser:
    """Fulfils `savings_scene.Adviser`; it recommends nothing itself."""

    scope: Scope = "compute"

    async def advise(self, scene: Scene) -> Advice:
        """What each of them says. Raises what the fleet raises."""
        found = await plans(scene)
        voices: list[Voice] = []
        warnings: list[str] = []
        for who, ask in ((OPTIMIZER, _optimizer), (HUB, _hub)):
            try:
                voices += [(who, cut(says, 160), agrees) for says, agrees in await ask(scene, found)]
            except AiopsError as error:
                warnings.append(f"coverage_gap: {who}: {error.wire()[:240]}")
        return Advice(voices=tuple(voices), warnings=tuple(warnings))


async def _optimizer(scene: Scene, found: Plans) -> list[tuple[str, str]]:
    """Its recommendations for the cluster's instances, alike ones together."""
    eks = await scene.eks()
    status: Any = await eks.call("compute-optimizer", "get_enrollment_status")
    if status.get("status") != "Active":
        return [("the account is not enrolled", "")]
    answer: Any = await eks.call("compute-optimizer", "get_ec2_instance_recommendations", maxResults=MOST)
    pools = _pool_of(found)
    told: Counter[tuple[str, str, str]] = Counter()
    for row in answer.get("instanceRecommendations") or []:
        pool = pools.get(str(row.get("instanceArn")).rpartition("/")[2])
        if pool is not None:
            told[pool, str(row.get("currentInstanceType")), _first(row)] += 1
    if not told:
        return [("no recommendation for these nodes", "")]
    return [
        (f"{number} x {now}: {wanted or 'optimized'}", _agrees(found, pool, wanted))
        for (pool, now, wanted), number in told.most_common(LINES)
    ]


def _first(row: Mapping[str, Any]) -> str:
    """The type it would take; empty where it finds the present one right."""
    if row.get("finding") == "Optimized":
        return ""
    options = sorted(row.get("recommendationOptions") or [], key=lambda one: one.get("rank") or 0)
    return str(options[0].get("instanceType") or "") if options else ""


def _pool_of(found: Plans) -> Mapping[str, str]:
    return {
        node.instance_id: plan.part.name
        for plan in found.pools
        for node in plan.part.nodes
        if node.instance_id
    }


def _agrees(found: Plans, pool: str, wanted: str) -> str:
    """Beside our plan of the pool: the same type, the same family's memory for a core, or another."""
    best = next((plan.best for plan in found.pools if plan.part.name == pool), None)
    if best is None:
        return "yes" if not wanted else "no: we find nothing cheaper that holds the pods"
    if wanted == best.candidate.name:
        return "yes"
    same = wanted[:1] == best.candidate.name[:1]
    return f"{'in part: the kind of machine' if same else 'no'}; ours: {best.candidate.name}"


async def _hub(scene: Scene, found: Plans) -> list[tuple[str, str]]:
    """Its recommendations for the cluster's instances and for the account's commitments."""
    eks, target = await scene.eks(), scene.sources.costs.target()
    service = "cost-optimization-hub"
    status: Any = await eks.aws.call(target, service, "list_enrollment_statuses")
    if not any(one.get("status") == "Active" for one in status.get("items") or []):
        return [("the account is not enrolled", "")]
    answer: Any = await eks.aws.call(target, service, "list_recommendations", maxResults=MOST_HUB)
    return list(_summed(answer.get("items") or [], _pool_of(found), found)) or [
        ("no recommendation for this cluster or the account's commitments", "")
    ]


def _summed(
    rows: Iterable[Mapping[str, Any]], pools: Mapping[str, str], found: Plans
) -> Iterable[tuple[str, str]]:
    groups: dict[tuple[str, str, str, str], list[int]] = {}
    for row in rows:
        pool = pools.get(str(row.get("resourceId")), "")
        kind = str(row.get("currentResourceType"))
        if pool or kind.endswith(("SavingsPlans", "ReservedInstances")):
            amount = nano(repr(float(row.get("estimatedMonthlySavings") or 0)))
            key = (str(row.get("actionType")), kind, pool, str(row.get("recommendedResourceSummary") or ""))
            groups.setdefault(key, []).append(amount)
    ranked = sorted(groups.items(), key=lambda one: -sum(one[1]))
    for (action, kind, pool, wanted), amounts in ranked[:LINES]:
        says = f"{action} {len(amounts)} x {kind}: {quotable(wanted)}, {worded(sum(amounts))} a month"
        yield says, _agrees(found, pool, wanted) if pool else ""
