"""Rules for the whole test run."""

import pytest

from aiops_shared.settings import inherited


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: what a test needs, `.ci/run` installs."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and inherited("CI") and session.exitstatus == pytest.ExitCode.OK:
        for report in skipped:
            reporter.write_line(f"skipped in CI: {report.nodeid}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
