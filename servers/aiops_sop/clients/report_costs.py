"""What `get_costs` answered, as reports use it: what was paid and what nobody used. Called by the desk."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from aiops_sop.analysis.reports.facts import Paid
from aiops_sop.analysis.reports.windows import Window

IDLE = "(idle)"
AMOUNTS = ("amount", "cost")


def paid_in(answer: Mapping[str, Any], window: Window, asked: Mapping[str, Any]) -> Paid | None:
    """The bill of a window; None where the answer has no total."""
    if not isinstance(answer.get("total"), int | float):
        return None
    first, _, last = str(answer.get("period") or window.as_days).partition("..")
    query = ", ".join(f"{name}={value}" for name, value in asked.items() if value not in ("", None))
    return Paid(
        total=Decimal(repr(answer["total"])),
        idle=_idle(answer) if asked.get("group_by") == "namespace" else None,
        days=_days(first, last) or round(window.days),
        query=query,
        currency=str(answer.get("currency") or "USD"),
        method=str(answer.get("method") or ""),
    )


def _days(first: str, last: str) -> float:
    from datetime import date

    try:
        return float((date.fromisoformat(last[:10]) - date.fromisoformat(first[:10])).days + 1)
    except ValueError:
        return 0.0


def _idle(answer: Mapping[str, Any]) -> Decimal | None:
    """The row that nobody holds; None where the bill was not divided."""
    table = answer.get("rows") or {}
    columns = list(table.get("columns") or ())
    place = next((columns.index(name) for name in AMOUNTS if name in columns), None)
    if place is None:
        return None
    for row in table.get("rows") or ():
        if row[0] == IDLE:
            return Decimal(repr(row[place]))
    return None
