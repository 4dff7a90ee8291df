"""Steps that a pod did not fill are left out, and only those."""

from datetime import UTC, datetime

import numpy as np
import pytest

from aiops_shared.metrics.series import MetricAnswer, Series, Values, Window
from aiops_shared.metrics.whole_steps import ragged_ends, whole_steps

GAP = float("nan")
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def kept(values: list[float], question: str = "cpu") -> Values:
    window = Window(SINCE, datetime(2026, 1, 1, 0, 5 * (len(values) - 1), tzinfo=UTC), 300)
    answer = MetricAnswer((Series({"pod": "a"}, window, np.array(values)),), "a store", "a query")
    return whole_steps(question, answer).series[0].values


@pytest.mark.parametrize(
    ("values", "ragged"),
    [
        ([1, 2, 3, 4], []),  # there for the whole window
        ([GAP, 1, 2, 3, 4], [1]),  # began in it
        ([1, 2, 3, 4, GAP], [3]),  # ended in it
        ([GAP, 1, 2, 3, GAP, 5, 6, 7], [1, 3, 5]),
        ([GAP, 1, 2, GAP], []),  # too short to leave anything out
        ([GAP, GAP], []),
        ([], []),
    ],
)
def test_what_began_or_ended_inside_the_window_has_ragged_ends(
    values: list[float], ragged: list[int]
) -> None:
    assert np.flatnonzero(ragged_ends(np.array(values, dtype=np.float64))).tolist() == ragged


def test_only_rates_of_what_comes_and_goes_lose_them() -> None:
    values = [GAP, 1.0, 2.0, 3.0, 4.0]
    np.testing.assert_array_equal(kept(values), [GAP, GAP, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(kept(values, "memory"), values)
    np.testing.assert_array_equal(kept([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0])
