"""One node's ipamd: a warm pool of subnet addresses for its pods, filled and emptied by the warm targets.

After amazon-vpc-cni-k8s `pkg/ipamd/ipamd.go` and `datastore/data_store.go`: secondary addresses or /28
prefixes, more interfaces up to the instance type's limit, 30 s of cooling before an address is used again,
two minutes of rest after a subnet was empty. `cni.Cni` keeps one for each node.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Network

import orjson

from aiops_lab.aws.account import Account, Subnet
from aiops_lab.aws.vpc import PREFIX_SIZE, Instance, Interface, NoRoomError, Vpc
from aiops_lab.clock import VirtualClock
from aiops_lab.instance_types import InstanceType
from aiops_lab.world.objects import Key

COOLING_S = 30.0  # IP_COOLDOWN_PERIOD
EMPTY_SUBNET_S = 120.0  # insufficientCidrErrorCooldown
MOST_LINES = 2000
_ADVICE = (
    "Unable to attach IPs/Prefixes for the ENI, subnet doesn't seem to have enough IPs/Prefixes. Consider "
    "using new subnet or carve a reserved range using create-subnet-cidr-reservation"
)


@dataclass(frozen=True, slots=True)
class Targets:
    """What the environment of aws-node asks for."""

    prefixes: bool = False
    warm_eni: int = 1
    warm_prefix: int = 0
    warm_ip: int = 0
    minimum_ip: int = 0

    @classmethod
    def of(cls, env: Mapping[str, str]) -> "Targets":
        """Read from the environment; ipamd takes the default for what is no number."""

        def number(name: str, otherwise: int) -> int:
            text = env.get(name, "")
            return int(text) if text.isdecimal() else otherwise

        return cls(
            prefixes=env.get("ENABLE_PREFIX_DELEGATION", "").lower() == "true",
            warm_eni=number("WARM_ENI_TARGET", 1),
            warm_prefix=number("WARM_PREFIX_TARGET", 0),
            warm_ip=number("WARM_IP_TARGET", 0),
            minimum_ip=number("MINIMUM_IP_TARGET", 0),
        )

    @property
    def by_address(self) -> bool:
        """Whether single addresses are counted, instead of whole interfaces or prefixes."""
        return self.warm_ip > 0 or self.minimum_ip > 0

    def warm(self, per_interface: int) -> int:
        """How many free addresses are wanted where whole interfaces or prefixes are counted."""
        if self.prefixes:
            return max(1, self.warm_prefix * PREFIX_SIZE)
        return max(1, self.warm_eni * per_interface)


@dataclass(slots=True)
class Ipamd:
    """One node's addresses. A grant is what EC2 gave (an address or a prefix); `free`, `held` (by pod) and
    `cooling` say for each address which grant it came with."""

    account: Account
    clock: VirtualClock
    subnet: Subnet
    instance: Instance
    limits: InstanceType
    most_pods: int
    interfaces: list[Interface] = field(default_factory=list)
    grants: dict[str, str] = field(default_factory=dict)  # -> interface id
    free: dict[str, str] = field(default_factory=dict)
    held: dict[Key, tuple[str, str]] = field(default_factory=dict)
    cooling: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    empty_until: datetime | None = None
    said: deque[tuple[datetime, str]] = field(default_factory=lambda: deque(maxlen=MOST_LINES))
    tidying: bool = False

    @property
    def vpc(self) -> Vpc:
        """Where the addresses come from."""
        return self.account.area(Vpc)

    @property
    def total(self) -> int:
        """Addresses for pods, in whatever state."""
        return len(self.free) + len(self.held) + len(self.cooling)

    @property
    def per_interface(self) -> int:
        """Addresses for pods that one interface holds."""
        return self.limits.addresses - 1

    def begin(self) -> None:
        """The node's own interface, with the node's address."""
        self._own(self.vpc.attach(self.subnet, "", primary=self.instance.address), 0)
        self.vpc.instances[self.instance.instance_id] = self.instance

    def end(self) -> None:
        """The instance is gone, and what it held is free."""
        for interface in self.interfaces:
            self.vpc.detach(self._home(interface), interface)
        self.vpc.instances.pop(self.instance.instance_id, None)

    def ask(self, key: Key, targets: Targets) -> str | None:
        """An address for a pod; None when there is none and none can be had."""
        if key in self.held:
            return self.held[key][0]
        self._warm_up()
        self.fill(targets)
        if not self.free:
            words = "DataStore has no available IP/Prefix addresses"
            self._say("error", "datastore/data_store.go:858", words)
            return None
        address = next(iter(self.free))
        self.held[key] = address, self.free.pop(address)
        self.fill(targets)
        return address

    def release(self, key: Key) -> bool:
        """The pod's address cools down; False when it had none."""
        if key not in self.held:
            return False
        address, grant = self.held.pop(key)
        self.cooling[address] = self.clock.now() + timedelta(seconds=COOLING_S), grant
        return True

    # more

    def fill(self, targets: Targets) -> None:
        """increaseDatastorePool, until the targets are met or nothing more can be had."""
        while self._short(targets) and not self._resting():
            if not (self._assign(targets) or self._attach(targets)):
                return

    def _short(self, targets: Targets) -> int:
        """How many addresses are missing (datastoreTargetState, isDatastorePoolTooLow)."""
        if self.total >= self.most_pods:
            return 0
        if targets.by_address:
            return max(targets.warm_ip - len(self.free), targets.minimum_ip - self.total, 0)
        return max(targets.warm(self.per_interface) - len(self.free), 0)

    def _resting(self) -> bool:
        return self.empty_until is not None and self.clock.now() < self.empty_until

    def _wanted(self, targets: Targets, room: int) -> tuple[int, int]:
        """How many addresses and how many prefixes to ask for."""
        short = self._short(targets)
        if targets.prefixes:
            return 0, min(room, max(1, -(-short // PREFIX_SIZE)))
        return min(room, short if targets.by_address else room), 0

    def _assign(self, targets: Targets) -> bool:
        """More on the first interface that has room: all that is wanted, or one, as ipamd tries it."""
        found = next((one for one in self.interfaces if one.slots_used < self.limits.addresses), None)
        if found is None:
            return False
        addresses, prefixes = self._wanted(targets, self.limits.addresses - found.slots_used)
        kind, line = ("IPv4 Prefixes", 1227) if targets.prefixes else ("IP addresses", 1137)
        try:
            self.vpc.assign(self._home(found), found, addresses=addresses, prefixes=prefixes)
        except NoRoomError as refusal:
            words = (
                f"failed to allocate all available {kind} on ENI {found.interface_id}, err: {_api(refusal)}"
            )
            self._say("warn", f"ipamd/ipamd.go:{line}", words)
            return self._assign_one(found, targets)
        self._learn(found)
        return True

    def _assign_one(self, found: Interface, targets: Targets) -> bool:
        blocks = int(targets.prefixes)
        try:
            self.vpc.assign(self._home(found), found, addresses=1 - blocks, prefixes=blocks)
        except NoRoomError as refusal:
            words = f"Failed to allocate a private IP/Prefix addresses on ENI {found.interface_id}: "
            self._say("error", "awsutils/awsutils.go:2082", words + _api(refusal))
            return False
        self._learn(found)
        return True

    def _attach(self, targets: Targets) -> bool:
        """One more interface, in the node's subnet or in one tagged for the CNI."""
        if len(self.interfaces) >= self.limits.interfaces:
            words = "Skipping ENI allocation as the max ENI limit is already reached"
            self._say("debug", "ipamd/ipamd.go:1009", words)
            return False
        addresses, prefixes = self._wanted(targets, self.per_interface)
        description = f"aws-K8S-{self.instance.instance_id}"
        refusal: NoRoomError | None = None
        for subnet in self._candidates():
            try:
                made = self.vpc.attach(subnet, description, addresses=addresses, prefixes=prefixes)
            except NoRoomError as found:
                refusal = found
                words = f"Failed to CreateNetworkInterface {_api(found)} for subnet {subnet.subnet_id}"
                self._say("error", "awsutils/awsutils.go:1359", words)
                continue
            self._own(made, max(each.device_index for each in self.interfaces) + 1)
            return True
        if refusal is not None:
            words = f"Failed to allocate {addresses or prefixes} IP addresses on an ENI: {_api(refusal)}"
            self._say("warn", "ipamd/ipamd.go:1075", words)
            self._say("error", "ipamd/ipamd.go:1078", _ADVICE)
            self.empty_until = self.clock.now() + timedelta(seconds=EMPTY_SUBNET_S)
        return False

    def _candidates(self) -> list[Subnet]:
        """Subnet discovery: those of the zone with the tag, and the node's own unless tagged 0."""
        own = self.account.subnets.get(self.subnet.subnet_id, self.subnet)

        def wanted(subnet: Subnet) -> bool:
            tag = dict(subnet.tags).get("kubernetes.io/role/cni", "")
            return subnet.zone == own.zone and (tag == "1" or (subnet is own and tag != "0"))

        found = [each for each in self.account.subnets.values() if wanted(each)]
        return sorted(found, key=lambda each: -self.vpc.pool(each).free)

    def _own(self, interface: Interface, index: int) -> None:
        instance = self.instance.instance_id
        interface.instance_id, interface.device_index = instance, index
        if index:
            interface.tags = {
                "node.k8s.amazonaws.com/instance_id": instance,
                "cluster.k8s.amazonaws.com/name": self.account.cluster,
            }
        self.interfaces.append(interface)
        self._learn(interface)

    def _learn(self, interface: Interface) -> None:
        """Addresses that EC2 gave since are there for pods."""
        for grant in (*interface.secondary, *interface.prefixes):
            if grant not in self.grants:
                self.grants[grant] = interface.interface_id
                self.free.update(dict.fromkeys(_addresses(grant), grant))

    def _home(self, interface: Interface) -> Subnet:
        return self.account.subnets.get(interface.subnet_id, self.subnet)

    # less

    def tidy(self, targets: Targets) -> None:
        """Give back what is over the targets: addresses or prefixes, then whole interfaces."""
        self._warm_up()
        if targets.by_address:
            self._give_back_grants(targets)
        self._give_back_interfaces(targets)

    def _warm_up(self) -> None:
        """What has cooled is free again."""
        now = self.clock.now()
        for address, (until, grant) in list(self.cooling.items()):
            if until <= now:
                del self.cooling[address]
                self.free[address] = grant

    def _used(self) -> set[str]:
        """The grants a pod stands on, or stood on a moment ago."""
        return {grant for _, grant in self.held.values()} | {grant for _, grant in self.cooling.values()}

    def _give_back_grants(self, targets: Targets) -> None:
        over = min(len(self.free) - targets.warm_ip, self.total - targets.minimum_ip)
        used = self._used()
        for grant, interface_id in list(self.grants.items())[::-1]:
            size = PREFIX_SIZE if "/" in grant else 1
            interface = self.vpc.interfaces.get(interface_id)
            if over < size or grant in used or interface is None:
                continue
            self.vpc.unassign(self._home(interface), interface, [grant])
            self._forget(grant)
            over -= size

    def _give_back_interfaces(self, targets: Targets) -> None:
        """shouldRemoveExtraENIs and GetDeletableENI: the last ones that no pod needs."""
        used = {self.grants[grant] for grant in self._used()}
        for interface in self.interfaces[:0:-1]:
            grants = [grant for grant, owner in self.grants.items() if owner == interface.interface_id]
            if interface.interface_id in used or not self._spare(targets, grants):
                continue
            for grant in grants:
                self._forget(grant)
            self.interfaces.remove(interface)
            self.vpc.detach(self._home(interface), interface)

    def _spare(self, targets: Targets, grants: list[str]) -> bool:
        count = sum(PREFIX_SIZE if "/" in grant else 1 for grant in grants)
        left = len(self.free) - count
        if targets.by_address:
            return left >= targets.warm_ip and self.total - count >= targets.minimum_ip
        return left >= targets.warm(self.per_interface)

    def _forget(self, grant: str) -> None:
        del self.grants[grant]
        for each in _addresses(grant):
            self.free.pop(each, None)

    def _say(self, level: str, caller: str, words: str) -> None:
        now = self.clock.now()
        line = {"level": level, "ts": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"}
        self.said.append((now, orjson.dumps(line | {"caller": caller, "msg": words}).decode()))


def _addresses(grant: str) -> list[str]:
    return [str(each) for each in IPv4Network(grant)] if "/" in grant else [grant]


def _api(refusal: NoRoomError) -> str:
    return f"operation error EC2: https response error StatusCode: 400, api error {refusal}"
