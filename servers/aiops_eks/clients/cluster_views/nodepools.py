"""`include=nodepools`: who makes nodes for this cluster, how near its limits, and what does not come up.

Karpenter's NodePools and NodeClaims (its own and EKS Auto Mode's, which are the same kinds), managed node
groups and Fargate profiles with their health. A NodePool has no smallest size (fact C11): nodes follow
pending pods, so room kept ready is a matter of placeholder pods.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from aiops_eks.clients.aws_addons import AwsAddons
from aiops_eks.clients.aws_ground import AwsGround
from aiops_eks.clients.cluster_views.base import Scene, Section
from aiops_eks.clients.gathering import gathered
from aiops_eks.diagnosis.quantities import amount, memory_text
from aiops_eks.models.aws_addons import NodeGroup
from aiops_eks.models.aws_ground import FargateProfile
from aiops_eks.models.fields import (
    Obj,
    ago,
    conditions_of,
    items,
    labels_of,
    moment,
    name_of,
    part,
    seconds_since,
    text,
    word,
    words,
)
from aiops_shared.errors import AiopsError, KindUnknownError
from aiops_shared.results import Evidence

MOST_POOLS, MOST_CLAIMS = 200, 5_000
SHOWN, SHOWN_FULL = 12, 60
CLAIMS_SHOWN = 10
NEAR = 0.9  # of a limit
CLAIM_SLOW_S = 300.0
MESSAGE_CHARS = 140
_STAGES = ("Launched", "Registered", "Initialized", "Ready")  # of a NodeClaim, in this order
_POOLS = {True: "{} NodePools", False: "no Karpenter", None: "NodePools unknown"}
_BROKEN = frozenset({"DEGRADED", "CREATE_FAILED", "DELETE_FAILED"})


@dataclass(frozen=True, slots=True)
class _Claim:
    """A NodeClaim that is not ready."""

    name: str
    pool: str
    instance_type: str
    zone: str
    stage: str
    since: datetime | None
    why: str


@dataclass(slots=True)
class _Found:
    pools: list[Obj]
    claims: list[_Claim]
    claims_read: int
    classes: dict[str, dict[str, Obj]]  # by kind and name; a kind that was not read is not there
    groups: tuple[NodeGroup, ...] = ()
    profiles: tuple[FargateProfile, ...] = ()
    karpenter: bool | None = None  # None: could not be read


async def nodepools(scene: Scene) -> Section:
    """The section. A source that fails is a warning in it."""
    section, found = Section(), _Found([], [], 0, {})

    async def cluster_side() -> None:
        await _read_karpenter(scene, section, found)

    async def aws_side() -> None:
        await _read_aws(scene, section, found)

    for outcome in await gathered([cluster_side, aws_side]):
        if isinstance(outcome, AiopsError):
            section.warnings.append(f"coverage_gap: nodepools: {outcome.wire()[:240]}")
    _pool_table(section, found, scene)
    _claim_table(section, found, scene)
    _group_table(section, found, scene)
    _fargate_table(section, found, scene)
    section.says = _said(found, scene)
    section.evidence.append(
        Evidence(
            source="kubernetes",
            query="list nodepools, nodeclaims and their node classes",
            says=f"{len(found.pools)} NodePools, {found.claims_read} NodeClaims",
        )
    )
    return section


async def _read_karpenter(scene: Scene, section: Section, found: _Found) -> None:
    try:
        found.pools = [one async for one in scene.kube.every("nodepools.karpenter.sh", at_most=MOST_POOLS)]
    except KindUnknownError:
        found.karpenter = False
        return
    found.karpenter = True
    found.claims = await section.or_gap("nodepools: nodeclaims", _claims(scene, found), [])
    kinds = {_class_of(pool)[:2] for pool in found.pools}
    for group, kind in sorted(kinds):
        if group and kind:
            rows = await section.or_gap(f"nodepools: {kind}", _classes(scene, f"{kind.lower()}es.{group}"))
            if rows is not None:
                found.classes[kind] = {name_of(one): one for one in rows}


async def _claims(scene: Scene, found: _Found) -> list[_Claim]:
    unready = []
    async for one in scene.kube.every("nodeclaims.karpenter.sh", at_most=MOST_CLAIMS):
        found.claims_read += 1
        if (claim := _unready(one, scene)) is not None:
            unready.append(claim)
    return unready


async def _classes(scene: Scene, kind: str) -> list[Obj]:
    try:
        return [one async for one in scene.kube.every(kind, at_most=MOST_POOLS)]
    except KindUnknownError:
        return []


async def _read_aws(scene: Scene, section: Section, found: _Found) -> None:
    eks = scene.eks()
    groups = await AwsAddons(eks).node_groups()
    profiles = await AwsGround(eks).fargate_profiles()
    found.groups, found.profiles = groups.items, profiles.items
    gaps = dict.fromkeys([*groups.gaps, *profiles.gaps])
    section.warnings += [f"coverage_gap: nodepools: {gap}" for gap in gaps]


def _class_of(pool: Obj) -> tuple[str, str, str]:
    """Group, kind and name of a pool's node class."""
    ref = part(pool, "spec", "template", "spec", "nodeClassRef")
    return text(ref, "group"), text(ref, "kind"), text(ref, "name")


