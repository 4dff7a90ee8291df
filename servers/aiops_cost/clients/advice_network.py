"""Traffic that is paid for because of where pods stand: between zones, and through NAT gateways.

Amounts are the bill's; whose traffic it is, is estimated and said to be.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from aiops_cost.analysis.cross_az import (
    PREFERS,
    TOPOLOGY_MODE,
    Crossing,
    Served,
    concentrated,
    crossings,
    shares,
)
from aiops_cost.analysis.fleet import Fleet, Pod
from aiops_cost.analysis.patches_workload import manifest, templated, written
from aiops_cost.clients.advice_requests import SYSTEM
from aiops_cost.clients.month_bill import Spend, spend
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.clients.workload_objects import WorkloadObjects
from aiops_cost.clients.workload_shapes import Obj, labels_selected
from aiops_cost.clients.workload_usage import USE_WINDOW
from aiops_cost.models.money import nano, share, shown, worded
from aiops_cost.models.savings import Advice, Recommendation, Risk, Scope
from aiops_shared.errors import AiopsError
from aiops_shared.kube.shapes import mapping, meta, text
from aiops_shared.metrics.ports import Target
from aiops_shared.results.wording import counted

CROSS_ZONE, NAT = "CROSS_ZONE_TRAFFIC", "NAT_TRAFFIC"
REGIONAL, NAT_BYTES = "DataTransfer-Regional-Bytes", "NatGateway-Bytes"
WORTH_LOOKING: Final = nano(20)  # a month
LEAST: Final = nano(5)
MOST: Final = {False: 3, True: 10}
STEP_S: Final = 3600
ZONE: Final = "topology.kubernetes.io/zone"
KINDS: Final = ("Deployment", "StatefulSet")


class NetworkAdviser:
    """Fulfils `savings_scene.Adviser`."""

    scope: Scope = "network"

    async def advise(self, scene: Scene) -> Advice:
        """Spreading, preferring one's zone, endpoints. Raises what the bill and the fleet raise."""
        cross, through = await spend(scene, REGIONAL), await spend(scene, NAT_BYTES)
        made: list[Recommendation] = []
        warnings: list[str] = []
        if cross.nano_usd >= WORTH_LOOKING:
            made += await _zones(scene, cross, warnings)
        if through.nano_usd >= WORTH_LOOKING:
            made += await _endpoints(scene, through, warnings)
        says = (
            f"network: between zones {worded(cross.nano_usd)}, through NAT gateways"
            f" {worded(through.nano_usd)} a month"
        )
        return Advice(recommendations=tuple(made), says=says, warnings=tuple(warnings))


async def _zones(scene: Scene, bill: Spend, warnings: list[str]) -> list[Recommendation]:
    fleet = await scene.fleet()
    zone_of = {node.name: node.zone for node in fleet.nodes if node.zone}
    if len(set(zone_of.values())) < 2:
        return []
    kube = await scene.kube()
    services = [one async for one in kube.every("services", scene.ask.namespace)]
    rates = await _rates(scene, warnings)
    found = _served(services, fleet, zone_of, rates)
    talkers = [pod for pod in fleet.pods if pod.namespace != SYSTEM and pod.owner_kind != "DaemonSet"]

    def callers(of: Served) -> Mapping[str, float]:
        others = [zone_of.get(pod.node, "") for pod in talkers if pod.owner_name != of.owner_name]
        return shares(others) or shares(zone_of.values())

    worth = [
        one for one in crossings(found, callers) if one.saved(bill.nano_usd) >= LEAST and one.now > one.then
    ]
    most = MOST[scene.ask.full]
    return [await _nearer(scene, one, bill, zone_of, counted_=bool(rates)) for one in worth[:most]]


def _served(
    services: Sequence[Obj], fleet: Fleet, zone_of: Mapping[str, str], rates: Mapping[tuple[str, str], float]
) -> list[Served]:
    """Services with a selector, and the pods of theirs that run."""
    by_space: dict[str, list[Pod]] = {}
    for pod in fleet.pods:
        if zone_of.get(pod.node):
            by_space.setdefault(pod.namespace, []).append(pod)
    found = []
    for one in services:
        about, spec = meta(one), mapping(one.get("spec"))
        space, name, selector = text(about.get("namespace")), text(about.get("name")), spec.get("selector")
        if space == SYSTEM or not isinstance(selector, dict) or not selector:
            continue
        pods = [pod for pod in by_space.get(space, ()) if selector.items() <= dict(pod.labels).items()]
        owners = {(pod.owner_kind, pod.owner_name) for pod in pods}
        if len(owners) != 1 or next(iter(owners))[0] not in KINDS:
            continue
        kind, owner = owners.pop()
        prefers = text(spec.get("trafficDistribution")) in PREFERS
        prefers = prefers or mapping(about.get("annotations")).get(TOPOLOGY_MODE) == "Auto"
        found.append(
            Served(
                namespace=space,
                name=name,
                owner_kind=kind,
                owner_name=owner,
                pods=Counter(zone_of[pod.node] for pod in pods),
                rate=rates.get((space, name), rates.get(("", name))),
                prefers=prefers,
                bound=any(pod.wants_zones for pod in pods),
            )
        )
    return found


