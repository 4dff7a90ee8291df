"""A series that is younger than its window is judged by its own past, not by one made up for it."""

import numpy as np
import pytest

from aiops_observability.analysis.anomalies import scanned

STEP_S = 300.0


@pytest.mark.parametrize("before", [0, 1, 500, 1200])
def test_a_step_is_found_where_it_is_however_late_the_series_begins(before: int) -> None:
    rng = np.random.default_rng(7)
    values = rng.normal(100.0, 2.0, 900)
    values[850:] += 60.0
    found = scanned(np.concatenate([np.full(before, np.nan), values]), STEP_S)
    [shift] = [one for one in found.anomalies if one.kind == "level_shift"]
    assert abs(shift.first - before - 850) <= 2
    assert shift.lasts
    assert found.rarity is not None
    assert found.rarity.size == before + values.size
    assert found.missing == pytest.approx(before / (before + values.size))


def test_a_calm_young_series_is_calm() -> None:
    values = np.random.default_rng(3).normal(100.0, 2.0, 900)
    assert scanned(np.concatenate([np.full(1100, np.nan), values]), STEP_S).anomalies == ()
    nothing = scanned(np.full(100, np.nan), STEP_S)
    assert nothing.points == 0
    assert nothing.needs
