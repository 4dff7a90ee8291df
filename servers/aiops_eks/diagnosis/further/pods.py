"""Further kinds of the family pods and scheduling."""

from aiops_eks.diagnosis.further.base import FurtherKind

FURTHER: tuple[FurtherKind, ...] = ()
