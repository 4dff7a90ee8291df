"""Trials of HorizontalPodAutoscalers and PodDisruptionBudgets."""

from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = ()
