"""Whether the first cause that `explain_cost_change` names is the one that the story planted.

Every story is a bill (and where it matters a cluster) with other services around it; seeds draw machines,
prices, growth and noise. Controls are bills that move as usual, or with their requests: silence is right.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from aiops_lab.billing.lines import Line
from aiops_lab.scenarios import bills
from aiops_lab.scenarios.names import Names
from evals.figures import Row
from tests.cost.stage import START, Stage, billed

SEEDS = 5
Bill = Callable[[Names, date], tuple[Line, ...]]


@dataclass(frozen=True, slots=True)
class Story:
    """What is played, and the code of a right first cause; empty: a right answer says no anomaly.

    `bill`: another bill in the world of the scenario.
    """

    name: str
    code: str
    scenario: str = "healthy"
    bill: Bill | None = None
    cluster: str | None = "my-cluster"


STORIES = (
    Story("F8, nodes full of memory", "INSTANCE_FAMILY_MISMATCH", "cost-spike"),
    Story("F8u, the last day unsettled", "INSTANCE_FAMILY_MISMATCH", "cost-spike-unsettled"),
    Story("F8b, traffic between zones", "CROSS_AZ_TRAFFIC", "cost-cross-zone"),
    Story("log volume", "LOG_VOLUME", bill=bills.log_surge_lines, cluster=None),  # logs carry no tag
    Story("a credit ended", "CREDIT_ENDED", bill=bills.credit_ended_lines),
    Story("Spot became on demand", "SPOT_TO_ON_DEMAND", bill=bills.spot_lost_lines),
    Story("a Savings Plan ended", "COMMITMENT_EXPIRED", bill=bills.plan_expired_lines),
    Story("F8n, growth with its requests", "", "cost-growth"),
    Story("a few percent every week", "", bill=bills.steady_lines),
    Story("everyday bill", ""),
)


@dataclass(slots=True)
class Counted:
    """One story's answers."""

    right: int = 0
    exact: int = 0
    asked: int = 0


def rows(seed: int) -> list[Row]:
    """One row a story, and the sums."""
    return asyncio.run(_rows(seed))


async def _rows(seed: int) -> list[Row]:
    patch = pytest.MonkeyPatch()
    try:
        with TemporaryDirectory() as folder:
            async with billed(patch, Path(folder)) as stage:
                found = [(story, await _played(stage, story, seed)) for story in STORIES]
    finally:
        patch.undo()
    made = [_row(story, counted) for story, counted in found]
    causes = [one for story, one in found if story.code]
    silent = [one for story, one in found if not story.code]
    return [
        _share("first cause is the planted one, all stories", causes, ">= 95 %", 0.95),
        _share("no anomaly is claimed where there is none", silent, "100 %", 1.0),
        _exact([one for _, one in found]),
        *made,
    ]


async def _played(stage: Stage, story: Story, seed: int) -> Counted:
    counted = Counted()
    for number in range(seed * SEEDS, (seed + 1) * SEEDS):
        stage.play(story.scenario, number)
        if story.bill is not None:
            stage.ledger.lines = story.bill(stage.who, START.date())
        answer = await stage.ask("explain_cost_change", cluster=story.cluster)
        counted.asked += 1
        if not answer.error:
            counted.right += _right(answer.data, story)
            counted.exact += _sums(answer.data)
    return counted


def _right(answer: dict[str, Any], story: Story) -> bool:
    if not story.code:
        return bool(answer["verdict"] == "no_anomaly")
    causes = answer.get("causes") or [{"code": ""}]
    return bool(causes[0]["code"] == story.code)


def _sums(answer: dict[str, Any]) -> bool:
    """Baseline and parts make the period, in cents."""
    cents = {str(name): round(float(amount) * 100) for name, amount, *_ in answer["effects"]["rows"]}
    end = cents.pop("period")
    return sum(cents.values()) == end


def _row(story: Story, counted: Counted) -> Row:
    right = f"{counted.right} of {counted.asked}"
    return Row(
        f"{story.name}: {story.code or 'no anomaly'}", "every seed", right, counted.right == counted.asked
    )


def _share(what: str, found: list[Counted], target: str, least: float) -> Row:
    right, asked = sum(one.right for one in found), sum(one.asked for one in found)
    return Row(what, target, f"{right} of {asked} ({right / asked:.1%})", right / asked >= least)


def _exact(found: list[Counted]) -> Row:
    exact, asked = sum(one.exact for one in found), sum(one.asked for one in found)
    return Row("parts sum to the change, in cents", "100 %", f"{exact} of {asked}", exact == asked)
