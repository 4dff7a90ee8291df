"""What Cost Explorer's own anomaly detection says of the period: another voice, one billed request."""

from datetime import date
from typing import TYPE_CHECKING

from aiops_cost.analysis.change_case import Voice
from aiops_cost.models.bills import Spent
from aiops_shared.errors import AiopsError

if TYPE_CHECKING:
    from aiops_cost.clients.cost_explorer import CostExplorer


async def voices(
    explorer: "CostExplorer", spent: Spent, days: tuple[date, date], today: date
) -> tuple[tuple[Voice, ...], list[str]]:
    """The anomalies of `days` (the end is not included), largest first. Raises nothing: never needed."""
    from aiops_cost.clients.cost_outlook import anomalies

    try:
        found = await anomalies(explorer, days, today, spent)
    except AiopsError as error:
        return (), [f"Cost Explorer's anomalies not heard: {error.code}"]
    return tuple(Voice(one.impact, one.first, (one.what,)) for one in found), []
