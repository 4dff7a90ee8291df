"""Graviton: the same sizes with arm64 processors, where every image of the pods is built for them.

What an image holds is asked of ECR, whose manifest lists name their platforms; of other registries nothing is
known without pulling: such an image is "unknown: check", and what depends on it counts in no total.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from aiops_cost.analysis.fleet import Pod
from aiops_cost.analysis.fleets import Fitted, cheapest
from aiops_cost.analysis.patches_nodepool import CHECKED, machines, nodepool, requirements_with, yaml_of
from aiops_cost.analysis.pool_slices import ARCH
from aiops_cost.clients.advice_compute import per_hour
from aiops_cost.clients.advice_spot import spot_plans, standing
from aiops_cost.clients.compute_plan import Plans, PoolPlan, candidates_of, plans
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.models.money import HOURS_PER_MONTH, share, shown, worded
from aiops_cost.models.savings import Advice, Recommendation, Risk, Scope
from aiops_shared.errors import AiopsError, NotFoundError
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.results.wording import brief, counted, quotable

CODE: Final = "GRAVITON_ELIGIBLE"
ARM: Final = "arm64"
UNSURE: Final = "once its images are known to have arm64"  # no key: what stands on it counts in no total
MOST_IMAGES: Final = 60
AT_ONCE: Final = 8
_ECR = re.compile(
    r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([a-z0-9._/-]+?)(?::([\w.-]+))?(?:@(sha256:[0-9a-f]{64}))?"
)
INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
SINGLE: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class GravitonAdviser:
    """Fulfils `savings_scene.Adviser`."""

    scope: Scope = "graviton"

    async def advise(self, scene: Scene) -> Advice:
        """One recommendation for each pool whose images are not known to lack arm64."""
        found = await plans(scene)
        made: list[Recommendation] = []
        says: list[str] = []
        warnings: list[str] = []
        for plan in found.pools:
            told = await _plan(scene, found, plan, warnings)
            if isinstance(told, str):
                says.append(f"{plan.part.target}: {told}")
            else:
                made.append(told)
        text = f"graviton: {'; '.join(says[:3])}" if says else ""
        return Advice(recommendations=tuple(made), says=text, warnings=tuple(dict.fromkeys(warnings)))


async def _plan(scene: Scene, found: Plans, plan: PoolPlan, warnings: list[str]) -> Recommendation | str:
    if plan.part.nodes[0].architecture == ARM:
        return "arm64 already"
    if plan.demand.used is None or plan.why_not.startswith("pods with rules"):
        return plan.why_not
    stood = standing(scene, found, plan)
    if isinstance(stood, str):
        return stood
    base, after = stood
    names = {one.name for one in plan.part.nodes}
    there = [pod for pod in (await scene.fleet()).pods if pod.node in names]  # DaemonSets come along
    held = await images(scene, (*there, *plan.part.waiting), warnings)
    if lacking := sorted(image for image, has in held.items() if has is False):
        return f"no arm64 in {brief([quotable(_short(one)) for one in lacking], 3)}"
    arm = await _cheapest(scene, found, plan, base)
    if arm is None:
        return "no arm64 fleet that holds its pods costs less"
    spot = next(
        (one.nodes for one in (await spot_plans(scene)).plans if one.plan.part.name == plan.part.name), 0
    )
    unknown = sorted(image for image, has in held.items() if has is None)
    return _recommended(plan, (base, arm), spot, unknown, (after,) if after else ())


async def _cheapest(scene: Scene, found: Plans, plan: PoolPlan, base: Fitted) -> Fitted | None:
    """The cheapest arm64 fleet of the same category and size, by use and packing."""
    shape = found.shapes[base.candidate.name]
    shapes = await scene.prices.instance_shapes([f"{shape.family[:1]}*g*.{shape.size}"], found.region)
    offers = await scene.prices.on_demand(shapes, found.region)
    both = {**found.shapes, **shapes}
    families = sorted({one.family for one in shapes.values() if one.architecture == ARM})
    pool = plan.part.pool
    if pool is not None:  # the architecture is what changes
        pool = replace(
            pool, requirements={key: said for key, said in pool.requirements.items() if key != ARCH}
        )
    part = replace(plan.part, pool=pool)
    candidates = candidates_of(part, both, offers, families, architecture=ARM)
    return cheapest(candidates, plan.demand, base.nano_per_hour)


async def images(scene: Scene, pods: Sequence[Pod], warnings: list[str]) -> Mapping[str, bool | None]:
    """Image -> whether it has arm64; None: unknown."""
    counts = Counter(image for pod in pods for image in pod.images if image)
    names = [image for image, _ in counts.most_common(MOST_IMAGES)]
    outcomes = await gather_outcomes(lambda image: _has_arm(scene, image), names, at_once=AT_ONCE)
    found: dict[str, bool | None] = dict.fromkeys(counts)
    failed: list[AiopsError] = []
    for image, outcome in zip(names, outcomes, strict=True):
        if isinstance(outcome, AiopsError):
            failed += [] if isinstance(outcome, NotFoundError) else [outcome]  # not there: unknown
        elif outcome is not None:
            found[image] = outcome[0]
    if failed:
        warnings.append(f"coverage_gap: ecr:BatchGetImage: {len(failed)} images: {failed[0].wire()[:200]}")
    return found


async def _has_arm(scene: Scene, image: str) -> tuple[bool | None]:
    """Asks ECR for the image's manifest list; nothing is pulled."""
    match = _ECR.fullmatch(image)
    if match is None:
        return (None,)
    account, region, repository, tag, digest = match.groups()
    eks = await scene.eks()
    wanted = {"imageDigest": digest} if digest else {"imageTag": tag or "latest"}
    answer: Any = await eks.aws.call(
        replace(eks.target, region=region),
        "ecr",
        "batch_get_image",
        registryId=account,
        repositoryName=repository,
        imageIds=[wanted],
        acceptedMediaTypes=[*INDEXES, *SINGLE],
    )
    return (platforms_have_arm(one.get("imageManifest") for one in answer.get("images") or []),)


