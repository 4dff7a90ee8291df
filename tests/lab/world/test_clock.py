"""The lab's clock: order, real time, and that it never runs back."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiops_lab.clock import VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


class Real:
    """A monotonic clock in the test's hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def _note(played: list[tuple[datetime, datetime]], clock: VirtualClock, due: datetime) -> None:
    played.append((due, clock.now()))


def still() -> VirtualClock:
    return VirtualClock(START, running=False)


@given(st.lists(st.floats(0, 10_000), max_size=40))
def test_timers_are_played_in_order_of_their_moment_and_see_it(delays: list[float]) -> None:
    clock, played = still(), list[tuple[datetime, datetime]]()
    for delay in delays:
        due = START + timedelta(seconds=delay)
        clock.call_at(due, partial(_note, played, clock, due))
    clock.advance(10_000)
    assert [due for due, _ in played] == sorted(due for due, _ in played)
    assert len(played) == len(delays)
    assert all(due == seen for due, seen in played)


def test_timers_of_one_moment_are_played_in_the_order_they_were_planned() -> None:
    clock, played = still(), list[int]()
    for place in range(5):
        clock.call_later(10, partial(played.append, place))
    clock.advance(10)
    assert played == [0, 1, 2, 3, 4]


def test_a_timer_planned_by_a_timer_is_played_in_the_same_advance_when_it_is_due() -> None:
    clock, played = still(), list[float]()

    def again() -> None:
        played.append((clock.now() - START).total_seconds())
        clock.call_later(10, again)

    clock.call_later(10, again)
    clock.advance(35)
    assert played == [10, 20, 30]
    assert clock.now() == START + timedelta(seconds=35)


def test_a_cancelled_timer_does_nothing() -> None:
    clock, played = still(), list[int]()
    clock.call_later(1, lambda: played.append(1)).cancel()
    clock.advance(5)
    assert played == []
    assert clock.next_due() is None


def test_real_time_flows_in_only_with_a_tick_and_only_while_running() -> None:
    real, played = Real(), list[int]()
    clock = VirtualClock(START, monotonic=real)
    clock.call_later(2, lambda: played.append(1))
    real.seconds = 3
    assert clock.now() == START + timedelta(seconds=3)
    assert played == []
    clock.tick()
    assert played == [1]
    clock.pause()
    real.seconds = 100
    assert clock.now() == START + timedelta(seconds=3)
    clock.resume()
    real.seconds = 101
    assert clock.now() == START + timedelta(seconds=4)


def test_an_advance_comes_on_top_of_real_time() -> None:
    real = Real()
    clock = VirtualClock(START, monotonic=real)
    real.seconds = 1
    clock.advance(300)
    real.seconds = 2
    assert clock.now() == START + timedelta(seconds=302)


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_time_never_runs_back_or_for_ever(seconds: float) -> None:
    clock = still()
    with pytest.raises(ValueError, match="advance"):
        clock.advance(seconds)
    assert clock.now() == START


def test_an_advance_from_inside_a_timer_is_refused_and_the_clock_still_works() -> None:
    clock = still()
    clock.call_later(1, lambda: clock.advance(5))
    with pytest.raises(RuntimeError, match="call_later"):
        clock.advance(2)
    clock.advance(5)
    assert clock.now() >= START + timedelta(seconds=5)
