"""The watch journal: nothing lost, nothing twice, no secret kept; across restarts and forgotten positions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops_lab.kube.faults import Fault
from aiops_lab.run import Lab
from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.changes.forwarding import Forwarder
from aiops_shared.kube.changes.journal import KeptEvent, Seen, WatchJournal
from aiops_shared.kube.changes.records import Span
from aiops_shared.kube.changes.views import Viewer, differences
from aiops_shared.kube.connection import Connection
from aiops_shared.settings import StateSettings
from aiops_shared.state import StateStore
from tests.eks.lab_reading import LabTime
from tests.lab_fixture import running_lab

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
CANARY = "fake-canary-5d4c3b2a"
VIEWER = Viewer(redact, b"k" * 32)


def journal_in(directory: Path) -> WatchJournal:
    return WatchJournal(StateStore(StateSettings(dir=directory)))


def seen(uid: str, version: str, minutes: float = 0.0, **view: str) -> Seen:
    moment = NOW - timedelta(minutes=minutes)
    kept = {key.replace("_", "."): value for key, value in view.items()}
    return Seen(
        uid, "ConfigMap", "shop", f"cm-{uid}", version, kept, VIEWER.digest(kept), moment, moment, "kubectl"
    )


async def rows(journal: WatchJournal, **about: str) -> list[tuple[str, str, tuple[str, ...]]]:
    told = await journal.changes("c", Span(NOW - timedelta(days=8), NOW + timedelta(hours=1), **about))
    return [(change.verb, change.name, change.what) for change in told.changes]


async def test_the_first_list_is_the_beginning_and_what_follows_are_changes(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    assert (
        await journal.settle("c", "ConfigMap", [seen("a", "1", 9, data_MODE="x"), seen("b", "1", 9)], NOW)
        == 0
    )
    assert await rows(journal) == []
    assert await journal.take("c", [seen("a", "2", data_MODE="y")]) == 1
    assert await journal.take("c", [seen("a", "2", data_MODE="y")]) == 0  # a relist shows it again
    assert await journal.take("c", [seen("a", "3", data_MODE="y")]) == 0  # a status
    assert await journal.take("c", [seen("n", "4", data_MODE="new")]) == 1
    assert await journal.gone("c", "ConfigMap", ["a"], NOW) == 1
    assert await journal.gone("c", "ConfigMap", ["a", "never"], NOW) == 0
    assert sorted(await rows(journal)) == [
        ("create", "cm-n", ()),
        ("delete", "cm-a", ("was data.MODE=y",)),
        ("update", "cm-a", ("data.MODE x → y",)),
    ]
    assert await rows(journal, name="cm-n") == [("create", "cm-n", ())]
    journal.store.close()


async def test_what_happened_while_nobody_watched_is_found_with_how_late(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    begin = NOW - timedelta(minutes=30)
    await journal.settle("c", "ConfigMap", [seen("a", "1"), seen("b", "1")], begin)
    journal.store.close()
    again = journal_in(tmp_path)
    assert await again.settle("c", "ConfigMap", [seen("b", "1")], NOW) == 1
    assert await again.settle("c", "ConfigMap", [seen("b", "1")], NOW) == 0
    told = await again.changes("c", Span(NOW - timedelta(hours=2), NOW))
    assert [(one.verb, one.name, one.within_s) for one in told.changes] == [("delete", "cm-a", 1800.0)]
    assert told.gaps == (f"kept from {begin:%Y-%m-%d %H:%M} UTC on",)
    late = await again.changes("c", Span(NOW - timedelta(minutes=5), NOW + timedelta(hours=1)))
    assert "is `eks-aiops forward` running?" in late.gaps[0]
    assert "run `eks-aiops forward`" in (await again.changes("other", Span(NOW, NOW))).gaps[0]
    again.store.close()


async def test_a_week_is_kept_and_no_more(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    await journal.settle("c", "ConfigMap", [], NOW - timedelta(days=8))
    await journal.take("c", [seen("old", "1", 60 * 24 * 7.5), seen("young", "2", 60 * 24 * 6)])
    old = KeptEvent(
        "e", "Pod", "shop", "p", "BackOff", "m", 1, NOW - timedelta(days=8), NOW - timedelta(days=8)
    )
    await journal.heard("c", [old])
    await journal.alive("c", "ConfigMap", NOW)
    assert [row[1] for row in await rows(journal)] == ["cm-young"]
    assert (await journal.events("c", NOW - timedelta(days=30)))[0] == []
    journal.store.close()


async def test_a_later_word_of_an_event_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    first = KeptEvent(
        "e", "Pod", "shop", "p", "BackOff", "m", 3, NOW - timedelta(hours=3), NOW - timedelta(hours=2)
    )
    last = KeptEvent(
        "e", "Pod", "shop", "p", "BackOff", "m", 41, NOW - timedelta(hours=3), NOW - timedelta(hours=1)
    )
    await journal.heard("c", [first, last])
    await journal.heard("c", [first])
    found, _ = await journal.events("c", NOW - timedelta(days=1), namespace="shop", kind="Pod", name="")
    assert found == [last]
    assert (await journal.events("c", NOW - timedelta(days=1), kind="Node"))[0] == []
    journal.store.close()


def test_a_view_holds_no_secret_and_yet_shows_that_one_changed() -> None:
    old = {"kind": "ConfigMap", "data": {"DB_PASSWORD": CANARY, "MODE": "a", "LONG": "x" * 500}}
    new = {"kind": "ConfigMap", "data": {"DB_PASSWORD": CANARY + "2", "MODE": "b", "LONG": "x" * 500 + "y"}}
    one, other = VIEWER.view(old, "ConfigMap"), VIEWER.view(new, "ConfigMap")
    assert CANARY not in str(one) + str(other)
    assert differences(one, other) == (
        "data.DB_PASSWORD changed (not shown)",
        "data.MODE a → b",
        "data.LONG changed (not shown)",
    )
    secret = VIEWER.view({"kind": "Secret", "type": "Opaque", "data": {"token": CANARY}}, "Secret")
    assert secret == {"type": "Opaque", "keys": "token"}


@dataclass
class Watched:
    """A lab with a forwarder that can be begun anew on the same store."""

    lab: Lab
    api: KubeApi
    journal: WatchJournal
    said: list[str] = field(default_factory=list)

    async def forward(self) -> int:
        """One round of every watch: a forwarder's whole life."""
        clock = LabTime(self.lab.clock)
        one = Forwarder(self.api, self.journal, VIEWER, clock, "c", self.said.append, round_s=1.0)
        await one.run(rounds=1)
        return one.written

    async def told(self) -> list[tuple[str, str, tuple[str, ...], str]]:
        span = Span(
            self.lab.clock.now() - timedelta(hours=1), self.lab.clock.now() + timedelta(seconds=5), "staging"
        )
        found = (await self.journal.changes("c", span)).changes
        return [(one.verb, f"{one.kind} {one.name}", one.what, one.client) for one in reversed(found)]


