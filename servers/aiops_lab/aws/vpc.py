"""The VPC as EC2 keeps it: which address of which subnet is taken, by which network interface.

The world's CNI (`world/cni.py`) takes and gives back addresses here, a scenario crowds a subnet, and the
operations in `ec2.py` show it. It belongs to the lab's loop: an operation reads it through
`Account.in_world`. Addresses and /28 prefixes come from one pool, so both really run out.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, ip_address

from aiops_lab.aws.account import Account, Subnet

PREFIX_SIZE = 16  # a prefix is a /28
FULL = (
    "InsufficientFreeAddressesInSubnet",
    "The specified subnet does not have enough free addresses to satisfy the request.",
)
NO_BLOCKS = (
    "InsufficientCidrBlocks",
    "The specified subnet does not have enough free cidr blocks to satisfy the request.",
)


class NoRoomError(Exception):
    """A subnet cannot give what was asked; `code` and the words are EC2's."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Reservation:
    """A CIDR of a subnet set aside: `prefix` gives prefixes only, `explicit` gives nothing by itself."""

    reservation_id: str
    subnet_id: str
    cidr: str
    kind: str = "prefix"

    def holds(self, address: int) -> bool:
        """Whether the address (as a number) lies in it."""
        network = IPv4Network(self.cidr)
        first = int(network.network_address)
        return first <= address < first + network.num_addresses


@dataclass(slots=True)
class Interface:
    """A network interface (ENI) with what it holds; `instance_id` is empty where another service owns it."""

    interface_id: str
    subnet_id: str
    primary: str
    description: str
    instance_id: str = ""
    device_index: int = 0
    secondary: list[str] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    requester: str = ""
    groups: tuple[str, ...] = ("sg-0lab",)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def slots_used(self) -> int:
        """How many of the interface's places are taken; a prefix takes one, as an address does."""
        return 1 + len(self.secondary) + len(self.prefixes)


@dataclass(frozen=True, slots=True)
class Instance:
    """An EC2 instance that is a node."""

    instance_id: str
    instance_type: str
    zone: str
    subnet_id: str
    address: str
    name: str
    spot: bool = False


