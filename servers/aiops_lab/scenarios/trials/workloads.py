"""Trials of Deployments, StatefulSets, DaemonSets and their budgets."""

from aiops_lab.scenarios.trials import workloads_budgets, workloads_daemons, workloads_rollouts
from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = (
    *workloads_rollouts.TRIALS,
    *workloads_budgets.TRIALS,
    *workloads_daemons.TRIALS,
)
