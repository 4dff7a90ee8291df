"""The cost server in this process, a real client on it, and a lab that plays story after story.

    async with billed(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play("cost-spike", seed)
            answer = await stage.got("explain_cost_change", cluster="my-cluster")

One lab for many stories: a reset takes a second, a new lab several. `play` also forgets what the server
keeps, since the next story's bill is another one. The server acts as `aiops-accountant`, to whom the lab
gives exactly the server's generated rights.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from aiops_cost.server import make
from aiops_lab.billing import Ledger
from aiops_shared.settings import Settings
from aiops_shared.state.schema import answers
from aiops_shared.state.store import StateStore
from tests.asking import Asking
from tests.e2e.stage import lab_environment, settings_on
from tests.lab_fixture import running_lab

SEEDS = range(5)
# A Sunday after lunch: a week before it is whole, a month is under way.
START = datetime(2026, 11, 22, 13, 40, 12, tzinfo=UTC)
PREFIXES = ("AIOPS_METRICS_", "AIOPS_COST_")


@dataclass
class Stage(Asking):
    """A lab, the server on it and its client; `store` is where the server keeps what was billed."""

    store: StateStore

    @property
    def ledger(self) -> Ledger:
        """The bill of the world that is being played."""
        return self.lab.account.area(Ledger)

    def play(self, scenario: str, seed: int = 0) -> None:
        """Stand at T0 of another story, with nothing kept of the last one."""
        super().play(scenario, seed)
        self.forget()

    def forget(self) -> None:
        """Drop every kept answer."""
        self.store.run_now(lambda conn: conn.execute(answers.delete()), durable=False)


@asynccontextmanager
async def billed(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    scenario: str = "healthy",
    seed: int = 0,
    *,
    identity: str = "aiops-accountant",
    environment: dict[str, str] | None = None,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """The server on a lab. `environment`: settings on top of the lab's own (AIOPS_COST_…); an empty value
    takes one away.
    """
    async with running_lab(scenario, seed, start=START) as lab:
        lab_environment(lab, monkeypatch, identity)
        told = {name: value for name, value in lab.export(identity).items() if name.startswith(PREFIXES)}
        for name, value in (told | (environment or {})).items():
            monkeypatch.setenv(name, value)
        wanted: Settings = settings_on(lab, folder, write=False, **settings)
        async with Client(make(wanted)) as client:
            store = StateStore(wanted.state)
            yield Stage(lab, client, store)
            store.close()
