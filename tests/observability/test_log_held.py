"""Lines that come in answers of bounded size: a busy window is read in pieces, as far as that is bounded."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from aiops_observability.clients import log_held
from aiops_observability.clients.log_held import HeldLogs
from aiops_observability.clients.log_store import Lines, Told, Which
from aiops_shared.aws.log_lines import read
from aiops_shared.aws.log_spans import Span

T0 = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = Span(T0, T0 + timedelta(hours=24))
PAGE = 100


class Index:
    """Answers with the newest hundred lines of a span, as OpenSearch does with ten thousand."""

    def __init__(self, moments_s: Sequence[float]) -> None:
        self.told = [Told(at, read('{"level": "error"}')) for at in sorted(moments_s, reverse=True)]
        self.asked = 0

    async def lines(self, span: Span, which: Which) -> Lines:
        assert which == "all"
        self.asked += 1
        inside = [one for one in self.told if span.since.timestamp() <= one.at_s < span.until.timestamp()]
        return Lines(tuple(inside[:PAGE]), len(inside))


def burst(count: int, hour: int) -> list[float]:
    """An even trickle of `count` lines over the day, and as many in one hour."""
    start = T0.timestamp()
    trickle = [start + 86_400 * at / count for at in range(count)]
    return trickle + [start + 3600 * (hour + at / count) for at in range(count)]


async def test_every_line_of_a_busy_day_is_counted_once() -> None:
    index = Index(burst(300, 5))
    store = HeldLogs("an index", index.lines, pieces=True)
    found = await store.counts(SPAN, ("level",), step_s=3600)
    assert not found.warnings
    by_hour = {one.at_s: one.count for one in found.counts}
    assert sum(by_hour.values()) == 600
    assert max(by_hour, key=lambda at: by_hour[at]) == T0.timestamp() + 5 * 3600
    whole = await store.lines(SPAN, "all")
    assert [one.at_s for one in whole.lines] == sorted((one.at_s for one in whole.lines), reverse=True)
    assert index.asked < 30


async def test_too_many_lines_are_a_sample_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_held, "MOST_HELD", 500)
    for index, pieces in ((Index(burst(300, 5)), True), (Index(burst(100, 5)), False)):
        found = await HeldLogs("an index", index.lines, pieces=pieces).counts(SPAN, ("level",), step_s=3600)
        assert "newest 100 of" in found.warnings[0]
        assert index.asked == 1
