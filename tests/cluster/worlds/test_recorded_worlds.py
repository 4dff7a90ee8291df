"""Every cause at work, once in the lab and once in a real API server: the same findings, word for word.

Look-alikes and recovered worlds, and more seeds, are compared by `make eval`.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from aiops_lab.scenarios import Scenario
from aiops_lab.scenarios.trials import CONTROLS, TRIALS, Trial
from evals.loading import RECORDED
from evals.playing import Real, on_real
from tests.cluster.control_plane import MISSING, ControlPlane, assets, running_control_plane

POSITIVE = [trial for trial in TRIALS if trial.role == "positive"]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """Nothing but the API, with the admission off that would refuse a world for what is wrong in it."""
    programs = assets()
    if programs is None:
        pytest.skip(MISSING)
    with running_control_plane(tmp_path_factory.mktemp("recorded"), programs, RECORDED) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def real(plane: ControlPlane) -> AsyncIterator[Real]:
    """A lab, and the real API server that has whatever world it stands in."""
    async with on_real(plane) as both:
        yield both


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("trial", POSITIVE, ids=lambda trial: trial.scenario.name)
async def test_a_real_api_server_gives_the_same_findings(real: Real, trial: Trial) -> None:
    simulated, answered = await real.both(trial.scenario, 0)
    assert simulated.findings[0].code == trial.code
    assert answered.findings == simulated.findings
    assert answered.coverage_gaps == simulated.coverage_gaps


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("scenario", CONTROLS, ids=lambda scenario: scenario.name)
async def test_a_healthy_world_is_healthy_on_a_real_api_server_too(real: Real, scenario: Scenario) -> None:
    simulated, answered = await real.both(scenario, 1)
    assert simulated.findings == answered.findings == ()
