"""The picture of a bill: stacked days as PNG when asked for, the page's data when the host draws.

Called by `cost_reading`.
"""

from typing import TYPE_CHECKING

from anyio import to_thread

from aiops_cost.analysis.bill import Bill
from aiops_cost.analysis.cost_rows import UNTAGGED
from aiops_shared.app.pictures import attach
from aiops_shared.app.views import asked_to_show, show

if TYPE_CHECKING:
    from aiops_cost.charts.drawing import Stack


async def pictured(title: str, bill: Bill, *, chart: bool) -> list[str]:
    """Send what the client can see; warnings where it cannot. Drawing takes a second, so off the loop."""
    if not bill.days or not (chart or asked_to_show()):
        return []
    stacks = _stacks(bill)
    unsettled = [bool(one) for one in bill.unsettled]
    if asked_to_show():
        from aiops_cost.charts.page_data import stacked_page

        show(stacked_page(title, bill.days, stacks, unsettled, bill.currency))
    if not chart:
        return []
    from aiops_cost.charts.drawing import draw_stacked

    png = await to_thread.run_sync(draw_stacked, title, bill.days, stacks, unsettled, bill.currency)
    return [] if attach(png) else ["the chart is too large to send"]


def _stacks(bill: Bill) -> list["Stack"]:
    from aiops_cost.charts.drawing import Stack

    return [
        Stack(" ".join(key).strip() or UNTAGGED, tuple(int(one) for one in bill.amounts[:, at]))
        for at, key in enumerate(bill.keys)
    ]
