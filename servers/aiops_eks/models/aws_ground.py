"""The ground a cluster stands on in AWS: room in its subnets, what machines can hold, who is let in.

Plain and frozen, in our words and without any SDK's types. Made by `clients.aws_ground`; read by the views of
`describe_cluster` and by the rules of `diagnose`. `free_blocks` is the arithmetic of fact C9: prefix
delegation needs whole free /28 blocks, which EC2 does not count for anybody.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Any

BLOCK = 16  # addresses of a /28 prefix
KEPT = 5  # EC2 keeps the first four addresses of a subnet and the last (VPC guide, "Subnet sizing")
PREFIX, EXPLICIT = "prefix", "explicit"


@dataclass(frozen=True, slots=True)
class Reservation:
    """A CIDR reservation of a subnet; `explicit` ones give no prefix by themselves."""

    cidr: str
    kind: str = PREFIX


@dataclass(frozen=True, slots=True)
class SubnetRoom:
    """A subnet with what is left in it. `free` is EC2's count; `free_blocks` is None when not known.

    `exact` is False when EC2 counts more addresses as taken than the interfaces that were shown: the blocks
    are an upper bound then.
    """

    id: str
    cidr: str
    zone: str
    free: int
    free_blocks: int | None = None
    size: int = 0
    exact: bool = True
    for_pods: str = ""  # the tag kubernetes.io/role/cni: "1" takes pods, "0" does not
    tags: Mapping[str, str] = field(default_factory=dict)
    reservations: tuple[Reservation, ...] = ()

    @property
    def scattered(self) -> bool:
        """There are addresses and no whole block: what prefix delegation cannot use (C9)."""
        return self.free > 0 and self.free_blocks == 0


@dataclass(frozen=True, slots=True)
class TypeLimits:
    """How many addresses a machine of a type can hold; `addresses_each` counts the interface's own."""

    instance_type: str
    interfaces: int
    addresses_each: int
    nitro: bool = True  # prefix delegation needs it

    @property
    def addresses_for_pods(self) -> int:
        """Secondary addresses of all interfaces."""
        return self.interfaces * (self.addresses_each - 1)

    def most_pods(self, *, prefixes: bool = False) -> int:
        """The formula of AWS's `max-pods-calculator.sh`: two pods use the host's network."""
        each = (self.addresses_each - 1) * (BLOCK if prefixes and self.nitro else 1)
        return self.interfaces * each + 2


@dataclass(frozen=True, slots=True)
class NodeNetwork:
    """One instance's interfaces and what they hold."""

    instance_id: str
    subnets: tuple[str, ...]
    interfaces: int
    addresses: int  # secondary ones
    prefixes: int


@dataclass(frozen=True, slots=True)
class AccessEntry:
    """An IAM principal that the cluster lets in; `policies` are pairs of policy name and scope."""

    principal: str
    kind: str = "STANDARD"
    username: str = ""
    groups: tuple[str, ...] = ()
    policies: tuple[tuple[str, str], ...] = ()  # ("AmazonEKSViewPolicy", "cluster" or "namespace: a, b")
    policies_known: bool = True


@dataclass(frozen=True, slots=True)
class PodIdentityAssociation:
    """A ServiceAccount that is given a role through EKS Pod Identity."""

    id: str
    namespace: str
    service_account: str
    role_arn: str = ""
    target_role_arn: str = ""


@dataclass(frozen=True, slots=True)
class TrustRule:
    """One Allow statement of a role's trust policy."""

    actions: tuple[str, ...]
    principals: tuple[str, ...]  # "Federated arn:...", "Service pods.eks.amazonaws.com", "AWS ..."
    conditions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()  # operator, key, values


@dataclass(frozen=True, slots=True)
class RoleTrust:
    """A role and who may assume it."""

    arn: str
    rules: tuple[TrustRule, ...] = ()


@dataclass(frozen=True, slots=True)
class FargateProfile:
    """Pods of these namespaces with these labels run on Fargate."""

    name: str
    status: str
    subnets: tuple[str, ...] = ()
    selectors: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    issues: tuple[str, ...] = ()


def free_blocks(cidr: str, taken: Iterable[str], reservations: Sequence[Reservation] = ()) -> int:
    """How many /28 prefixes a subnet can still give.

    `taken`: every address and prefix of every interface in it. A block is gone with one address of it.
    With `prefix` reservations EC2 takes prefixes from them alone; `explicit` ones give none (VPC guide,
    "Subnet CIDR reservations"). What is no IPv4 of this subnet is passed over; a bad `cidr` has no room.
    """
    subnet = _network(cidr)
    if subnet is None or subnet.num_addresses < BLOCK:
        return 0
    first, blocks = int(subnet.network_address), subnet.num_addresses // BLOCK
    gone = {0, blocks - 1}  # the addresses that EC2 keeps
    for each in taken:
        gone |= _blocks_of(each, first, blocks)
    kept: set[int] = set()
    given: set[int] = set()
    for one in reservations:
        (given if one.kind == PREFIX else kept).update(
            _blocks_of(one.cidr, first, blocks, whole=one.kind == PREFIX)
        )
    usable = given if any(one.kind == PREFIX for one in reservations) else set(range(blocks))
    return len(usable - gone - kept)


def _blocks_of(cidr: str, first: int, blocks: int, *, whole: bool = False) -> set[int]:
    """The blocks of the subnet that a network touches, or with `whole` those that lie in it."""
    network = _network(cidr)
    if network is None:
        return set()
    start, end = int(network.network_address) - first, int(network.broadcast_address) - first
    if whole and network.num_addresses < BLOCK:
        return set()
    return set(range(max(0, start // BLOCK), min(blocks - 1, end // BLOCK) + 1))


def _network(cidr: str) -> IPv4Network | None:
    try:
        return IPv4Network(cidr, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        return None


def addresses_of(interface: Mapping[str, Any]) -> list[str]:
    """Every address and prefix of one row of DescribeNetworkInterfaces."""
    found = [interface.get("PrivateIpAddress")]
    for key, inner in (("PrivateIpAddresses", "PrivateIpAddress"), ("Ipv4Prefixes", "Ipv4Prefix")):
        rows = interface.get(key)
        found += (
            [one.get(inner) for one in rows if isinstance(one, Mapping)] if isinstance(rows, list) else []
        )
    return [each for each in found if isinstance(each, str)]


def count_taken(cidr: str, taken: Iterable[str]) -> int:
    """How many addresses of a subnet these hold together."""
    subnet = _network(cidr)
    held: set[int] = set()
    for each in set(taken):
        network = _network(each)
        if subnet is not None and network is not None and network.subnet_of(subnet):
            held.update(range(int(network.network_address), int(network.broadcast_address) + 1))
    return len(held)
