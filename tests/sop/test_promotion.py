"""Mode auto in production is earned (S58): supervised runs of the very document, a fresh guardrail drill."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aiops_shared.clock import SystemClock
from aiops_shared.settings import SopSettings, StateSettings
from aiops_shared.state import StateStore
from aiops_sop.clients.promotion import StorePromotion
from aiops_sop.models.documents import Sop
from tests.sop.reports.seeding import run_row, seed_drill, seed_outcome, seed_runs

NOW = datetime(2026, 11, 22, 13, 0, tzinfo=UTC)
SOP = Sop(id="pod-crashloop", title="t", digest="a" * 64, text="")


class Noon(SystemClock):
    """World time stands."""

    async def now(self) -> datetime:
        return NOW


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[StateStore]:
    found = StateStore(StateSettings(dir=tmp_path / "state"))
    yield found
    found.close()


def judge(store: StateStore, policy: str = "p1") -> StorePromotion:
    return StorePromotion(store, Noon(), SopSettings(supervised_runs=3, drill_days=30), lambda: policy)


async def earned(store: StateStore) -> None:
    await seed_runs(
        store, [run_row(number, SOP.digest, NOW - timedelta(days=number)) for number in range(1, 4)]
    )
    await seed_drill(store, NOW - timedelta(days=2), "p1")


@pytest.mark.row("S58")
async def test_enough_supervised_runs_and_a_fresh_drill_promote(store: StateStore) -> None:
    assert not await judge(store).promoted(SOP)
    assert len((await judge(store).standing(SOP)).missing) == 2
    await earned(store)
    standing = await judge(store).standing(SOP)
    assert (standing.promoted, standing.succeeded, standing.missing) == (True, 3, ())


@pytest.mark.threat("T8")
async def test_an_edited_document_starts_again_whatever_its_version_says(store: StateStore) -> None:
    await earned(store)
    edited = SOP.model_copy(update={"digest": "b" * 64})
    assert edited.version == SOP.version
    standing = await judge(store).standing(edited)
    assert (standing.promoted, standing.succeeded) == (False, 0)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "undone"}, "2 of 3"),
        ({"state": "escalated"}, "2 of 3"),
        ({"mode": "auto"}, "2 of 3"),
        ({"mode": "plan"}, "2 of 3"),
    ],
)
async def test_only_supervised_runs_that_succeeded_count(
    store: StateStore, change: dict[str, str], why: str
) -> None:
    rows = [run_row(number, SOP.digest, NOW) for number in range(3)]
    await seed_runs(store, [*rows[:2], {**rows[2], **change}])
    await seed_drill(store, NOW, "p1")
    (missing,) = (await judge(store).standing(SOP)).missing
    assert why in missing


async def test_a_run_that_somebody_called_ineffective_does_not_count(store: StateStore) -> None:
    await earned(store)
    await seed_outcome(store, "run_0001", SOP.digest, NOW, effective=False)
    await seed_outcome(store, "run_0002", SOP.digest, NOW, effective=True)
    assert (await judge(store).standing(SOP)).succeeded == 2


@pytest.mark.row("S79")
async def test_a_drill_counts_while_it_is_fresh_passed_and_of_the_policy_in_force(store: StateStore) -> None:
    await earned(store)
    assert "policy changed" in (await judge(store, "p2").standing(SOP)).missing[0]
    await seed_drill(store, NOW - timedelta(days=1), "p1", passed=False)
    assert "failed" in (await judge(store).standing(SOP)).missing[0]


async def test_a_drill_that_is_too_old_counts_no_more(store: StateStore) -> None:
    await seed_runs(store, [run_row(number, SOP.digest, NOW) for number in range(3)])
    await seed_drill(store, NOW - timedelta(days=30, minutes=1), "p1")
    assert "older than 30 days" in (await judge(store).standing(SOP)).missing[0]


async def test_a_guided_document_is_never_promoted(store: StateStore) -> None:
    await earned(store)
    guided = SOP.model_copy(update={"guided": True})
    assert not await judge(store).promoted(guided)
