"""Pictures hold what the answer says: abnormal stretches are marked, a normal series is a plain line."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from aiops_observability.analysis.anomalies import Anomaly, scanned
from aiops_observability.analysis.robust import Array
from aiops_observability.charts.drawing import draw_anomalies, scaled
from aiops_observability.charts.watched import Watched
from aiops_shared.app.pictures import MOST_BYTES

STEP_S, FIRST_S, ROWS = 300.0, 1_790_000_000.0, 2016
ORANGE = (0xD5, 0x5E, 0x00)


def quiet(seed: int = 1) -> Array:
    """A week of a gauge at five minutes."""
    return 0.1 * (1 + 0.05 * np.random.default_rng(seed).standard_normal(ROWS))


def watched(values: Array, *anomalies: Anomaly, **more: float) -> Watched:
    return Watched("latency_p99", "seconds", FIRST_S, STEP_S, values, anomalies, "", **more)


def pixels(png: bytes, colour: tuple[int, int, int]) -> int:
    """How many pixels have a colour."""
    found = np.round(np.asarray(imread(io.BytesIO(png)))[:, :, :3] * 255).astype(int)
    return int(np.count_nonzero(np.all(found == colour, axis=2)))


def bluish(png: bytes) -> int:
    """How many pixels are of the band or of the line in it: more blue than red."""
    found = np.asarray(imread(io.BytesIO(png)))
    return int(np.count_nonzero(found[:, :, 2] - found[:, :, 0] > 0.1))


def test_an_abnormal_stretch_is_marked_with_what_was_expected_there() -> None:
    values = quiet()
    values[1400:] *= 2.0
    found = scanned(values, STEP_S).anomalies
    assert found
    png = draw_anomalies("production/api", [watched(values, *found)])
    assert png.startswith(b"\x89PNG")
    assert len(png) < MOST_BYTES
    assert pixels(png, ORANGE) > 500
    assert bluish(png) > 500


def test_a_normal_series_is_a_line_and_nothing_else() -> None:
    png = draw_anomalies("production/api", [watched(quiet())])
    assert pixels(png, ORANGE) == bluish(png) == 0


def test_growth_is_marked_from_its_onset_and_its_limit_is_a_line() -> None:
    values = quiet() + np.maximum(0, np.arange(ROWS) - 1500) * 1e-4
    plain = draw_anomalies("t", [watched(values)])
    grown = draw_anomalies("t", [watched(values, onset=1500.0, limit=0.2)])
    assert pixels(grown, ORANGE) > 200 > pixels(plain, ORANGE)


@pytest.mark.parametrize(
    "values",
    [np.full(ROWS, np.nan), np.zeros(ROWS), np.full(ROWS, 7.0), -quiet()],
    ids=["gaps", "zeros", "constant", "negative"],
)
def test_a_series_without_values_or_without_change_is_drawn_too(values: Array) -> None:
    assert draw_anomalies("t", [watched(values)]).startswith(b"\x89PNG")


def test_a_gap_is_shaded_and_names_are_no_formulas() -> None:
    values = quiet()
    values[900:960] = np.nan
    (gap,) = (one for one in scanned(values, STEP_S).anomalies if one.kind == "missing")
    png = draw_anomalies("a $b^{c$ d", [watched(values, gap)])
    assert pixels(png, ORANGE) == 0


def test_a_workload_of_many_signals_stays_small_enough_to_send() -> None:
    many = [watched(quiet(seed)) for seed in range(9)]
    assert len(draw_anomalies("t", many)) < MOST_BYTES


def test_amounts_are_in_units_that_people_read() -> None:
    assert scaled("bytes", np.array([3.0 * 2**20])) == (2.0**20, "MiB")
    assert scaled("bytes", np.array([3.0 * 2**30])) == (2.0**30, "GiB")
    assert scaled("bytes", np.array([np.nan])) == (1.0, "B")
    assert scaled("ratio", np.array([0.2])) == (0.01, "%")
    assert scaled("seconds", np.array([0.2])) == (1.0, "seconds")
