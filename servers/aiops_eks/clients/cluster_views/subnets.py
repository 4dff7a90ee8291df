"""`include=subnets`: room in the subnets where the cluster, its nodes and its pods stand, and what helps.

The advice keeps to fact C9: a subnet's CIDR cannot grow, and prefix delegation needs whole free /28 blocks,
so it helps no subnet that is exhausted or scattered; new subnets do, from a secondary CIDR of the VPC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from aiops_eks.clients.aws_ground import AwsGround
from aiops_eks.clients.cluster_views.base import Scene, Section
from aiops_eks.models.aws_ground import SubnetRoom
from aiops_eks.models.cni import Cni, cni_of
from aiops_eks.models.fields import Obj, items, part, text, words
from aiops_shared.errors import NotFoundError
from aiops_shared.results import Evidence

MOST_SHOWN, MOST_SHOWN_FULL = 16, 100
MOST_NODES = 10_000
FEW = 16  # free addresses: not one interface of a common instance type could be filled
LOW_SHARE = 0.1
SECONDARY_CIDR = (
    "a subnet's CIDR cannot grow: add a secondary CIDR to the VPC and new subnets in this zone, tagged "
    "kubernetes.io/role/cni=1 (or named in an ENIConfig)"
)
RELIEF = "at once: lower WARM_ENI_TARGET or set WARM_IP_TARGET, move pods to zones with room"


@dataclass(frozen=True, slots=True)
class _Standing:
    """A subnet with who uses it."""

    room: SubnetRoom
    of_cluster: bool
    nodes: int

    def low(self, cni: Cni) -> bool:
        """Few addresses are left, or no prefix where the plugin takes only prefixes."""
        few = self.room.free < max(FEW, LOW_SHARE * self.room.size)
        return few or (cni.prefixes and self.room.free_blocks == 0)


async def subnets(scene: Scene) -> Section:
    """The section. Raises `AiopsError` where the AWS side is not known."""
    section = Section()
    ground = AwsGround(scene.eks())
    network = part(scene.cluster, "resourcesVpcConfig")
    addresses = await section.or_gap("subnets: nodes", _node_addresses(scene), [])
    cni = await section.or_gap("subnets: aws-node", _cni(scene), Cni(known=False))
    standing = await _read(section, ground, network, addresses)
    _settings(section, cni, scene)
    worst = sorted(standing, key=lambda one: (one.room.free, one.room.id))
    shown = worst[: MOST_SHOWN_FULL if scene.full else MOST_SHOWN]
    section.table(
        "subnets",
        ("subnet", "zone", "cidr", "free", "free_28_blocks", "of", "nodes", "used_by"),
        (_row(one) for one in shown),
    )
    if len(worst) > len(shown):
        section.warnings.append(f"{len(worst) - len(shown)} more subnets have more room and are not shown")
    advised = [(one.room.id, _advice(one, cni)) for one in shown if one.low(cni)]
    if advised:
        section.table("subnet_advice", ("subnet", "what_helps"), advised[:6])
    section.says = _said(standing, cni)
    section.evidence.append(
        Evidence(
            source="ec2",
            query="DescribeSubnets, DescribeNetworkInterfaces, GetSubnetCidrReservations",
            says=f"{len(standing)} subnets in use",
        )
    )
    return section


async def _read(
    section: Section, ground: AwsGround, network: Obj, addresses: Sequence[str]
) -> list[_Standing]:
    """The subnets of the VPC that the cluster, its nodes or its pods use, with their blocks."""
    mine, vpc = set(words(network, "subnetIds")), text(network, "vpcId")
    listed = await (ground.vpc_subnets(vpc) if vpc else ground.subnets(mine))
    nodes = {one.id: _inside(one, addresses) for one in listed.items}
    used = [one for one in listed.items if one.id in mine or nodes[one.id] or one.for_pods == "1"]
    counted = await ground.counted(used) if used and vpc else listed
    gaps = dict.fromkeys([*listed.gaps, *counted.gaps])
    section.warnings += [f"coverage_gap: subnets: {gap}" for gap in gaps]
    rooms = counted.items or tuple(used)
    missing = sorted(mine - {one.id for one in rooms}) if listed.known else []
    if missing:
        section.warnings.append(f"the cluster names subnets that EC2 does not: {', '.join(missing[:5])}")
    return [_Standing(one, one.id in mine, nodes.get(one.id, 0)) for one in rooms]


async def _node_addresses(scene: Scene) -> list[str]:
    found = []
    async for node in scene.kube.every("Node", at_most=MOST_NODES):
        found += [
            text(one, "address")
            for one in items(node, "status", "addresses")
            if text(one, "type") == "InternalIP"
        ]
    return found


async def _cni(scene: Scene) -> Cni:
    try:
        return cni_of(await scene.kube.get("DaemonSet", "kube-system", "aws-node"))
    except NotFoundError:
        return Cni(known=False)


def _inside(room: SubnetRoom, addresses: Sequence[str]) -> int:
    try:
        network = ip_network(room.cidr)
        return sum(ip_address(each) in network for each in addresses)
    except ValueError:
        return 0


def _row(one: _Standing) -> tuple[str | int | None, ...]:
    room = one.room
    users = ["control plane"] if one.of_cluster else []
    users += ["nodes"] if one.nodes else []
    if room.for_pods == "1":
        users.append("pods (tagged)")
    elif room.for_pods == "0":
        users.append("no pods (tagged 0)")
    blocks: str | int | None = room.free_blocks
    if room.free_blocks and not room.exact:
        blocks = f"at most {room.free_blocks}"
    reserved = any(each.kind == "prefix" for each in room.reservations)
    return (
        room.id,
        room.zone,
        room.cidr,
        room.free,
        f"{blocks} (in reservations)" if reserved and blocks is not None else blocks,
        room.size or None,
        one.nodes,
        ", ".join(users),
    )


def _advice(one: _Standing, cni: Cni) -> str:
    """C9: what helps here, and what does not."""
    room = one.room
    if room.free_blocks is None:
        return f"{SECONDARY_CIDR}; whether prefix delegation is possible is not known; {RELIEF}"
    if room.free_blocks:
        already = "is on and can take them" if cni.prefixes else "is viable on Nitro nodes while they last"
        return f"{room.free_blocks} free /28 blocks: prefix delegation {already}; {SECONDARY_CIDR}; {RELIEF}"
    left = f"{room.free} scattered addresses" if room.free else "no address"
    return f"{left}, no free /28: prefix delegation is not viable here; {SECONDARY_CIDR}; {RELIEF}"


def _settings(section: Section, cni: Cni, scene: Scene) -> None:
    auto = part(scene.cluster, "computeConfig").get("enabled") is True
    mode = cni.mode if cni.known else ("EKS Auto Mode (its own, /28 prefixes)" if auto else cni.mode)
    rows = [("mode", mode), *cni.warm]
    if scene.full and cni.image:
        rows.append(("image", cni.image))
    section.table("cni", ("setting", "value"), rows)


def _said(standing: Sequence[_Standing], cni: Cni) -> str:
    if not standing:
        return "subnets unknown"
    low = sorted((one for one in standing if one.low(cni)), key=lambda one: one.room.free)
    if not low:
        least = min(standing, key=lambda one: one.room.free)
        return f"{len(standing)} subnets with room (least: {least.room.id}, {least.room.free} free)"
    said = [f"{one.room.id} ({one.room.zone}) {_left(one.room)}" for one in low[:2]]
    more = f" and {len(low) - 2} more" if len(low) > 2 else ""
    tail = ", CNI in prefix mode" if cni.prefixes else ""
    return f"subnets short of addresses: {', '.join(said)}{more}{tail}"


def _left(room: SubnetRoom) -> str:
    blocks = "" if room.free_blocks is None else f", {room.free_blocks} free /28"
    return f"{room.free} free{blocks}"
