"""Answers that were billed are kept: found again while they are young enough, bounded by room."""

from datetime import timedelta
from pathlib import Path

from aiops_shared.settings import StateSettings
from aiops_shared.state import StateStore
from aiops_shared.state.answers import Answers, key_of
from tests.fakes.clocks import FakeClock

QUESTION = key_of("cost", "by service", 2026)


def answers_in(
    folder: Path, clock: FakeClock, room: str = "cost-explorer", most_bytes: int = 1000
) -> Answers:
    return Answers(StateStore(StateSettings(dir=folder)), clock, room, most_bytes)


async def test_an_answer_is_found_again_by_another_process_and_not_in_another_room(tmp_path: Path) -> None:
    clock = FakeClock()
    await answers_in(tmp_path, clock).put(QUESTION, b"a bill")
    found = await answers_in(tmp_path, clock).get(QUESTION)
    assert found is not None
    assert (found.body, found.made_at) == (b"a bill", await clock.now())
    assert await answers_in(tmp_path, clock, "prices").get(QUESTION) is None


async def test_an_answer_that_is_too_old_or_of_a_later_time_is_none(tmp_path: Path) -> None:
    clock = FakeClock()
    kept = answers_in(tmp_path, clock)
    await kept.put(QUESTION, b"a bill")
    await clock.sleep(3601)
    assert await kept.get(QUESTION, timedelta(hours=1)) is None
    assert await kept.get(QUESTION, timedelta(hours=2)) is not None
    assert await answers_in(tmp_path, FakeClock()).get(QUESTION) is not None
    await kept.put(QUESTION, b"of later")
    assert await answers_in(tmp_path, FakeClock()).get(QUESTION) is None


async def test_the_newest_answers_of_a_room_stay_within_its_bound(tmp_path: Path) -> None:
    clock = FakeClock()
    kept = answers_in(tmp_path, clock)
    for number in range(5):
        await kept.put(key_of(number), b"x" * 300)
        await clock.sleep(1)
    found = [number for number in range(5) if await kept.get(key_of(number)) is not None]
    assert found == [2, 3, 4]


async def test_the_same_question_is_kept_once_with_its_newest_answer(tmp_path: Path) -> None:
    kept = answers_in(tmp_path, FakeClock())
    await kept.put(QUESTION, b"first")
    await kept.put(QUESTION, b"second")
    found = await kept.get(QUESTION)
    assert found is not None
    assert found.body == b"second"
