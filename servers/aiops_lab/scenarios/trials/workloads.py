"""Trials of Deployments, StatefulSets and DaemonSets."""

from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = ()
