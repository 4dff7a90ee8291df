"""Events older than the API's hour come from the watch journal; what nobody kept is a gap."""

from datetime import datetime, timedelta

from aiops_eks.clients.events import EventReader
from aiops_eks.models.answers import EventAsk, EventList
from aiops_shared.errors import UnreachableError
from aiops_shared.kube.changes.journal import Covered, KeptEvent
from tests.eks.reading import on
from tests.eks.test_events import event
from tests.fakes.kube import NOW, FakeClock, FakeSensitive


class Kept:
    """A journal with one event of two hours ago, and one that the API still has."""

    def __init__(self, since: datetime, until: datetime = NOW, *, broken: bool = False) -> None:
        self.covered, self.broken = Covered(since, until), broken
        self.asked: list[str] = []

    async def events(self, cluster: str, since: datetime, **about: str) -> tuple[list[KeptEvent], Covered]:
        self.asked.append(cluster)
        if self.broken:
            raise UnreachableError("state store", "database is locked", "again later")
        old, young = NOW - timedelta(hours=2), NOW - timedelta(minutes=5)
        made = ("Pod", "production", "gone-1", "BackOff", "Back-off restarting failed container")
        return [KeptEvent("a", *made, 12, old, old), KeptEvent("b", *made, 3, young, young)], self.covered


async def ask(journal: Kept | None, since: str = "-3h", kind: str = "", name: str = "") -> EventList:
    reader = EventReader(on(event(1)), FakeClock(), FakeSensitive(), journal)
    return await reader.events(EventAsk(namespace="production", since=since, kind=kind, name=name))


async def test_older_warnings_stand_beside_live_events_and_are_said_to_be_kept() -> None:
    answer = await ask(Kept(NOW - timedelta(days=2)))
    found = [row[2] for row in answer.events.rows]
    assert (found, answer.total) == (["BackOff", "Scheduled"], 13)
    assert answer.warnings == ("events before 02:00 UTC are from the watch journal: warnings only",)


async def test_the_last_hour_never_opens_the_journal() -> None:
    journal = Kept(NOW - timedelta(days=2))
    await ask(journal, since="-1h")
    assert journal.asked == []


async def test_a_journal_that_began_later_or_stopped_early_says_so() -> None:
    (_, begun) = (await ask(Kept(NOW - timedelta(hours=2)))).warnings
    assert begun.startswith("coverage_gap: the watch journal has events from 2026-11-22 01:00 UTC on")
    (_, ended) = (await ask(Kept(NOW - timedelta(days=2), NOW - timedelta(hours=2)))).warnings
    assert ended.startswith("coverage_gap: the watch journal ends at 2026-11-22 01:00 UTC")


async def test_without_a_journal_or_with_a_broken_one_the_gap_stays() -> None:
    (gap,) = (await ask(None)).warnings
    assert gap.startswith("coverage_gap: the API keeps events for 60 minutes only")
    assert "eks-aiops forward" in gap
    warnings = (await ask(Kept(NOW, broken=True))).warnings
    assert warnings[0] == gap
    assert "watch journal: [unreachable]" in warnings[1]


async def test_events_of_an_object_that_is_gone_are_found_in_the_journal() -> None:
    answer = await ask(Kept(NOW - timedelta(days=2)), since="-1d", kind="Pod", name="gone-1")
    assert [row[2] for row in answer.events.rows] == ["BackOff"]
