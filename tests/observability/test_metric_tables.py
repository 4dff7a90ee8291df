"""Ten thousand series in a few rows: the worst first, the rest counted, each number checkable by hand."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from aiops_observability.analysis.summaries import by_hour_of_week, summarised, thinned
from aiops_observability.clients.metric_tables import BYTES, FULL_BYTES, drawn, human, known, rounded, week
from aiops_shared.metrics.series import Series, Values, Window

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)


def series(values: list[float], step_s: int = 60, **labels: str) -> Series:
    until = MONDAY + timedelta(seconds=step_s * (len(values) - 1))
    return Series(labels, Window(MONDAY, until, step_s), np.array(values))


def moments(count: int, step_s: int = 60) -> Values:
    return np.arange(0, count * step_s, step_s, dtype=np.float64)


def test_the_numbers_of_a_series() -> None:
    found = summarised(moments(6, 3600), np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0]))
    assert found is not None
    assert (found.points, found.low, found.high, found.mean, found.p50, found.last) == (5, 1, 6, 3.6, 4, 6)
    assert found.missing == pytest.approx(1 / 6)
    assert found.slope_h == pytest.approx(1.0)
    assert found.p95 == pytest.approx(5.8)


def test_nothing_measured_has_no_numbers_and_a_constant_has_no_slope() -> None:
    assert summarised(np.arange(3.0), np.full(3, np.nan)) is None
    flat = summarised(moments(100), np.full(100, 0.8751))
    assert flat is not None
    assert flat.slope_h == 0
    two = summarised(np.arange(2.0), np.ones(2))
    assert two is not None
    assert np.isnan(two.slope_h)


def test_fewer_points_are_means_of_equal_stretches_with_their_gaps() -> None:
    times, values = thinned(np.arange(10.0), np.array([1, 3, np.nan, np.nan, 5, np.nan, 7, 9, 11, 13]), 5)
    assert times.tolist() == [1, 3, 5, 7, 9]
    assert values[[0, 2, 3, 4]].tolist() == [2, 5, 8, 12]
    assert np.isnan(values[1])


def test_a_week_by_its_hours_begins_on_monday() -> None:
    times = MONDAY.timestamp() + moments(336, 3600)
    values = np.where((np.arange(336) % 168) == 9, 1000.0, 100.0)
    found = by_hour_of_week(times, values)
    assert found.shape == (24, 7)
    assert found[9, 0] == 1000
    assert np.count_nonzero(found == 1000) == 1
    table = week(series(values.tolist(), 3600))
    assert table.columns[:2] == ("hour", "Mon")
    assert table.rows[9][:3] == ("09", 1000, 100)


def test_ten_thousand_series_fit_and_the_largest_lead() -> None:
    many = [
        series([float(n)] * 60, pod=f"{'long-workload-name-' * 3}{n:05}", ns="shop") for n in range(10_000)
    ]
    rows = known(many)
    made = drawn(rows, full=False)
    size = len(json.dumps([made.statistics.model_dump(), made.points.model_dump()], separators=(",", ":")))
    assert size <= BYTES
    assert made.shown >= 5
    assert made.statistics.columns[0] == "pod"  # `ns` is the same everywhere
    assert made.statistics.rows[0][0] == "all"
    assert str(made.statistics.rows[1][0]).endswith("09999")
    wide = drawn(rows, full=True)
    assert wide.shown > made.shown
    assert len(json.dumps(wide.statistics.model_dump())) <= 1.2 * FULL_BYTES


def test_where_low_is_worse_the_lowest_leads() -> None:
    rows = known([series([5.0, 5.0], node="a"), series([9.0, 1.0], node="b")], lowest=True)
    assert [one.series.labels["node"] for one in rows] == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (376_100_000.0, "bytes", "358.7 MiB"),
        (12.0, "bytes", "12 bytes"),
        (-2048.0, "bytes", "-2 KiB"),
        (0.875123, "ratio", "0.8751 ratio"),
        (3.0, "", "3"),
        (float("nan"), "bytes", "unknown"),
    ],
)
def test_a_value_in_a_sentence(value: float, unit: str, said: str) -> None:
    assert human(value, unit) == said


def test_four_digits_are_kept() -> None:
    assert [rounded(one) for one in (123456.0, 0.00012346, 2.0, float("nan"))] == [123500, 0.0001235, 2, None]
