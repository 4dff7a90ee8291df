"""One house per test."""

from pathlib import Path

import pytest

from tests.fakes.houses import House
from tests.fakes.worlds import deployment


@pytest.fixture
def house(tmp_path: Path) -> House:
    """A house whose world holds the Deployment shop/web."""
    built = House(tmp_path)
    built.world.add(deployment())
    return built
