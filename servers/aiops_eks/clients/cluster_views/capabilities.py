"""`include=capabilities`: Argo CD, ACK and KRO as EKS Capabilities or as installs of one's own, Karpenter,
and the AWS Load Balancer Controller, so that whoever generates manifests knows which dialect is understood.

An EKS Capability runs outside the cluster; inside, only its CustomResourceDefinitions are seen. A capability
that is DEGRADED is not counted as usable.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiops_eks.clients.aws_addons import AwsAddons
from aiops_eks.clients.cluster_views.base import Scene, Section
from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.installs import HOME, Installs, installs
from aiops_eks.models.aws_addons import Capability, Read
from aiops_shared.errors import AiopsError, KindUnknownError, NotConfiguredError
from aiops_shared.results import Evidence

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
NODE_POOLS = "nodepools.karpenter.sh"
PAGES = 5  # of 500: ACK alone brings hundreds
MOST_APPLICATIONS = 2_000
ACK_GROUP = re.compile(r"[a-z0-9]+\.services\.k8s\.aws")


@dataclass(frozen=True, slots=True)
class _Known:
    """One capability: the kind whose definition shows it, and who runs it when EKS does not."""

    name: str
    kind: str  # of ListCapabilities; empty where EKS has none
    definition: str
    workloads: tuple[str, ...]
    gives: str


KNOWN = (
    _Known(
        "Argo CD",
        "ARGOCD",
        "applications.argoproj.io",
        ("argocd-application-controller", "argocd-server"),
        "Application",
    ),
    _Known("ACK", "ACK", "fieldexports.services.k8s.aws", ("ack-controller",), "AWS resources as objects"),
    _Known("KRO", "KRO", "resourcegraphdefinitions.kro.run", ("kro",), "ResourceGraphDefinition"),
    _Known("Karpenter", "", NODE_POOLS, ("karpenter",), "NodePool"),
    _Known(
        "AWS Load Balancer Controller",
        "",
        "targetgroupbindings.elbv2.k8s.aws",
        ("aws-load-balancer-controller",),
        "Ingress and Service of type LoadBalancer",
    ),
)
GATEWAY = "loadbalancerconfigurations.gateway.k8s.aws"  # LBC v3: Gateway API


@dataclass(slots=True)
class _Found:
    eks: Read[Capability]
    definitions: frozenset[str]
    own: Installs
    gaps: tuple[str, ...] = ()
    node_pools: bool = False
    owned: str = ""  # what Argo CD owns


async def capabilities(scene: Scene) -> Section:
    """The section; without AWS it still tells what the cluster itself shows."""
    section = Section()
    found = await _read(scene)
    section.warnings += [
        f"coverage_gap: capabilities: {gap}" for gap in (*found.eks.gaps, *found.gaps, *found.own.gaps)
    ]
    auto = (scene.cluster.get("computeConfig") or {}).get("enabled") is True
    rows = [_row(scene, one, found, auto_mode=auto) for one in KNOWN]
    section.table("capabilities", ("capability", "status", "run_by", "version", "gives", "detail"), rows)
    usable = [str(row[0]) for row in rows if row[1] in {"ACTIVE", "installed"}]
    ill = [f"{row[0]} {row[1]}" for row in rows if row[1] not in {"ACTIVE", "installed", "absent", "unknown"}]
    section.says = ", ".join([*ill, f"capabilities: {', '.join(usable) or 'none'}"])
    section.evidence.append(
        Evidence(source="eks", query="ListCapabilities, DescribeCapability; kubectl get crd")
    )
    return section


async def _read(scene: Scene) -> _Found:
    found = _Found(Read(known=False), frozenset(), Installs())
    gaps: list[str] = []

    async def aws_side() -> None:
        found.eks = await AwsAddons(scene.eks()).capabilities()

    async def definitions() -> None:
        found.definitions = await _definitions(scene)

    async def own() -> None:
        names = [name for one in KNOWN for name in one.workloads]
        found.own = await installs(scene.kube, names)

    async def node_pools() -> None:
        try:
            found.node_pools = bool((await scene.kube.table(NODE_POOLS, limit=1)).rows)
        except KindUnknownError:
            found.node_pools = False

    for what, outcome in zip(
        ("eks:ListCapabilities", "list CustomResourceDefinitions", "workloads", "list NodePools"),
        await gathered([aws_side, definitions, own, node_pools]),
        strict=True,
    ):
        if isinstance(outcome, AiopsError) and not isinstance(outcome, NotConfiguredError):
            gaps.append(f"{what}: {outcome.wire()[:200]}")
    found.gaps = tuple(gaps)
    found.owned = await _owned(scene, found)
    return found


async def _owned(scene: Scene, found: _Found) -> str:
    """How many Deployments outside kube-system Argo CD's Applications name; empty where that is unknown."""
    if "applications.argoproj.io" not in found.definitions:
        return ""
    owned: set[tuple[str, str]] = set()
    applications = 0
    try:
        async for one in scene.kube.every("applications.argoproj.io", at_most=MOST_APPLICATIONS):
            applications += 1
            owned |= _deployments_of(one)
        there = await _count(scene, "") - await _count(scene, HOME)
    except AiopsError as error:
        found.gaps = (*found.gaps, f"Argo CD's Applications: {error.wire()[:160]}")
        return ""
    if not there:
        return f"{applications} Applications"
    share = min(len(owned) / there, 1.0)
    return f"{applications} Applications own {len(owned)} of {there} Deployments ({share:.0%})"