def _unready(claim: Obj, scene: Scene) -> _Claim | None:
    """A claim that is not ready: at which stage it stands, since when, and why."""
    conditions, labels = conditions_of(claim), labels_of(claim)
    stage = next((one for one in _STAGES if text(conditions.get(one, {}), "status") != "True"), "")
    if not stage:
        return None
    told = conditions.get(stage, {})
    reason, message = word(told, "reason"), scene.redact(text(told, "message"))
    since = moment(told, "lastTransitionTime") or moment(claim, "metadata", "creationTimestamp")
    return _Claim(
        name=name_of(claim),
        pool=labels.get("karpenter.sh/nodepool", ""),
        instance_type=labels.get("node.kubernetes.io/instance-type", ""),
        zone=labels.get("topology.kubernetes.io/zone", ""),
        stage=f"not {stage}",
        since=since,
        why=": ".join(each for each in (reason, message) if each and each != stage)[:MESSAGE_CHARS],
    )


def _pool_table(section: Section, found: _Found, scene: Scene) -> None:
    if not found.pools:
        return
    ranked = sorted(
        found.pools, key=lambda pool: (not _trouble(pool, found, scene), -_fill(pool), name_of(pool))
    )
    shown = ranked[: SHOWN_FULL if scene.full else SHOWN]
    section.table(
        "nodepools",
        ("nodepool", "node_class", "market", "nodes", "cpu", "memory", "weight", "consolidates", "trouble"),
        (_pool_row(pool, found, scene) for pool in shown),
    )
    if len(ranked) > len(shown):
        section.warnings.append(
            f"{len(ranked) - len(shown)} more NodePools are not shown; detail=full shows more"
        )


def _pool_row(pool: Obj, found: _Found, scene: Scene) -> tuple[str | int | None, ...]:
    spec, used = part(pool, "spec"), part(pool, "status", "resources")
    _, kind, name = _class_of(pool)
    wants = items(spec, "template", "spec", "requirements")
    market = next(
        (words(one, "values") for one in wants if text(one, "key") == "karpenter.sh/capacity-type"), []
    )
    disruption = part(spec, "disruption")
    return (
        name_of(pool),
        f"{kind}/{name}",
        "/".join(market) or None,
        text(used, "nodes") or None,
        _of_limit(pool, "cpu"),
        _of_limit(pool, "memory"),
        text(spec, "weight") or None,
        " ".join(
            filter(None, (text(disruption, "consolidationPolicy"), text(disruption, "consolidateAfter")))
        ),
        _trouble(pool, found, scene) or None,
    )


def _of_limit(pool: Obj, name: str) -> str | None:
    """`24 of 32`; without a limit only what is used."""
    used, limit = _quantity(pool, "status", "resources", name), _quantity(pool, "spec", "limits", name)
    if used is None and limit is None:
        return None
    said = _shown(used or 0.0, name)
    return f"{said} of {_shown(limit, name)}" if limit is not None else f"{said}, no limit"


def _quantity(pool: Obj, *path: str) -> float | None:
    found = amount(part(pool, *path[:-1]).get(path[-1]))
    return None if found is None else float(found)


def _shown(value: float, name: str) -> str:
    return memory_text(int(value)) if name == "memory" else f"{value:g}"


def _fill(pool: Obj) -> float:
    """The largest share of a limit that is used."""
    shares = [0.0]
    for name in part(pool, "spec", "limits"):
        used, limit = _quantity(pool, "status", "resources", name), _quantity(pool, "spec", "limits", name)
        if used is not None and limit:
            shares.append(used / limit)
    return max(shares)


