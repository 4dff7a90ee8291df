"""Repeat and rate limits: over processes, through restarts, never lowered by a clock (D9, D19)."""

import threading
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aiops_shared.guardrails.limits import LimitCounter, Occurrence, count, reserve
from aiops_shared.guardrails.models import Limits
from aiops_shared.guardrails.policy import Policy
from aiops_shared.settings import PolicySettings
from eks_aiops.drilling.verdict_rows import ask
from tests.fakes.clocks import T0, FakeClock
from tests.shared.guardrails.stores import opened

if TYPE_CHECKING:
    from sqlalchemy import Connection

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def restart(number: int, owner: str = "deployment shop/web", caller: str = "ann") -> Occurrence:
    return Occurrence("restart", "shop", (owner,), caller, f"act-{number}")


class RefusedError(Exception):
    """What a gate raises to roll its transaction back."""


def start(conn: "Connection", policy: Policy, occurrence: Occurrence) -> None:
    """Starts an action as the gate does: reserve, judge, roll back when the answer is no."""
    limits = reserve(conn, occurrence, T0)
    if policy.decide(ask("cordon", "Node", limits=limits)).decision != "allow":
        raise RefusedError


async def test_occurrences_are_counted_per_owner_cluster_and_caller(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for number, (owner, age) in enumerate([("web", 70), ("web", 50), ("web", 0), ("api", 0)]):
            at = T0 - age * MINUTE
            occurrence = Occurrence("restart", "shop", (owner,), "ann", f"act-{number}")
            await store.run(partial(reserve, occurrence=occurrence, now=at))
        counter = LimitCounter(store, FakeClock())
        web = Occurrence("restart", "shop", ("web",), "ann")
        assert await counter.counted(web) == Limits(same_1h=2, same_24h=3, caller_1m=2, caller_1h=3)
        other_cluster = Occurrence("restart", "shop-2", ("web",), "bob")
        assert await counter.counted(other_cluster) == Limits()
        other_action = Occurrence("scale", "shop", ("web",), "bob")
        assert await counter.counted(other_action) == Limits()


async def test_an_action_on_many_owners_counts_once_for_its_caller_and_once_per_owner(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        many = Occurrence("restart", "shop", ("web", "api", "web"), "ann", "act-1")
        await store.run(lambda conn: reserve(conn, many, T0))
        counted = await store.read(
            lambda conn: count(conn, Occurrence("restart", "shop", ("api",), "ann"), T0)
        )
    assert counted == Limits(same_1h=1, same_24h=1, caller_1m=1, caller_1h=1)


async def test_a_resumed_action_is_not_counted_again_nor_against_itself(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for _ in range(3):
            assert await store.run(lambda conn: reserve(conn, restart(1), T0)) == Limits()
        counted = await store.read(lambda conn: count(conn, restart(2), T0))
    assert counted.same_1h == 1


@pytest.mark.row("S30")
async def test_the_fourth_in_an_hour_is_refused_also_after_a_restart(tmp_path: Path) -> None:
    policy = Policy(PolicySettings())
    for number in range(3):
        with opened(tmp_path) as store:  # each a process of its own
            await store.run(partial(start, policy=policy, occurrence=restart(number)))
    with opened(tmp_path) as store, pytest.raises(RefusedError):
        await store.run(lambda conn: start(conn, policy, restart(3)))
    with opened(tmp_path) as store:
        # The refused start was rolled back: it is not an occurrence.
        assert (await store.read(lambda conn: count(conn, restart(9), T0))).same_1h == 3
        later = await store.read(lambda conn: count(conn, restart(9), T0 + HOUR))
        assert (later.same_1h, later.same_24h) == (0, 3)


@pytest.mark.fault("R10")
async def test_a_clock_that_jumps_back_lowers_no_count(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for number in range(3):
            await store.run(partial(reserve, occurrence=restart(number), now=T0))
        back = T0 - timedelta(days=3)
        assert (await store.read(lambda conn: count(conn, restart(9), back))).same_1h == 3
        assert (await store.run(lambda conn: reserve(conn, restart(4), back))).same_1h == 3
        assert (await store.read(lambda conn: count(conn, restart(9), T0 + MINUTE))).same_1h == 4


def test_two_processes_can_not_both_take_the_last_place(tmp_path: Path) -> None:
    policy = Policy(PolicySettings())
    outcomes: list[str] = []
    with opened(tmp_path) as one, opened(tmp_path) as two:
        one.run_now(lambda conn: reserve(conn, restart(0), T0))
        one.run_now(lambda conn: reserve(conn, restart(1), T0))
        ready = threading.Barrier(2)

        def attempt(number: int) -> None:
            ready.wait()
            store = (one, two)[number]
            try:
                store.run_now(lambda conn: start(conn, policy, restart(10 + number)))
            except RefusedError:
                outcomes.append("refused")
            else:
                outcomes.append("started")

        threads = [threading.Thread(target=attempt, args=(number,)) for number in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(outcomes) == ["refused", "started"]


@pytest.mark.threat("T10")
async def test_the_31st_action_of_a_caller_in_a_minute_is_refused(tmp_path: Path) -> None:
    policy = Policy(PolicySettings())
    executed = 0
    with opened(tmp_path) as store:
        for number in range(31):
            occurrence = Occurrence("restart", "shop", (f"app-{number}",), "ann", f"act-{number}")
            try:
                await store.run(partial(start, policy=policy, occurrence=occurrence))
            except RefusedError:
                continue
            executed += 1
    assert executed == 30


async def test_occurrences_without_an_action_id_are_counted_each(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        nameless = Occurrence("restart", "shop", ("web",), "ann")
        for _ in range(2):
            await store.run(lambda conn: reserve(conn, nameless, T0))
        assert (await store.read(lambda conn: count(conn, nameless, T0))).same_1h == 2
