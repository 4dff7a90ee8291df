"""The official conformance suite against every endpoint, with the lists of what fails held to be exact."""

import logging
from collections.abc import Iterator

import pytest

from tests.clients.conformance import PAGE, Run, Verdict, every_run, judge
from tests.clients.conformance_page import page
from tests.clients.packages import packages

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:The logging capability is deprecated"),
]


@pytest.fixture(scope="module")
def verdicts() -> Iterator[dict[Run, Verdict]]:
    """Every run, made once."""
    packages()
    logging.disable(logging.CRITICAL)  # the suite provokes errors on purpose
    try:
        yield {verdict.run: verdict for verdict in judge(every_run())}
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("run", every_run(), ids=str)
def test_the_suite_exits_with_0_and_nothing_fails_or_passes_that_should_not(
    run: Run, verdicts: dict[Run, Verdict]
) -> None:
    verdict = verdicts[run]
    assert verdict.surprises == set()
    assert verdict.exit_code == 0, verdict.said


def test_the_page_says_what_the_suite_said(verdicts: dict[Run, Verdict]) -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(list(verdicts.values())), "python -m tests.clients.conformance --write"
