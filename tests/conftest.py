"""Rules for the whole test run."""

import pytest
from hypothesis import settings

from aiops_shared.settings import inherited

# In CI the same examples every time, so that a run can be repeated; on a developer's machine new ones.
settings.register_profile("ci", derandomize=True)
if inherited("CI"):
    settings.load_profile("ci")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: what a test needs, `.ci/run` installs."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not inherited("CI") or session.exitstatus != pytest.ExitCode.OK:
        return
    for report in reporter.stats.get("skipped", []):
        reporter.write_line(f"skipped in CI: {report.nodeid}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
