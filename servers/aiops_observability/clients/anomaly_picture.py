"""The picture of an anomaly answer: a PNG when asked for, the page's data when the host draws.

Called by `anomaly_reading`, which gives what it judged; nothing is judged here.
"""

from collections.abc import Sequence

from anyio import to_thread

from aiops_observability.analysis.anomalies import Anomaly
from aiops_observability.charts.watched import Watched
from aiops_observability.clients.anomaly_memory import MemoryVerdict
from aiops_observability.clients.anomaly_series import Signal
from aiops_shared.app.pictures import attach
from aiops_shared.app.views import asked_to_show, show
from aiops_shared.metrics.series import Values


def watched(
    signal: Signal,
    values: Values,
    anomalies: Sequence[Anomaly],
    verdict: str,
    memory: MemoryVerdict | None = None,
) -> Watched:
    """A judged signal as it is drawn: `values` as they were judged, growth and limit where it is memory."""
    of_memory = memory if signal.name == "memory" else None
    grows = of_memory is not None and of_memory.leaks
    return Watched(
        name=signal.name,
        unit=signal.unit,
        first_s=signal.window.moment(0).timestamp(),
        step_s=float(signal.window.step_s),
        values=values,
        anomalies=anomalies,
        verdict=f"{of_memory.verdict.grade} leak" if of_memory and grows else verdict,
        limit=of_memory.limit if of_memory else None,
        onset=of_memory.verdict.onset_s / signal.window.step_s if of_memory and grows else None,
    )


async def pictured(title: str, found: Sequence[Watched], *, chart: bool) -> list[str]:
    """Send what the client can see; warnings where it cannot. Drawing takes a second, so off the loop."""
    if asked_to_show():
        from aiops_observability.charts.page_data import anomaly_page

        show(anomaly_page(title, found))
    if not chart or not found:
        return []
    from aiops_observability.charts.drawing import draw_anomalies

    png = await to_thread.run_sync(draw_anomalies, title, found)
    return [] if attach(png) else ["the chart is too large to send"]
