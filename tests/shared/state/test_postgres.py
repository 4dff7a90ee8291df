"""The same store on PostgreSQL: chain, limits and schema under several processes' connections."""

import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from aiops_shared.guardrails.audit import Audit
from aiops_shared.guardrails.limits import Occurrence, count, reserve
from aiops_shared.guardrails.models import Caller
from aiops_shared.settings import StateSettings
from aiops_shared.state import Keys, StateStore
from tests.fakes.clocks import T0, FakeClock
from tests.shared.state.postgres import running

pytestmark = pytest.mark.slow
ANN = Caller(name="ann")


@pytest.fixture(scope="module")
def settings() -> Iterator[StateSettings]:
    # Its own directory: PostgreSQL runs as another user, who may not enter pytest's.
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        base.chmod(0o755)
        (base / "server").mkdir()
        with running(base / "server") as url:
            yield StateSettings(url=url, dir=base / "state")


@pytest.fixture
def stores(settings: StateSettings) -> Iterator[tuple[StateStore, StateStore]]:
    pair = (StateStore(settings), StateStore(settings))
    yield pair
    for store in pair:
        store.close()


def together(*works: partial[None]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def append(store: StateStore, settings: StateSettings, times: int) -> None:
    audit = Audit(store, Keys(settings), FakeClock())
    for number in range(times):
        store.run_now(partial(audit.intent_in, caller=ANN, action_id=f"act-{number}", says={}))


@pytest.mark.threat("T15")
async def test_two_processes_start_at_once_and_append_to_one_chain(
    stores: tuple[StateStore, StateStore], settings: StateSettings
) -> None:
    together(*(partial(append, store, settings, 15) for store in stores))
    report = await Audit(stores[0], Keys(settings), FakeClock()).verify()
    assert (report.holds, report.records) == (True, 30)


def test_limits_are_counted_one_start_at_a_time(stores: tuple[StateStore, StateStore]) -> None:
    seen: list[int] = []

    def start(store: StateStore, number: int) -> None:
        occurrence = Occurrence("restart", "shop", ("web",), "ann", f"act-{number}")
        seen.append(store.run_now(partial(reserve, occurrence=occurrence, now=T0)).same_1h)

    together(*(partial(start, stores[number % 2], number) for number in range(6)))
    assert sorted(seen) == [0, 1, 2, 3, 4, 5]
    asked = Occurrence("restart", "shop", ("web",), "bob")
    assert stores[0].read_now(partial(count, occurrence=asked, now=T0)).same_24h == 6
