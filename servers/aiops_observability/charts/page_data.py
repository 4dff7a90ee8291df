"""What the host's page draws (`series.html`): series thinned to what a page can show, anomalies, intervals.

Called by the readers when the client draws (`aiops_shared.app.views`). Rows of the page: `name`, `unit`,
`first_s`, `step_s`, `values` with null for gaps, `anomalies`, `onset_s`, `limit`, `verdict`, `ahead`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from aiops_observability.analysis.anomalies import Anomaly
from aiops_observability.analysis.forecasting import HOUR_S, WEEK, Forecast, Hourly
from aiops_observability.analysis.robust import Array
from aiops_observability.charts.watched import Watched

MOST_POINTS = 700
MOST_ANOMALIES = 40


def thinned(values: Array, most: int = MOST_POINTS) -> tuple[Array, int]:
    """At most so many points, and how many each stands for: of each bucket what stands off most, since a mean
    would hide the spike that the page is about. A bucket without a value stays a gap.
    """
    width = max(1, -(-values.size // most))
    rows = np.pad(values, (0, -values.size % width), constant_values=np.nan).reshape(-1, width)
    seen = values[~np.isnan(values)]
    middle = float(np.median(seen)) if seen.size else 0.0
    off = np.where(np.isnan(rows), -1.0, np.abs(rows - middle))
    return rows[np.arange(rows.shape[0]), off.argmax(axis=1)], width


def anomaly_page(title: str, found: Sequence[Watched]) -> dict[str, Any]:
    """Judged series with what is abnormal in them."""
    return {"title": f"Anomalies: {title}", "rows": [_row(one) for one in found]}


def forecast_page(title: str, unit: str, series: Hourly, found: Forecast) -> dict[str, Any]:
    """The last two weeks by the hour, and the hours to come with their intervals."""
    past = series.values[-2 * WEEK :]
    first_s = series.first_s + (series.values.size - past.size) * HOUR_S
    (low80, high80), (low95, high95) = found.bounds[0.80], found.bounds[0.95]
    bounds = {"low80": low80, "high80": high80, "low95": low95, "high95": high95}
    row = _series(title, unit, first_s, HOUR_S, past)
    row["ahead"] = {
        "first_s": found.first_s,
        "step_s": HOUR_S,
        "mean": _numbers(found.mean),
        **{name: _numbers(values) for name, values in bounds.items()},
    }
    return {"title": f"Forecast: {title}", "rows": [row | {"verdict": f"model {found.model}"}]}


def _row(one: Watched) -> dict[str, Any]:
    row = _series(one.name, one.unit, one.first_s, one.step_s, one.values)
    row["anomalies"] = [_told(one, each) for each in one.anomalies[:MOST_ANOMALIES]]
    row["verdict"] = one.verdict
    row["limit"] = one.limit
    row["onset_s"] = None if one.onset is None else one.first_s + one.onset * one.step_s
    return row


def _series(name: str, unit: str, first_s: float, step_s: float, values: Array) -> dict[str, Any]:
    shown, width = thinned(values)
    return {
        "name": name,
        "unit": unit,
        "first_s": first_s,
        "step_s": step_s * width,
        "values": _numbers(shown),
    }


def _told(one: Watched, each: Anomaly) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "from_s": one.first_s + each.first * one.step_s,
        "to_s": one.first_s + each.last * one.step_s,
        "expected": _number(each.expected),
        "low": _number(each.band[0]),
        "high": _number(each.band[1]),
    }


def _numbers(values: Array) -> list[float | None]:
    return [_number(value) for value in values.tolist()]


def _number(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None
