"""`include=insights`: what EKS checked about upgrades and configuration, worst first, and what to do."""

from collections import Counter

from aiops_eks.clients.aws_addons import AwsAddons
from aiops_eks.clients.cluster_views.base import Scene, Section
from aiops_eks.models.aws_addons import Insight
from aiops_shared.results import Evidence

MOST_SHOWN = 12
WORD_CHARS, FULL_CHARS = 160, 600
MOST_CALLERS = 3


async def insights(scene: Scene) -> Section:
    """The section; passing insights are counted, and listed with detail=full."""
    section = Section()
    read = await AwsAddons(scene.eks()).insights()
    section.warnings += [f"coverage_gap: insights: {gap}" for gap in read.gaps]
    shown = [one for one in read.items if scene.full or one.status != "PASSING"]
    chars = FULL_CHARS if scene.full else WORD_CHARS
    if shown:
        section.table(
            "insights",
            ("status", "insight", "category", "for", "reason", "recommendation", "resources"),
            (_row(scene, one, chars) for one in shown[: None if scene.full else MOST_SHOWN]),
        )
    used = [(one, api) for one in shown for api in one.deprecations]
    if used:
        section.table(
            "insight_apis",
            ("insight", "api", "replaced_by", "stops_in", "callers"),
            (
                (
                    one.name,
                    scene.redact(api.usage)[:FULL_CHARS],
                    api.replaced_with,
                    api.stops_in,
                    scene.redact("; ".join(api.clients[:MOST_CALLERS]))[:FULL_CHARS] or None,
                )
                for one, api in used[:MOST_SHOWN]
            ),
        )
    section.says = _said(read.items, known=read.known)
    section.evidence.append(
        Evidence(source="eks", query="ListInsights, DescribeInsight", says=f"{len(read.items)} insights")
    )
    return section


def _row(scene: Scene, one: Insight, chars: int) -> tuple[str | int | None, ...]:
    return (
        one.status,
        one.name,
        one.category,
        one.kubernetes,
        scene.redact(one.reason)[:chars] or None,
        scene.redact(one.recommendation)[:chars] or None,
        scene.redact(", ".join(one.resources[:MOST_CALLERS]))[:chars] or None,
    )


def _said(items: tuple[Insight, ...], *, known: bool) -> str:
    if not known:
        return "insights unknown"
    if not items:
        return "no insights yet"
    counts = Counter(one.status for one in items)
    bad = [one for one in items if one.status in {"ERROR", "WARNING"}]
    if not bad:
        return f"{len(items)} insights, none failing"
    said = ", ".join(f"{counts[status]} {status}" for status in ("ERROR", "WARNING") if counts[status])
    return f"insights: {said}: {bad[0].name}"[:200]
