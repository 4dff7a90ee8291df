"""A bare control plane of these tests' own: they throw its history away and leave objects behind."""

from collections.abc import Iterator

import pytest

from tests.cluster.conftest import started
from tests.cluster.control_plane import BARE, ControlPlane


@pytest.fixture(scope="package")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver, which no other package of tests sees."""
    yield from started(tmp_path_factory, "alone", BARE)
