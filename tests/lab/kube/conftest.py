"""An empty store on a frozen clock, and one running API per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aiops_lab.kube.store import BUILT_IN, LAB_CRDS, Store
from tests.lab.kube.fakes import FrozenClock
from tests.lab.kube.lab import KubeLab, running_lab
from tests.lab.kube.objects import namespace


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def store(clock: FrozenClock) -> Store:
    made = Store(clock, BUILT_IN + LAB_CRDS)
    made.create(namespace("shop"))
    return made


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[KubeLab]:
    async with running_lab(tmp_path / "lab") as made:
        made.store.create(namespace("shop"))
        yield made
