"""`eks-aiops worker`: carries on what others began, listens, and hands over at SIGTERM."""

import os
import signal
from pathlib import Path

import anyio
import pytest

from aiops_shared.settings import Settings, StateSettings
from aiops_sop.server import Wiring
from eks_aiops.working import work

pytestmark = pytest.mark.slow


@pytest.mark.fault("R22")
async def test_a_worker_listens_and_ends_in_order_at_sigterm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = anyio.Event()

    async def listener(parts: Wiring) -> None:
        assert parts.run_desk.runner.executor.startswith("exe_")
        assert list((tmp_path / "runs.locks").iterdir())
        heard.set()
        await anyio.sleep_forever()

    async def end() -> None:
        await heard.wait()
        os.kill(os.getpid(), signal.SIGTERM)

    settings = Settings(write=True, tools=[], state=StateSettings(dir=tmp_path))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(end)
        with anyio.fail_after(20):
            assert await work(settings, (listener,)) == 0
    assert "handed over" in capsys.readouterr().err
    assert not list((tmp_path / "runs.locks").iterdir())
