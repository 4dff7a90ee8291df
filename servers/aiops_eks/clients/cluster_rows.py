"""The answer of `list_clusters`: a row per cluster, and a row per account and region that did not answer.

Called by `inventory`. A place that fails is a row that says why, never an error: the other clusters stand.
"""

from collections.abc import Sequence
from datetime import date, datetime

from aiops_eks.clients.wording import brief, counted, cut
from aiops_eks.models.answers import ClusterList
from aiops_shared.kube.models import ClusterInfo
from aiops_shared.results import Cell, Evidence, Table

SOON_DAYS = 90
REASON_CHARS = 240
COLUMNS = (
    *("name", "region", "account_id", "version", "support", "support_ends_on", "status", "health"),
    "reachable",
)
PLACE = "unavailable"  # the source of a row that stands for an account and region
NONE = (
    "No cluster is configured and none was discovered. Give AIOPS_CLUSTERS_FILE (table of accounts and "
    "clusters), AIOPS_KUBE_CONTEXT (a kubeconfig context), or AWS credentials with eks:ListClusters; "
    "`eks-aiops doctor` says what is missing."
)


def cluster_list(found: Sequence[ClusterInfo], now: datetime) -> ClusterList:
    """Everything that may be named, as one table."""
    clusters = [each for each in found if each.source != PLACE]
    return ClusterList(
        summary=_said(clusters, [each for each in found if each.source == PLACE], now.date()),
        clusters=Table(columns=COLUMNS, rows=tuple(_row(each) for each in found)),
        evidence=(Evidence(source="operator's table, kubeconfig and eks:DescribeCluster", query="clusters"),),
        warnings=tuple(f"coverage_gap: {gap}" for each in found for gap in each.gaps),
        hint="" if found else NONE,
        untrusted=("clusters", "warnings"),
    )


def _row(each: ClusterInfo) -> tuple[Cell, ...]:
    return (
        each.name,
        each.region,
        each.account_id,
        each.version,
        each.support,
        each.support_ends_on,
        each.status,
        "; ".join(each.health_issues)[:REASON_CHARS] or ("ok" if each.status == "ACTIVE" else ""),
        each.problem[:REASON_CHARS] or {True: "yes", False: "no", None: "not tried"}[each.reachable],
    )


def _said(clusters: list[ClusterInfo], places: list[ClusterInfo], today: date) -> str:
    if not clusters and not places:
        return "No clusters are known."
    parts = [f"{counted(len(clusters), 'cluster')}: {brief([each.name for each in clusters])}"]
    if not clusters:
        parts = ["No cluster is known"]
    if away := [each.name for each in clusters if each.problem or each.reachable is False]:
        parts.append(f"not reachable: {brief(away)}")
    if places:
        parts.append(f"not asked: {brief([f'{each.account_id}/{each.region}' for each in places])}")
    if ill := [each.name for each in clusters if each.health_issues]:
        parts.append(f"with health issues: {brief(ill)}")
    return cut("; ".join([*parts, *_support(clusters, today)]))


def _support(clusters: list[ClusterInfo], today: date) -> list[str]:
    """Versions that EKS no longer supports, or not for long."""
    said = []
    for word, means in (("ended", "no longer supported"), ("extended", "in extended support (costs more)")):
        if named := [f"{each.name} ({each.version})" for each in clusters if each.support == word]:
            said.append(f"{means}: {brief(named)}")
    if soon := [each.name for each in clusters if _days(each, today) <= SOON_DAYS]:
        said.append(f"standard support ends within {SOON_DAYS} days: {brief(soon)}")
    return said


def _days(each: ClusterInfo, today: date) -> int:
    """Days of standard support left; many where that is not known or over."""
    if each.support not in {"standard", ""} or not each.support_ends_on:
        return SOON_DAYS + 1
    return (date.fromisoformat(each.support_ends_on) - today).days
