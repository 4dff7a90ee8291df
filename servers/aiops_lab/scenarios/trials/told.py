"""The stories that were told before the trials, seen as trials of their causes.

They are the fixtures of the scenarios' page and their kin; each is played as it stands.
"""

from aiops_lab.scenarios import (
    crashloop,
    disk,
    drill,
    eks_side,
    manifests,
    memory,
    memory_spike,
    profiles,
    pulls,
    quiet,
    recovered,
    registry_expired,
    symptoms,
)
from aiops_lab.scenarios.base import Scenario
from aiops_lab.scenarios.names import cast
from aiops_lab.scenarios.trials.base import Trial

# Quiet worlds stand for the cause that they are told from.
_QUIET = {
    "pod-crashloop-recovered": "CONFIGMAP_MISSING",
    "oom-once": "OOM_LIMIT_TOO_LOW",
}


def _trial(scenario: Scenario) -> Trial | None:
    expected = scenario.expect(cast(0))
    if expected:
        return Trial(expected[0].code, "positive", scenario)
    code = _QUIET.get(scenario.name)
    return Trial(code, "recovered", scenario) if code else None


# The addresses of a VPC have a module of trials of their own.
_ROOMS = (
    crashloop,
    memory,
    memory_spike,
    pulls,
    recovered,
    symptoms,
    quiet,
    manifests,
    drill,
    disk,
    profiles,
    registry_expired,
    eks_side,
)
TRIALS: tuple[Trial, ...] = tuple(
    found for room in _ROOMS for scenario in room.SCENARIOS if (found := _trial(scenario)) is not None
)
CONTROLS: tuple[Scenario, ...] = tuple(
    scenario for room in _ROOMS for scenario in room.SCENARIOS if _trial(scenario) is None
)
