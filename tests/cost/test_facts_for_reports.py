"""Cost facts that other servers' reports stand on (F14, F23: structure; F18, F19: paid and used)."""

from pathlib import Path
from typing import Any

import pytest

from aiops_lab.scenarios.bills import spike
from tests.cost.stage import SEEDS, billed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(150)]
WEEK = "7d"


def cents(amount: float) -> int:
    return round(amount * 100)


def by_name(answer: dict[str, Any]) -> dict[str, float]:
    """Name -> amount of each row."""
    columns = answer["rows"]["columns"]
    place = columns.index("amount") if "amount" in columns else columns.index("cost")
    return {str(row[0]): float(row[place]) for row in answer["rows"]["rows"]}


@pytest.mark.row("S50")
async def test_the_structure_by_machine_and_what_is_paid_and_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with billed(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play("cost-spike", seed)
            ask = {"cluster": "my-cluster", "period": WEEK, "limit": 50}
            machines = await stage.got("get_costs", group_by="instance_type", **ask)
            story = spike(stage.who)
            kind = story.usage_type.partition(":")[2]
            assert by_name(machines)[kind] == float(story.amounts[1]), seed
            spaces = await stage.got("get_costs", group_by="namespace", **ask)
            found = by_name(spaces)
            assert sum(map(cents, found.values())) == cents(spaces["total"]) == cents(machines["total"])
            idle = found["(idle)"]
            assert 0 < idle < spaces["total"], "paid is the total, used is what is not idle"
