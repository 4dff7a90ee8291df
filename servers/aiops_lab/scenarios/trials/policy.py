"""Trials of quotas, admission, webhooks, RBAC, namespaces and the API itself."""

from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = ()
