"""Rules for the whole test run."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from aiops_shared.settings import inherited

# In CI the same examples every time, so that a run can be repeated; on a developer's machine new ones.
settings.register_profile("ci", derandomize=True)
if inherited("CI"):
    settings.load_profile("ci")


# A collection for every 700 new objects costs a quarter of the run: a lab makes them by the ten thousand.
_NEW_OBJECTS, _YOUNG, _MIDDLE = 2_000, 10, 200


def pytest_collection_finish() -> None:
    """What was imported stays; only what tests make is looked through, and not at every turn."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _YOUNG, _MIDDLE)


@pytest.fixture(scope="module", autouse=True)
def _old_objects_at_rest() -> Iterator[None]:
    """What earlier modules left is collected once and then left alone.

    A run of thousands of tests keeps so many objects that a full collection in the middle of a test stops
    its event loop for seconds, and deadlines pass that were meant for an upstream.
    """
    yield
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: what a test needs, `.ci/run` installs."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not inherited("CI") or session.exitstatus != pytest.ExitCode.OK:
        return
    for report in reporter.stats.get("skipped", []):
        reporter.write_line(f"skipped in CI: {report.nodeid}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
