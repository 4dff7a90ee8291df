"""Trials of claims, volumes and classes."""

from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = ()
