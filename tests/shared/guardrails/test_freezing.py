"""The kill switch and freeze windows, over processes (D7, T10)."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from aiops_shared.errors import FrozenError, NotConfiguredError, UnreachableError
from aiops_shared.guardrails.freezing import Freezer, switches, windows
from aiops_shared.settings import PolicySettings, StateSettings
from aiops_shared.state import StateStore
from tests.fakes.clocks import FakeClock
from tests.shared.guardrails.stores import opened

WINDOW = PolicySettings(freeze_windows=["2026-12-20T00:00:00Z/2027-01-04T00:00:00+01:00"])


@pytest.mark.threat("T10")
async def test_a_freeze_set_in_one_process_stops_another_at_its_next_look(tmp_path: Path) -> None:
    with opened(tmp_path) as here, opened(tmp_path) as there:
        mine, theirs = (Freezer(store, PolicySettings(), FakeClock()) for store in (here, there))
        await theirs.check("scale deployment shop/web", "shop")
        await mine.freeze("ann", "incident 42, password=hunter2")
        with pytest.raises(FrozenError, match="frozen by ann") as caught:
            await theirs.check("scale deployment shop/web", "shop")
        assert "incident 42" in caught.value.reason
        assert "hunter2" not in caught.value.reason
        assert caught.value.code == "frozen"
        assert await theirs.lift("bob") == 1
        await mine.check("scale deployment shop/web", "shop")


async def test_a_cluster_can_be_frozen_alone(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        freezer = Freezer(store, PolicySettings(), FakeClock())
        await freezer.freeze("ann", scope="shop")
        assert [freeze.scope for freeze in await freezer.holding("shop")] == ["shop"]
        assert await freezer.holding("other") == ()
        assert len(await freezer.holding()) == 1
        assert await freezer.lift("ann") == 0
        assert await freezer.lift("ann", scope="shop") == 1
        assert await store.read(switches) == ()


async def test_a_freeze_survives_a_restart(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        await Freezer(store, PolicySettings(), FakeClock()).freeze("ann")
    with opened(tmp_path) as store:
        assert len(await Freezer(store, PolicySettings(), FakeClock()).holding("shop")) == 1


@pytest.mark.parametrize(
    ("now", "frozen"),
    [
        (datetime(2026, 12, 19, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 12, 20, tzinfo=UTC), True),
        (datetime(2027, 1, 3, 22, 59, 59, tzinfo=UTC), True),
        (datetime(2027, 1, 3, 23, 0, tzinfo=UTC), False),
    ],
)
async def test_a_window_holds_in_world_time_from_its_start_to_its_end(
    tmp_path: Path, now: datetime, frozen: bool
) -> None:
    with opened(tmp_path) as store:
        held = await Freezer(store, WINDOW, FakeClock(now)).holding("shop")
    assert bool(held) is frozen
    if held:
        assert str(held[0]).startswith("freeze window until 2027-01-04")


@pytest.mark.parametrize(
    "text",
    [
        "Christmas",
        "2026-12-20T00:00:00Z",
        "2026-12-20T00:00:00/2027-01-04T00:00:00",
        "2026-12-20T00:00:00Z/2026-12-20T00:00:00Z",
        "2027-01-04T00:00:00Z/2026-12-20T00:00:00Z",
    ],
)
def test_a_window_that_is_not_understood_stops_the_start(text: str) -> None:
    with pytest.raises(NotConfiguredError, match="AIOPS_POLICY_FREEZE_WINDOWS"):
        windows(PolicySettings(freeze_windows=[text]))


async def test_a_store_that_can_not_be_read_is_no_permission(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"not a database at all" * 100)
    freezer = Freezer(StateStore(StateSettings(dir=tmp_path)), PolicySettings(), FakeClock())
    with pytest.raises(UnreachableError):
        await freezer.check("scale deployment shop/web", "shop")