def _trouble(pool: Obj, found: _Found, scene: Scene) -> str:
    """What is wrong with a pool: not ready, its class is missing or not ready, its limits are near."""
    said = []
    for name, told in conditions_of(pool).items():
        if text(told, "status") == "False":
            said.append(f"{name}=False ({word(told, 'reason')}): {scene.redact(text(told, 'message'))}")
    _, kind, name = _class_of(pool)
    made = found.classes.get(kind, {}).get(name)
    if made is None and kind in found.classes:
        said.append(f"{kind} {name} does not exist")
    elif made is not None:
        ready = conditions_of(made).get("Ready", {})
        if text(ready, "status") == "False":
            said.append(f"{kind} not ready: {scene.redact(text(ready, 'message') or text(ready, 'reason'))}")
    if (share := _fill(pool)) >= NEAR:
        said.append(f"{round(100 * share)}% of a limit is used: raise spec.limits before more is needed")
    return "; ".join(said)[: 2 * MESSAGE_CHARS]


def _claim_table(section: Section, found: _Found, scene: Scene) -> None:
    if not found.claims:
        return
    ranked = sorted(found.claims, key=lambda one: -(seconds_since(scene.now, one.since) or 0.0))
    section.table(
        "nodeclaims_not_ready",
        ("nodeclaim", "nodepool", "type", "zone", "stage", "since", "why"),
        (
            (
                one.name,
                one.pool,
                one.instance_type or None,
                one.zone or None,
                one.stage,
                ago(seconds_since(scene.now, one.since)),
                one.why or None,
            )
            for one in ranked[:CLAIMS_SHOWN]
        ),
    )


def _group_table(section: Section, found: _Found, scene: Scene) -> None:
    if not found.groups:
        return
    ranked = sorted(found.groups, key=lambda one: (one.status == "ACTIVE" and not one.issues, one.name))
    section.table(
        "managed_node_groups",
        ("group", "status", "kubernetes", "types", "market", "min", "desired", "max", "issues"),
        (
            (
                one.name,
                one.status,
                one.kubernetes,
                ", ".join(one.instance_types[:4]),
                one.capacity.lower().replace("_", "-"),
                one.min_size,
                one.desired_size,
                one.max_size,
                scene.redact("; ".join(str(issue) for issue in one.issues))[: 2 * MESSAGE_CHARS] or None,
            )
            for one in ranked[: SHOWN_FULL if scene.full else SHOWN]
        ),
    )


def _fargate_table(section: Section, found: _Found, scene: Scene) -> None:
    if not found.profiles:
        return
    section.table(
        "fargate_profiles",
        ("profile", "status", "selects", "issues"),
        (
            (
                one.name,
                one.status,
                "; ".join(_selects(space, labels) for space, labels in one.selectors[:5]),
                scene.redact("; ".join(one.issues)) or None,
            )
            for one in found.profiles[: SHOWN_FULL if scene.full else SHOWN]
        ),
    )


def _selects(space: str, labels: Iterable[tuple[str, str]]) -> str:
    said = ",".join(f"{key}={value}" for key, value in labels)
    return f"{space} ({said})" if said else space


def _said(found: _Found, scene: Scene) -> str:
    said = []
    broken = [one.name for one in found.groups if one.status in _BROKEN or one.issues]
    if broken:
        said.append(f"node groups with issues: {', '.join(broken[:3])}")
    bad = [name_of(pool) for pool in found.pools if _trouble(pool, found, scene)]
    if bad:
        said.append(f"NodePools with trouble: {', '.join(bad[:3])}")
    slow = [one for one in found.claims if (seconds_since(scene.now, one.since) or 0.0) > CLAIM_SLOW_S]
    if found.claims:
        slowly = f", {len(slow)} for more than {round(CLAIM_SLOW_S / 60)} min" if slow else ""
        said.append(f"{len(found.claims)} NodeClaims not ready{slowly}")
    auto = part(scene.cluster, "computeConfig").get("enabled") is True
    counts = [
        "EKS Auto Mode" if auto else "",
        _POOLS[found.karpenter].format(len(found.pools)),
        f"{len(found.groups)} managed node groups" if found.groups else "",
        f"{len(found.profiles)} Fargate profiles" if found.profiles else "",
    ]
    return ", ".join([*said, *(each for each in counts if each)])
