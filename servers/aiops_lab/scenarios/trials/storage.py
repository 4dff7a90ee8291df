"""Trials of claims, volumes and mounts."""

from aiops_lab.scenarios.trials import storage_claims, storage_mounts, storage_volumes
from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = (*storage_claims.TRIALS, *storage_mounts.TRIALS, *storage_volumes.TRIALS)
