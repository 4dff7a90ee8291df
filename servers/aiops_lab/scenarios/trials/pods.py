"""Trials of the family pods: everything that keeps a container from running and a pod from serving."""

from aiops_lab.scenarios.trials import (
    pods_config,
    pods_crash,
    pods_images,
    pods_memory,
    pods_probes,
    pods_starting,
)
from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = (
    *pods_crash.TRIALS,
    *pods_config.TRIALS,
    *pods_images.TRIALS,
    *pods_memory.TRIALS,
    *pods_probes.TRIALS,
    *pods_starting.TRIALS,
)
