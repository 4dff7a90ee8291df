"""Further kinds of the family nodes: what Karpenter makes nodes from, read only where it says something."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further.base import FurtherKind
from aiops_eks.diagnosis.objects import Condition, Ref
from aiops_eks.models.fields import Obj, items, moment, part, text

SAYS = "Failed to schedule pod"  # how Karpenter's events on pods begin
NO_CAPACITY = "InsufficientCapacityError"


@dataclass(frozen=True, slots=True)
class NodePool:
    """A Karpenter NodePool: its limits and what its nodes hold, as quantities."""

    ref: Ref
    limits: Mapping[str, str] = field(default_factory=dict)
    in_use: Mapping[str, str] = field(default_factory=dict)


def node_pool(obj: Obj) -> NodePool:
    """One NodePool of karpenter.sh/v1."""
    return NodePool(
        ref=Ref("NodePool", "", text(obj, "metadata", "name")),
        limits=_amounts(obj, "spec", "limits"),
        in_use=_amounts(obj, "status", "resources"),
    )


def _amounts(obj: Obj, *path: str) -> dict[str, str]:
    found = part(obj, *path)
    return {key: text(found, key) for key in found if isinstance(key, str)}


@dataclass(frozen=True, slots=True)
class NodeClaim:
    """A node that Karpenter asked for: how far it has come."""

    ref: Ref
    pool: str = ""
    conditions: tuple[Condition, ...] = ()
    created_at: datetime | None = None
    deleted_at: datetime | None = None

    def condition(self, name: str) -> Condition | None:
        """One condition by type."""
        return next((c for c in self.conditions if c.type == name), None)


def node_claim(obj: Obj) -> NodeClaim:
    """One NodeClaim of karpenter.sh/v1."""
    return NodeClaim(
        ref=Ref("NodeClaim", "", text(obj, "metadata", "name")),
        pool=text(obj, "metadata", "labels", "karpenter.sh/nodepool"),
        conditions=tuple(
            Condition(
                text(c, "type"),
                text(c, "status"),
                text(c, "reason"),
                text(c, "message"),
                moment(c, "lastTransitionTime"),
            )
            for c in items(obj, "status", "conditions")
        ),
        created_at=moment(obj, "metadata", "creationTimestamp"),
        deleted_at=moment(obj, "metadata", "deletionTimestamp"),
    )


def _unplaced(facts: Facts) -> bool:
    return any(not pod.node and pod.phase == "Pending" for pod in facts.pods)


def _karpenter_speaks(facts: Facts) -> bool:
    return any(e.message.startswith(SAYS) or e.reason == NO_CAPACITY for e in facts.events)


FURTHER: tuple[FurtherKind, ...] = (
    FurtherKind(
        "NodePool.karpenter.sh",
        NodePool,
        node_pool,
        cluster_wide=True,
        optional=True,
        when=_karpenter_speaks,
    ),
    FurtherKind(
        "NodeClaim.karpenter.sh",
        NodeClaim,
        node_claim,
        cluster_wide=True,
        optional=True,
        when=_unplaced,
    ),
)
