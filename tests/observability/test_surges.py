"""The next peak, also in the hour that is it: found by the demo on a Monday at nine."""

import numpy as np

from aiops_observability.analysis.forecasting import Forecast
from aiops_observability.analysis.surges import next_surge


def _hours(*highest: int) -> Forecast:
    mean = np.full(168, 100.0)
    mean[list(highest)] = 250.0
    return Forecast(0.0, mean, {0.95: (mean - 10, mean + 10)})


def test_a_surge_to_come_is_compared_with_the_hour_before_it() -> None:
    found = next_surge(_hours(50, 51), 400.0)
    assert (found.hour, found.begins, found.ends, found.to_before) == (50, 50, 52, 2.5)


def test_a_surge_under_way_is_compared_with_the_last_hour_that_was_measured() -> None:
    assert next_surge(_hours(0), 100.0).to_before == 2.5
    assert next_surge(_hours(0), 250.0).to_before == 1.0
    assert next_surge(_hours(0)).to_before == 1.0
