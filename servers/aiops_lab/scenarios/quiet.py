"""A world in which nothing is wrong: whatever a diagnosis finds here is a false alarm."""

from random import Random

from aiops_lab.scenarios.base import Scenario, Stage
from aiops_lab.scenarios.names import Names


def _nothing(stage: Stage, names: Names, rng: Random) -> None:
    del stage, names, rng


SCENARIOS = (
    Scenario(
        "healthy",
        "Nothing is wrong",
        "Six nodes, four namespaces, and furniture that is healthy but odd: finished Jobs, a workload "
        "scaled to zero on purpose, an old restart, a rollout within its deadline, a standby, a warning "
        "that stopped.",
        "healthy",
        _nothing,
    ),
)
