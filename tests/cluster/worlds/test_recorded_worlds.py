"""Every cause at work, once in the lab and once in a real API server: the same findings, word for word.

Look-alikes and recovered worlds, and more seeds, are compared by `make eval`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from aiops_eks.diagnosis.result import Diagnosis
from aiops_lab.scenarios import Scenario
from aiops_lab.scenarios.trials import CONTROLS, TRIALS, Trial
from evals.loading import RECORDED
from evals.playing import ONLY_IN_LAB, Real, on_real
from tests.cluster.conftest import started
from tests.cluster.control_plane import ControlPlane

# One world a cause: its variants, look-alikes and what is over are the evaluation's.
POSITIVE = {
    trial.code: trial
    for trial in reversed(TRIALS)
    if trial.role == "positive" and trial.scenario.name not in ONLY_IN_LAB
}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Nothing but the API, with the admission off that would refuse a world for what is wrong in it."""
    yield from started(tmp_path_factory, "recorded", RECORDED)


@dataclass(frozen=True)
class Both:
    """The lab and the real API server, which live in a loop of their own for all tests of the module."""

    portal: BlockingPortal
    real: Real

    def __call__(self, scenario: Scenario, seed: int) -> tuple[Diagnosis, Diagnosis]:
        return self.portal.call(self.real.both, scenario, seed)


@pytest.fixture(scope="module")
def both(plane: ControlPlane) -> Iterator[Both]:
    """The answers of the lab and of the real API server about one world."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(on_real(plane)) as real:
        yield Both(portal, real)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("trial", POSITIVE.values(), ids=lambda trial: trial.scenario.name)
def test_a_real_api_server_gives_the_same_findings(both: Both, trial: Trial) -> None:
    simulated, answered = both(trial.scenario, 0)
    assert simulated.findings[0].code == trial.code
    assert answered.findings == simulated.findings
    assert answered.coverage_gaps == simulated.coverage_gaps


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("scenario", CONTROLS, ids=lambda scenario: scenario.name)
def test_a_healthy_world_is_healthy_on_a_real_api_server_too(both: Both, scenario: Scenario) -> None:
    simulated, answered = both(scenario, 1)
    assert simulated.findings == answered.findings == ()
