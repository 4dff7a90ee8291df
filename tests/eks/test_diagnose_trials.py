"""Every trial of every cause in the lab: found first and alone; look-alikes and recovered worlds are not it.

One seed of each here, in one lab for all; `make eval` plays five of each and counts.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from itertools import groupby

import pytest
import pytest_asyncio

from aiops_lab.scenarios.trials import TRIALS, Trial
from tests.eks.test_diagnose_lab import Asked, asking

SEEDS = {"positive": 0, "look_alike": 0, "recovered": 1}
pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]


def _by_cause() -> Iterator[tuple[str, list[Trial]]]:
    ordered = sorted(TRIALS, key=lambda trial: trial.code)
    for code, found in groupby(ordered, key=lambda trial: trial.code):
        yield code, list(found)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def labs() -> AsyncIterator[dict[bool, Asked]]:
    """One lab whose evidence is in the cluster alone, and one that has its AWS side too (True)."""
    async with AsyncExitStack() as stack:
        yield {aws: await stack.enter_async_context(asking("healthy", aws=aws)) for aws in (False, True)}


@pytest.mark.timeout(150)  # up to a dozen worlds, on a busy machine
@pytest.mark.parametrize(("code", "trials"), [pytest.param(*pair, id=pair[0]) for pair in _by_cause()])
async def test_a_cause_is_found_first_and_alone_and_its_look_alikes_are_not_it(
    code: str, trials: list[Trial], labs: dict[bool, Asked]
) -> None:
    ask = labs[any(trial.needs_aws for trial in trials)]
    for trial in trials:
        seed = SEEDS[trial.role]
        ask.play(trial.scenario.name, seed)
        answer = await ask("diagnose")
        expected = ask.lab.world.expected
        found = [(f["code"], f["kind"], f["namespace"], f["name"]) for f in answer["findings"]]
        wanted = [(w.code, w.kind, w.namespace, w.name) for w in expected]
        assert found[:1] == wanted[:1], f"{trial.scenario.name}, seed {seed}"
        assert sorted(found) == sorted(wanted), f"{trial.scenario.name}, seed {seed}"  # the rest are its like
        if trial.role == "positive":
            assert found[0][0] == code
        else:
            assert code not in {each[0] for each in found}
        assert ask.lab.requests.writes() == []
