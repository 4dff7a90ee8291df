"""What `detect_anomalies` makes of series that come whole, in part, late or not at all."""

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest

from aiops_observability.clients.anomaly_reading import AnomalyReader
from aiops_observability.models.anomalies import AnomalyAsk, AnomalyReport
from aiops_shared.errors import (
    InsufficientDataError,
    InvalidInputError,
    ThrottledError,
    UpstreamError,
    UpstreamTimeoutError,
)
from tests.fakes.clocks import FakeClock
from tests.fakes.metrics import FakeMetrics, Told

Array = npt.NDArray[np.float64]
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR_S, MIB = 3600.0, 2.0**20


def around(level: float, share: float = 0.02, key: int = 3) -> Callable[[Array], Array]:
    """A level with noise that hangs on the moment."""

    def values(times: Array) -> Array:
        row = (times // 60).astype(np.int64)
        mixed = np.sin(row * 12.9898 + key * 78.233) * 43758.5453
        return np.asarray(level * (1 + share * 2 * (mixed - np.floor(mixed) - 0.5) * 1.7))

    return values


def leaking(before_s: float) -> Callable[[Array], Array]:
    calm = around(300 * MIB)
    return lambda t: calm(t) + 30 * MIB * np.maximum(0.0, t - (NOW.timestamp() - before_s)) / HOUR_S


def workload(**more: list[Told]) -> FakeMetrics:
    return FakeMetrics(
        {
            "memory": [({"pod": "api-1"}, leaking(30 * HOUR_S))],
            "cpu": [({"pod": "api-1"}, around(0.2, key=4))],
            "requests_total": [({}, around(100.0, key=5))],
            "errors": [({}, around(0.01, 0.3, key=6))],
            "latency_p99": [({}, around(0.2, 0.1, key=7))],
            "memory_limit": [({"pod": "api-1"}, lambda t: np.full(t.shape, 2048 * MIB))],
            "restarts": [({"pod": "api-1"}, lambda t: np.zeros(t.shape))],
            **more,
        }
    )


async def detect(metrics: FakeMetrics, **more: object) -> AnomalyReport:
    given: dict[str, object] = {
        "cluster": None,
        "source": "auto",
        "query": "",
        "what": "",
        "namespace": "shop",
        "kind": "Deployment",
        "name": "api",
        "since": "-7d",
        "until": None,
        "changes": (),
        "full": False,
    }
    return await AnomalyReader(metrics, FakeClock(NOW)).detect(AnomalyAsk.model_validate(given | more))


async def test_a_day_of_slope_is_confirmed_and_says_what_it_stands_on() -> None:
    found = await detect(workload())
    assert found.growth is not None
    assert found.growth.grade == "confirmed"
    assert found.growth.limit_eta_s == pytest.approx((2048 - 1200) / 30 * HOUR_S, rel=0.05)
    assert "7 d" not in found.warnings
    assert "every 5 min" in found.baseline
    assert found.would_change
    assert {row[0] for row in found.tested.rows} >= {"memory", "cpu", "errors", "memory growth"}
    assert len(found.summary) <= 400


@pytest.mark.parametrize(
    "error",
    [
        ThrottledError("fake", "slow down"),
        UpstreamTimeoutError("fake", "no answer"),
        UpstreamError("fake", "503"),
    ],
)
async def test_a_signal_that_fails_is_a_warning_and_the_rest_is_judged(error: UpstreamError) -> None:
    metrics = workload()
    metrics.failing = {"latency_p99": error, "requests_total": error}
    metrics.partial = {"memory": "one shard did not answer"}
    found = await detect(metrics)
    assert found.growth is not None
    assert "no load was to be had" in found.baseline
    said = " ".join(found.warnings)
    assert "latency_p99 not read" in said
    assert error.code in said
    assert "memory: one shard did not answer" in said


async def test_where_everything_fails_the_first_error_is_raised() -> None:
    metrics = workload()
    metrics.failing = {name: UpstreamTimeoutError("fake", "no answer") for name in metrics.told}
    with pytest.raises(UpstreamTimeoutError):
        await detect(metrics)


async def test_a_metric_that_was_never_measured_is_refused_with_advice() -> None:
    with pytest.raises(InsufficientDataError, match="search"):
        await detect(FakeMetrics({}))


async def test_too_little_data_is_refused_with_what_is_needed() -> None:
    def young(times: Array) -> Array:
        return np.where(times > NOW.timestamp() - 1200, 5.0, np.nan)

    with pytest.raises(InsufficientDataError, match="at least"):
        await detect(FakeMetrics({"up": [({}, young)]}), query="up", name="", kind="", namespace="")


async def test_a_spike_in_a_query_is_told_with_what_was_expected() -> None:
    begin = NOW.timestamp() - 5 * HOUR_S

    def spiking(times: Array) -> Array:
        return around(50.0)(times) + 100.0 * ((times >= begin) & (times < begin + 1500))

    found = await detect(FakeMetrics({"q": [({}, spiking)]}), query="q", name="", kind="", namespace="")
    (row,) = found.anomalies.rows
    assert row[1] == "spike"
    assert row[2] == "2026-11-22T07:00Z"
    assert row[4] == pytest.approx(50, rel=0.1)
    assert row[5] == pytest.approx(150, rel=0.1)


async def test_lost_scrapes_are_an_anomaly_of_their_own() -> None:
    begin = NOW.timestamp() - 9 * HOUR_S

    def holed(times: Array) -> Array:
        return np.where((times >= begin) & (times < begin + 7200), np.nan, around(50.0)(times))

    found = await detect(FakeMetrics({"q": [({}, holed)]}), query="q", name="", kind="", namespace="")
    assert [row[1] for row in found.anomalies.rows] == ["missing"]


async def test_changes_are_ranked_by_nearness_and_never_after_the_onset() -> None:
    at = [f"2026-11-21T{clock}:00Z {what}" for clock, what in
          (("05:50", "deploy v2"), ("05:32", "config"), ("03:00", "node"), ("08:00", "later"))]  # fmt: skip
    found = await detect(workload(), changes=tuple(at))
    assert found.related is not None
    assert [row[3] for row in found.related.rows if row[0] == "memory trend"][:2] == ["deploy v2", "config"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"name": ""}, "nothing to look at"),
        ({"query": "up", "what": "cpu"}, "either"),
        ({"what": "memmory"}, "memory"),
        ({"changes": ("yesterday deploy",)}, "no time"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_before_anything_is_asked(
    more: dict[str, object], words: str
) -> None:
    metrics = workload()
    with pytest.raises(InvalidInputError, match=words):
        await detect(metrics, **more)
    assert metrics.asked == []
