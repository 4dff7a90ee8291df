"""The detectors on arrays: what is news, what comes back each night, where a change began."""

import numpy as np
import numpy.typing as npt
import pytest

from aiops_observability.analysis.anomalies import scanned
from aiops_observability.analysis.change_points import change_points
from aiops_observability.analysis.leaks import LeakVerdict, Track, judge
from aiops_observability.analysis.robust import mann_kendall, slope_within

Array = npt.NDArray[np.float64]
DAY = 288


def noisy(rows: int, level: float = 100.0, sigma: float = 3.0, seed: int = 11) -> Array:
    return np.asarray(np.random.default_rng(seed).normal(level, sigma, rows))


def test_a_step_is_found_to_the_sample_and_a_ramp_at_its_begin() -> None:
    step = noisy(4 * DAY)
    step[800:] += 25
    (point,) = change_points(step, 300.0)
    assert (point.onset, point.ramp) == (800, False)
    assert point.size == pytest.approx(25, rel=0.1)
    ramp = noisy(4 * DAY, seed=12)
    ramp += 40 * np.clip((np.arange(ramp.size) - 800) / 24, 0, 1)
    (point,) = change_points(ramp, 300.0)
    assert point.ramp
    assert abs(point.onset - 800) <= 3


def test_noise_alone_changes_nothing() -> None:
    assert change_points(noisy(4 * DAY), 300.0) == ()
    assert change_points(np.full(4 * DAY, 7.0), 300.0) == ()
    assert scanned(noisy(7 * DAY), 300.0).anomalies == ()
    assert scanned(np.full(7 * DAY, 7.0), 300.0).normal == ("constant",)


def test_what_comes_back_each_night_is_no_news_and_what_comes_once_is() -> None:
    values = noisy(8 * DAY)
    for night in range(8):
        values[night * DAY + 30 : night * DAY + 36] += 80
    values[7 * DAY + 150 : 7 * DAY + 156] += 80
    found = scanned(values, 300.0).anomalies
    known = [one for one in found if one.first >= 4 * DAY]  # some nights teach what a night is
    assert [(one.kind, one.first) for one in known] == [("spike", 7 * DAY + 150)]


def test_a_shift_that_stays_lasts_until_the_end() -> None:
    values = noisy(7 * DAY)
    values[5 * DAY + 40 :] += 60
    found = scanned(values, 300.0).anomalies
    assert (found[0].kind, found[0].first, found[0].lasts) == ("level_shift", 5 * DAY + 40, True)
    assert len(found) == 1


def test_a_trend_is_told_from_noise_that_remembers() -> None:
    rng = np.random.default_rng(5)
    wander = np.zeros(400)
    for row in range(1, 400):
        wander[row] = 0.9 * wander[row - 1] + rng.normal()
    assert abs(mann_kendall(wander)) < 3
    assert mann_kendall(wander + 0.05 * np.arange(400)) > 3


def test_a_slope_does_not_reach_over_a_restart() -> None:
    times = np.arange(200, dtype=np.float64)
    saw = 2.0 * (times % 50)
    assert slope_within(times, saw, (times // 50).astype(np.int64)) == pytest.approx(2.0)


def test_too_little_memory_is_thin_and_says_what_is_needed() -> None:
    verdict = judge([Track(noisy(10))], 300.0)
    assert verdict.kind == "thin"
    assert "2 hours" in verdict.needs


@pytest.mark.parametrize("phase", range(0, 24, 3))
def test_a_leak_since_a_release_is_told_at_any_hour_of_the_day(phase: int) -> None:
    """F3 in numbers: three pods, replaced six hours ago; the daily wave stands anywhere."""
    rng = np.random.default_rng(phase)
    at = np.arange(7 * DAY + 1) * 300.0
    onset, born = at[-1] - 6 * 3600, at.size - 73
    tracks = []
    for pod in range(6):
        wave = 310 + 12 * np.sin(2 * np.pi * (at / 86_400 + phase / 24))
        values = wave + 30 * np.maximum(0.0, at - onset) / 3600 + rng.normal(0, 4, at.size)
        gone = slice(born, None) if pod < 3 else slice(0, born)
        values[gone] = np.nan
        tracks.append(values)
    load = 120 * np.exp(rng.normal(0, 0.01, at.size))

    def verdict(hours_ago: int) -> LeakVerdict:
        end = at.size - 12 * hours_ago
        seen = [Track(values[:end]) for values in tracks if np.any(~np.isnan(values[:end]))]
        return judge(seen, 300.0, load=load[:end], limit=1024.0, changes_s=[onset - 300])

    now = verdict(0)
    assert (now.kind, now.grade) == ("leak", "confirmed")
    assert now.reach is not None
    assert now.reach.expected_s == pytest.approx(17.8 * 3600, abs=2 * 3600)
    assert abs(now.onset_s - onset) <= 600
    assert verdict(4).grade == "suspected"
    assert verdict(7).grade == ""


def since_a_start(hours: int, *, fills_h: int, lives: int = 1) -> LeakVerdict:
    """A memory that climbs 4 MiB an hour from a start three days into the data, for so many hours at most."""
    rng = np.random.default_rng(11)
    first = 3 * DAY
    rows = first + hours * 12
    starts = [first + hours * 12 * life // lives for life in range(lives)]
    born = np.array([max([0, *(one for one in starts if one <= row)]) for row in range(rows)])
    age_h = np.where(born > 0, (np.arange(rows) - born) / 12, 0.0)
    values = 300 + 4.0 * np.minimum(age_h, fills_h) + rng.normal(0, 4, rows)
    return judge([Track(values, tuple(starts))], 300.0, limit=2048.0)


def test_growth_since_the_only_start_may_be_a_cache_and_is_confirmed_after_two_days() -> None:
    early, late = since_a_start(40, fills_h=1000), since_a_start(60, fills_h=1000)
    assert (early.kind, early.grade, early.confirms_s) == ("leak", "suspected", 48 * 3600.0)
    assert late.grade == "confirmed"


def test_growth_that_two_lives_show_is_confirmed_after_one_day() -> None:
    found = since_a_start(60, fills_h=1000, lives=2)
    assert (found.grade, found.confirms_s) == ("confirmed", 24 * 3600.0)


@pytest.mark.parametrize("hours", [36, 44, 48, 60, 84])
def test_a_cache_that_fills_for_a_day_and_a_half_is_at_no_time_a_confirmed_leak(hours: int) -> None:
    assert since_a_start(hours, fills_h=36).grade != "confirmed"


def test_a_level_that_wanders_for_hours_is_no_confirmed_leak() -> None:
    for seed in range(8):
        rng = np.random.default_rng([seed, 77])
        wander = np.zeros(4 * DAY)
        for row in range(1, wander.size):
            wander[row] = 0.985 * wander[row - 1] + rng.normal()
        assert judge([Track(300 + 3 * wander)], 300.0).grade != "confirmed"
