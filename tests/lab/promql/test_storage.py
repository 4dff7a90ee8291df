"""What the evaluator reads of a world's signals: scrapes, staleness, joined series, budget, and no future."""

import numpy as np
import pytest

from aiops_lab.promql.queries import Json, Span, instant_query, range_query
from aiops_lab.promql.storage import SignalStorage
from aiops_lab.promql.values import PromqlError
from aiops_lab.telemetry.signals import Signal, Signals, counted
from tests.lab.promql.samples import T0

NOW_S = T0 + 7200.0


def world(*told: Signal, stale: bool = True) -> SignalStorage:
    signals = Signals()
    signals.add(*told)
    return SignalStorage(signals, lambda: NOW_S, stale=stale)


def gone(after_s: float) -> Signal:
    return Signal("up", {"pod": "a"}, lambda t: np.ones(t.shape), until_s=T0 + after_s)


def rows(storage: SignalStorage, text: str, at_s: float) -> list[Json]:
    found: list[Json] = instant_query(storage, text, round(at_s * 1000))["result"]
    return found


def test_a_series_that_ended_is_stale_at_the_next_scrape() -> None:
    storage = world(gone(610))
    assert len(rows(storage, "up", T0 + 640)) == 1
    assert rows(storage, "up", T0 + 661) == []
    assert rows(storage, "count_over_time(up[5m])", T0 + 661)[0]["value"][1] == "4"


def test_without_markers_it_is_seen_for_five_minutes_more() -> None:
    storage = world(gone(610), stale=False)
    assert len(rows(storage, "up", T0 + 899)) == 1
    assert rows(storage, "up", T0 + 901) == []


def test_a_series_that_ended_just_before_the_window_is_marked_in_it() -> None:
    found = range_query(world(gone(610)), "up", Span((T0 + 665) * 1000, (T0 + 1200) * 1000, 60_000))
    assert found["result"] == []


def test_series_with_equal_labels_are_one() -> None:
    early = Signal("up", {"pod": "a"}, lambda t: np.full(t.shape, 1.0), until_s=T0 + 600)
    late = Signal("up", {"pod": "a"}, lambda t: np.full(t.shape, 2.0), since_s=T0 + 601)
    found = range_query(world(early, late), "up", Span((T0 + 540) * 1000, (T0 + 720) * 1000, 60_000))
    assert [value for _, value in found["result"][0]["values"]] == ["1", "1", "2", "2"]


def test_nothing_is_read_beyond_now() -> None:
    storage = world(Signal("up", {}, lambda t: np.ones(t.shape)))
    assert len(rows(storage, "up", NOW_S + 200)) == 1
    assert rows(storage, "up", NOW_S + 301) == []
    assert rows(storage, "count_over_time(up[1h])", NOW_S + 3000)[0]["value"][1] == "11"


def test_a_rate_is_what_the_counter_was_made_of() -> None:
    made = counted(lambda t: np.full(t.shape, 2.5), T0 - 40 * 86_400)
    storage = world(Signal("requests_total", {}, made, "counter"))
    assert float(rows(storage, "rate(requests_total[5m])", NOW_S)[0]["value"][1]) == pytest.approx(2.5)
    assert float(rows(storage, "increase(requests_total[1h])", NOW_S)[0]["value"][1]) == pytest.approx(9000)


def test_a_query_over_its_budget_is_refused_and_gives_no_number() -> None:
    storage = world(Signal("up", {}, lambda t: np.ones(t.shape)))
    with pytest.raises(PromqlError, match="too many samples") as refused:
        instant_query(storage, "sum_over_time(up[1h])", round(NOW_S * 1000), most=20)
    assert refused.value.kind == "execution"
    with pytest.raises(PromqlError, match="timed out") as refused:
        instant_query(storage, "up", round(NOW_S * 1000), in_time=lambda: False)
    assert refused.value.kind == "timeout"


@pytest.mark.parametrize(
    "query", ["mad_over_time(up[5m])", "limitk(1, up)", "up == fill(0) up", 'up{a="b" or c="d"}']
)
def test_what_is_newer_than_2_42_is_refused(query: str) -> None:
    with pytest.raises(PromqlError) as refused:
        instant_query(world(), query, round(NOW_S * 1000))
    assert refused.value.kind == "bad_data"
