"""Trials of Services, Ingresses, NetworkPolicies and DNS."""

from aiops_lab.scenarios.trials import (
    network_dns,
    network_gateways,
    network_ingresses,
    network_policies,
    network_services,
)
from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = (
    *network_services.TRIALS,
    *network_ingresses.TRIALS,
    *network_gateways.TRIALS,
    *network_policies.TRIALS,
    *network_dns.TRIALS,
)
