"""An upstream that does not answer is left alone for a minute, then asked once (row B29, threat T10)."""

import math
from dataclasses import dataclass

import pytest

from aiops_shared.errors import NotFoundError, UnreachableError, UpstreamError, UpstreamTimeoutError
from aiops_shared.http.breaker import FAILURES, OPEN_S, Breaker

pytestmark = [pytest.mark.row("B29"), pytest.mark.threat("T10")]


@dataclass
class Watch:
    """Monotonic time in the test's hands."""

    at_s: float = 100.0

    def __call__(self) -> float:
        return self.at_s


def _call(
    breaker: Breaker, error: BaseException | None = None, *, sent: bool = True, heard: bool = False
) -> None:
    with breaker.guarding("pods") as call:
        call.sent_at, call.heard = (0.0 if sent else math.inf), heard
        if error is not None:
            raise error


def _fail(breaker: Breaker, times: int) -> None:
    for number in range(times):
        error = (UnreachableError, UpstreamTimeoutError, UpstreamError)[number % 3]
        with pytest.raises(error, match="silence"):
            _call(breaker, error("pods", "silence"))


def _opened(watch: Watch) -> Breaker:
    breaker = Breaker(now=watch)
    _fail(breaker, FAILURES)
    return breaker


def test_calls_that_never_reached_the_wire_open_nothing() -> None:
    breaker = Breaker(now=Watch())
    for _ in range(3 * FAILURES):
        with pytest.raises(UpstreamTimeoutError):
            _call(breaker, UpstreamTimeoutError("pods", "no free connection"), sent=False)
    _call(breaker)


def test_four_calls_without_an_answer_open_nothing() -> None:
    breaker = Breaker(now=Watch())
    _fail(breaker, FAILURES - 1)
    _call(breaker)
    _fail(breaker, FAILURES - 1)
    _call(breaker)


def test_after_five_in_a_row_nobody_is_asked_and_the_error_says_for_how_long() -> None:
    watch = Watch()
    breaker = _opened(watch)
    watch.at_s += 20
    with pytest.raises(UnreachableError, match=r"5 calls in a row got no answer; it is asked again in 40 s"):
        _call(breaker, AssertionError("called"))


def test_a_refusal_a_missing_object_an_error_and_a_slow_list_are_answers() -> None:
    breaker = Breaker(now=Watch())
    slow = UpstreamTimeoutError("pods", "no complete answer within 30 s")
    for error in (
        NotFoundError("pod", "not found"),
        UpstreamError("pods", "HTTP 500"),
        slow,
        slow,
    ) * FAILURES:
        with pytest.raises(type(error)):
            _call(breaker, error, heard=True)
    _call(breaker)


def test_after_a_minute_one_call_finds_out_and_the_others_wait_for_it() -> None:
    watch = Watch()
    breaker = _opened(watch)
    watch.at_s += OPEN_S + 1
    with breaker.guarding("pods"), pytest.raises(UnreachableError, match="under way"):
        _call(breaker, AssertionError("called"))
    _call(breaker)


def test_a_probe_without_an_answer_opens_it_for_another_minute() -> None:
    watch = Watch()
    breaker = _opened(watch)
    watch.at_s += OPEN_S + 1
    _fail(breaker, 1)
    with pytest.raises(UnreachableError, match="in 60 s"):
        _call(breaker, AssertionError("called"))


def test_a_cancelled_probe_lets_the_next_one_through() -> None:
    watch = Watch()
    breaker = _opened(watch)
    watch.at_s += OPEN_S + 1
    with pytest.raises(KeyboardInterrupt):
        _call(breaker, KeyboardInterrupt())
    _call(breaker)