class Pool:
    """The addresses of one subnet; EC2 keeps the first four and the last."""

    def __init__(self, cidr: str) -> None:
        network = IPv4Network(cidr)
        self.first, self.size = int(network.network_address), network.num_addresses
        self.taken: set[int] = {0, 1, 2, 3, self.size - 1}
        self._in_block: dict[int, int] = {}
        for offset in self.taken:
            self._count(offset, 1)
        self._from = 0

    def holds(self, address: str) -> bool:
        """Whether the address is of this subnet."""
        return 0 <= int(IPv4Address(address)) - self.first < self.size

    @property
    def free(self) -> int:
        """How many addresses nobody has."""
        return self.size - len(self.taken)

    def free_blocks(self) -> list[int]:
        """Where a whole /28 is free, as offsets."""
        held = self._in_block
        return [
            start for start in range(0, self.size - 15, PREFIX_SIZE) if not held.get(start // PREFIX_SIZE)
        ]

    def take(self, address: str) -> bool:
        """Take one known address; False when somebody has it."""
        offset = int(IPv4Address(address)) - self.first
        if offset in self.taken:
            return False
        self._take(offset)
        return True

    def next_free(self, count: int, barred: Sequence[Reservation] = ()) -> list[str] | None:
        """Take `count` addresses, lowest first; None (and nothing taken) when there are too few."""
        found: list[int] = []
        offset = self._from
        while len(found) < count and offset < self.size:
            if offset not in self.taken and not any(one.holds(self.first + offset) for one in barred):
                found.append(offset)
            offset += 1
        if len(found) < count:
            return None
        for each in found:
            self._take(each)
        if not barred and found:
            self._from = found[-1] + 1
        return [str(ip_address(self.first + each)) for each in found]

    def next_blocks(self, count: int, reserved: Sequence[Reservation] = ()) -> list[str] | None:
        """Take `count` /28 prefixes; where prefixes are reserved, of those. None when there are too few."""
        wanted = [one for one in reserved if one.kind == "prefix"]
        barred = [one for one in reserved if one.kind != "prefix"]
        found = [
            start
            for start in self.free_blocks()
            if (not wanted or any(one.holds(self.first + start) for one in wanted))
            and not any(one.holds(self.first + start) for one in barred)
        ][:count]
        if len(found) < count:
            return None
        for start in found:
            for offset in range(start, start + PREFIX_SIZE):
                self._take(offset)
        return [f"{ip_address(self.first + start)}/28" for start in found]

    def give_back(self, what: str) -> None:
        """An address or a prefix is free again."""
        network = IPv4Network(what)
        start = int(network.network_address) - self.first
        for offset in range(start, start + network.num_addresses):
            if offset in self.taken:
                self.taken.discard(offset)
                self._count(offset, -1)
        self._from = min(self._from, start)

    def _take(self, offset: int) -> None:
        self.taken.add(offset)
        self._count(offset, 1)

    def _count(self, offset: int, by: int) -> None:
        block = offset // PREFIX_SIZE
        self._in_block[block] = self._in_block.get(block, 0) + by


@dataclass(slots=True)
class Vpc:
    """Interfaces and what they took. One per world: `account.area(Vpc)`."""

    interfaces: dict[str, Interface] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)
    reservations: dict[str, Reservation] = field(default_factory=dict)
    _pools: dict[tuple[str, str], Pool] = field(default_factory=dict)
    _made: int = 0

    def pool(self, subnet: Subnet) -> Pool:
        """The addresses of a subnet."""
        key = (subnet.subnet_id, subnet.cidr)
        if key not in self._pools:
            self._pools[key] = Pool(subnet.cidr)
        return self._pools[key]

    def attach(
        self, subnet: Subnet, description: str, *, primary: str = "", addresses: int = 0, prefixes: int = 0
    ) -> Interface:
        """Make an interface. Raises NoRoomError (and takes nothing) when the subnet cannot give it all."""
        pool, reserved = self.pool(subnet), self.reserved(subnet)
        self._made += 1
        made = Interface(f"eni-0{self._made:016x}", subnet.subnet_id, primary, description)
        if primary:
            pool.take(primary)
        elif (found := pool.next_free(1, reserved)) is not None:
            made.primary = found[0]
        else:
            raise NoRoomError(*FULL)
        try:
            self._fill(pool, reserved, made, addresses, prefixes)
        except NoRoomError:
            pool.give_back(made.primary)
            raise
        self.interfaces[made.interface_id] = made
        return made

    def assign(self, subnet: Subnet, interface: Interface, *, addresses: int = 0, prefixes: int = 0) -> None:
        """More for an interface: all or nothing. Raises NoRoomError."""
        self._fill(self.pool(subnet), self.reserved(subnet), interface, addresses, prefixes)

    def unassign(self, subnet: Subnet, interface: Interface, what: Iterable[str]) -> None:
        """Take addresses or prefixes from an interface."""
        pool = self.pool(subnet)
        for each in what:
            (interface.prefixes if "/" in each else interface.secondary).remove(each)
            pool.give_back(each)

    def detach(self, subnet: Subnet, interface: Interface) -> None:
        """The interface is deleted; what it held is free."""
        pool = self.pool(subnet)
        for each in (interface.primary, *interface.secondary, *interface.prefixes):
            pool.give_back(each)
        self.interfaces.pop(interface.interface_id, None)

    def reserved(self, subnet: Subnet) -> list[Reservation]:
        """The reservations of a subnet."""
        return [one for one in self.reservations.values() if one.subnet_id == subnet.subnet_id]

    def crowd(self, subnet: Subnet, *, free: int, blocks: int = 0, by: str = "another workload") -> None:
        """Let others take addresses of a subnet until `free` are left, `blocks` whole /28 among them.

        The rest of what is left lies scattered. Raises ValueError where that cannot be.
        """
        pool = self.pool(subnet)
        whole = pool.free_blocks()
        kept = {start + place for start in whole[len(whole) - blocks :] for place in range(PREFIX_SIZE)}
        loose = [offset for offset in range(pool.size) if offset not in pool.taken and offset not in kept]
        scattered = free - len(kept)
        if blocks > len(whole) or not 0 <= scattered <= min(len(loose), _most_scattered(loose)):
            raise ValueError(f"{subnet.subnet_id} cannot be left with {free} addresses and {blocks} blocks")
        left = set(_spread(loose, scattered))
        for offset in loose:
            if offset not in left:
                self.attach(subnet, by, primary=str(ip_address(pool.first + offset)))

    def make_room(self, subnet: Subnet, by: str = "another workload") -> None:
        """What `crowd` made is gone again."""
        there = [one for one in self.interfaces.values() if one.subnet_id == subnet.subnet_id]
        for interface in there:
            if interface.description == by:
                self.detach(subnet, interface)

    def _fill(
        self, pool: Pool, reserved: Sequence[Reservation], into: Interface, addresses: int, prefixes: int
    ) -> None:
        found = pool.next_free(addresses, reserved) if addresses else []
        if found is None:
            raise NoRoomError(*FULL)
        blocks = pool.next_blocks(prefixes, reserved) if prefixes else []
        if blocks is None:
            for each in found:
                pool.give_back(each)
            raise NoRoomError(*NO_BLOCKS)
        into.secondary += found
        into.prefixes += blocks


def _most_scattered(loose: Sequence[int]) -> int:
    """How many of these can stay free with no /28 wholly free: at most 15 of each block."""
    counts: dict[int, int] = {}
    for offset in loose:
        counts[offset // PREFIX_SIZE] = counts.get(offset // PREFIX_SIZE, 0) + 1
    return sum(min(count, PREFIX_SIZE - 1) for count in counts.values())


def _spread(loose: Sequence[int], count: int) -> list[int]:
    """`count` of these, taken one a block in turns, the first of each block last."""
    blocks: dict[int, list[int]] = {}
    for offset in loose:
        blocks.setdefault(offset // PREFIX_SIZE, []).append(offset)
    turns = [
        (turn, offset) for held in blocks.values() for turn, offset in enumerate(reversed(held)) if turn < 15
    ]
    return [offset for _, offset in sorted(turns)[:count]]


def subnet_of(account: Account, address: str) -> Subnet | None:
    """The subnet that an address belongs to."""
    vpc = account.area(Vpc)
    return next((one for one in account.subnets.values() if vpc.pool(one).holds(address)), None)
