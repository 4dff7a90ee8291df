"""Trials of claims, volumes and mounts."""

from aiops_lab.scenarios.trials import storage_claims
from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = (*storage_claims.TRIALS,)
