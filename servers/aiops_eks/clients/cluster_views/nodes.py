"""`include=nodes`: the worst by name, all of them in groups, and what pods ask of them.

Thousands of nodes must fit one answer, so nodes that are well are only counted. What the EKS node monitoring
agent says stands beside the kubelet's conditions (row B12); requests come from the pods, page by page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio

from aiops_eks.clients.cluster_views import node_census as census
from aiops_eks.clients.cluster_views.base import Scene, Section
from aiops_eks.clients.cluster_views.node_census import Asked, Group, NodeSeen
from aiops_eks.models.fields import ago, seconds_since
from aiops_shared.errors import AiopsError
from aiops_shared.results import Evidence

MOST_NODES, MOST_PODS = 10_000, 50_000
NAMED, NAMED_FULL = 8, 60
GROUPS, GROUPS_FULL = 8, 60
CONDITIONS = 6
MESSAGE_CHARS, WHY_CHARS = 90, 130
PODS_WITHIN_S = 15.0
MOST_BEHIND = 3  # minors a kubelet may be older than the API server (Kubernetes version skew policy)
_ACTIVE = "status.phase!=Succeeded,status.phase!=Failed"


@dataclass(slots=True)
class _Found:
    """What was read."""

    nodes: list[NodeSeen] = field(default_factory=list)
    asked: dict[str, Asked] = field(default_factory=dict)
    asked_known: bool = False


async def nodes(scene: Scene) -> Section:
    """The section. Raises `AiopsError` when the nodes cannot be listed."""
    section, found = Section(), _Found()
    async for each in scene.kube.every("Node", at_most=MOST_NODES):
        found.nodes.append(census.seen_node(each))
    if len(found.nodes) >= MOST_NODES:
        section.warnings.append(f"coverage_gap: nodes: more than {MOST_NODES:,}, the rest was not read")
    if found.nodes:
        await _ask_pods(scene, section, found)
    _named(section, found, scene)
    _groups(section, found, scene)
    _conditions(section, found, scene)
    _versions(section, found, scene)
    section.says = _said(found, scene)
    section.evidence.append(
        Evidence(source="kubernetes", query="list nodes, pods", says=f"{len(found.nodes)} nodes")
    )
    return section


async def _ask_pods(scene: Scene, section: Section, found: _Found) -> None:
    """What pods ask of each node; known only when every pod was read."""
    read = 0
    with anyio.move_on_after(PODS_WITHIN_S) as deadline:
        try:
            async for pod in scene.kube.every("Pod", fields=_ACTIVE, at_most=MOST_PODS):
                census.add_pod(found.asked, pod)
                read += 1
        except AiopsError as error:
            section.warnings.append(f"coverage_gap: nodes: requests of pods: {error.wire()[:200]}")
            return
    if deadline.cancelled_caught or read >= MOST_PODS:
        section.warnings.append(f"coverage_gap: nodes: requests: not every pod was read ({read:,} were)")
        return
    found.asked_known = True


def _named(section: Section, found: _Found, scene: Scene) -> None:
    """The nodes that are not well, worst first; in a small cluster all of them, when asked in full."""
    worst = sorted((one for one in found.nodes if not one.well), key=lambda one: (_negated(one), one.name))
    if scene.full:
        worst += sorted((one for one in found.nodes if one.well), key=lambda one: one.name)
    shown = worst[: NAMED_FULL if scene.full else NAMED]
    section.table(
        "nodes",
        ("node", "zone", "run_by", "state", "since", "why", "cpu_requested", "memory_requested", "pods"),
        (_row(one, found, scene) for one in shown),
    )
    if len(worst) > len(shown):
        section.warnings.append(
            f"{len(worst) - len(shown)} more nodes are not named; detail=full names {NAMED_FULL}"
        )


def _negated(one: NodeSeen) -> tuple[int, ...]:
    return tuple(-each for each in one.badness)


def _row(one: NodeSeen, found: _Found, scene: Scene) -> tuple[str | int | None, ...]:
    asked = found.asked.get(one.name, Asked())
    trouble = one.troubles[0] if one.troubles else None
    since = trouble.since if trouble else one.cordoned_at
    return (
        one.name,
        one.zone,
        f"{one.run_by}, {one.market}" if one.market else one.run_by,
        _state(one),
        ago(seconds_since(scene.now, since)) or None,
        _why(one, scene) or None,
        _percent(asked.cpu_m, one.cpu_m) if found.asked_known else None,
        _percent(asked.memory, one.memory) if found.asked_known else None,
        f"{asked.pods}/{one.pods}" if found.asked_known else None,
    )


def _state(one: NodeSeen) -> str:
    said = ["Ready" if one.ready else "NotReady"]
    said += [trouble.condition for trouble in one.troubles if trouble.condition != "Ready"]
    return ", ".join(said + (["cordoned"] if one.cordoned else []))


def _why(one: NodeSeen, scene: Scene) -> str:
    said = []
    for trouble in one.troubles[:2]:
        by = " (node monitoring agent)" if trouble.agent else ""
        said.append(f"{trouble.reason}{by}: {scene.redact(trouble.message)}"[:MESSAGE_CHARS])
    if one.cordoned:
        when = ago(seconds_since(scene.now, one.cordoned_at))
        by = f" by {one.cordoned_by}" if one.cordoned_by else ""
        said.insert(0, f"cordoned{f' {when} ago' if when else ''}{by}")
    return "; ".join(said)[:WHY_CHARS]


def _percent(part: int, whole: int) -> str | None:
    return f"{round(100 * part / whole)}%" if whole else None


def _groups(section: Section, found: _Found, scene: Scene) -> None:
    groups = list(census.grouped(found.nodes, found.asked).items())
    most = GROUPS_FULL if scene.full else GROUPS
    shown, rest = groups[:most], groups[most:]
    rows = [(*key[:3], key[3], *_counts(group, found)) for key, group in shown]
    if rest:
        others = census.merged(group for _, group in rest)
        rows.append((f"{len(rest)} more groups", "", "", "", *_counts(others, found)))
    section.table(
        "node_groups",
        (
            "zone",
            "run_by",
            "market",
            "type",
            "nodes",
            "unwell",
            "cordoned",
            "cpu_requested",
            "memory_requested",
            "pods",
        ),
        rows,
    )


def _counts(group: Group, found: _Found) -> tuple[str | int | None, ...]:
    known = found.asked_known
    return (
        group.nodes,
        group.unwell,
        group.cordoned,
        _percent(group.asked.cpu_m, group.cpu_m) if known else None,
        _percent(group.asked.memory, group.memory) if known else None,
        f"{group.asked.pods}/{group.pods}" if known else None,
    )


def _conditions(section: Section, found: _Found, scene: Scene) -> None:
    """Each trouble once, however many nodes have it."""
    troubles = list(census.by_condition(found.nodes).items())
    if not troubles:
        return
    section.table(
        "node_conditions",
        ("condition", "reason", "said_by", "nodes", "longest", "such_as"),
        (
            (
                condition,
                reason or None,
                "node monitoring agent" if condition in census.AGENT else "kubelet",
                len(held),
                ago(max((seconds_since(scene.now, one.since) or 0.0) for _, one in held)),
                ", ".join(sorted(node.name for node, _ in held)[:2]),
            )
            for (condition, reason), held in troubles[:CONDITIONS]
        ),
    )


def _versions(section: Section, found: _Found, scene: Scene) -> None:
    plane = str(scene.cluster.get("version") or "")
    rows = census.versions(found.nodes, plane)
    section.table("kubelets", ("version", "nodes", "minors_behind"), rows[:8])


def _said(found: _Found, scene: Scene) -> str:
    if not found.nodes:
        return "no nodes"
    unready = [one for one in found.nodes if not one.ready]
    pressed = [one for one in found.nodes if any(each.condition in census.PRESSURE for each in one.troubles)]
    agent = [one for one in found.nodes if any(each.agent for each in one.troubles)]
    cordoned = [one for one in found.nodes if one.cordoned]
    said = [
        f"{len(held)} {words} ({_names(held)})"
        for held, words in (
            (unready, "NotReady"),
            (pressed, "under pressure"),
            (agent, "with a fault the monitoring agent saw"),
            (cordoned, "cordoned"),
        )
        if held
    ]
    zones = len({one.zone for one in found.nodes if one.zone})
    said.append(f"{len(found.nodes):,} nodes in {zones} zone{'' if zones == 1 else 's'}")
    if not unready and not pressed and not agent and not cordoned:
        said[-1] += ", all Ready"
    said += _skew(found, scene)
    return ", ".join(said)


def _names(held: Sequence[NodeSeen]) -> str:
    return held[0].name if len(held) == 1 else f"{held[0].name} and {len(held) - 1} more"


def _skew(found: _Found, scene: Scene) -> list[str]:
    rows = census.versions(found.nodes, str(scene.cluster.get("version") or ""))
    old = sum(count for _, count, behind in rows if behind is not None and behind > MOST_BEHIND)
    newer = sum(count for _, count, behind in rows if behind is not None and behind < 0)
    said = [f"{old} kubelets more than {MOST_BEHIND} minors behind"] if old else []
    return said + ([f"{newer} kubelets newer than the control plane"] if newer else [])
