"""What stands around the nodes of one plan, the shape of their change, and the order in which they go. Pure.

Made by `clients.node_surroundings`, used by every action of `plan_node_change`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pydantic import Field

from aiops_eks.models import fields
from aiops_eks.planning.drafts import DryRun, Obj, at, name_of, uid_of
from aiops_eks.planning.nodes_budgets import movable
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.models import ActionName, FieldChange, ObjectRef, Reversible, Step, TargetChange
from aiops_shared.guardrails.paths import digest_of
from aiops_shared.guardrails.waves import at_once
from aiops_shared.results import Frozen

ZONE = "topology.kubernetes.io/zone"
# The labels by which a node names its pool, the first that stands: Karpenter, managed node groups, eksctl.
POOLS = (
    ("karpenter.sh/nodepool", "nodepool"),
    ("eks.amazonaws.com/nodegroup", "nodegroup"),
    ("alpha.eksctl.io/nodegroup-name", "nodegroup"),
)
MOST_NODES = 20
WAIT_S = 600.0
CORDONED = "spec.unschedulable"
PRESSURES = ("DiskPressure", "MemoryPressure")


class NodeWish(Frozen):
    """The arguments of plan_node_change that shape the change."""

    taint: str = ""
    wait_s: float | None = None


class NodesAsked(Frozen):
    """Which nodes: by name, label selector or pool; exactly one of them."""

    cluster: str | None = None
    names: tuple[str, ...] = ()
    selector: str = ""
    pool: str = ""

    def check(self) -> None:
        """Raises InvalidInputError unless one way is given."""
        given = [bool(self.names), bool(self.selector), bool(self.pool)]
        if sum(given) != 1:
            raise InvalidInputError("nodes", "give names, selector or nodepool", "exactly one of the three")


class Spot(Frozen):
    """One node and the pods on it."""

    ref: ObjectRef
    obj: Obj
    pods: tuple[Obj, ...] = ()

    @property
    def zone(self) -> str:
        """Its availability zone; empty when it does not say."""
        return fields.labels_of(self.obj).get(ZONE, "")

    @property
    def pool(self) -> tuple[str, str]:
        """Label key and name of its pool; empty when it has none."""
        return pool_of(self.obj)

    @property
    def moving(self) -> tuple[Obj, ...]:
        """The pods that a drain moves."""
        return movable(self.pods)


class Nodes(Frozen):
    """What stands around the nodes of one plan."""

    cluster: str
    now: datetime
    spots: tuple[Spot, ...]
    namespaces: dict[str, Obj] = Field(default_factory=dict)  # of the pods that move
    budgets: dict[str, tuple[Obj, ...] | None] = Field(default_factory=dict)
    owners: dict[str, Obj] = Field(default_factory=dict)  # by uid: controllers of what moves
    draining: tuple[Obj, ...] | None = ()  # other nodes, cordoned and not yet empty; None: not known
    pool_sizes: dict[str, int] = Field(default_factory=dict)  # by pool name; "" is the whole cluster
    gaps: tuple[str, ...] = ()


class NodesDraft(Frozen):
    """The exact change of every node, before dry run and judgement."""

    action: ActionName
    confirm: str
    targets: tuple[TargetChange, ...]
    waves: tuple[int, ...]
    diff: tuple[FieldChange, ...]
    reversible: Reversible = "full"
    lost: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    shows: dict[str, str] = Field(default_factory=dict)


class NodesAround(Protocol):
    """What stands around nodes, and the dry run of a change to them. Fulfilled by the clients."""

    async def around(self, asked: NodesAsked, *, moves: bool) -> Nodes:
        """Gather; `moves`: their pods will be evicted. NotFoundError names the nearest."""
        ...

    async def dry_run(self, draft: NodesDraft, nodes: Nodes) -> DryRun:
        """Ask the API server what the first steps would do. Raises what it refuses."""
        ...


def pool_of(node: Obj) -> tuple[str, str]:
    """The label key and the name of a node's pool."""
    labels = fields.labels_of(node)
    return next(((key, labels[key]) for key, _ in POOLS if labels.get(key)), ("", ""))


def owner_key(node: Obj) -> str:
    """The key of the repeat limit: the node's pool, or the node itself (D9)."""
    key, name = pool_of(node)
    word = dict(POOLS).get(key, "node")
    return f"{word} {name or name_of(node)}"


def pressures_of(node: Obj) -> list[str]:
    """The pressure conditions that hold."""
    conditions = fields.conditions_of(node)
    return [each for each in PRESSURES if fields.text(conditions.get(each), "status") == "True"]


def wave_order(spots: Sequence[Spot]) -> tuple[tuple[Spot, ...], tuple[int, ...]]:
    """The nodes in the order they go, and how many a wave holds: one first, never two of one zone together.

    A node that names no zone shares one with every other such node. At most max(1, 10 %) go together (D9).
    """
    queues: dict[str, list[Spot]] = {}
    for spot in sorted(spots, key=lambda each: each.ref.name):
        queues.setdefault(spot.zone, []).append(spot)
    order: list[Spot] = []
    waves: list[int] = []
    while queues:
        most = 1 if not waves else at_once(len(spots))
        zones = sorted(queues, key=lambda zone: (-len(queues[zone]), zone))[:most]
        if most == 1 and order and len(queues) > 1 and zones[0] == order[-1].zone:
            zones = [sorted(queues, key=lambda zone: (-len(queues[zone]), zone))[1]]
        order += [queues[zone].pop(0) for zone in zones]
        waves.append(len(zones))
        queues = {zone: left for zone, left in queues.items() if left}
    return tuple(order), tuple(waves)


def target_of(
    spot: Spot, steps: tuple[Step, ...], reads: tuple[str, ...] = (), *, may_go: bool = False
) -> TargetChange:
    """What is done to one node, bound to what was seen. `may_go`: its pool may take it away meanwhile."""
    paths = tuple(sorted({path for step in steps for path in step.values}))
    return TargetChange(
        ref=spot.ref,
        uid=uid_of(spot.obj),
        paths=paths,
        reads=reads,
        digest=digest_of(spot.obj, (*paths, *reads)),
        steps=steps,
        owner=owner_key(spot.obj),
        may_go=may_go,
    )


def names_of(spots: Sequence[Spot]) -> str:
    """For the sentence to confirm: all names, or how many and the first; the diff has a row for each."""
    names = [spot.ref.name for spot in spots]
    return f"node {names[0]}" if len(names) == 1 else f"{len(names)} nodes: {', '.join(names)}"


def state_of(node: Obj) -> str:
    """Whether new pods may come onto it."""
    return "cordoned" if at(node, "spec", "unschedulable") else "schedulable"


def counted(items: Sequence[object], word: str) -> str:
    """`1 pod`, `3 pods`."""
    return f"{len(items)} {word}{'' if len(items) == 1 else 's'}"