def platforms_have_arm(manifests: Iterable[Any]) -> bool | None:
    """What a manifest list says. A single image does not name its platform in its manifest: unknown."""
    for text in manifests:
        try:
            told = orjson.loads(text)
        except (orjson.JSONDecodeError, TypeError):
            continue
        listed = told.get("manifests") if isinstance(told, dict) else None
        if isinstance(listed, list):
            platforms = [one.get("platform") or {} for one in listed if isinstance(one, dict)]
            return any(one.get("architecture") == ARM and one.get("os") == "linux" for one in platforms)
    return None


def _recommended(
    plan: PoolPlan,
    fleets: tuple[Fitted, Fitted],
    spot: int,
    unknown: Sequence[str],
    after: tuple[str, ...],
) -> Recommendation:
    base, arm = fleets
    # The nodes that Spot takes over are saved there already.
    before, then = (
        (one.nodes - min(spot, one.nodes)) * one.candidate.nano_usd * HOURS_PER_MONTH for one in (base, arm)
    )
    why = "another processor: test for speed, and native libraries"
    if unknown:
        names = brief([quotable(_short(one)) for one in unknown], 3)
        why = f"{counted(len(unknown), 'image')} unknown: check ({names}); {why}"
    ratio = arm.candidate.nano_usd / base.candidate.nano_usd
    return Recommendation(
        key=f"graviton/{plan.part.name}",
        code=CODE,
        scope="graviton",
        target=plan.part.target,
        current=f"{base.nodes} x {base.candidate.name}",
        proposed=f"{arm.nodes} x {arm.candidate.name} (arm64)",
        nano_usd=before - then,
        monthly_usd=shown(before - then),
        percent=share(before - then, plan.now_month),
        arithmetic=tuple(_lines(base, arm, spot, before, then)),
        assumptions=(
            f"price {arm.candidate.name} / {base.candidate.name} = {ratio:.3f}; as fast for a vCPU",
        ),
        risk=Risk(level="high" if unknown else "medium", why=why),
        patch=_patch(plan, arm),
        validated=CHECKED if plan.part.pool and plan.part.pool.kind == "NodePool" else "",
        after=(*after, *((UNSURE,) if unknown else ())),
        sources=("price list", "ECR manifests"),
    )


def _lines(base: Fitted, arm: Fitted, spot: int, before: int, then: int) -> Iterator[str]:
    for one, month in ((base, before), (arm, then)):
        number = one.nodes - min(spot, one.nodes)
        yield (
            f"{number} x {one.candidate.name} x {per_hour(one.candidate.nano_usd)} x {HOURS_PER_MONTH} h ="
            f" {worded(month)}"
        )
    if spot:
        yield f"{counted(spot, 'node')} on Spot not counted"
    yield f"saved: {worded(before)} - {worded(then)} = {worded(before - then)}"


def _patch(plan: PoolPlan, arm: Fitted) -> str:
    pool = plan.part.pool
    if pool is None or pool.kind != "NodePool":
        return ""
    family, _, size = arm.candidate.name.partition(".")
    changed = requirements_with(pool, *machines(family, size), (ARCH, "In", (ARM,)))
    return yaml_of(nodepool(pool.name, changed))


def _short(image: str) -> str:
    """Without its registry."""
    return image.rpartition("/")[2][:60]
