"""All stores of a process on one database share its connections; whoever closes takes them from nobody."""

import gc
from pathlib import Path

from sqlalchemy import text

from aiops_shared.settings import StateSettings
from aiops_shared.state import StateStore


def one(store: StateStore) -> int:
    return int(store.read_now(lambda conn: conn.execute(text("SELECT 1")).scalar_one()))


def test_stores_on_one_database_share_an_engine_and_others_do_not(tmp_path: Path) -> None:
    first, second = (StateStore(StateSettings(dir=tmp_path / "a")) for _ in range(2))
    other = StateStore(StateSettings(dir=tmp_path / "b"))
    assert [one(store) for store in (first, second, other)] == [1, 1, 1]
    assert first._opened() is second._opened()
    assert first._opened() is not other._opened()
    for store in (first, second, other):
        store.close()


def test_who_closes_leaves_the_others_connected_and_the_last_one_closes_all(tmp_path: Path) -> None:
    first, second = (StateStore(StateSettings(dir=tmp_path)) for _ in range(2))
    assert one(first) == one(second) == 1
    engine = first._opened()
    first.close()
    first.close()  # twice is once
    assert engine.pool.checkedin() > 0  # type: ignore[attr-defined]  # a QueuePool
    assert one(second) == 1
    second.close()
    assert engine.pool.checkedin() == 0  # type: ignore[attr-defined]  # disposed: an empty pool of its own
    assert one(first) == 1
    assert first._opened() is not engine
    first.close()


def test_the_engine_of_stores_that_nobody_closed_goes_with_them(tmp_path: Path) -> None:
    from aiops_shared.state import sharing

    store = StateStore(StateSettings(dir=tmp_path))
    url = StateSettings(dir=tmp_path).database_url
    assert one(store) == 1
    assert url in sharing._HELD
    del store
    gc.collect()
    assert url not in sharing._HELD
