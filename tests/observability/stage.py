"""The observability server in this process, a real client on it, and a lab that plays story after story.

    async with watched(monkeypatch, tmp_path) as stage:
        for seed in SEEDS:
            stage.play("traffic-surge", seed)
            answer = await stage.got("forecast_metric", what="requests_total", name=stage.who.api)

One lab for many stories: a reset takes a second, a new lab several. The server acts as `aiops-observer`, to
whom the lab gives exactly the server's generated rights.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastmcp import Client

from aiops_lab.observatory.datadog import API_KEY, APPLICATION_KEY
from aiops_lab.run import Lab
from aiops_observability.server import make
from aiops_shared.settings import Settings
from tests.asking import Asking
from tests.e2e.stage import lab_environment, settings_on
from tests.lab_fixture import running_lab

SEEDS = range(5)
# Stories hang on the hour of the day and the day of the week: a verdict must not hang on when CI runs.
START = datetime(2026, 11, 22, 13, 40, 12, tzinfo=UTC)
PREFIXES = ("AIOPS_METRICS_", "AIOPS_LOGS_", "AIOPS_TRACES_", "AIOPS_ALERTS_")


Stage = Asking


@asynccontextmanager
async def watched(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    scenario: str = "healthy",
    seed: int = 0,
    *,
    identity: str = "aiops-observer",
    environment: dict[str, str] | None = None,
    datadog: bool = False,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """The server on a lab. `environment`: telemetry settings on top of the lab's own (AIOPS_METRICS_…);
    an empty value takes one away. `datadog`: the lab's Datadog is configured too, with its keys.
    """
    async with running_lab(scenario, seed, start=START) as lab:
        lab_environment(lab, monkeypatch, identity)
        told = {name: value for name, value in lab.export(identity).items() if name.startswith(PREFIXES)}
        if datadog:
            told |= _datadog(lab, folder)
        for name, value in (told | (environment or {})).items():
            monkeypatch.setenv(name, value)
        wanted: Settings = settings_on(lab, folder, write=False, **settings)
        async with Client(make(wanted)) as client:
            yield Stage(lab, client)


def _datadog(lab: Lab, folder: Path) -> dict[str, str]:
    keys = folder / "datadog-keys"
    keys.write_text(f"{API_KEY}\n{APPLICATION_KEY}\n")
    return {
        "AIOPS_METRICS_DATADOG_URL": f"{lab.observatory.url}/datadog",
        "AIOPS_METRICS_DATADOG_KEY_FILE": str(keys),
    }
