"""The same kubectl says the same on the lab and on a real control plane, whatever an operator asks of it."""

import anyio
import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubectl.differences import difference, listed
from tests.cluster.kubectl.masks import masked
from tests.cluster.kubectl.script import SCRIPT, Step
from tests.cluster.kubectl.stage import Answer, both

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
Played = tuple[dict[str, Answer], dict[str, Answer]]


@pytest.fixture(scope="session")
def played(whole: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Played:
    """What the real control plane and what the lab answered, step by step."""
    return anyio.run(both, whole, tmp_path_factory.mktemp("walk"), SCRIPT)


@pytest.mark.parametrize("step", SCRIPT, ids=lambda step: step.name)
def test_both_say_the_same_or_the_difference_is_listed(step: Step, played: Played) -> None:
    real, lab = (masked(answers[step.name].text, unordered=step.unordered) for answers in played)
    found, known = difference(real, lab), listed().get(step.name, "")
    assert found == known, (
        f"kubectl {step.words}\nthe difference now:\n{found or '(none: strike it off the list)'}"
    )


def test_the_list_names_only_steps_of_the_script(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    known = listed()
    assert set(known) <= {step.name for step in SCRIPT}
    assert len(SCRIPT) >= 60
    assert len({step.name for step in SCRIPT}) == len(SCRIPT)
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        with capsys.disabled():
            reporter.write_line(f"\nkubectl: {len(SCRIPT)} commands on both, {len(known)} listed differences")
