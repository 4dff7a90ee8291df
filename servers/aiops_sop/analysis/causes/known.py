"""Every hypothesis that these facts raise, family by family."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from aiops_sop.analysis.causes import memory, platform, requests, security, settings, spending
from aiops_sop.analysis.causes.facts import Facts
from aiops_sop.analysis.causes.hypotheses import Hypothesis

FAMILIES: Final[tuple[Callable[[Facts], Iterable[Hypothesis]], ...]] = (
    platform.from_findings,
    security.hypotheses,
    settings.hypotheses,
    requests.hypotheses,
    memory.hypotheses,
    spending.hypotheses,
)


def hypotheses(facts: Facts) -> Iterator[Hypothesis]:
    """All of them, in no order."""
    for family in FAMILIES:
        yield from family(facts)
