"""A pytest plugin inside the copied tree: writes how each test ended, and sees that the copy was imported.

The runner loads it with `-p proofs.witness`; AIOPS_PROOFS_REPORT is the file that it appends JSON lines to.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proofs.mutation import ROOT

PRODUCT = (
    "aiops_shared",
    "aiops_eks",
    "aiops_observability",
    "aiops_cost",
    "aiops_sop",
    "aiops_lab",
    "eks_aiops",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Where the report goes."""
    parser.addoption("--proofs-report", required=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Iterator[None]:
    """One line for each phase that did not pass, and one for each test whose call passed."""
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.when == "call" or not report.passed:
        line: dict[str, Any] = {"test": report.nodeid, "when": report.when, "outcome": report.outcome}
        if call.excinfo is not None and report.failed:
            line |= {"raised": _names(call.excinfo.value), "words": _words(call.excinfo.value)}
        _write(item.config, line)
    return report  # type: ignore[return-value]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Modules of the product that came from another place than this tree: a run with any proves nothing."""
    strangers = sorted(
        name
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] in PRODUCT
        and (file := getattr(module, "__file__", None))
        and not Path(file).resolve().is_relative_to(ROOT)
    )
    _write(session.config, {"strangers": strangers})


def _names(error: BaseException) -> list[str]:
    """The classes that an error is of; of a group, those of its members too."""
    inside = [name for one in getattr(error, "exceptions", ()) for name in _names(one)]
    return [kind.__name__ for kind in type(error).__mro__] + inside


def _words(error: BaseException) -> str:
    """The first line that says something, short."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]


def _write(config: pytest.Config, line: dict[str, Any]) -> None:
    with Path(str(config.getoption("--proofs-report"))).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
