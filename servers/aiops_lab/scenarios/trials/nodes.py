"""Trials of nodes that are down, under pressure, cordoned or skewed."""

from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = ()
