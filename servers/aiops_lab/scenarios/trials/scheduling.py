"""Trials of causes that keep a pod from getting a node."""

from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = ()
