"""Trials of causes inside a pod: containers, images, probes, sidecars, hooks, deletion."""

from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = ()
