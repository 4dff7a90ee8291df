"""`include=capabilities`: Argo CD, ACK and KRO as EKS Capabilities or as installs of one's own, Karpenter,
and the AWS Load Balancer Controller, so that whoever generates manifests knows which dialect is understood.

An EKS Capability runs outside the cluster; inside, only its CustomResourceDefinitions are seen. A capability
that is DEGRADED is not counted as usable.
"""

import re
from dataclasses import dataclass

from aiops_eks.clients.aws_addons import AwsAddons
from aiops_eks.clients.cluster_views.base import Scene, Section
from aiops_eks.clients.gathering import gathered
from aiops_eks.clients.installs import Installs, installs
from aiops_eks.models.aws_addons import Capability, Read
from aiops_shared.errors import AiopsError, NotConfiguredError
from aiops_shared.results import Evidence

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
PAGES = 5  # of 500: ACK alone brings hundreds
ACK_GROUP = re.compile(r"[a-z0-9]+\.services\.k8s\.aws")
NOTHING: tuple[str, ...] = ()


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
    _Known("Karpenter", "", "nodepools.karpenter.sh", ("karpenter",), "NodePool"),
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

    for what, outcome in zip(
        ("eks:ListCapabilities", "list CustomResourceDefinitions", "workloads"),
        await gathered([aws_side, definitions, own]),
        strict=True,
    ):
        if isinstance(outcome, AiopsError) and not isinstance(outcome, NotConfiguredError):
            gaps.append(f"{what}: {outcome.wire()[:200]}")
    found.gaps = tuple(gaps)
    return found


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
    if eks and eks.server_url:
        said.append(scene.redact(eks.server_url)[:120])
    if eks and not _defined(one, found) and not found.gaps:
        said.append("its definitions are not in the cluster yet")
    return "; ".join(said) or None
