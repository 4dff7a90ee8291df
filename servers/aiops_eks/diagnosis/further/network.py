"""Further kinds of the family network: Ingresses, classes, NetworkPolicies."""

from aiops_eks.diagnosis.further.base import FurtherKind

FURTHER: tuple[FurtherKind, ...] = ()
