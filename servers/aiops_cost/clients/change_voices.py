"""What Cost Explorer's own anomaly detection says of the period: another voice, one billed request."""

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from aiops_cost.analysis.change_case import Voice
from aiops_cost.models.bills import Spent
from aiops_cost.models.money import nano
from aiops_shared.errors import AiopsError
from aiops_shared.kube.shapes import mapping, rows, text

if TYPE_CHECKING:
    from aiops_cost.clients.cost_explorer import CostExplorer

MOST: Final = 20
_ROOT: Final = ("Service", "UsageType", "Region", "LinkedAccount")


async def voices(
    explorer: "CostExplorer", spent: Spent, first: date, last: date
) -> tuple[tuple[Voice, ...], list[str]]:
    """The anomalies of these days, largest first. Raises nothing: it is never needed."""
    days = {"StartDate": first.isoformat(), "EndDate": last.isoformat()}
    try:
        answer = await explorer.ask("get_anomalies", spent, DateInterval=days, MaxResults=MOST)
    except AiopsError as error:
        return (), [f"Cost Explorer's anomalies not heard: {error.code}"]
    found = [_voice(one) for one in rows(answer, "Anomalies")]
    return tuple(sorted(found, key=lambda one: -one.impact)), []


def _voice(anomaly: Mapping[str, Any]) -> Voice:
    impact = mapping(anomaly.get("Impact")).get("TotalImpact")
    roots = tuple(
        " ".join(text(root.get(name)) for name in _ROOT if root.get(name))
        for root in rows(anomaly, "RootCauses")
    )
    amount = nano(repr(float(impact))) if isinstance(impact, int | float) else 0
    return Voice(amount, text(anomaly.get("AnomalyStartDate"))[:10], tuple(root for root in roots if root))
