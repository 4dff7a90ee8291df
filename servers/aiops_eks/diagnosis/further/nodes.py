"""Further kinds of the family nodes."""

from aiops_eks.diagnosis.further.base import FurtherKind

FURTHER: tuple[FurtherKind, ...] = ()
