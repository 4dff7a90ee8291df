"""Trials of Services, Ingresses, NetworkPolicies and DNS."""

from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = ()
