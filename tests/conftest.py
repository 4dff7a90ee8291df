"""Rules for the whole test run."""

import gc
import sys
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


# Where FastMCP and its injection library remember what they learned of a function, for the life of a process.
# Our tools are bound methods, so each remembered one keeps a whole server alive: a process in use builds one,
# a process of tests thousands, and its memory grew to 6 GB.
_REMEMBERED = (
    ("fastmcp.utilities.types", "get_cached_typeadapter"),
    ("fastmcp.server.dependencies", "without_injected_parameters"),
    ("fastmcp.server.sessions", "session_id_parameter_names"),
    ("fastmcp.tools.function_tool", "_wrap_body_errors"),
    ("uncalled_for.introspection", "_signature_cache"),
    ("uncalled_for.introspection", "_parameter_cache"),
    ("uncalled_for.annotations", "_metadata_cache"),
)


def _forget_servers() -> None:
    for module, name in _REMEMBERED:
        if module in sys.modules:
            memory = getattr(sys.modules[module], name)
            (getattr(memory, "cache_clear", None) or memory.clear)()


@pytest.fixture(scope="module", autouse=True)
def _old_objects_at_rest() -> Iterator[None]:
    """What earlier modules left is collected once and then left alone.

    A run of thousands of tests keeps so many objects that a full collection in the middle of a test stops
    its event loop for seconds, and deadlines pass that were meant for an upstream.
    """
    yield
    _forget_servers()
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
