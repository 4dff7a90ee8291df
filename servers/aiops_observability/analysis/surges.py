"""The next peak of a forecast: what an autoscaler meets unprepared.

Called by `clients/forecast_reading.py`. Pure.
"""

from dataclasses import dataclass

import numpy as np

from aiops_observability.analysis.forecasting import Forecast


@dataclass(frozen=True, slots=True)
class Surge:
    """The next peak: its hour, how it compares with the hour before the rise and with the usual hour."""

    hour: int  # of the forecast
    begins: int  # first hour of the rise
    ends: int  # first hour after it
    value: float
    to_before: float
    to_usual: float


def next_surge(found: Forecast, measured: float | None = None) -> Surge:
    """The highest hour to come, and the stretch around it that stands over the hour before it.

    `to_before` is its ratio to the hour before the climb: what an autoscaler meets unprepared. `measured`:
    the last whole hour, which is the one before when the first hour to come is in the climb already.
    """
    mean = found.mean
    hour = int(np.argmax(mean))
    usual = float(np.median(mean))
    half = usual + 0.25 * (float(mean[hour]) - usual)
    begins = hour
    while begins > 0 and mean[begins - 1] > half and mean[begins - 1] > 0.6 * mean[hour]:
        begins -= 1
    ends = hour + 1
    while ends < mean.size and mean[ends] > half and mean[ends] > 0.6 * mean[hour]:
        ends += 1
    before = float(mean[begins - 1]) if begins > 0 else float(mean[hour]) if measured is None else measured
    return Surge(
        hour,
        begins,
        ends,
        float(mean[hour]),
        float(mean[hour]) / max(before, 1e-12),
        float(mean[hour]) / max(usual, 1e-12),
    )
