"""Kinds beside the eleven that every diagnosis reads, one module a family: what it is, and how it is read.

`clients/further.py` lists them; rules ask `facts.all(Kind)`.
"""

from aiops_eks.diagnosis.further import network, nodes, pods, policy, storage, workloads
from aiops_eks.diagnosis.further.base import FurtherKind

FURTHER: tuple[FurtherKind, ...] = (
    *pods.FURTHER,
    *nodes.FURTHER,
    *workloads.FURTHER,
    *policy.FURTHER,
    *network.FURTHER,
    *storage.FURTHER,
)
