"""`include=control_plane`: what AWS runs for the cluster, and how the API server and its database do.

Figures are those of one API server instance since it started. When the database nears its quota the answer
says so first and names what fills it; nothing here cleans up (that is only ever planned).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiops_eks.clients.aws_addons import AwsAddons
from aiops_eks.clients.cluster_views.base import Scene, Section
from aiops_eks.clients.control_plane import control_plane as measured
from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.leftovers import leftovers
from aiops_eks.models.aws_addons import ClusterUpdate, Read, Support
from aiops_eks.models.control_plane import ControlPlaneFigures
from aiops_shared.errors import AccessDeniedError, AiopsError, UnauthenticatedError
from aiops_shared.results import Cell, Evidence

GIB = 1024**3
# EKS user guide, "Scalability": the standard control plane's database may hold this much. Larger tiers are
# read from DescribeClusterVersions.
STANDARD_DATABASE_GB = 8
NEAR, FULL = 0.75, 0.90
SLOW_S = {"LIST": 30.0}  # Kubernetes' own objectives: 1 s for one object, 30 s for lists of a whole cluster
SLOW_ONE_S = 1.0
SOON_DAYS = 90
LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")
TOP_OBJECTS = 6
MOST_LEFTOVERS = 8


@dataclass(slots=True)
class _Found:
    support: Read[Support]
    updates: Read[ClusterUpdate]
    figures: ControlPlaneFigures | None = None
    no_figures: str = ""


async def control_plane(scene: Scene) -> Section:
    """The section; each side stands without the other."""
    section = Section()
    found = await _read(scene)
    section.warnings += [
        f"coverage_gap: control_plane: {gap}"
        for gap in (*found.support.gaps, *found.updates.gaps, *filter(None, (found.no_figures,)))
    ]
    quota_gb = _quota(scene, found)
    rows = [*_aws_rows(scene, found), *_figure_rows(scene, found.figures, quota_gb)]
    section.table("control_plane", ("fact", "value"), rows)
    _figure_tables(section, found.figures, quota_gb, full=scene.full)
    _update_table(section, scene, found.updates)
    if scene.full or _share(found.figures, quota_gb) >= NEAR:
        await _leftovers(section, scene)
    section.says = "; ".join(_concerns(scene, found, quota_gb)) or _well(scene, found)
    section.evidence += [
        Evidence(source="eks", query="DescribeCluster, DescribeClusterVersions, ListUpdates"),
        Evidence(source=f"Kubernetes API of {scene.kube.cluster}", query="kubectl get --raw /metrics"),
    ]
    return section


def _share(figures: ControlPlaneFigures | None, quota_gb: int) -> float:
    """How full the database is; 0 where that is not known."""
    if figures is None or figures.database_bytes is None:
        return 0.0
    return figures.database_bytes / (quota_gb * GIB)


async def _leftovers(section: Section, scene: Scene) -> None:
    """What could be planned away: ConfigMaps and Secrets that nothing refers to."""
    found = await leftovers(scene.kube)
    section.warnings += [f"coverage_gap: control_plane: {gap}" for gap in found.gaps]
    if not found.found:
        return
    section.table(
        "unreferenced",
        ("kind", "namespace", "objects", "for_example"),
        found.by_namespace()[: None if scene.full else MOST_LEFTOVERS],
    )
    section.warnings.append(
        f"{len(found.found)} of {found.looked_at} ConfigMaps and Secrets are referred to by no pod, workload,"
        " Ingress or ServiceAccount; a program may still read them by the API. Nothing was removed:"
        " plan_manifest(action=delete) plans it"
    )


async def _read(scene: Scene) -> _Found:
    found = _Found(Read(known=False), Read(known=False))
    version = str(scene.cluster.get("version") or "")

    async def support() -> None:
        if scene.aws is not None and version:
            found.support = await AwsAddons(scene.aws).support(version)

    async def updates() -> None:
        if scene.aws is not None:
            found.updates = await AwsAddons(scene.aws).updates()

    async def figures() -> None:
        try:
            found.figures = await measured(scene.kube)
        except AiopsError as error:
            denied = isinstance(error, AccessDeniedError) and not isinstance(error, UnauthenticatedError)
            hint = "; grant get on the non-resource URL /metrics" if denied else ""
            found.no_figures = f"GET /metrics: {error.wire()[:200]}{hint}"

    await gathered([support, updates, figures])
    return found


def _quota(scene: Scene, found: _Found) -> int:
    tier = str((scene.cluster.get("controlPlaneScalingConfig") or {}).get("tier") or "standard")
    told = found.support.items[0].database_gb if found.support.items else {}
    return told.get(tier) or STANDARD_DATABASE_GB


def _aws_rows(scene: Scene, found: _Found) -> list[tuple[str, Cell]]:
    cluster = scene.cluster
    if not cluster:
        return []
    support = found.support.items[0] if found.support.items else None
    on = _logging(cluster)
    rows: dict[str, Cell] = {
        "support": support.status if support else None,
        "standard_support_ends": _day(support.standard_ends) if support else None,
        "extended_support_ends": _day(support.extended_ends) if support else None,
        "logging_on": ", ".join(on) or "none",
        "logging_off": ", ".join(kind for kind in LOG_TYPES if kind not in on) or None,
        "endpoint_open_to": _open_to(cluster),
        "secrets_encryption": _encryption(cluster),
        "authentication": (cluster.get("accessConfig") or {}).get("authenticationMode"),
        "deletion_protection": cluster.get("deletionProtection") is True,
        "tier": (cluster.get("controlPlaneScalingConfig") or {}).get("tier"),
    }
    return [(fact, value) for fact, value in rows.items() if value is not None]


def _logging(cluster: dict[str, Any]) -> list[str]:
    setups = (cluster.get("logging") or {}).get("clusterLogging") or []
    return [str(kind) for one in setups if one.get("enabled") is True for kind in one.get("types") or []]


def _open_to(cluster: dict[str, Any]) -> str:
    network = cluster.get("resourcesVpcConfig") or {}
    if network.get("endpointPublicAccess") is not True:
        return "the VPC only"
    return ", ".join(network.get("publicAccessCidrs") or ["0.0.0.0/0"])[:200]


def _encryption(cluster: dict[str, Any]) -> str:
    keys = [
        str((one.get("provider") or {}).get("keyArn") or "")
        for one in cluster.get("encryptionConfig") or []
        if "secrets" in (one.get("resources") or [])
    ]
    return keys[0] if keys else "AWS owned key"


def _day(moment: datetime | None) -> str | None:
    return moment.date().isoformat() if moment else None


def _figure_rows(scene: Scene, figures: ControlPlaneFigures | None, quota_gb: int) -> list[tuple[str, Cell]]:
    if figures is None:
        return []
    rows: list[tuple[str, Cell]] = []
    if figures.database_bytes is not None:
        share = f"{_share(figures, quota_gb):.0%}"
        rows.append(("database", f"{figures.database_bytes / GIB:.1f} of {quota_gb} GB ({share})"))
    rows += [("answered_429", figures.throttled), ("answered_5xx", figures.failed)]
    rows.append(("requests", figures.requests))
    if figures.started_at is not None:
        days = (scene.now - figures.started_at).total_seconds() / 86_400
        rows.append(("measured_over", f"{days:.1f} days (one API server instance, since its start)"))
    if figures.deprecated:
        asked = (f"{one.resource}.{one.version}.{one.group}" for one in figures.deprecated[:5])
        rows.append(("deprecated_apis_asked_for", ", ".join(asked)[:300]))
    return rows


def _figure_tables(
    section: Section, figures: ControlPlaneFigures | None, quota_gb: int, *, full: bool
) -> None:
    if figures is None:
        return
    if figures.latency:
        section.table(
            "api_latency",
            ("verb", "requests", "p99_s"),
            ((one.verb, one.requests, _seconds(one.p99_s, above=one.above)) for one in figures.latency),
        )
    if figures.slowest and full:
        section.table(
            "api_slowest",
            ("verb", "resource", "requests", "p99_s"),
            (
                (one.verb, one.resource, one.requests, _seconds(one.p99_s, above=one.above))
                for one in figures.slowest
            ),
        )
    if figures.rejected:
        section.table(
            "api_rejected",
            ("priority_level", "flow_schema", "reason", "requests"),
            ((one.priority_level, one.flow_schema, one.reason, one.count) for one in figures.rejected[:5]),
        )
    if figures.objects and (full or _share(figures, quota_gb) >= NEAR):
        section.table("stored_objects", ("resource", "objects"), figures.objects[:TOP_OBJECTS])


def _seconds(value: float, *, above: bool) -> Cell:
    return f"> {value:g}" if above else round(value, 3)


def _update_table(section: Section, scene: Scene, updates: Read[ClusterUpdate]) -> None:
    shown = [one for one in updates.items if scene.full or one.status in {"InProgress", "Failed"}]
    if shown:
        section.table(
            "cluster_updates",
            ("type", "status", "since", "errors"),
            (
                (
                    one.kind,
                    one.status,
                    one.at.isoformat(timespec="minutes") if one.at else None,
                    scene.redact("; ".join(str(error) for error in one.errors))[:200] or None,
                )
                for one in shown[:10]
            ),
        )


def _concerns(scene: Scene, found: _Found, quota_gb: int) -> list[str]:
    """What is wrong, worst first."""
    return [
        *_database_concern(found.figures, quota_gb),
        *_support_concern(scene, found.support),
        *_speed_concerns(found.figures),
        *_setting_concerns(scene, found.updates),
    ]


def _database_concern(figures: ControlPlaneFigures | None, quota_gb: int) -> list[str]:
    share = _share(figures, quota_gb)
    if figures is None or figures.database_bytes is None or share < NEAR:
        return []
    most = ", ".join(f"{count} {resource}" for resource, count in figures.objects[:3])
    after = " (writes stop when it is full)" if share >= FULL else ""
    size = f"{figures.database_bytes / GIB:.1f} of {quota_gb} GB"
    return [f"etcd database at {size}, {share:.0%}{after}; most objects: {most or 'unknown'}"]


def _support_concern(scene: Scene, read: Read[Support]) -> list[str]:
    if not read.items:
        return []
    support = read.items[0]
    if support.status == "UNSUPPORTED":
        return [f"Kubernetes {support.version} is no longer supported"]
    ends = support.standard_ends
    if support.status == "EXTENDED_SUPPORT":
        until = f" until {_day(support.extended_ends)}" if support.extended_ends else ""
        return [f"Kubernetes {support.version} is in extended support{until}, which costs more"]
    if ends is not None and (ends - scene.now).days <= SOON_DAYS:
        return [
            f"standard support of {support.version} ends {_day(ends)} (in {(ends - scene.now).days} days)"
        ]
    return []


def _speed_concerns(figures: ControlPlaneFigures | None) -> list[str]:
    if figures is None:
        return []
    slow = [one for one in figures.latency if one.p99_s > SLOW_S.get(one.verb, SLOW_ONE_S)]
    said = [f"API p99 {one.verb} {'> ' if one.above else ''}{one.p99_s:.1f} s" for one in slow[:2]]
    if figures.requests and figures.throttled / figures.requests > 0.001:
        said.append(f"{figures.throttled} requests throttled (429)")
    return said


def _setting_concerns(scene: Scene, updates: Read[ClusterUpdate]) -> list[str]:
    failed = [one for one in updates.items if one.status == "Failed"]
    going = [one for one in updates.items if one.status == "InProgress"]
    said = [f"{going[0].kind} in progress"] if going else []
    if failed and failed[0] is updates.items[0]:
        said.append(f"the last update failed ({failed[0].kind})")
    if scene.cluster and "audit" not in _logging(scene.cluster):
        said.append("audit log off: who changed what cannot be told")
    if scene.cluster and "0.0.0.0/0" in _open_to(scene.cluster):
        said.append("API endpoint open to the internet")
    return said


def _well(scene: Scene, found: _Found) -> str:
    version = scene.cluster.get("version")
    said = f"control plane {version} well" if version else "control plane"
    if found.figures is None:
        return f"{said}, not measured"
    return said
