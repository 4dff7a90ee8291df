"""The month under way and how it ends: settled days, and what is expected of the others.

Called by `cost_reading`. Cost Explorer's forecast when it gave one, else our own, of usage alone: credits,
refunds, tax and fees come when they come and count as billed so far.
"""

from datetime import date

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.cost_rows import is_usage
from aiops_cost.analysis.month_end import Ahead, expected, under_way
from aiops_cost.clients.cost_outlook import Forecast
from aiops_cost.models.costs import MonthEnd
from aiops_cost.models.money import shown, worded


def month_end(bill: Bill, today: date, told: Forecast | None) -> MonthEnd | None:
    """The month of `today`; None when no day is settled that could say anything."""
    under = under_way(bill, today)
    usage = bill.where(lambda key: is_usage(key[-1]))
    if told is not None and told.currency == bill.currency:
        late = [day for day in under.open_days if day < today]
        between = expected(usage, late) if late else Ahead(0, 0, 0, 0, "")
        if between is None:
            return None
        known = under.settled + between.amount
        said = f"{worded(under.settled, bill.currency)} of {under.settled_days} settled days"
        if late:
            said += f" + {worded(between.amount, bill.currency)} expected of {len(late)} unsettled"
        said += f" + {worded(told.amount, bill.currency)} Cost Explorer expects from {today}"
        return MonthEnd(
            to_date=shown(under.settled),
            forecast=shown(known + told.amount),
            low80=None if told.low is None else shown(known + told.low),
            high80=None if told.high is None else shown(known + told.high),
            by="Cost Explorer",
            arithmetic=said,
        )
    own = expected(usage, under.open_days)
    if own is None:
        return None
    said = f"{worded(under.settled, bill.currency)} of {under.settled_days} settled days"
    said += f" + {worded(own.amount, bill.currency)}: {own.how}"
    return MonthEnd(
        to_date=shown(under.settled),
        forecast=shown(under.settled + own.amount),
        low80=None if own.low is None else shown(under.settled + own.low),
        high80=None if own.high is None else shown(under.settled + own.high),
        by="our own, of usage",
        arithmetic=said,
    )
