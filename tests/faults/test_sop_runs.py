"""Runs over kills, stops and two processes on one SQLite file: nothing twice, nothing lost (R7, R19, R22)."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from aiops_shared.clock import SystemClock
from tests.fakes.runhouses import RunHouse
from tests.faults.sop_child import BAD, TWO

pytestmark = [pytest.mark.timeout(60), pytest.mark.slow]
EFFECTS = ["do web-a", "do web-b"]


def child(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.sop_child", str(folder), *arguments],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def house_on(folder: Path) -> RunHouse:
    house = RunHouse(folder, clock=SystemClock(), workflows=None)
    house.library.add(TWO)
    house.library.add(BAD)
    return house


async def ended(house: RunHouse, run_id: str, within_s: float = 25.0) -> str:
    with anyio.fail_after(within_s):
        state = "queued"
        while state in {"queued", "running", "undoing"}:
            await anyio.sleep(0.05)  # another process may carry it
            state = (await house.desk.ledger.load(run_id)).state
    return state


async def test_a_run_is_durable_on_dbos_and_ends_in_its_own_process(tmp_path: Path) -> None:
    async with house_on(tmp_path).running(looking=True) as house:
        run = await house.start("two")
        assert await ended(house, run.run_id) == "succeeded"
        assert house.hands.effects() == EFFECTS
        assert (tmp_path / "state" / "runs.db").stat().st_mode & 0o077 == 0


@pytest.mark.fault("R7")
async def test_a_killed_process_s_run_is_taken_over_and_nothing_happens_twice(tmp_path: Path) -> None:
    dying = child(tmp_path, "--start", "two", "web", "--point", "after_effect", "second")
    said, wrong = await anyio.to_thread.run_sync(lambda: dying.communicate(timeout=40))
    assert dying.returncode == -signal.SIGKILL, wrong[-2000:]
    run_id = said.split()[1]
    async with house_on(tmp_path).running(looking=True) as house:
        assert await ended(house, run_id, 10.0) == "succeeded"
        assert house.hands.effects() == EFFECTS
        run = await house.seen(run_id)
        assert run.audit_chain.startswith("valid")


@pytest.mark.fault("R7")
@pytest.mark.fault("R14")
@pytest.mark.parametrize("path", ["undo/second", "undo/first"])
async def test_a_way_back_that_a_failed_check_began_is_taken_over_and_goes_on_in_reverse_order(
    tmp_path: Path, path: str
) -> None:
    dying = child(tmp_path, "--start", "bad", "web", "--point", "during_undo", path)
    said, wrong = await anyio.to_thread.run_sync(lambda: dying.communicate(timeout=40))
    assert dying.returncode == -signal.SIGKILL, wrong[-2000:]
    run_id = said.split()[1]
    async with house_on(tmp_path).running(looking=True) as house:
        assert await ended(house, run_id) == "undone"
        assert house.hands.effects() == [*EFFECTS, "undo web-b", "undo web-a"]
        run = await house.seen(run_id)
        assert run.audit_chain.startswith("valid")


@pytest.mark.fault("R19")
async def test_a_stopped_process_keeps_its_run_and_goes_on_when_it_wakes(tmp_path: Path) -> None:
    sleeping = child(tmp_path, "--start", "two", "web", "--point", "after_intent", "second", "--stop")
    assert sleeping.stdout is not None
    run_id = (await anyio.to_thread.run_sync(sleeping.stdout.readline)).split()[1]
    stopped = await anyio.to_thread.run_sync(
        lambda: os.waitid(os.P_PID, sleeping.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    )
    assert stopped is not None
    assert stopped.si_status == signal.SIGSTOP
    async with house_on(tmp_path).running() as house:
        await house.runner.look()
        assert (await house.desk.ledger.load(run_id)).worker != house.runner.executor
        os.kill(sleeping.pid, signal.SIGCONT)
        assert await ended(house, run_id) == "succeeded"
        assert house.hands.effects() == EFFECTS
    _, wrong = await anyio.to_thread.run_sync(lambda: sleeping.communicate(timeout=30))
    assert sleeping.returncode == 0, wrong[-2000:]
