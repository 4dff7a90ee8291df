"""Nodes and NodeClaims that came, are cordoned, or are being taken away.

A node that is gone leaves no object: the audit log or the journal tells of it.
"""

from collections.abc import Iterator

from aiops_shared.kube.changes.managers import object_changes
from aiops_shared.kube.changes.reading import Obj, created, moment, part, place, short
from aiops_shared.kube.changes.records import Change
from aiops_shared.kube.shapes import meta, rows, text

_LABELS = (
    "node.kubernetes.io/instance-type",
    "topology.kubernetes.io/zone",
    "karpenter.sh/capacity-type",
    "eks.amazonaws.com/capacityType",
    "karpenter.sh/nodepool",
    "eks.amazonaws.com/nodegroup",
)
_CORDON = "node.kubernetes.io/unschedulable"


def node_changes(obj: Obj) -> Iterator[Change]:
    """That the node joined, and that it was cordoned; other writes of a node are heartbeats and labels."""
    _, name = place(obj)
    labels = part(meta(obj), "labels")
    if (at := created(obj)) is not None:
        what = ", ".join(short(labels[key]) for key in _LABELS if labels.get(key))
        yield Change(at, "create", "Node", name, what=(what,) if what else (), sources=("nodes",))
    told = [one for one in object_changes(obj, "Node") if one.verb in {"cordon", "uncordon"}]
    yield from told
    if not told and part(obj, "spec").get("unschedulable"):
        for taint in rows(part(obj, "spec"), "taints"):
            if taint.get("key") == _CORDON and (at := moment(taint.get("timeAdded"))) is not None:
                yield Change(at, "cordon", "Node", name, sources=("nodes",))


def claim_changes(obj: Obj) -> Iterator[Change]:
    """That Karpenter (or Auto Mode) asked for a node, or gives one back."""
    _, name = place(obj)
    pool = text(part(meta(obj), "labels").get("karpenter.sh/nodepool"))
    node = text(part(obj, "status").get("nodeName"))
    what = tuple(
        words for words in (f"nodepool {pool}" if pool else "", f"node {node}" if node else "") if words
    )
    if (at := created(obj)) is not None:
        yield Change(at, "create", "NodeClaim", name, what=what, client="karpenter", sources=("nodes",))
    if (gone := moment(meta(obj).get("deletionTimestamp"))) is not None:
        yield Change(gone, "delete", "NodeClaim", name, what=what, client="karpenter", sources=("nodes",))
