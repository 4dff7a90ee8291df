"""The real control plane as fixtures: `bare` (nothing but the API) and `whole` (controllers and nodes too).

Each is started once for a test session (and worker) by the first test that asks for it. Where no control
plane is built, the test skips and says how to get one; in CI a skip is a failure.
"""

from collections.abc import Iterator

import pytest

from tests.cluster.contract.reporting import closing_line
from tests.cluster.control_plane import BARE, MISSING, ControlPlane, Shape, assets, running_control_plane


def started(factory: pytest.TempPathFactory, name: str, shape: Shape) -> Iterator[ControlPlane]:
    """A control plane of that shape in a folder of that name, or a skip that says how to get one."""
    programs = assets()
    if programs is None:
        pytest.skip(MISSING)
    with running_control_plane(factory.mktemp(name), programs, shape) as plane:
        yield plane


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """etcd and kube-apiserver alone, objects stored as JSON: nothing changes but by the test."""
    yield from started(tmp_path_factory, "bare", BARE)


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """With kube-controller-manager, kube-scheduler and three nodes that kwok plays."""
    yield from started(tmp_path_factory, "whole", Shape(nodes=3))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many contracts held on both servers."""
    stats = terminalreporter.stats
    passed = [report.nodeid for report in stats.get("passed", [])]
    failed = [report.nodeid for kind in ("failed", "error") for report in stats.get(kind, [])]
    if line := closing_line(passed, failed):
        terminalreporter.write_line(line)
