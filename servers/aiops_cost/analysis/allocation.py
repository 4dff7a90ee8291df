"""What each workload of a cluster costs: a bill divided by what pods hold of their nodes. Sums to the bill.

A node's cost is parted into CPU and memory at 9 : 1 per vCPU and GiB, the weights of AWS's split cost
allocation data ("Example of split cost allocation data", AWS Data Exports guide), so that this answer and
that data can be compared. Each pod holds max(request, mean usage) for the hours it lived; what nobody holds
is idle; where pods hold more than there is, their shares shrink to what there is. DaemonSets and kube-system
are the system's. Pods that only metrics still know hold a share of what the others left. Pure; billionths.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiops_cost.analysis.charges import Charge, Of
from aiops_cost.analysis.fleet import FARGATE, SPOT, Fleet, Node, Pod
from aiops_cost.analysis.splitting import split

CORE_WEIGHT, GIB_WEIGHT = 9, 1
GIB: Final = 2**30
HOURS_PER_MONTH: Final = 730
IDLE, SYSTEM = "idle", "system"
EARLIER: Final = "nodes that are gone"
SYSTEM_NAMESPACES: Final = frozenset({"kube-system", "kube-node-lease", "kube-public"})
_SYSTEM_KINDS: Final = frozenset({"DaemonSet", "Node"})
_FINE: Final = 1_000_000  # claims are whole millionths of core-hours, and bytes times whole seconds
_SPARE_HOURS: Final = 1.0  # of one node: a started hour that no object shows
_PARTS: Final = ("cpu", "memory")

Owner = tuple[str, str, str]  # namespace, kind, name; a shared row has no namespace and no kind


@dataclass(slots=True)
class Allocation:
    """`rows[owner][part]` in billionths; parts: cpu, memory, storage, logs, other."""

    rows: dict[Owner, dict[str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, owner: Owner, part: str, amount: int) -> None:
        """Put an amount into a row."""
        if amount:
            row = self.rows.setdefault(owner, {})
            row[part] = row.get(part, 0) + amount

    def of(self, owner: Owner) -> int:
        """The whole of a row."""
        return sum(self.rows.get(owner, {}).values())

    @property
    def total(self) -> int:
        """Everything."""
        return sum(sum(row.values()) for row in self.rows.values())


@dataclass(slots=True)
class _Left:
    """What nobody claimed of one resource: its cost and its room."""

    amount: int = 0
    room: int = 0


def shared(name: str) -> Owner:
    """The owner of a row that is no workload's."""
    return "", "", name


def owner_of(pod: Pod) -> Owner:
    """Whose cost a pod is."""
    if pod.namespace in SYSTEM_NAMESPACES or pod.owner_kind in _SYSTEM_KINDS:
        return shared(SYSTEM)
    return pod.owner


def allocate(
    charges: Iterable[Charge], fleet: Fleet, hours: float, log_shares: Mapping[Owner, float] | None = None
) -> Allocation:
    """The charges divided over the fleet's workloads.

    `hours`: length of the window that the charges are of. `log_shares`: bytes of logs by owner, in any unit;
    an owner without a name is what could not be told apart.
    """
    made = Allocation()
    listed = list(charges)
    _Instances(made, fleet).divide([one for one in listed if one.of is Of.INSTANCES])
    for one in listed:
        match one.of:
            case Of.INSTANCES:
                continue
            case Of.FARGATE_CPU | Of.FARGATE_MEMORY:
                _fargate(made, fleet, one)
            case Of.VOLUMES:
                _volumes(made, fleet, one, hours)
            case Of.LOGS:
                _logs(made, one, log_shares or {})
            case _:
                made.add(shared(one.label), "other", one.amount)
    return made


def claims_of(pod: Pod) -> tuple[int, int]:
    """Core-hours and byte-hours that a pod holds, fine enough to split by."""
    cores = max(pod.requests.cores, pod.used_cores or 0.0)
    memory = max(pod.requests.memory_bytes, pod.used_memory_bytes or 0.0)
    return round(cores * pod.hours * _FINE), round(memory * pod.hours)


def weights_of(node: Node) -> tuple[int, int]:
    """How a node's cost parts into CPU and memory."""
    return round(CORE_WEIGHT * node.capacity.cores * GIB), round(GIB_WEIGHT * node.capacity.memory_bytes)


