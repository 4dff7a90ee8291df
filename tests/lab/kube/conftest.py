"""One running API per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.lab.kube.lab import KubeLab, running_lab
from tests.lab.kube.objects import namespace


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[KubeLab]:
    async with running_lab(tmp_path / "lab") as made:
        made.store.create(namespace("shop"))
        yield made
