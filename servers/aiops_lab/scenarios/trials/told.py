"""The stories that were told before the trials, seen as trials of their causes.

They are the fixtures of the scenarios' page and their kin; each is played as it stands.
"""

from aiops_lab.scenarios import crashloop, manifests, memory, pulls, quiet, recovered, symptoms
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


TRIALS: tuple[Trial, ...] = tuple(
    found
    for room in (crashloop, memory, pulls, recovered, symptoms, quiet, manifests)
    for scenario in room.SCENARIOS
    if (found := _trial(scenario)) is not None
)
CONTROLS: tuple[Scenario, ...] = (
    *quiet.SCENARIOS,
    *(s for s in manifests.SCENARIOS if not s.expect(cast(0))),
)