class _Instances:
    """EC2 instances: each type's bill over its nodes by hours, each node's over its pods."""

    def __init__(self, made: Allocation, fleet: Fleet) -> None:
        self._made = made
        self._fleet = fleet
        self._left = (_Left(), _Left())
        self._pods: dict[str, list[Pod]] = {}
        for pod in (*fleet.pods, *fleet.finished):
            if pod.node and pod.hours > 0:
                self._pods.setdefault(pod.node, []).append(pod)
        self._nodes = [node for node in fleet.nodes if node.capacity_type != FARGATE and node.hours > 0]

    def divide(self, charges: Sequence[Charge]) -> None:
        priced: set[str] = set()
        earlier = 0
        for charge in charges:
            nodes = [node for node in self._nodes if _is_of(node, charge)]
            priced |= {node.name for node in nodes}
            earlier += self._type(charge, nodes)
        if earlier and not self._fleet.gone:
            self._made.notes.append(
                "part of the bill is of nodes that no longer stand, and no metrics tell what ran there"
            )
        self._the_rest()
        if unpriced := sum(1 for node in self._nodes if node.name not in priced):
            self._made.notes.append(
                f"{unpriced} of {len(self._nodes)} nodes have no line in the cluster's bill: their pods cost"
                " nothing here; is their cluster tag active as a cost allocation tag?"
            )

    def _type(self, charge: Charge, nodes: Sequence[Node]) -> int:
        """One type's bill; gives what is of nodes that are gone."""
        stood = sum(node.hours for node in nodes)
        missing = charge.quantity - stood
        if nodes and missing <= max(_SPARE_HOURS * len(nodes), 0.005 * charge.quantity):
            missing = 0.0
        hours = [round(node.hours * _FINE) for node in nodes]
        *parts, earlier = split(charge.amount, [*hours, round(max(0.0, missing) * _FINE)])
        for node, amount in zip(nodes, parts, strict=True):
            self._node(node, amount)
        self._gone_nodes(earlier, missing, nodes or self._nodes)
        return earlier

    def _node(self, node: Node, amount: int) -> None:
        pods = self._pods.get(node.name, [])
        claims = [claims_of(pod) for pod in pods]
        rooms = (
            round(node.capacity.cores * node.hours * _FINE),
            round(node.capacity.memory_bytes * node.hours),
        )
        for place, part_amount in enumerate(split(amount, weights_of(node))):
            held = [claim[place] for claim in claims]
            idle = max(0, rooms[place] - sum(held))
            *parts, left = split(part_amount, [*held, idle])
            for pod, part in zip(pods, parts, strict=True):
                self._made.add(owner_of(pod), _PARTS[place], part)
            self._left[place].amount += left
            self._left[place].room += idle

    def _gone_nodes(self, amount: int, hours: float, like: Sequence[Node]) -> None:
        """Nodes that are gone: a row of their own, or room for the pods that metrics still know."""
        if not amount:
            return
        cores = sum(node.capacity.cores for node in like) or 1.0
        memory = sum(node.capacity.memory_bytes for node in like) or 4.0 * GIB
        parts = split(amount, [round(CORE_WEIGHT * cores * GIB), round(GIB_WEIGHT * memory)])
        count = max(1, len(like))
        rooms = round(cores / count * max(0.0, hours) * _FINE), round(memory / count * max(0.0, hours))
        for place, part in enumerate(parts):
            if self._fleet.gone:
                self._left[place].amount += part
                self._left[place].room += rooms[place]
            else:
                self._made.add(shared(EARLIER), _PARTS[place], part)

    def _the_rest(self) -> None:
        """What nobody holds: pods that are gone held some of it, the rest is idle."""
        claims = [claims_of(pod) for pod in self._fleet.gone]
        for place, left in enumerate(self._left):
            held = [claim[place] for claim in claims]
            *parts, idle = split(left.amount, [*held, max(0, left.room - sum(held))])
            for pod, part in zip(self._fleet.gone, parts, strict=True):
                self._made.add(owner_of(pod), _PARTS[place], part)
            self._made.add(shared(IDLE), _PARTS[place], idle)


def _is_of(node: Node, charge: Charge) -> bool:
    return node.instance_type == charge.instance_type and (node.capacity_type == SPOT) == charge.spot


def _fargate(made: Allocation, fleet: Fleet, charge: Charge) -> None:
    """Fargate bills what its pods ask for."""
    place = 0 if charge.of is Of.FARGATE_CPU else 1
    nodes = {node.name for node in fleet.nodes if node.capacity_type == FARGATE}
    pods = [pod for pod in (*fleet.pods, *fleet.finished) if pod.node in nodes]
    *parts, rest = split(charge.amount, [*(claims_of(pod)[place] for pod in pods), 0])
    for pod, part in zip(pods, parts, strict=True):
        made.add(pod.owner if pod.namespace not in SYSTEM_NAMESPACES else shared(SYSTEM), _PARTS[place], part)
    made.add(shared(charge.label), _PARTS[place], rest)


def _volumes(made: Allocation, fleet: Fleet, charge: Charge, hours: float) -> None:
    """EBS by gigabytes: claims to who mounts them, what no PersistentVolume explains to the nodes' disks."""
    owners = {
        (pod.namespace, claim): owner_of(pod)
        for pod in sorted((*fleet.finished, *fleet.pods), key=lambda pod: bool(pod.node))
        for claim in pod.claims
    }
    volumes = [one for one in fleet.volumes if not one.volume_id.startswith("fs-")]
    months = hours / HOURS_PER_MONTH
    sizes = [round(one.size_bytes * months) for one in volumes]
    rest = max(0, round(charge.quantity * GIB) - sum(sizes)) if charge.quantity or not volumes else 0
    *parts, disks = split(charge.amount, [*sizes, rest])
    for one, part in zip(volumes, parts, strict=True):
        unused = shared("volumes nobody claims") if not one.claim else None
        claim = (one.namespace, "PersistentVolumeClaim", one.claim)
        made.add(unused or owners.get((one.namespace, one.claim), claim), "storage", part)
    made.add(shared(charge.label), "storage", disks)


def _logs(made: Allocation, charge: Charge, shares: Mapping[Owner, float]) -> None:
    """Logs by bytes written, where that is known."""
    owners = sorted(owner for owner in shares if shares[owner] > 0)
    *parts, rest = split(charge.amount, [*(round(shares[owner]) for owner in owners), 0])
    for owner, part in zip(owners, parts, strict=True):
        made.add(owner if owner[2] else shared(charge.label), "logs", part)
    made.add(shared(charge.label), "logs", rest)
