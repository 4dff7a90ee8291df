"""The whole suite in this process: a lab, the four servers on it, a client of the sop server.

    async with operated(monkeypatch, tmp_path, "disk-pressure") as stage:
        run = await stage.got("start_run", sop="disk-pressure", params={...}, mode="auto")
        done = await stage.finished(run["run_id"])
        assert stage.lab.requests.writes()

The sop server reaches the other three over MCP, in memory; everything else is as in an account. One lab for
many stories: `stage.play(scenario, seed)`. The lab's clock stands unless a server waits on it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastmcp import Client

from aiops_cost.server import make as make_cost
from aiops_eks.server import make as make_eks
from aiops_observability.server import make as make_observability
from aiops_shared.kube.pacing import RealPace
from aiops_shared.settings import CallerSettings, PolicySettings, Settings
from aiops_sop.clients.peers import Connect
from aiops_sop.server import make
from eks_aiops.guarding import guardrails, operator
from tests.asking import Asking
from tests.e2e.stage import Obj, lab_environment, settings_on
from tests.lab_fixture import running_lab

SEEDS = range(5)
# Stories hang on the hour of the day and the day of the week: a verdict must not hang on when CI runs.
START = datetime(2026, 11, 22, 13, 40, 12, tzinfo=UTC)
PREFIXES = ("AIOPS_METRICS_", "AIOPS_LOGS_", "AIOPS_TRACES_", "AIOPS_ALERTS_", "AIOPS_COST_")
ENDED = {"succeeded", "undone", "escalated", "cancelled", "refused"}
_POLLS = 600


@dataclass
class Stage(Asking):
    """A lab, the suite on it and a client of the sop server."""

    settings: Settings

    async def finished(self, run_id: str, *, also: frozenset[str] = frozenset()) -> Obj:
        """Wait until a run ended, or is in one of the states of `also` (`waiting`)."""
        for _ in range(_POLLS):
            run = await self.got("get_run", run_id=run_id)
            if run["state"] in ENDED | also:
                return run
            await anyio.sleep(0.05)  # real: the engine works in threads of its own
        raise AssertionError(f"{run_id} does not end: {run}")

    async def approved_by(self, name: str, approval_id: str) -> None:
        """A person, at a terminal of the same store, says yes."""
        person = self.settings.model_copy(update={"caller": CallerSettings(name=name, kind="human")})
        async with guardrails(person) as guard:
            await guard.approve(approval_id, operator(person), "terminal")


def in_this_process(settings: Settings) -> dict[str, Connect]:
    """The other three servers, in memory; each is made by the first call that needs it."""
    return {
        "eks": lambda: make_eks(settings),
        "observability": lambda: make_observability(settings),
        "cost": lambda: make_cost(settings),
    }


async def _at_once(pace: RealPace, seconds: float) -> None:
    """The wait before another try, without the waiting."""
    del pace, seconds
    await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def operated(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    scenario: str = "healthy",
    seed: int = 0,
    *,
    identity: str = "lab-admin",
    autonomy: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """The suite on a lab. `autonomy`: by environment (prod, staging, dev), else `observe` everywhere."""
    monkeypatch.setattr(RealPace, "wait", _at_once)
    async with running_lab(scenario, seed, start=START) as lab:
        lab_environment(lab, monkeypatch, identity)
        told = {name: value for name, value in lab.export(identity).items() if name.startswith(PREFIXES)}
        for name, value in (told | (environment or {})).items():
            monkeypatch.setenv(name, value)
        given = {f"autonomy_{env}": level for env, level in (autonomy or {}).items()}
        wanted = settings_on(lab, folder, **{"policy": PolicySettings.model_validate(given), **settings})
        async with Client(make(wanted, in_this_process(wanted))) as client:
            yield Stage(lab, client, wanted)
