"""Further kinds of the family workloads: autoscalers, budgets, cron jobs."""

from aiops_eks.diagnosis.further.base import FurtherKind

FURTHER: tuple[FurtherKind, ...] = ()
