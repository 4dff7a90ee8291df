"""Whole runs through each fault of the safety page that a run can meet, at each of its calls.

Clocks are fake, so that minutes of waiting cost nothing; effects are counted by the hands' own file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aiops_shared.errors import (
    AiopsError,
    ApprovalInvalidError,
    ThrottledError,
    UnauthenticatedError,
    UnreachableError,
    UpstreamError,
    UpstreamTimeoutError,
)
from tests.fakes.runhouses import ANNA, RunHouse, change, front, step
from tests.faults.storms import CALLS, Broken, BrokenStore, books_are_right, stormy_house, weathered

Makes = Callable[[], AiopsError]


def refused() -> AiopsError:
    return UnauthenticatedError("api server", "the credentials are not accepted", "renew them")


def throttled() -> AiopsError:
    return ThrottledError("api server", "too many requests", "given up after 5 tries; try again in 7 s")


def silent() -> AiopsError:
    return UpstreamTimeoutError("eks", "no answer within 30 s")


@dataclass(frozen=True)
class Storm:
    """What so many calls in a row answer; `lost`: the effect happened."""

    error: Makes
    left: int
    lost: bool = False


def cut() -> AiopsError:
    return UnreachableError("eks", "connection reset")


def failing() -> AiopsError:
    return UpstreamError("ssm", "InternalServerError 500")


@pytest.mark.parametrize(
    "storm",
    [
        pytest.param(Storm(throttled, 3), id="throttled", marks=pytest.mark.fault("R1")),
        pytest.param(Storm(cut, 1), id="cut before", marks=pytest.mark.fault("R2")),
        pytest.param(Storm(cut, 1, lost=True), id="cut after", marks=pytest.mark.fault("R2")),
        pytest.param(Storm(silent, 2), id="stalled before", marks=pytest.mark.fault("R3")),
        pytest.param(Storm(silent, 2, lost=True), id="stalled after", marks=pytest.mark.fault("R3")),
        pytest.param(Storm(failing, 4), id="aws fails", marks=pytest.mark.fault("R6")),
    ],
)
async def test_a_run_ends_well_whichever_of_its_calls_meets_the_fault(storm: Storm, tmp_path: Path) -> None:
    house, hands = stormy_house(tmp_path)
    async with house.running():
        for k in range(CALLS):
            hands.storm(k, storm.error, storm.left, storm.lost)
            started = await house.start("two", params={"name": f"n{k}"})
            run = await weathered(house, started.run_id)
            assert run.state == "succeeded", (k, run)
            await books_are_right(house, run.run_id, f"n{k}")


@pytest.mark.fault("R5")
@pytest.mark.parametrize("twice", [False, True])
async def test_a_run_whose_token_is_refused_for_good_after_any_call_pauses_and_goes_on_there(
    tmp_path: Path, twice: bool
) -> None:
    """A first 401 is renewed at the connection (`test_kube_tokens`): what comes here was refused again."""
    house, hands = stormy_house(tmp_path)
    async with house.running():
        for k in range(CALLS):
            hands.storm(k, refused, 1 + twice)
            started = await house.start("two", params={"name": f"n{k}"})
            paused = await house.drive(started.run_id)
            assert paused.state == "waiting", (k, paused)
            assert paused.waiting is not None
            assert "not accepted" in paused.waiting.says
            before = hands.made
            run = await weathered(house, started.run_id)
            assert (run.state, hands.made - before) == ("succeeded", CALLS - k + twice), (k, run)
            await books_are_right(house, run.run_id, f"n{k}")


@pytest.mark.fault("R8")
@pytest.mark.fault("R9")
@pytest.mark.parametrize("how", ["full", "read_only"])
async def test_a_run_whose_store_cannot_be_written_goes_on_without_a_restart(
    how: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit stands in the same store: what cannot be written there is not done."""
    monkeypatch.setattr("aiops_sop.clients.carrying.STORE_AWAY_S", (0.001, 0.002))
    broken = BrokenStore(how)
    broken.install(monkeypatch)
    house, hands = stormy_house(tmp_path)
    hands.happens = broken.breaks
    async with house.running():
        for k in range(CALLS):
            hands.storm(k, refused, 0)
            started = await house.start("two", params={"name": f"n{k}"})
            run = await weathered(house, started.run_id)
            assert (broken.refused, broken.on) == (broken.lasts, False), k
            assert run.state == "succeeded", (k, run)
            await books_are_right(house, run.run_id, f"n{k}")


@pytest.mark.fault("R8")
@pytest.mark.fault("R9")
@pytest.mark.parametrize("how", ["full", "read_only"])
async def test_while_the_store_cannot_be_written_nothing_begins_and_reads_go_on(
    how: Broken, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = BrokenStore(how, lasts=1000)
    broken.install(monkeypatch)
    house, hands = stormy_house(tmp_path)
    async with house.running():
        first = await house.start("two")
        broken.on = True
        with pytest.raises(AiopsError):
            await house.start("two", params={"name": "api"})
        assert (await house.seen(first.run_id)).state == "queued"
        assert hands.effects() == []
        broken.on = False
        assert (await house.drive(first.run_id)).state == "succeeded"
        assert (await house.did("two", params={"name": "api"})).state == "succeeded"


JUMPS = {
    "five minutes on": timedelta(minutes=5),
    "five minutes back": timedelta(minutes=-5),
    "an hour back": timedelta(hours=-1),
    "an hour on": timedelta(hours=1),
}
ASKING = (
    front("asking")
    + step(1, "first", change("a"))
    + step(2, "ask", "ask: \"'Is ' + params.name + ' out of traffic?'\"")
    + step(3, "second", change("b"))
)
SUMMER_ENDS = datetime(2026, 11, 1, 5, 59, tzinfo=UTC)  # in New York the hour comes twice


@pytest.mark.fault("R10")
@pytest.mark.parametrize("jump", JUMPS)
async def test_a_clock_that_jumps_in_a_run_ends_no_question_early_and_lets_none_be_answered_twice(
    jump: str, tmp_path: Path
) -> None:
    house = RunHouse(tmp_path)
    house.library.add(ASKING)
    async with house.running():
        run = await house.did("asking", "supervised")
        assert run.waiting is not None
        ask_id = run.waiting.id
        house.clock.world += JUMPS[jump]
        await house.runner.look()
        still = await house.seen(run.run_id)
        assert still.waiting is not None
        assert (still.state, "expired" in still.waiting.says) == ("waiting", False)
        await house.asks.decide(ask_id, ANNA, "yes", "terminal")
        house.clock.world -= 2 * JUMPS[jump]
        with pytest.raises(ApprovalInvalidError, match="once"):
            await house.asks.decide(ask_id, ANNA, "yes", "terminal")
        await house.runner.look()
        assert (await house.drive(run.run_id)).state == "succeeded"
        await books_are_right(house, run.run_id)


@pytest.mark.fault("R10")
async def test_an_hour_that_comes_twice_is_nothing_to_a_run(tmp_path: Path) -> None:
    """Times are UTC throughout; a zone is for windows of people alone."""
    house, _ = stormy_house(tmp_path)
    house.clock.world = house.clock.safe = SUMMER_ENDS

    def passes(path: Any) -> None:
        del path
        house.clock.world += timedelta(minutes=2)

    house.hands.after_effect = passes
    async with house.running():
        run = await house.did("two")
        assert run.state == "succeeded"
        await books_are_right(house, run.run_id)
        assert [one.took_s >= 0 for one in run.steps if one.took_s is not None]
