"""F8: the bill rises by two fifths, because memory fills nodes that were bought for their cores.

Weeks end with the last whole day before T0. Seed 0 is the page's to the cent: 960 and 1344 hours at 0.68.
"""

from random import Random

from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.bills_fleet import DAY_S, crowd, settle
from aiops_lab.scenarios.names import Names


def _spike(stage: Stage, names: Names, rng: Random) -> None:
    settle(stage, crowd(names), rng, launches=(12 * DAY_S, 7.4 * DAY_S, 7.4 * DAY_S - 90))


SCENARIOS = (
    Scenario(
        "cost-spike",
        "The bill of a cluster rises by 40 %",
        "Nodes bought for their cores are full of memory: the pool buys more of the same.",
        "F8",
        _spike,
        lead_s=30 * DAY_S,
    ),
)