async def _rates(scene: Scene, warnings: list[str]) -> dict[tuple[str, str], float]:
    """Requests a second by namespace and Service over the window; empty where nobody counts them."""
    from aiops_shared.metrics.series import Window

    try:
        backend = await scene.once("metrics", lambda: scene.sources.metrics.open(scene.ask.cluster))
        asked = backend.asks("requests", Target(scene.ask.namespace, "Namespace", ""))
        window = Window.over(scene.now - USE_WINDOW, scene.now, STEP_S)
        answer = await backend.range(asked.query, window)
    except AiopsError as error:
        warnings.append(f"coverage_gap: network: requests are not counted, pods are: {error.wire()}"[:300])
        return {}
    found: dict[tuple[str, str], float] = {}
    for one in answer.series:
        key = one.labels.get("namespace", ""), one.labels.get("service", "")
        if one.seen:
            found[key] = found.get(key, 0.0) + float(np.nanmean(one.values))
    return found


async def _nearer(
    scene: Scene,
    one: Crossing,
    bill: Spend,
    zone_of: Mapping[str, str],
    *,
    counted_: bool,
) -> Recommendation:
    served, saved = one.served, one.saved(bill.nano_usd)
    callers = one.callers
    heap = concentrated(served, zone_of.values())
    patch, checked = await _patches(scene, served, spread=heap)
    where = ", ".join(f"{count} in {zone}" for zone, count in sorted(served.pods.items()))
    ways = ["spread over zones"] if heap else []
    ways += [] if served.prefers else ["prefer the caller's zone"]
    return Recommendation(
        key=f"network/zones/{served.namespace}/{served.name}",
        code=CROSS_ZONE,
        scope="network",
        target=f"Service {served.namespace}/{served.name}",
        current=f"{counted(served.count, 'pod')} of {served.owner_kind} {served.owner_name}: {where}",
        proposed=" and ".join(ways) or "more pods, one in each zone at least",
        nano_usd=saved,
        monthly_usd=shown(saved),
        percent=share(saved, bill.nano_usd),
        arithmetic=(
            f"{bill.said}: {bill.quantity:,.0f} GB between zones, {worded(bill.nano_usd)} (billed each way)",
            f"callers by zone: {', '.join(f'{zone} {share:.0%}' for zone, share in sorted(callers.items()))}",
            f"{one.now:.0%} of its requests cross a zone, {one.then:.0%} then",
            f"its part of all crossing {one.part:.0%} -> {worded(saved)}",
        ),
        assumptions=(
            "callers are spread as the cluster's other pods are: the bill does not say who talks to whom",
            "parts by requests, each of the same size" if counted_ else "parts by pods: requests are unknown",
            "databases and brokers with zones of their own are not told apart from it",
        ),
        risk=Risk(
            level="medium" if heap else "low",
            why="a zone with many callers and few pods is loaded unevenly: scale by the busiest zone",
        ),
        patch=patch,
        validated=checked,
    )


async def _patches(scene: Scene, served: Served, *, spread: bool) -> tuple[str, str]:
    objects: list[dict[str, Any]] = []
    kind, space, name = served.owner_kind, served.namespace, served.owner_name
    if spread:
        try:
            workload = await WorkloadObjects(scene).workload(kind, space, name)
        except AiopsError as error:
            return "", f"no patch: {error.wire()}"[:200]
        rule = {
            "maxSkew": 1,
            "topologyKey": ZONE,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": labels_selected(workload)},
        }
        objects.append(templated(kind, space, name, topologySpreadConstraints=[rule]))
    if not served.prefers:
        objects.append(manifest("Service", space, served.name, spec={"trafficDistribution": "PreferClose"}))
    return written(*objects) if objects else "", (
        "the selector is the workload's own; trafficDistribution needs Kubernetes 1.31 (PreferSameZone is its"
        " name from 1.35 on); plan it with plan_manifest(action=apply)"
    )


async def _endpoints(scene: Scene, bill: Spend, warnings: list[str]) -> list[Recommendation]:
    """VPC endpoints for what goes to S3 and ECR anyway, where there are none."""
    eks = await scene.eks()
    try:
        vpc = str(mapping((await eks.describe()).get("resourcesVpcConfig")).get("vpcId") or "")
        found = await eks.every(
            "ec2", "describe_vpc_endpoints", "VpcEndpoints", Filters=[{"Name": "vpc-id", "Values": [vpc]}]
        )
    except AiopsError as error:
        warnings.append(f"coverage_gap: network: endpoints: {error.wire()}"[:300])
        return []
    held = {str(one.get("ServiceName")).rpartition(".")[2] for one in found.items}
    if "s3" in held:
        return []
    region = eks.target.region
    return [
        Recommendation(
            key="network/nat/s3",
            code=NAT,
            scope="network",
            target=f"VPC {vpc}",
            current=f"no gateway endpoint for S3; NAT gateways processed {bill.quantity:,.0f} GB",
            proposed="a gateway endpoint for S3: free, and images of ECR come from S3 too",
            monthly_usd=None,
            arithmetic=(
                f"{bill.said}: {worded(bill.nano_usd)} for {bill.quantity:,.0f} GB",
                f"each tenth of it that goes to S3 or pulls images: {worded(bill.nano_usd // 10)} a month",
            ),
            assumptions=("how much goes to S3 is in flow logs, not in the bill: no amount is promised",),
            risk=Risk(level="low", why="bucket policies that name the NAT gateway's addresses refuse then"),
            patch=(
                f"aws ec2 create-vpc-endpoint --vpc-id {vpc} --vpc-endpoint-type Gateway"
                f" --service-name com.amazonaws.{region}.s3 --route-table-ids <those of the nodes' subnets>\n"
            ),
        )
    ]
