"""Trials of quotas, admission, webhooks, RBAC, namespaces and the API itself."""

from aiops_lab.scenarios.trials import (
    policy_admission,
    policy_apis,
    policy_certificates,
    policy_deprecations,
    policy_refusals,
    policy_rights,
)
from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = (
    *policy_admission.TRIALS,
    *policy_refusals.TRIALS,
    *policy_apis.TRIALS,
    *policy_certificates.TRIALS,
    *policy_deprecations.TRIALS,
    *policy_rights.TRIALS,
)
