"""Further kinds of the family nodes: what Karpenter makes nodes from, read only where it says something."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.further.base import FurtherKind
from aiops_eks.diagnosis.objects import Ref
from aiops_eks.models.fields import Obj, part, text

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
)
