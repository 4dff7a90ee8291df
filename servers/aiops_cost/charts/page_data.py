"""What the host's page draws (`money.js`): a waterfall, or stacked days. Numbers are units of the currency.

Called by the readers when the client draws (`aiops_shared.app.views`).
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from aiops_cost.charts.drawing import Part, Stack, fewer_parts, fewer_stacks
from aiops_cost.models.money import shown

MOST_DAYS = 400


def waterfall_page(
    title: str, before: Part, parts: Sequence[Part], after: Part, currency: str
) -> dict[str, Any]:
    """From what was to what is, by parts."""
    steps = [_part(one) for one in fewer_parts(parts)]
    row = {
        "kind": "waterfall",
        "unit": currency,
        "before": _part(before),
        "parts": steps,
        "after": _part(after),
    }
    return {"title": title, "rows": [row]}


def stacked_page(
    title: str, days: Sequence[date], stacks: Sequence[Stack], unsettled: Sequence[bool], currency: str
) -> dict[str, Any]:
    """Days by what they were spent on; the newest ones where there are more than a page can show."""
    since = max(0, len(days) - MOST_DAYS)
    series = [
        {"name": one.name, "values": [shown(amount) for amount in one.nanos[since:]]}
        for one in fewer_stacks(stacks)
    ]
    row = {
        "kind": "stacked",
        "unit": currency,
        "days": [day.isoformat() for day in days[since:]],
        "unsettled": list(unsettled[since:]),
        "series": series,
    }
    return {"title": title, "rows": [row]}


def _part(one: Part) -> dict[str, Any]:
    return {"name": one.name, "value": shown(one.nano)}