def _deployments_of(application: Mapping[str, Any]) -> set[tuple[str, str]]:
    status = application.get("status")
    listed = status.get("resources") if isinstance(status, Mapping) else None
    return {
        (str(one.get("namespace")), str(one.get("name")))
        for one in (listed if isinstance(listed, list) else [])
        if isinstance(one, Mapping) and one.get("kind") == "Deployment"
    }


async def _count(scene: Scene, namespace: str) -> int:
    """How many Deployments there are, by rows: one request, or a few in a large cluster."""
    counted, cursor = 0, ""
    for _ in range(PAGES):
        page = await scene.kube.table("deployments.apps", namespace, cursor=cursor)
        counted, cursor = counted + len(page.rows), page.cursor
        if not cursor:
            break
    return counted


async def _definitions(scene: Scene) -> frozenset[str]:
    """Names of the CustomResourceDefinitions, by rows: their schemas are megabytes."""
    names: set[str] = set()
    cursor = ""
    for _ in range(PAGES):
        page = await scene.kube.table(CRDS, cursor=cursor)
        names |= {str(row[0]) for row in page.rows if row}
        cursor = page.cursor
        if not cursor:
            break
    return frozenset(names)


def _row(scene: Scene, one: _Known, found: _Found, *, auto_mode: bool) -> tuple[str | None, ...]:
    eks = next((each for each in found.eks.items if each.kind == one.kind), None) if one.kind else None
    detail = _detail(scene, one, found, eks)
    if eks is not None:
        status = eks.status if eks.works or eks.status != "ACTIVE" else "ACTIVE with issues"
        return (one.name, status, "EKS Capability", eks.version or None, one.gives, detail)
    if auto_mode and not one.kind:
        return (one.name, "installed", "EKS Auto Mode", None, one.gives, detail)
    run = found.own.named(*one.workloads)
    if run is not None:
        status = "installed" if run.ready else "not ready"
        return (one.name, status, run.where, run.version or None, one.gives, detail)
    if _defined(one, found):
        return (one.name, "installed", "seen by its definitions", None, one.gives, detail)
    unknown = bool(found.gaps or (one.kind and not found.eks.known))
    return (one.name, "unknown" if unknown else "absent", None, None, one.gives, detail)


def _defined(one: _Known, found: _Found) -> bool:
    if one.definition == NODE_POOLS and found.node_pools:
        return True
    return one.definition in found.definitions or (one.name == "ACK" and bool(_ack(found.definitions)))


def _ack(definitions: frozenset[str]) -> dict[str, int]:
    """ACK service -> how many kinds of it are defined."""
    services: dict[str, int] = {}
    for name in definitions:
        group = name.partition(".")[2]
        if ACK_GROUP.fullmatch(group):
            service = group.partition(".")[0]
            services[service] = services.get(service, 0) + 1
    return services


def _detail(scene: Scene, one: _Known, found: _Found, eks: Capability | None) -> str | None:
    said = [scene.redact(str(issue))[:160] for issue in eks.issues] if eks else []
    if one.name == "ACK" and (services := _ack(found.definitions)):
        named = ", ".join(sorted(services)[:8])
        said.append(f"{sum(services.values())} kinds of {len(services)} services: {named}")
    if one.definition.endswith("elbv2.k8s.aws") and GATEWAY in found.definitions:
        said.append("v3: Gateway API too")
    if one.kind == "ARGOCD" and found.owned:
        said.append(found.owned)
    if eks and eks.server_url:
        said.append(scene.redact(eks.server_url)[:120])
    if eks and not _defined(one, found) and not found.gaps:
        said.append("its definitions are not in the cluster yet")
    return "; ".join(said) or None
