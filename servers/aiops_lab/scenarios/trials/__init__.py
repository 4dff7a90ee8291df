"""Every trial of every cause: what `make eval` plays."""

from aiops_lab.scenarios.trials import (
    autoscaling,
    aws,
    jobs,
    network,
    nodes,
    pods,
    policy,
    scheduling,
    storage,
    told,
    workloads,
)
from aiops_lab.scenarios.trials.base import Role, Trial

__all__ = ["CONTROLS", "TRIALS", "Role", "Trial"]

_NEW: tuple[Trial, ...] = (
    *pods.TRIALS,
    *scheduling.TRIALS,
    *nodes.TRIALS,
    *workloads.TRIALS,
    *jobs.TRIALS,
    *autoscaling.TRIALS,
    *policy.TRIALS,
    *network.TRIALS,
    *storage.TRIALS,
    *aws.TRIALS,
)
TRIALS: tuple[Trial, ...] = (*told.TRIALS, *_NEW)
SCENARIOS = tuple(one.scenario for one in _NEW)
CONTROLS = told.CONTROLS
