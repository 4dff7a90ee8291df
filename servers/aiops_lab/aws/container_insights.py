"""Since when the account has Container Insights metrics: who collects them, and since when.

In the common world the CloudWatch agent has run for as long as the cluster (installed by the operator's own
means, which EKS does not know of: `own_agent`). Stories about add-ons take it away; then metrics begin when
the add-on `amazon-cloudwatch-observability` is ACTIVE, and there are none before. Called by the lab's
CloudWatch.
"""

from dataclasses import dataclass

import numpy as np

from aiops_lab.aws.account import Account
from aiops_lab.aws.addon_state import settle

ADDON = "amazon-cloudwatch-observability"
_RUNNING = frozenset({"ACTIVE", "UPDATING", "UPDATE_FAILED"})


@dataclass(slots=True)
class ContainerInsights:
    """Whether the operator runs an agent of their own; since when the add-on has collected (Unix seconds)."""

    own_agent: bool = True
    since_s: float | None = None


def collected_since(account: Account) -> float | None:
    """The moment since which metrics are collected, in Unix seconds; None while nobody collects them."""
    held = account.area(ContainerInsights)
    if held.own_agent:
        return -np.inf
    settle(account)
    addon = account.addons.get(ADDON)
    if addon is None or addon.status not in _RUNNING:
        held.since_s = None
    elif held.since_s is None:  # one of the story has run for as long as it is installed
        held.since_s = addon.modified_at.timestamp() if addon.modified_at else -np.inf
    return held.since_s
