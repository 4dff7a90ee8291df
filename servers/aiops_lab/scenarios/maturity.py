"""F18, levels 3 and 4: everything of level 2 (`eks_side`), and detectors that learn.

What makes level 4 is nothing of the cluster: it is runs, a drill and settings, which the state store keeps.
"""

from random import Random

from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.eks_side import level_2
from aiops_lab.scenarios.maturity_watch import detected
from aiops_lab.scenarios.names import Names

DAY_S = 86_400.0


def _level_3(stage: Stage, names: Names, rng: Random) -> None:
    level_2(stage, names, rng)
    detected(stage, names)


SCENARIOS = (
    Scenario(
        "maturity-3",
        "A cluster whose metrics are learned",
        "Anomaly detectors and DevOps Guru watch; forecasts are what somebody asks for.",
        "F18",
        _level_3,
        lead_s=90 * DAY_S,
    ),
)
