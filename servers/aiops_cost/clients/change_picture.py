"""The picture of a change: a waterfall as PNG when asked for, the page's data when the host draws.

Called by `change_reading`.
"""

from anyio import to_thread

from aiops_cost.analysis.decomposition import Decomposition
from aiops_cost.clients.change_bills import TwoBills
from aiops_cost.clients.change_wording import spans_words
from aiops_cost.models.money import to_cents
from aiops_shared.app.pictures import attach
from aiops_shared.app.views import asked_to_show, show


async def pictured(what: str, bills: TwoBills, parts: Decomposition, *, chart: bool) -> tuple[str, ...]:
    """Send what the client can see; warnings where it cannot. Drawing takes a second, so off the loop."""
    if not (chart or asked_to_show()):
        return ()
    from aiops_cost.charts.drawing import Part, draw_waterfall
    from aiops_cost.charts.page_data import waterfall_page

    period, baseline = (
        text.partition(" ")[0] for text in spans_words(bills.spans.period, bills.spans.baseline)
    )
    before, after = Part(baseline, parts.before), Part(period, parts.after)
    steps = [Part(str(effect), amount) for effect, amount in parts.effects.items() if to_cents(amount)]
    title = f"{what}: why the bill moved"
    if asked_to_show():
        show(waterfall_page(title, before, steps, after, bills.currency))
    if not chart:
        return ()
    png = await to_thread.run_sync(draw_waterfall, title, before, steps, after, bills.currency)
    return () if attach(png) else ("the chart is too large to send",)
