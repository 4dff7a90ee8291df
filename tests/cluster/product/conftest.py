"""A bare control plane of these tests' own: they throw its history away and leave objects behind."""

from collections.abc import Iterator

import pytest

from tests.cluster.control_plane import BARE, MISSING, ControlPlane, assets, running_control_plane


@pytest.fixture(scope="package")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver, which no other package of tests sees."""
    programs = assets()
    if programs is None:
        pytest.skip(MISSING)
    with running_control_plane(tmp_path_factory.mktemp("alone"), programs, BARE) as plane:
        yield plane