@asynccontextmanager
async def watched(directory: Path, scenario: str = "healthy") -> AsyncIterator[Watched]:
    async with running_lab(scenario) as lab:
        access = Access(lab.kube_url, ca_file=str(lab.ca_path), token=lab.token("aiops-reader"))
        api = KubeApi("my-cluster", Connection(FixedSource(access)))
        journal = journal_in(directory)
        try:
            yield Watched(lab, api, journal)
        finally:
            await api.aclose()
            journal.store.close()


def everything_in(directory: Path) -> bytes:
    return b"".join(path.read_bytes() for path in directory.iterdir())


def settings(mode: str) -> dict[str, object]:
    meta = {"name": "settings", "namespace": "staging"}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": meta,
        "data": {"MODE": mode, "PASSWORD": CANARY},
    }


@pytest.mark.fault("R4")
async def test_a_restarted_forwarder_loses_nothing_and_keeps_nothing_twice(tmp_path: Path) -> None:
    async with watched(tmp_path, "pod-crashloop") as world:
        store = world.lab.store
        assert await world.forward() == 0
        store.create(settings("a"), manager="kubectl-create")
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "vault", "namespace": "staging"}}
        store.create({**secret, "stringData": {"token": CANARY}}, manager="kubectl-create")
        world.lab.clock.advance(3)
        assert await world.forward() == 2
        found = store.get("ConfigMap", "staging", "settings")
        assert found is not None
        found["data"]["MODE"] = "b"
        store.update(found, manager="kubectl-edit")
        world.lab.clock.advance(3)
        world.lab.set_faults([Fault("error", times=1, path_contains="watch=", status=410)])
        assert await world.forward() == 1
        store.delete("ConfigMap", "staging", "settings")
        world.lab.clock.advance(3)
        assert await world.forward() == 1
        assert await world.forward() == 0
        assert await world.told() == [
            ("create", "ConfigMap settings", (), "kubectl-create"),
            ("create", "Secret vault", (), "kubectl-create"),
            ("update", "ConfigMap settings", ("data.MODE a → b",), "kubectl-edit"),
            ("delete", "ConfigMap settings", ("was data.MODE=b", "was data.PASSWORD=(hidden)"), ""),
        ]
        kept, covered = await world.journal.events(
            "c", world.lab.clock.now() - timedelta(hours=1), kind="Pod"
        )
        assert "BackOff" in {event.reason for event in kept}
        assert covered.until is not None
    assert CANARY.encode() not in everything_in(tmp_path)
    assert world.lab.requests.writes() == []


async def test_a_kind_that_may_not_be_watched_is_said_and_the_others_go_on(tmp_path: Path) -> None:
    async with watched(tmp_path) as world:
        world.lab.set_faults([Fault("error", times=None, path_contains="/secrets", status=403)])
        await world.forward()
        assert [line.partition(":")[0] for line in world.said] == ["Secret"]
        world.lab.store.create(settings("a"), manager="kubectl-create")
        assert await world.forward() == 1
